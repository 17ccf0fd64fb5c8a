"""Protecting the packages that are in use: `hold()` for the current process, `guard()` for all of an environment."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

from _liveinstall_boot import holds
from liveinstall._environment.target import current_site, find_target
from liveinstall._system.command_line import command_line
from liveinstall._system.lock import environment_lock
from liveinstall._transactions import companions
from liveinstall.errors import NotWritableError, RequirementError
from liveinstall.reports import Guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Literal


class hold(AbstractContextManager["hold"]):  # noqa: N801  it is called like a function
    """Protect the packages that this process uses: until it exits, or as a context manager, until the block ends.

    The packages that it has imported or will import are not replaced on disk in that time. A process that changes the
    environment through liveinstall is protected anyway; then the end of the block does not end the protection.

    Raises:
        TargetError: The interpreter has no environment that liveinstall supports.
        NotWritableError: The lock file cannot be written.
    """

    def __init__(self) -> None:
        self._site = current_site()
        self._new = holds.own_hold(self._site) is None
        try:
            holds.take_hold(self._site, command_line())
        except OSError as error:
            raise NotWritableError(f"{self._site} cannot be protected: {error}.", site=self._site) from None

    def all(self) -> None:
        """Protect the whole environment for the rest of the hold: child processes may use any package."""
        holds.own_hold(self._site).mark_unknown()

    def handles(self) -> tuple[int, ...]:
        """The handles that a child process has to inherit so that the hold outlives this process.

        The lock is held while any copy of its handle is open.

        Returns:
            File descriptors for `pass_fds` of subprocess; empty on Windows.
        """
        return () if os.name == "nt" else (holds.own_hold(self._site).handle,)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the hold, unless this process had one before."""
        if self._new:
            holds.release(self._site)


def hold_while(program: Sequence[str]) -> int:
    """Run a program, and protect the whole environment until the program exits.

    On POSIX the program inherits the hold: it outlives this process, and processes that the program leaves running keep
    it. Ctrl-C is delivered to the program.

    Args:
        program: The command and its arguments.

    Returns:
        The program's exit status; 128 plus the signal's number if a signal ended it, as in shells.

    Raises:
        RequirementError: The program cannot be started.
        TargetError: The interpreter has no environment that liveinstall supports.
        NotWritableError: The lock file cannot be written.
    """
    from liveinstall._system.programs import exit_status, start_in_foreground  # hold() itself does not need it

    with hold() as held:
        held.all()
        try:
            child = start_in_foreground(program, handles=held.handles())
        except OSError as error:
            raise RequirementError(f"{program[0]} could not be started: {error}.", requirement=program[0]) from None
        return exit_status(child)


def guard(state: Literal["on", "off"]) -> Guard:
    """Enable or disable the protection of every interpreter of this environment from its start on.

    It protects even processes that do not import liveinstall. Each start of Python takes about two milliseconds longer.

    Args:
        state: "on" or "off".

    Returns:
        The environment and its new state.

    Raises:
        RequirementError: `state` is neither "on" nor "off".
        LockTimeoutError: Another process is changing the environment.
        NotWritableError: The environment cannot be written to.
        ExternallyManagedError: The environment is managed by another package manager (PEP 668).
    """
    if state not in ("on", "off"):
        raise RequirementError(f"guard() takes on or off, not {state!r}.", requirement="")
    site = find_target().site
    with environment_lock(site, who=command_line()):
        companions.set_guard(site, on=state == "on")
    return Guard(site, state == "on")
