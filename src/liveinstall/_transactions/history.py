"""What happened: the records that a swap leaves in `history/`, and the old files that it leaves in `retired/`.

Old files are kept for undo under the limits below; what is removed first loses its RECORDs, so that a removal that is
killed never leaves anything that looks as if it could be brought back. The next sweep finishes it.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from _liveinstall_boot import codec, files, trees
from _liveinstall_boot.layout import HISTORY, RETIRED, STATE, list_transactions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEPT_TRANSACTIONS = 5  # the newest, whose old files stay
KEPT_DAYS = 90.0
KEPT_BYTES = 4 * 2**30  # of all old files together, as their RECORDs tell it
SPARED = 1  # the newest, which stay however old or big: the last change can always be undone


@dataclass(frozen=True)
class HistoryEntry:
    """A transaction that happened: the boot module's record, what is kept for people, and when (POSIX, seconds)."""

    record: codec.TransactionRecord
    about: dict[str, Any]
    when: float

    @property
    def transaction_id(self) -> str:
        """The transaction's name."""
        return str(self.record.transaction_id)

    def about_change(self, name: str) -> dict[str, Any]:
        """What is kept of one distribution's change; see `Entry`."""
        return dict(self.about.get("changes", {}).get(name, {}))


@dataclass(frozen=True)
class Limits:
    """What of the old files stays: at most so many transactions, days and bytes; None is no limit."""

    keep: int | None = None
    days: float | None = None
    bytes: int | None = None


def happened(site: str) -> list[HistoryEntry]:
    """Every transaction that happened, newest first. A record that cannot be read is left out and left alone."""
    found = [done for name in _names(site).values() if (done := _read(site, name))]
    return sorted(found, key=lambda done: (done.when, done.transaction_id), reverse=True)


def _names(site: str) -> dict[str, str]:
    """The records' file names by transaction."""
    try:
        names = os.listdir(os.path.join(site, STATE, HISTORY))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {name.partition(".")[0]: name for name in names}


def _read(site: str, name: str) -> HistoryEntry | None:
    path = os.path.join(site, STATE, HISTORY, name)
    stamp = name.rpartition(".")[2]
    with suppress(OSError, codec.StaleError, ValueError):
        record = codec.decode_record(codec.read(path))
        when = int(stamp) / 1e6 if stamp.isdecimal() else os.stat(path).st_mtime
        return HistoryEntry(record, json.loads(record.about), when)
    return None


def is_kept(site: str, done: HistoryEntry, change: codec.SwapChange) -> bool:
    """Whether the old files that a change has retired are still there; that they are whole is for their user to see."""
    return os.path.lexists(os.path.join(retired_info(site, done, change), "RECORD"))


def retired_info(site: str, done: HistoryEntry, change: codec.SwapChange) -> str:
    """Where the metadata of what a change took out lies now."""
    return os.path.join(trees.retired_tree(site, done.record, change).root, os.path.basename(str(change.old_info)))


def prune(site: str, limits: Limits, *, spare: int = 0) -> list[str]:
    """Remove the old files that exceed a limit, the oldest first; the ids of their transactions. Needs the lock.

    What somebody still runs from cannot be removed on Windows or NFS; it goes with a later call.

    `spare`: so many of the newest stay in any case. What cannot be read, or is being swapped, is left alone.
    """
    retired = os.path.join(site, STATE, RETIRED)
    active = {transaction_id for transaction_id, _, _ in list_transactions(site)}
    names = _names(site)
    kept, surplus = [], []
    for transaction_id in sorted(os.listdir(retired)) if os.path.isdir(retired) else ():
        done = _read(site, names[transaction_id]) if transaction_id in names else None
        if transaction_id in active or (transaction_id in names and done is None):
            continue
        whole = done and all(is_kept(site, done, change) for change in done.record.changes if change.old_info)
        if done and whole:
            kept.append(done)
        else:  # a removal that was interrupted, or a record that somebody has deleted
            surplus.append(transaction_id)
    kept.sort(key=lambda done: (done.when, done.transaction_id), reverse=True)
    surplus += [done.transaction_id for done in _over(kept, limits, spare=spare)]
    return [transaction_id for transaction_id in surplus if _remove(os.path.join(retired, transaction_id))]


def _over(kept: Iterable[HistoryEntry], limits: Limits, *, spare: int) -> Iterator[HistoryEntry]:
    """Which of `kept`, newest first, exceed a limit: each, and all that is older."""
    size, over = 0, False
    for number, done in enumerate(kept):
        size += sum(done.about_change(change.name).get("retires", 0) for change in done.record.changes)
        over = number >= spare and (
            over
            or (limits.keep is not None and number >= limits.keep)
            or (limits.days is not None and time.time() - done.when > limits.days * 86400)
            or (limits.bytes is not None and size > limits.bytes)
        )
        if over:
            yield done


def _remove(path: str) -> bool:
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
    """What undo will ask about a change that is being staged: the RECORD that comes in, the bytes that go out."""
    found: dict[str, Any] = {"record": "", "retires": 0}
    if change.part:
        part = os.path.join(site, change.part)
        info = next((name for name in os.listdir(part) if name.endswith(".dist-info")), "")
        found["record"] = files.sha256(os.path.join(part, info, "RECORD"))
    with suppress(OSError, codec.StaleError):  # it may have gone since; the swap will say so
        if change.old_info:
            rows = codec.record_rows(codec.read(os.path.join(site, change.old_info, "RECORD")))
            found["retires"] = sum(int(size) for _, _, size in rows if size.isdecimal())
    return found
