"""Publish, replace, discard and apply transactions: only this module and the boot module change importable files.

Staging ends with `publish()`: parts are flushed, then companions, then one rename of the record to `<id>.pending`.
Companions come before the record, because several parts need one commit point; without a record they do nothing.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress

from _liveinstall_boot import codec, files, holds, patient, swap, views
from _liveinstall_boot import recover as boot_recover
from _liveinstall_boot.file_access import read_bytes
from _liveinstall_boot.layout import (
    COMPANIONS,
    FINALIZER,
    GUARDS,
    MANIFEST,
    OWNER,
    PART,
    STATE,
    TRANSACTIONS,
    list_transactions,
    record_path,
)
from _liveinstall_boot.ownership import owned, plan, top_names
from liveinstall._system.durability import flush_file_system, write_atomically
from liveinstall._transactions import companions, history, prepared
from liveinstall._transactions.published import read_all
from liveinstall._transactions.visibility import see
from liveinstall.errors import CommitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from typing import Any

    from liveinstall._model import Distribution
    from liveinstall.results import Change


_LONGEST = 10_000  # bytes of a note that are shown
_GRACE = 60.0  # seconds


def new_id() -> str:
    """Make a new transaction id; ids sort by creation time."""
    return time.strftime("%Y%m%dT%H%M%S-", time.gmtime()) + os.urandom(4).hex()


def recover(site: str) -> None:
    """Complete or roll back an interrupted swap, and remove files that no transaction uses. Needs the lock.

    Raises:
        CommitError: The interrupted swap can be neither completed nor rolled back.
    """
    try:
        boot_recover.recover(site)
    except codec.StaleError as error:
        raise CommitError(f"an interrupted change could not be recovered: {error}.") from None
    from liveinstall._system import workplace  # which readers do not need

    _sweep(site)
    workplace.sweep(site)


def _sweep(site: str) -> None:
    """Remove the parts that no transaction uses; remove nothing if one is unreadable, because it may use any part."""
    prepared_parts = prepared.sweep(site)
    readable = list(read_all(site))
    if len(readable) != len(list_transactions(site)):
        return
    parts = [change.part for item in readable for change in item.record.changes if change.part]
    parts += prepared_parts
    parts += [part for hold in holds.live_holds(site) for part in hold.sees]
    paths = {os.path.join(site, part) for part in parts}
    known = {os.path.normpath(path) for path in paths}
    for directory in {site, *map(os.path.dirname, known)}:
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            if name.endswith(PART) and path not in known and _is_ours(path):
                files.remove_tree(path)
    limits = history.Limits(history.KEPT_TRANSACTIONS, history.KEPT_DAYS, history.KEPT_BYTES)
    history.prune(site, limits, spare=history.SPARED)
    _sweep_state(site, {item.transaction_id for item in readable})


def _sweep_state(site: str, ids: AbstractSet[str]) -> None:
    """Remove leftovers of interrupted staging from the state directory, and finalizers that no companion imports.

    Args:
        site: The site-packages directory.
        ids: The transactions that are not in the history.
    """
    state = os.path.join(site, STATE)
    finalizer = companions.finalizer_name()
    in_use = bool(ids) or any(name.endswith(COMPANIONS) or name in GUARDS for name in os.listdir(site))
    for name in os.listdir(state):
        path = os.path.join(state, name)
        is_old = name.startswith(FINALIZER) and name != finalizer and not in_use
        if ".draft-" in name or name.startswith("draft-") or name.endswith(COMPANIONS) or is_old or _is_dead(path):
            _remove(path)
    for name in os.listdir(os.path.join(state, TRANSACTIONS)):
        transaction_id, _, suffix = name.partition(".")
        if suffix.startswith("draft") or (suffix in ("note", "told") and transaction_id not in ids):
            _remove(os.path.join(state, TRANSACTIONS, name))


def _is_dead(path: str) -> bool:
    """Whether it is the hold of a process that was killed before the hold got its name, or its lock."""
    with suppress(OSError):
        is_hold = os.path.basename(path).startswith("hold-")
        return is_hold and time.time() - os.lstat(path).st_mtime > _GRACE and not holds.is_alive(path)
    return False


def _remove(path: str) -> None:
    """Remove a file or directory of any kind; an unexpected directory must not block every request."""
    if os.path.isdir(path):
        files.remove_tree(path)
    else:
        files.unlink(path)


def _is_ours(path: str) -> bool:
    """Whether a directory is a part: it has a manifest, or is empty because its creation was killed."""
    return os.path.isdir(path) and (os.path.isfile(os.path.join(path, MANIFEST)) or not os.listdir(path))


def publish(
    site: str,
    record: codec.TransactionRecord,
    about: dict[str, Any],
    first: Iterable[str] = (),
    touched: Mapping[str, str] | None = None,
) -> None:
    """Publish a staged transaction. The commit point of the staging is the rename of the record at the end.

    Before it the parts have no effect; after it the next start of Python applies them. A pending transaction of the
    same id is replaced by the same rename.

    Args:
        site: The site-packages directory.
        record: The boot module's record; `about` and the old versions' names are filled in here.
        about: The facts for people and for undo, as JSON values.
        first: The distributions whose companion has to run before other .pth files.
        touched: The `.dist-info` directories of distributions that stay, but some of whose files get other content:
            name -> path relative to the site directory.
    """
    text = _encoded(site, record, about, touched or {})
    directory = os.path.join(site, STATE, TRANSACTIONS)
    drafts = companions.draft(site, record, set(first))
    # Flushed before the companions get their final names: an incomplete line would be an error at every start.
    flush_file_system(site)
    for path, companion in drafts.items():
        patient.replace(path, companion)
    for transaction_id, state, tries in list_transactions(site):
        if transaction_id == record.transaction_id and (state, tries) != ("pending", 0):
            boot_recover.set_state(site, transaction_id, (state, tries), ("pending", 0))
    draft = os.path.join(directory, record.transaction_id + ".draft-")
    write_atomically(record_path(site, record.transaction_id, "pending"), text, draft=draft)
    files.flush([directory, os.path.join(site, STATE), site])
    boot_recover.sweep_companions(site)


def prepare(
    site: str, record: codec.TransactionRecord, about: dict[str, Any], touched: Mapping[str, str] | None = None
) -> None:
    """Write a staged transaction as a prepared one, which has no effect; see `prepared`. Needs the lock.

    Args:
        site: The site-packages directory.
        record: As for `publish()`.
        about: As for `publish()`.
        touched: As for `publish()`.

    Raises:
        OSError: It cannot be written.
    """
    companions.install_finalizer(site)
    prepared.write(site, record.transaction_id, _encoded(site, record, about, touched or {}))


def _encoded(site: str, record: codec.TransactionRecord, about: dict[str, Any], touched: Mapping[str, str]) -> str:
    record.about = json.dumps(about, sort_keys=True)
    _record_old_names(site, record, touched)
    return str(codec.encode_record(record))


def _record_old_names(site: str, record: codec.TransactionRecord, touched: Mapping[str, str]) -> None:
    """Record the old versions' top-level names, libraries and files, so that a start need not search for them."""
    old = {change.name: change.old_info for change in record.changes if change.old_info}
    for name, info in {**touched, **old}.items():
        directory = os.path.dirname(info)
        site_dir = os.path.join(site, directory)
        inside, outside = owned(site_dir, codec.read(os.path.join(site, info, "RECORD")))
        names, libraries = top_names(inside)
        record.tops[name] = sorted(names)
        record.libraries[name] = sorted(os.path.join(directory, path) for path in libraries)
        if name in old and not record.owners:  # files that others own, too, are moved one by one
            fields = plan(site, site_dir, os.path.basename(info), inside, outside)
            if fields:
                record.retire[name] = fields


