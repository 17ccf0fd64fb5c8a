"""The history: records of applied transactions in `history/`, and the old files that they replaced in `retired/`.

Old files are kept for undo within the limits below. A removal begins with their RECORD files, so that after a kill the
rest cannot be mistaken for a version that can be restored. The next sweep completes the removal.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from _liveinstall_boot import codec, files, trees
from _liveinstall_boot.layout import HISTORY, RETIRED, STATE, list_transactions
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._transactions.facts import decode_facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

KEPT_TRANSACTIONS = 5  # the number of newest transactions whose old files are kept
KEPT_DAYS = 90.0
KEPT_BYTES = 4 * 2**30  # of all old files together, by the sizes in their RECORDs
_DIGITS = 16  # of a number of microseconds that a calendar can show, and of a size
SPARED = 1  # the number of newest transactions that are kept regardless of age and size: the last can always be undone


@dataclass(frozen=True)
class HistoryEntry:
    """An applied transaction.

    Attributes:
        record: The boot module's record.
        about: The facts that are recorded for people and for undo.
        when: When it was applied, a POSIX timestamp in seconds.
    """

    record: codec.TransactionRecord
    about: dict[str, Any]
    when: float

    @property
    def transaction_id(self) -> str:
        """The transaction's id."""
        return str(self.record.transaction_id)

    def about_change(self, name: str) -> dict[str, Any]:
        """The recorded facts about the change of one distribution; see `PendingChange.about`.

        Args:
            name: The normalized name of the distribution.
        """
        return dict(self.about.get("changes", {}).get(name, {}))


@dataclass(frozen=True)
class Limits:
    """The limits for old files; None means no limit.

    Attributes:
        keep: The number of newest transactions whose old files are kept.
        days: The maximum age in days.
        bytes: The maximum size of all old files together.
    """

    keep: int | None = None
    days: float | None = None
    bytes: int | None = None


def happened(site: str) -> list[HistoryEntry]:
    """Read all applied transactions, newest first. Unreadable records are omitted and left alone.

    Args:
        site: The site-packages directory.
    """
    entries = [entry for name in _names(site).values() if (entry := _read(site, name))]
    return sorted(entries, key=lambda entry: (entry.when, entry.transaction_id), reverse=True)


def _names(site: str) -> dict[str, str]:
    """The file names of the records, by transaction id."""
    try:
        names = os.listdir(os.path.join(site, STATE, HISTORY))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {name.partition(".")[0]: name for name in names}


def _read(site: str, name: str) -> HistoryEntry | None:
    path = os.path.join(site, STATE, HISTORY, name)
    stamp = name.rpartition(".")[2]
    with suppress(OSError, codec.StaleError):
        record = codec.decode_record(codec.read(path))
        is_moment = stamp.isdecimal() and len(stamp) <= _DIGITS
        when = int(stamp) / 1e6 if is_moment else os.stat(path).st_mtime
        return HistoryEntry(record, decode_facts(record.about), when)
    return None


def is_kept(site: str, done: HistoryEntry, change: codec.SwapChange) -> bool:
    """Whether the old files of a change are still kept; their checksums are verified only when they are used.

    Args:
        site: The site-packages directory.
        done: The transaction.
        change: One of its changes.
    """
    return os.path.lexists(os.path.join(retired_info(site, done, change), "RECORD"))


def retired_info(site: str, done: HistoryEntry, change: codec.SwapChange) -> str:
    """The absolute path of the kept `.dist-info` directory of the version that a change replaced.

    Args:
        site: The site-packages directory.
        done: The transaction.
        change: One of its changes.
    """
    return os.path.join(trees.retired_tree(site, done.record, change).root, os.path.basename(str(change.old_info)))


def prune(site: str, limits: Limits, *, spare: int = 0) -> list[str]:
    """Remove the old files that exceed a limit, the oldest first. Needs the lock.

    Files that a process still uses cannot be removed on Windows and NFS; a later call removes them. Transactions that
    are unreadable or being applied are left alone.

    Args:
        site: The site-packages directory.
        limits: The limits.
        spare: The number of newest transactions that are kept in any case.

    Returns:
        The ids of the transactions whose old files were removed.
    """
    retired = os.path.join(site, STATE, RETIRED)
    active = {transaction_id for transaction_id, _, _ in list_transactions(site)}
    names = _names(site)
    kept, surplus = [], []
    for transaction_id in sorted(os.listdir(retired)) if os.path.isdir(retired) else ():
        entry = _read(site, names[transaction_id]) if transaction_id in names else None
        if transaction_id in active or (transaction_id in names and entry is None):
            continue
        complete = entry and all(is_kept(site, entry, change) for change in entry.record.changes if change.old_info)
        if entry and complete:
            kept.append(entry)
        else:  # an interrupted removal, or a deleted record
            surplus.append(transaction_id)
    kept.sort(key=lambda entry: (entry.when, entry.transaction_id), reverse=True)
    surplus += [entry.transaction_id for entry in _over_limits(kept, limits, spare=spare)]
    return [transaction_id for transaction_id in surplus if _remove(os.path.join(retired, transaction_id))]


def _over_limits(kept: Iterable[HistoryEntry], limits: Limits, *, spare: int) -> Iterator[HistoryEntry]:
    """The first of `kept`, newest first, that exceeds a limit, and all older ones."""
    size, over = 0, False
    for number, entry in enumerate(kept):
        size += sum(entry.about_change(change.name).get("retires", 0) for change in entry.record.changes)
        over = number >= spare and (
            over
            or (limits.keep is not None and number >= limits.keep)
            or (limits.days is not None and time.time() - entry.when > limits.days * 86400)
            or (limits.bytes is not None and size > limits.bytes)
        )
        if over:
            yield entry


def _remove(path: str) -> bool:
    """Remove the old files of a transaction, RECORD files first; return whether all were removed."""
    try:
        for tree in os.scandir(path):
            for entry in os.scandir(tree.path) if tree.is_dir(follow_symlinks=False) else ():
                if entry.name.endswith(".dist-info"):
                    files.unlink(os.path.join(entry.path, "RECORD"))
        files.remove_tree(path)
    except OSError:
        return False
    return True


def undo_metadata(site: str, change: codec.SwapChange) -> dict[str, Any]:
    """Collect the facts about a staged change that are recorded for undo.

    Args:
        site: The site-packages directory.
        change: The boot module's record of the change.

    Returns:
        "record": the SHA-256 of the new RECORD, empty for a removal; "retires": the size of the old files in bytes.
    """
    facts: dict[str, Any] = {"record": "", "retires": 0}
    if change.part:
        part = os.path.join(site, change.part)
        info = next((name for name in os.listdir(part) if name.endswith(".dist-info")), "")
        facts["record"] = files.sha256(os.path.join(part, info, "RECORD"))
    with suppress(OSError, codec.StaleError):  # if it has been removed since, the swap reports that
        if change.old_info:
            rows = codec.record_rows(codec.read(os.path.join(site, change.old_info, "RECORD")))
            sizes = {path: int(size) for path, _, size in rows if size.isdecimal() and len(size) <= _DIGITS}
            facts["retires"] = sum(sizes.values())
    return facts
