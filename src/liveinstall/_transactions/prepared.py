"""Prepared transactions: staged and checked, but without effect until they are armed or dropped.

The record of one is `<id>.prepared` in `transactions/`, with the content of a pending one. No start of Python reads it:
the boot package ignores suffixes that it does not know, and there is no companion. `arm()` writes the companions and
then renames the record to `<id>.pending`: the commit. Killed before it, the companions are leftovers, which the next
start removes; killed after it, the transaction is pending.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from _liveinstall_boot import codec, files, holds, patient, recover
from _liveinstall_boot.layout import HOLDS, STATE, TRANSACTIONS, list_transactions, record_path
from liveinstall._system.durability import flush_file_system, write_atomically
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._transactions import companions
from liveinstall._transactions.facts import decode_facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

SUFFIX = ".prepared"
IDLE = 3600.0  # seconds after which a prepared transaction is removed, if the process that prepared it is dead
_DROPPED = ".dropped"  # the suffix of a note about one that was removed so


@dataclass(frozen=True)
class PreparedTransaction:
    """A prepared transaction on disk.

    Attributes:
        record: The boot module's record.
        about: The recorded facts; "lock" is the digest of the lock, "base" that of the changes that were pending.
        path: The absolute path of the record.
    """

    record: codec.TransactionRecord
    about: dict[str, Any]
    path: str

    @property
    def transaction_id(self) -> str:
        """The id, which stays the same when the transaction is armed."""
        return str(self.record.transaction_id)


def write(site: str, transaction_id: str, text: str) -> None:
    """Write the record of a prepared transaction; its parts are flushed before it. Needs the lock.

    Args:
        site: The site-packages directory.
        transaction_id: Its id.
        text: The encoded record.

    Raises:
        OSError: It cannot be written.
    """
    flush_file_system(site)
    directory = os.path.join(site, STATE, TRANSACTIONS)
    draft = os.path.join(directory, f"{transaction_id}.draft-")
    write_atomically(os.path.join(directory, transaction_id + SUFFIX), text, draft=draft)
    files.flush([directory])


def read_all(site: str) -> Iterator[PreparedTransaction]:
    """Read the prepared transactions, oldest first; unreadable ones are omitted.

    Args:
        site: The site-packages directory.
    """
    for path in _paths(site):
        with suppress(OSError, codec.StaleError):
            record = codec.decode_record(codec.read(path))
            if record.transaction_id + SUFFIX == os.path.basename(path):
                yield PreparedTransaction(record, decode_facts(record.about), path)


def _paths(site: str) -> list[str]:
    try:
        names = sorted(os.listdir(os.path.join(site, STATE, TRANSACTIONS)))
    except OSError:
        return []
    return [os.path.join(site, STATE, TRANSACTIONS, name) for name in names if name.endswith(SUFFIX)]


def base_of(site: str) -> str:
    """Return a digest of all pending changes: a prepared transaction fits only if they are as they were.

    Args:
        site: The site-packages directory.
    """
    import hashlib

    digest = hashlib.sha256()
    for transaction_id, state, tries in list_transactions(site):
        if state == "pending":
            digest.update(
                codec.read(record_path(site, transaction_id, state, tries)).encode("utf-8", "surrogateescape")
            )
    return digest.hexdigest()


def arm(site: str, item: PreparedTransaction) -> None:
    """Make a prepared transaction pending, by one rename, which replaces a pending one of its id. Needs the lock.

    Args:
        site: The site-packages directory.
        item: The prepared transaction.

    Raises:
        OSError: A file cannot be written or renamed; the transaction is prepared as before.
    """
    drafts = companions.draft(site, item.record, set(item.about.get("early", ())))
    flush_file_system(site)
    for draft, companion in drafts.items():
        patient.replace(draft, companion)
    for transaction_id, state, tries in list_transactions(site):
        if transaction_id == item.transaction_id and (state, tries) != ("pending", 0):
            recover.set_state(site, transaction_id, (state, tries), ("pending", 0))
    patient.replace(item.path, record_path(site, item.transaction_id, "pending"))
    files.flush([os.path.join(site, STATE, TRANSACTIONS), os.path.join(site, STATE), site])
    recover.sweep_companions(site)


def keep(item: PreparedTransaction) -> None:
    """Restart the time after which an abandoned transaction is removed."""
    with suppress(OSError):
        os.utime(item.path)


def discard(item: PreparedTransaction) -> None:
    """Remove the record of a prepared transaction: the commit of dropping it; its parts are swept. Needs the lock."""
    patient.unlink(item.path)
    files.flush([os.path.dirname(item.path)])


def sweep(site: str) -> list[str]:
    """Remove the records of abandoned transactions. Needs the lock.

    It is abandoned if its process is dead, and it was neither armed nor prepared again in the last hour.

    Args:
        site: The site-packages directory.

    Returns:
        The parts of those that are left, relative to the site directory.
    """
    items = {item.path: item for item in read_all(site)}
    for path in _paths(site):
        item = items.get(path)
        if _is_abandoned(site, path, item):
            if item:
                note = (
                    f"{_named(item)}: prepared by `liveinstall cluster`, and removed after an hour without being armed"
                )
                with suppress(OSError):
                    write_atomically(path.removesuffix(SUFFIX) + _DROPPED, note, flush=False)
            with suppress(OSError):
                patient.unlink(path)
                del items[path]
    return [change.part for item in items.values() for change in item.record.changes if change.part]


def _named(item: PreparedTransaction) -> str:
    return ", ".join(sorted(f"{each.name} {each.new_version or 'removal'}" for each in item.record.changes))


def _is_abandoned(site: str, path: str, item: PreparedTransaction | None) -> bool:
    try:
        idle = time.time() - os.lstat(path).st_mtime
    except OSError:
        return False
    owner = os.path.basename(str(item.about.get("owner", ""))) if item else ""
    return idle > IDLE and not (owner and holds.is_alive(os.path.join(site, STATE, HOLDS, owner)))


def take_dropped(site: str) -> list[str]:
    """Return a sentence for each transaction that was removed as abandoned, only once.

    Args:
        site: The site-packages directory.
    """
    directory = os.path.join(site, STATE, TRANSACTIONS)
    told = []
    for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
        if name.endswith(_DROPPED):
            with suppress(OSError):
                told.append(codec.read(os.path.join(directory, name))[:1000])
                patient.unlink(os.path.join(directory, name))
    return told