def apply(site: str, transaction_id: str, *, keep: bool = False, force: bool = False) -> None:
    """Apply a pending transaction now, and make the changes importable in this process.

    Args:
        site: The site-packages directory.
        transaction_id: The transaction.
        keep: Whether the transaction stays pending after a failure. Default: it is discarded.
        force: Apply it even if other processes use the affected files.

    Raises:
        CommitError: The swap failed and was rolled back.
    """
    tries = next(tries for item, _, tries in list_transactions(site) if item == transaction_id)
    with suppress(OSError):
        # From now on a starting interpreter waits for the end of the swap.
        patient.unlink(os.path.join(site, STATE, OWNER))
    try:
        _, paths = swap.apply(site, transaction_id, tries, None if force else views.held)
    except (OSError, codec.StaleError, swap.InUseError) as error:
        if keep:
            boot_recover.note(site, transaction_id, str(error))
        else:
            discard(site, transaction_id)
        raise CommitError(f"the change could not be applied and was rolled back: {error}.") from None
    see(site, paths)


def retry(site: str) -> None:
    """Make failed transactions pending again. Needs the lock."""
    for transaction_id, state, tries in list_transactions(site):
        if state in ("pending", "failed") and (state, tries) != ("pending", 0):
            boot_recover.set_state(site, transaction_id, (state, tries), ("pending", 0))


