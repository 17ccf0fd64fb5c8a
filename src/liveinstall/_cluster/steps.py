"""The steps of a cluster request in one environment: prepare, arm, drop."""

from __future__ import annotations

import hashlib
import os
import sysconfig
from contextlib import suppress

from _liveinstall_boot.codec import StaleError
from _liveinstall_boot.files import sha256 as record_hash
from _liveinstall_boot.holds import take_hold
from liveinstall._changes.context import changing
from liveinstall._changes.preparation import prepare as stage
from liveinstall._changes.summaries import changes_of, explain_imports, users_of
from liveinstall._cluster.decisions import NOTHING, read_decisions, write_decisions
from liveinstall._cluster.environment import armed, environment_id, prepared_value, python_kind
from liveinstall._cluster.lock_engine import LockEngine
from liveinstall._cluster.values import Lock, Prepared
from liveinstall._environment.target import find_target
from liveinstall._system.command_line import command_line
from liveinstall._system.network_mounts import local_locks
from liveinstall._transactions import history, prepared, published
from liveinstall._transactions import transaction as transactions
from liveinstall._verbs.pending import why_not_now
from liveinstall.errors import CommitError, LockError, PreparedError, TargetError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from liveinstall._cluster.decisions import Decisions

_AGAIN = "Prepare the lock again."


def prepare(
    lock: Lock, wheels: Iterable[str | os.PathLike[str]], *, verify: bool = False, timeout: float | None = None
) -> Prepared:
    """Prepare a lock in the running interpreter's environment: checked and unpacked, but no process uses it yet.

    Preparing the same lock again returns the same change at once. Until it is armed or dropped, the environment behaves
    as before. Otherwise the next change through liveinstall removes it after an hour.

    Args:
        lock: The lock.
        wheels: The paths of its wheels, or of directories that contain them.
        verify: Import each top-level module of the changed distributions in a preview.
        timeout: Seconds to wait for the environment's lock. Default: 60.

    Returns:
        The prepared change; its state is "current" if the environment has everything in it, or "pending" if the same
        lock has been armed already.

    Raises:
        LockError: A wheel is missing or is not the one in the lock, or the lock does not fit the environment.
        TargetError: The environment cannot be changed, or is on a network file system whose locks are local.
        WheelRefusedError: A wheel violates a rule of safe unpacking.
        VerificationError: A module cannot be imported in the preview.
        LockTimeoutError: Another process is changing the environment.
        LiveInstallError: Any other failure. In every case nothing is left behind.
    """
    target = find_target()
    site = target.site
    check_kind(lock)
    _check_locks(site)
    found = _known(site, lock.digest)
    if found or not lock.wheels:
        return found or Prepared("", environment_id(site), "current", lock=lock.digest)
    transaction_id = stage(
        target,
        lock.pins,
        lock.digest,
        lambda: LockEngine(lock, find_wheels(lock, wheels)),
        verify=verify,
        timeout=timeout,
        known=lambda: getattr(_known(site, lock.digest), "id", ""),
    )
    return _known(site, lock.digest) or Prepared(transaction_id, environment_id(site), "current", lock=lock.digest)


def check_kind(lock: Lock) -> None:
    """Check that a lock is for this kind of Python and platform.

    Raises:
        LockError: It is for another one.
    """
    kinds = ((lock.python, python_kind()), (lock.platform, sysconfig.get_platform()))
    for wanted, here in kinds:
        if wanted and wanted != here:
            raise LockError(
                f"the lock is for {wanted}, and this environment is {here}.",
                todo="Make a lock for this kind of environment.",
                name="",
            )


def _check_locks(site: str) -> None:
    """Refuse an environment that several machines may change at the same time. Raises TargetError."""
    reason = local_locks(site)
    if reason:
        raise TargetError(
            f"{site} is on a network file system whose locks do not reach other machines ({reason}).",
            todo="Mount it with locks, or use an environment on a local disk.",
            site=site,
        )


def find_wheels(lock: Lock, wheels: Iterable[str | os.PathLike[str]]) -> dict[str, str]:
    """Find the wheels of a lock, and check each by its hash.

    Args:
        lock: The lock.
        wheels: The paths of wheels, or of directories that contain them.

    Returns:
        The absolute path of each wheel, by file name.

    Raises:
        LockError: One is missing, or is not the one in the lock.
    """
    given: dict[str, str] = {}
    for path in (os.path.abspath(os.fspath(each)) for each in wheels):
        names = os.listdir(path) if os.path.isdir(path) else ()
        given |= {name: os.path.join(path, name) for name in names} or {os.path.basename(path): path}
    for wheel in lock.wheels:
        path = given.get(wheel.file, "")
        try:
            with open(path, "rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise LockError(
                f"{wheel.file} of the lock is missing: {error.strerror}.", todo="Send all wheels.", name=wheel.name
            ) from None
        if digest != wheel.sha256:
            raise LockError(
                f"{wheel.file} is not the wheel of the lock: its SHA-256 is {digest}, not {wheel.sha256}.",
                todo="Send the wheel again.",
                name=wheel.name,
            )
    return {wheel.file: given[wheel.file] for wheel in lock.wheels}


