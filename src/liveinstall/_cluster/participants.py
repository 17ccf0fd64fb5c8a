"""The environments of a cluster during a request, and the processes that use them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from liveinstall._cluster.outcome import EnvironmentRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


@dataclass(frozen=True)
class Member:
    """A process of the cluster.

    Attributes:
        address: Its address, which the engine knows.
        is_worker: Whether it runs tasks; others are the engine's own, such as a scheduler.
        can_restart: Whether the engine can restart it.
    """

    address: str
    is_worker: bool = True
    can_restart: bool = True


@dataclass(eq=False)
class Place:
    """An environment, and the processes that use it.

    Attributes:
        id: Its id; not the one in its state directory if that was copied with an image.
        site: Its site-packages directory.
        members: The processes.
        machines: The machine of each, by address.
        row: What the request has done here so far.
        change: The id of the prepared change; empty if there is nothing to change.
        names: The distributions that change.
    """

    id: str
    site: str
    members: list[Member]
    machines: dict[str, str]
    row: EnvironmentRow = field(init=False)
    change: str = ""
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.row = EnvironmentRow(self.id, self.site, tuple(member.address for member in self.members), "unchanged")

    def follow(self, earlier: Place) -> None:
        """Take over what the request has done so far.

        Args:
            earlier: The same environment, before more processes joined it.
        """
        self.change, self.names = earlier.change, earlier.names
        self.row = replace(earlier.row, members=self.row.members)

    @property
    def leader(self) -> str:
        """The address of the process that takes the steps; a worker rather than the engine's own."""
        return next((each for each in self.members if each.is_worker), self.members[0]).address


def failure_of(error: Exception) -> dict[str, Any]:
    """Return the answer of a step that failed, as values of JSON.

    Args:
        error: The error.
    """
    what, todo = getattr(error, "what", str(error)), getattr(error, "todo", "")
    return {"error": type(error).__name__, "what": what, "todo": todo}


def take(place: Place, answer: Mapping[str, Any]) -> None:
    """Note the answer of a step.

    Args:
        place: The environment.
        answer: The answer of `prepare` or `arm`.
    """
    changes = tuple(words(*change) for change in answer["changes"])
    place.change = answer["id"]
    place.names = [name for name, *_ in answer["changes"]] or place.names
    place.row = replace(place.row, state=answer["state"], changes=changes or place.row.changes, error=answer["reason"])


def words(name: str, old: str | None, new: str | None) -> str:
    """Describe a change for people.

    Args:
        name: The distribution.
        old: Its version before; None if it is new.
        new: Its version afterwards; None if it is removed.
    """
    if new is None:
        return f"{name} {old} removed"
    return f"{name} {old} -> {new}" if old else f"{name} {new}"


def leave(places: Iterable[Place], address: str, why: str) -> None:
    """Note that a process keeps old versions.

    Args:
        places: The environments.
        address: The address of the process.
        why: The reason, for people.
    """
    for place in places:
        if address in place.machines:
            place.row = replace(place.row, left=(*place.row.left, (address, why)))


def note_restarts(places: Iterable[Place], addresses: Iterable[str], reasons: Mapping[str, str]) -> None:
    """Note which workers were restarted, and why others were not.

    The reason why a change waits is gone with the first restart: it named the old workers, and those that remain are
    named with their own reasons.

    Args:
        places: The environments.
        addresses: The workers that should have been restarted.
        reasons: The reason for each that was not.
    """
    for address in addresses:
        if address in reasons:
            leave(places, address, reasons[address])
            continue
        for place in places:
            if address in place.machines:
                waits = "" if place.row.state == "pending" else place.row.error
                place.row = replace(place.row, restarted=(*place.row.restarted, address), error=waits)
