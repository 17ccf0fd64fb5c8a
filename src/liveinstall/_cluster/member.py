"""The part of a cluster request in one process: its identity, its old versions, and steps in a child process."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os

from _liveinstall_boot import patient
from _liveinstall_boot.holds import own_holds, take_hold
from _liveinstall_boot.layout import STATE
from _liveinstall_boot.process import host
from liveinstall._cluster.decisions import fulfilled, read_decisions
from liveinstall._cluster.environment import environment_id
from liveinstall._cluster.participants import failure_of
from liveinstall._cluster.step_process import ask_child
from liveinstall._environment.target import find_target
from liveinstall._system.command_line import command_line
from liveinstall._system.package import __version__
from liveinstall._transactions import published

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from _liveinstall_boot.holds import Hold

_MARK = "mark-"  # in the state directory: files that show which processes share an environment


def identify(*, hold: bool = True) -> dict[str, Any]:
    """Describe the environment that this process uses, and the machine that it runs on.

    Args:
        hold: Take a hold, which lists the loaded distributions for all other processes, even on other machines.
    """
    site = _site()
    if hold:
        take_hold(site, command_line())
    facts = {"environment": environment_id(site), "site": site, "machine": host(), "pid": os.getpid()}
    return facts | {"decided": read_decisions(site).stamp, "liveinstall": __version__}


def decided() -> dict[str, Any]:
    """Return the decisions that this environment keeps, and the keys of those whose changes it has."""
    site = _site()
    return {"decided": read_decisions(site).as_json(), "done": sorted(fulfilled(site))}


def mark(nonce: str) -> dict[str, Any]:
    """Create a file in this process's environment, for `sees`; or remove it if it exists."""
    path = _mark(nonce)
    if os.path.exists(path):
        patient.unlink(path)
    else:
        with open(path, "x", encoding="ascii"):
            pass
    return {}


def sees(nonce: str) -> dict[str, Any]:
    """Return whether the file that `mark` has created elsewhere is in this environment: then it is the same."""
    return {"sees": os.path.exists(_mark(nonce))}


def stale(names: list[str]) -> dict[str, Any]:
    """Return the distributions that this process would use in another version if it were started now.

    Args:
        names: Only these. If it is empty: those with a pending change that was prepared for a cluster.
    """
    site = _site()
    pending = [item for item in published.read_all(site) if item.state == "pending"]
    found = {name for hold in own_holds(site) for name in _stale(hold, [item.record for item in pending])}
    wanted = names or [change.name for item in pending if item.about.get("lock") for change in item.record.changes]
    return {"stale": sorted(found.intersection(wanted))}


def _stale(hold: Hold, records: list[Any]) -> set[str]:
    parts = {change.part for record in records for change in record.changes if change.part}
    gone = {part.split("-")[0].lower().replace("_", "-") for part in hold.sees if part not in parts}
    for record in records:
        for change in record.changes:
            tops = record.tops.get(change.name, ())
            if change.part not in hold.sees and (hold.uses is None or not hold.uses.isdisjoint(tops)):
                gone.add(change.name)
    return gone


def versions(names: list[str]) -> dict[str, Any]:
    """Return the versions that this process would import now; None for missing distributions."""

    def version(name: str) -> str | None:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None

    return {"versions": {name: version(name) for name in names}}


def _mark(nonce: str) -> str:
    return os.path.join(_site(), STATE, _MARK + os.path.basename(nonce))


def _site() -> str:
    return find_target(for_change=False).site


_HERE: Mapping[str, Callable[..., dict[str, Any]]] = {
    each.__name__: each for each in (identify, decided, mark, sees, stale, versions)
}


async def perform(step: str, **arguments: Any) -> dict[str, Any]:
    """Execute a step in this process or, if it plans or changes something, in a child process.

    Args:
        step: Its name.
        **arguments: JSON values.

    Returns:
        The answer, a JSON object; one with the key `error` (the class), `what` and `todo` if it failed.
    """
    try:
        if step in _HERE:
            return await asyncio.to_thread(_HERE[step], **arguments)
        return await asyncio.to_thread(ask_child, "liveinstall._cluster.child", {"step": step, **arguments})
    except Exception as error:  # noqa: BLE001  the caller is in another process, and must learn of it
        return failure_of(error)