def arm(id: str) -> Prepared:
    """Let new processes use a prepared change from now on. The commit is one rename.

    If no running process uses the changed distributions, it is applied at once. Otherwise it is pending, as
    after `install()`: processes that start from now on use it, running ones are not disturbed.

    Args:
        id: The id of the prepared change. Arming it again changes nothing.

    Returns:
        The change; its state is "applied", or "pending" with the reason.

    Raises:
        PreparedError: There is no such change, or the environment has changed since it was prepared.
        CommitError: A file cannot be written; the change is prepared as before.
        LockTimeoutError: Another process is changing the environment.
    """
    target = find_target()
    site = target.site
    with changing(target):
        item = _prepared(site, id)
        if item:
            _check_unchanged(site, item)
            try:
                prepared.arm(site, item)
            except OSError as error:
                what = f"{id} could not be armed: {error}."
                raise CommitError(what, todo="Free disk space and try again.") from None
            transactions.recover(site)  # sweeps the parts of a pending change that was replaced
        pending = _pending(site, id)
        if pending is None:
            return _applied(site, id)
        touched = {change.name for change in pending.record.changes if change.old_version} | pending.record.tops.keys()
        reason = why_not_now(touched, users_of(target, pending))
        if not reason:
            try:
                transactions.apply(site, id, keep=True)
            except CommitError as error:
                reason = error.what
            else:
                return prepared_value(pending, site, "applied")
        take_hold(site, command_line(), keeps=[id])
        explain_imports(target)
        return prepared_value(pending, site, "pending", reason)


def revert(decided: Decisions, changes: Mapping[str, str] | None = None) -> Prepared:
    """Write the decisions into the environment's copy, after the changes of those that it no longer has were dropped.

    Args:
        decided: The decisions. If the copy is another cluster's, nothing is dropped.
        changes: The ids of changes of this environment that the copy lacks, by the decision's key.

    Returns:
        The last change that was dropped, with state "current" if there was none.

    Raises:
        UndoError: A change was applied, and cannot be undone.
        CommitError: A file cannot be written.
        LockTimeoutError: Another process is changing the environment.
    """
    target = find_target()
    site = target.site
    own = read_decisions(site)
    kept = {item.key for item in decided.items}
    found = Prepared("", environment_id(site), "current")
    for item in reversed(own.items if own.cluster == decided.cluster else ()):
        if item.change not in ("", NOTHING) and item.key not in kept:
            with suppress(PreparedError):  # it was dropped before
                found = drop(item.change)
    if changes or own.stamp != decided.stamp:
        with changing(target):
            try:
                write_decisions(site, decided, changes or {})
            except OSError as error:
                raise CommitError(f"the decision could not be written: {error}.", todo="Free disk space.") from None
    return found


def drop(id: str) -> Prepared:
    """Revert a change in any state: prepared, pending, or applied.

    Args:
        id: Its id.

    Returns:
        The change; its state is "dropped", or "pending" if the return to the old versions has to wait for a restart.

    Raises:
        PreparedError: There is no such change.
        UndoError: It was applied, and cannot be undone.
        LockTimeoutError: Another process is changing the environment.
    """
    from liveinstall._verbs.pending import cancel
    from liveinstall._verbs.undo import undo

    target = find_target()
    site = target.site
    with changing(target):
        item = _prepared(site, id)
        if item:
            prepared.discard(item)
            transactions.recover(site)
            return prepared_value(item, site, "dropped")
    pending = _pending(site, id)
    if pending:
        cancel(*pending.about.get("names", ()))
        return prepared_value(pending, site, "dropped")
    applied = _applied(site, id)
    result = undo(id)
    waiting = "; ".join(change.reason for change in result.staged)
    return Prepared(id, applied.environment, "pending" if result.staged else "dropped", applied.changes, "", waiting)


def _prepared(site: str, transaction_id: str) -> prepared.PreparedTransaction | None:
    return next((item for item in prepared.read_all(site) if item.transaction_id == transaction_id), None)


def _pending(site: str, transaction_id: str) -> published.Transaction | None:
    return next((item for item in armed(site) if item.transaction_id == transaction_id), None)


def _known(site: str, digest: str) -> Prepared | None:
    """The prepared or pending change with this lock; one that no longer fits the environment does not count."""
    for item in prepared.read_all(site):
        if item.about.get("lock") == digest and not _changed_since(site, item):
            prepared.keep(item)
            return prepared_value(item, site, "prepared")
    return next((prepared_value(item, site, "pending") for item in armed(site) if item.about["lock"] == digest), None)


def _applied(site: str, transaction_id: str) -> Prepared:
    """The change, if it is in the history. Raises PreparedError."""
    for entry in history.happened(site):
        if entry.transaction_id == transaction_id:
            item = published.Transaction(entry.record, entry.about, "applied")
            return Prepared(transaction_id, environment_id(site), "applied", changes_of(item))
    raise PreparedError(
        f"{transaction_id} is not a prepared change of {site}.",
        todo="See `liveinstall cluster status`.",
        prepared=transaction_id,
    )


def _check_unchanged(site: str, item: prepared.PreparedTransaction) -> None:
    changed = _changed_since(site, item)
    if changed:
        raise PreparedError(
            f"{item.transaction_id} cannot be armed: {changed} since it was prepared.",
            todo=_AGAIN,
            prepared=item.transaction_id,
        )


def _changed_since(site: str, item: prepared.PreparedTransaction) -> str:
    """The difference in the environment since a change was prepared; empty if it still fits."""
    try:
        if item.about.get("base") != prepared.base_of(site):
            return "the pending changes have changed"
        for change in item.record.changes:
            if change.part and not os.path.isdir(os.path.join(site, change.part)):
                return f"the files of {change.name} were removed"
            if change.old_info and record_hash(os.path.join(site, change.old_info, "RECORD")) != change.old_hash:
                return f"{change.name} was changed"
    except (OSError, StaleError):
        return "an installed distribution was removed or changed"
    return ""