def discard_unreadable(site: str) -> bool:
    """Discard failed transactions with unreadable records, unless one has the only copy of old files. Needs the lock.

    Returns:
        Whether there was anything to discard.
    """
    from _liveinstall_boot.salvage import is_anything_left  # hardly ever needed

    known = {item.transaction_id for item in read_all(site)}
    damaged = [
        transaction_id
        for transaction_id, state, _ in list_transactions(site)
        if state == "failed" and transaction_id not in known and not is_anything_left(site, transaction_id)
    ]
    for transaction_id in damaged:
        discard(site, transaction_id)
    return bool(damaged)


def discard(site: str, transaction_id: str) -> None:
    """Discard a transaction: one unlink, after which its parts and companions are swept. Needs the lock.

    A transaction whose swap was interrupted stays: only `recover()` can complete it or roll it back.

    Args:
        site: The site-packages directory.
        transaction_id: The transaction.
    """
    for item, state, tries in list_transactions(site):
        if item == transaction_id and state in ("pending", "failed"):
            patient.unlink(record_path(site, transaction_id, state, tries))
    for suffix in (".note", ".told"):
        with suppress(OSError):
            patient.unlink(os.path.join(site, STATE, TRANSACTIONS, transaction_id + suffix))
    files.flush([os.path.join(site, STATE, TRANSACTIONS)])
    boot_recover.sweep_companions(site)
    _sweep(site)


def take_unreported_failures(site: str) -> list[str]:
    """Return the failures of transactions that were set aside, each only once; `status()` continues to list them."""
    failures = prepared.take_dropped(site)
    for item in read_all(site):
        reported = os.path.join(site, STATE, TRANSACTIONS, item.transaction_id)
        if item.state == "failed" and not os.path.exists(reported + ".told"):
            names = ", ".join(f"{c.name} {c.new_version or 'removal'}" for c in item.record.changes)
            failures.append(
                f"{names} could not be applied at a start of Python, and the old version is unchanged: "
                f"{note_of(site, item.transaction_id)}"
            )
            with suppress(OSError):
                write_atomically(reported + ".told", "", draft=reported + ".draft-", flush=False)
    return failures


def note_of(site: str, transaction_id: str) -> str:
    """Read the boot module's note on why a transaction is still pending or was set aside; empty if there is none.

    Args:
        site: The site-packages directory.
        transaction_id: The transaction.
    """
    try:
        path = os.path.join(site, STATE, TRANSACTIONS, transaction_id + ".note")
        return bytes(read_bytes(path)[:_LONGEST]).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def swap_of(site: str, change: Change, old: Distribution | None, part: str) -> codec.SwapChange:
    """Make the boot module's record of a change.

    Args:
        site: The site-packages directory.
        change: The change.
        old: The replaced or removed distribution; None if there is none.
        part: The absolute path of the staged part; empty for a removal.
    """
    info = os.path.relpath(old.info, site) if old else ""
    old_hash = files.sha256(os.path.join(old.info, "RECORD")) if old else ""
    path = os.path.relpath(part, site) if part else ""
    return codec.SwapChange(change.name, old.version if old else "", change.new_version, info, old_hash, path)
