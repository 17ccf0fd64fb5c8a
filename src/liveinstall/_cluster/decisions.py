"""The decided requests of a cluster. Every environment keeps them all, so that a new coordinator knows them.

They are in the state directory, with the id that each change has in that environment. The newest copy counts.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, replace

from _liveinstall_boot.codec import read
from _liveinstall_boot.layout import STATE
from liveinstall._cluster.values import Lock
from liveinstall._system.durability import write_atomically
from liveinstall._transactions import history, published

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

NOTHING = "nothing"  # in place of a change's id: the environment had everything
_FILE = "decided"  # in the state directory
_KEY = 8  # bytes


@dataclass(frozen=True)
class Decision:
    """A decided request.

    Attributes:
        key: Its random id.
        lock: The text of the lock.
        change: The id of its change in the environment that keeps it, or `NOTHING`; empty elsewhere.
    """

    key: str
    lock: str
    change: str = ""


@dataclass(frozen=True)
class Decisions:
    """The decided requests that were not undone.

    Attributes:
        cluster: The random id of the cluster that decided them: those of another cluster are not adopted.
        stamp: When the last one was decided or undone, in nanoseconds: of two copies the newer one counts.
        items: The requests, the oldest first.
    """

    cluster: str = ""
    stamp: int = 0
    items: tuple[Decision, ...] = ()

    @property
    def names(self) -> set[str]:
        """The distributions that they change."""
        return {wheel.name for item in self.items for wheel in Lock.parse(item.lock).wheels}

    def plus(self, lock: Lock) -> Decisions:
        """Return these and one more."""
        item = Decision(os.urandom(_KEY).hex(), lock.text)
        return self._now((*self.items, item))

    def without_last(self) -> Decisions:
        """Return these without the newest one."""
        return self._now(self.items[:-1])

    def is_newer(self, other: Decisions) -> bool:
        """Return whether a coordinator with the `other` decisions has to adopt these."""
        return self.stamp > other.stamp and (not other.cluster or other.cluster == self.cluster)

    def as_json(self) -> dict[str, Any]:
        """Return them as values of JSON, without the ids of changes."""
        return asdict(replace(self, items=tuple(replace(item, change="") for item in self.items)))

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Decisions:
        """Read the return value of `as_json()`."""
        items = tuple(Decision(**item) for item in values["items"])
        return Decisions(str(values["cluster"]), int(values["stamp"]), items)

    def _now(self, items: tuple[Decision, ...]) -> Decisions:
        cluster = self.cluster or os.urandom(_KEY).hex()
        return Decisions(cluster, max(time.time_ns(), self.stamp + 1), items)


def read_decisions(site: str) -> Decisions:
    """Read an environment's copy; without items if there is none, or none that can be read.

    Args:
        site: The site-packages directory.
    """
    try:
        return Decisions.from_json(json.loads(read(os.path.join(site, STATE, _FILE))))
    except (OSError, ValueError, TypeError, KeyError):
        return Decisions()


def write_decisions(site: str, decisions: Decisions, changes: Mapping[str, str]) -> None:
    """Write an environment's copy. The caller has the environment's lock.

    Args:
        site: The site-packages directory.
        decisions: The decisions.
        changes: The id of the change in this environment, by the decision's key; those of the former copy are kept.

    Raises:
        OSError: It cannot be written.
    """
    known = {item.key: item.change for item in read_decisions(site).items} | dict(changes)
    items = tuple(replace(item, change=known.get(item.key, "")) for item in decisions.items)
    write_atomically(os.path.join(site, STATE, _FILE), json.dumps(asdict(replace(decisions, items=items))))


def fulfilled(site: str) -> set[str]:
    """Return the keys of the decisions whose change is pending or applied in an environment.

    Args:
        site: The site-packages directory.
    """
    known = {NOTHING, *(entry.transaction_id for entry in history.happened(site))}
    known.update(item.transaction_id for item in published.read_all(site) if item.state == "pending")
    return {item.key for item in read_decisions(site).items if item.change in known}
