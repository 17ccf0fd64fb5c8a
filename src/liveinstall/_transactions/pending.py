"""What waits, as one merged set: however many requests, all that waits is one transaction and ends as one swap."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from _liveinstall_boot import codec, holds
from liveinstall._model import roots_of
from liveinstall._redact import redact
from liveinstall._system.command_line import command_line
from liveinstall._transactions import transaction as transactions
from liveinstall._transactions.history import undo_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from liveinstall.results import Target


@dataclass(frozen=True)
class PendingChange:
    """One change that waits: the boot module's record of it, and what is kept for planning and for people.

    `about`: {"reason": str, "requested": bool, "requires": [Requires-Dist lines], "url": str, "sha256": str,
    "record": sha256 of the RECORD that comes in, "retires": bytes that go out}.
    """

    swap: codec.SwapChange
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Handover:
    """What happens to the files of a transaction that several distributions bring: see the boot module's `handover`.

    `touched`: dist-infos, relative to the site directory, of those that stay and find another content, by name.
    """

    moves: Sequence[tuple[str, str, str, str]] = ()
    owners: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    touched: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PendingChanges:
    """The entries by name, the requests that led to them, and the ids of their transactions, oldest first."""

    entries: Mapping[str, PendingChange]
    requests: tuple[str, ...]
    ids: tuple[str, ...]

    @classmethod
    def read(cls, site: str) -> PendingChanges:
        """What waits on disk; what was set aside does not."""
        entries: dict[str, PendingChange] = {}
        requests: list[str] = []
        ids = []
        for item in transactions.read_all(site):
            if item.state == "pending":
                about = item.about.get("changes", {})
                entries |= {
                    change.name: PendingChange(change, about.get(change.name, {})) for change in item.record.changes
                }
                requests += item.about.get("requests", ())
                ids.append(item.transaction_id)
        return cls(entries, tuple(dict.fromkeys(requests)), tuple(ids))

    def parts(self, site: str) -> tuple[str, ...]:
        """The absolute paths of the parts."""
        return tuple(os.path.normpath(os.path.join(site, e.swap.part)) for e in self.entries.values() if e.swap.part)

    def replaced(self, site: str) -> tuple[str, ...]:
        """The absolute paths of the dist-infos that go."""
        paths = (entry.swap.old_info for entry in self.entries.values())
        return tuple(os.path.normpath(os.path.join(site, path)) for path in paths if path)


def publish_pending(
    target: Target,
    before: PendingChanges,
    entries: Iterable[PendingChange],
    requests: Iterable[str],
    *,
    transaction_id: str = "",
    early: Iterable[str] = (),
    handover: Callable[[str, Sequence[PendingChange]], Handover],
) -> str:
    """Make `entries` all that waits, in place of `before`, by one rename; the transaction's id, empty if none is left.

    `id`: its name if nothing waited before. `early`: see `transactions.publish`. `handover` is asked for what several
    distributions bring, by the id and the entries.
    """
    entries = list(entries)
    transaction_id = (before.ids[0] if before.ids else transaction_id) if entries else ""
    if entries:
        # For whoever stages it the old stays, even what was not imported yet.
        holds.take_hold(target.site, command_line(), keeps=[transaction_id])
        publish(target, transaction_id, entries, requests, early=early, handover=handover(transaction_id, entries))
    for old in before.ids:
        if old != transaction_id:
            transactions.discard(target.site, old)
    return transaction_id


def publish(
    target: Target,
    transaction_id: str,
    entries: Iterable[PendingChange],
    requests: Iterable[str],
    *,
    early: Iterable[str] = (),
    handover: Handover | None = None,
) -> None:
    """Publish one transaction with all that boot and people need to know of it."""
    entries = list(entries)
    about = {
        "created": time.time(),
        "pid": os.getpid(),
        "command": command_line(),
        "python": sys.version.split()[0],
        "requests": list(dict.fromkeys(map(redact, requests))),
        "changes": {entry.swap.name: _complete(target.site, entry) for entry in entries},
    }
    record = codec.TransactionRecord(transaction_id, [entry.swap for entry in entries], roots_of(target))
    handover = handover or Handover()
    record.moves, record.owners = list(handover.moves), dict(handover.owners)
    transactions.publish(target.site, record, about, early, handover.touched)


def _complete(site: str, entry: PendingChange) -> dict[str, Any]:
    """What is kept of a change, with what undo will ask; what was staged before has it already."""
    return {**({} if "record" in entry.about else undo_metadata(site, entry.swap)), **entry.about}
