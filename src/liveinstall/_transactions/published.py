"""The published transactions on disk, read without loading what can change files: pending, interrupted or failed."""

from __future__ import annotations

import os
from contextlib import suppress

from _liveinstall_boot import codec
from _liveinstall_boot.layout import GUARDS, list_transactions, record_path
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._transactions.facts import decode_facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any


@dataclass(frozen=True)
class Transaction:
    """A transaction on disk.

    Attributes:
        record: The boot module's record.
        about: The facts that are recorded for people and for undo.
        state: "pending", "swapping", "committed" or "failed".
        tries: The number of failed attempts to apply it.
    """

    record: codec.TransactionRecord
    about: dict[str, Any]
    state: str = "pending"
    tries: int = 0

    @property
    def transaction_id(self) -> str:
        """The id; ids sort by creation time."""
        return str(self.record.transaction_id)


def read_all(site: str) -> Iterator[Transaction]:
    """Read the transactions that are not in the history, oldest first.

    Unreadable ones are omitted and left alone; `status()` lists them.

    Args:
        site: The site-packages directory.
    """
    for transaction_id, state, tries in list_transactions(site):
        with suppress(OSError, codec.StaleError):
            record = codec.read_record(site, transaction_id, state, tries)
            yield Transaction(record, decode_facts(record.about), state, tries)


def unreadable(site: str) -> tuple[str, ...]:
    """List the files of unreadable transactions, which are damaged or from a newer version. They are left alone."""
    known = {item.transaction_id for item in read_all(site)}
    return tuple(
        record_path(site, transaction_id, state, tries)
        for transaction_id, state, tries in list_transactions(site)
        if transaction_id not in known
    )


def is_interrupted(site: str) -> bool:
    """Whether a swap has begun and is neither complete nor rolled back."""
    return any(state in ("swapping", "committed") for _, state, _ in list_transactions(site))


def is_guarded(site: str) -> bool:
    """Whether each interpreter of this environment protects the packages that it uses, from its start."""
    return any(os.path.exists(os.path.join(site, name)) for name in GUARDS)


@dataclass(frozen=True)
class PendingChange:
    """One pending change.

    Attributes:
        swap: The boot module's record of it.
        about: The facts for planning and for people: {"reason": str, "requested": bool, "requires": [Requires-Dist
            lines], "url": str, "sha256": str, "record": SHA-256 of the new RECORD, "retires": bytes of the old files}.
    """

    swap: codec.SwapChange
    about: Mapping[str, Any]


@dataclass(frozen=True)
class PendingChanges:
    """All pending changes.

    Attributes:
        entries: The changes by the normalized name of the distribution.
        requests: The requests that they come from.
        ids: The ids of their transactions, oldest first.
    """

    entries: Mapping[str, PendingChange]
    requests: tuple[str, ...]
    ids: tuple[str, ...]

    @classmethod
    def read(cls, site: str) -> PendingChanges:
        """Read the pending changes from disk, without the transactions that were set aside."""
        entries: dict[str, PendingChange] = {}
        requests: list[str] = []
        ids = []
        for item in read_all(site):
            if item.state == "pending":
                about = item.about.get("changes", {})
                entries |= {
                    change.name: PendingChange(change, about.get(change.name, {})) for change in item.record.changes
                }
                requests += item.about.get("requests", ())
                ids.append(item.transaction_id)
        return cls(entries, tuple(dict.fromkeys(requests)), tuple(ids))

    def parts(self, site: str) -> tuple[str, ...]:
        """The absolute paths of the staged parts."""
        return tuple(os.path.normpath(os.path.join(site, e.swap.part)) for e in self.entries.values() if e.swap.part)

    def replaced(self, site: str) -> tuple[str, ...]:
        """The absolute paths of the `.dist-info` directories that will be replaced or removed."""
        paths = (entry.swap.old_info for entry in self.entries.values())
        return tuple(os.path.normpath(os.path.join(site, path)) for path in paths if path)
