"""Holds: a live process's claim that what it uses stays as it is. The boot module takes, reads and keeps them."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from _liveinstall_boot import holds as boot_holds
from _liveinstall_boot import ownership, views
from liveinstall._environment.installed import record_of
from liveinstall._redact import redact
from liveinstall._system.command_line import command_line
from liveinstall.errors import DamagedError
from liveinstall.results import Holder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from liveinstall._model import Distribution


def take_hold(site: str) -> str:
    """Hold the environment for as long as this process lives; the hold's path. Idempotent."""
    return str(boot_holds.take_hold(site, command_line()))


def holders(site: str, here: Mapping[str, Distribution] | None = None) -> tuple[Holder, ...]:
    """The live processes that hold the environment, this one included. What the dead have left is removed.

    `here`: say which of these distributions each of them uses.
    """
    found = []
    tops = {name: top_names(one)[0] for name, one in (here or {}).items()}
    own = boot_holds.own_hold(site)
    for hold in boot_holds.live_holds(site):
        # A hold that boot took for this process is another copy's, but the same process's; a forked child shares one.
        mine = hold.pid == os.getpid() or (own is not None and hold.path == own.path)
        uses = None if hold.uses is None else tuple(sorted(hold.uses))
        used = tuple(sorted(name for name, names in tops.items() if uses and not names.isdisjoint(uses)))
        found.append(Holder(hold.pid, redact(hold.command), hold.since, mine, uses, tuple(hold.sees), used))
    return tuple(found)


def users(distributions: Iterable[Distribution], others: Iterable[Holder]) -> dict[str, Holder]:
    """For each distribution that is used, one of the holders, or of the processes that have a library of it mapped."""
    found: dict[str, Holder] = {}
    places = {}
    others = list(others)
    for distribution in distributions:
        tops, libraries = top_names(distribution)
        home = os.path.dirname(distribution.info)
        places[distribution.name] = [os.path.join(home, path) for path in libraries]
        for holder in others:
            if holder.uses is None or not tops.isdisjoint(holder.uses):
                found.setdefault(distribution.name, holder)
    for pid, name in views.mapped(places):
        found.setdefault(name, replace(unannounced(pid), distributions=(name,)))
    return found


def unannounced(pid: int) -> Holder:
    """A process that never heard of us."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    except OSError:
        words = []
    return Holder(pid, redact(" ".join(words).strip())[:120] or "unknown", 0.0)


def top_names(distribution: Distribution) -> tuple[set[str], set[str]]:
    """The top-level import names of a distribution, and the top-level paths that hold shared libraries."""
    try:
        names, libraries = ownership.top_names(record_of(distribution)[0])
    except DamagedError:
        return {distribution.name.replace("-", "_")}, set()
    return names, libraries


@contextmanager
def variables_for_exec() -> Iterator[dict[str, str]]:
    """The environment variables for a program that replaces this process within (`exec`), which ends its hold.

    The new one is a descendant of whatever this one descends from, and no longer of this one's hold. A forked child
    shares the hold and may live on: so the hold loses this process's id, or the new one would take it for its own.
    Where the `exec` fails, the hold is as it was.
    """
    variables = dict(os.environ)
    here = os.path.dirname(variables.get(boot_holds.VARIABLE, ""))
    own: dict[str, boot_holds.Hold] = {}
    for site in {*boot_holds.held_sites(), os.path.dirname(os.path.dirname(here))}:
        own |= {hold.name: hold for hold in boot_holds.live_holds(site, start=f"{os.getpid()}-")}
    name = os.path.basename(variables.pop(boot_holds.VARIABLE, ""))
    while name in own:
        name = own[name].parent
    if name:
        variables[boot_holds.VARIABLE] = os.path.join(here, name)
    renamed = []
    for hold in own.values():
        here, file = os.path.split(hold.path)  # the file's name also says whether its process may use anything
        with suppress(OSError):
            os.rename(hold.path, anonymous := os.path.join(here, f"0-{file.partition('-')[2]}"))
            renamed.append((anonymous, hold.path))
    try:
        yield variables
    except BaseException:
        for anonymous, path in renamed:
            with suppress(OSError):
                os.rename(anonymous, path)
        raise
