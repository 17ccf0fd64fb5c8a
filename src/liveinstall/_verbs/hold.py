"""What a process asks for itself: that what it uses stays as it is."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal

from _liveinstall_boot import holds
from liveinstall._environment.target import current_site, find_target
from liveinstall._system.command_line import command_line
from liveinstall._system.lock import environment_lock
from liveinstall._transactions import companions
from liveinstall.errors import NotWritableError, RequirementError
from liveinstall.reports import Guard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType


class hold(AbstractContextManager["hold"]):  # noqa: N801  it is called like a function
    """Keep what this process uses as it is: for the process's life, or as a context for the context's.

    What it has imported, and what it goes on to import, is not replaced on disk before it ends. A process that changes
    the environment through liveinstall holds it anyway, and then the end of the context ends nothing.

    Raises: TargetError, NotWritableError.
    """

    def __init__(self) -> None:
        self._site = current_site()
        self._new = holds.own_hold(self._site) is None
        try:
            holds.take_hold(self._site, command_line())
        except OSError as error:
            raise NotWritableError(f"{self._site} cannot be held: {error}.", site=self._site) from error

    def all(self) -> None:
        """Hold everything from now on, as long as it holds: who knows what the children use."""
        holds.own_hold(self._site).mark_unknown()

    def handles(self) -> tuple[int, ...]:
        """What a child has to inherit to hold on should this process die before it; nothing on Windows.

        The lock lives as long as any copy of the handle.
        """
        return () if os.name == "nt" else (holds.own_hold(self._site).handle,)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the hold, unless this process had it before."""
        if self._new:
            holds.release(self._site)


def hold_while(program: Sequence[str]) -> int:
    """Run a program, and until it has ended replace nothing in the environment, whatever it uses; its exit status.

    On POSIX the hold is the program's too: it outlives this process, and also what the program leaves running keeps it.
    A program that was ended by a signal has 128 and the signal's number, as in shells. Ctrl-C is the program's.

    Raises: RequirementError where it cannot be started, TargetError, NotWritableError.
    """
    from liveinstall._system.programs import exit_status, start_in_foreground  # a hold itself needs nothing of it

    with hold() as held:
        held.all()
        try:
            child = start_in_foreground(program, handles=held.handles())
        except OSError as error:
            raise RequirementError(f"{program[0]} could not be started: {error}.", requirement=program[0]) from error
        return exit_status(child)


def guard(state: Literal["on", "off"]) -> Guard:
    """Make every interpreter of this environment hold what it uses, from its start on; or no longer.

    So even processes that know nothing of liveinstall are safe. It costs each start of Python about a millisecond.

    Raises: LockTimeoutError, NotWritableError, ExternallyManagedError.
    """
    if state not in ("on", "off"):
        raise RequirementError(f"the guard is on or off, not {state!r}.", requirement="")
    site = find_target().site
    with environment_lock(site, who=command_line()):
        companions.set_guard(site, on=state == "on")
    return Guard(site, state == "on")
