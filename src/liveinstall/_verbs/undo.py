"""`history()`, `undo()` and `prune()`: to undo, a transaction's old files are staged and committed like any change."""

from __future__ import annotations

import os

from _liveinstall_boot.files import sha256
from liveinstall._changes.context import RequestContext, changing
from liveinstall._changes.summaries import past_of
from liveinstall._environment.installed import in_directory, installed
from liveinstall._environment.target import checked_for_change, find_targets
from liveinstall._model import Candidate, Retired
from liveinstall._planning.plan import defer_together
from liveinstall._planning.undo_plan import UndoneChange, UndoneTransaction, plan_undo
from liveinstall._requirements.option_values import wants_verification
from liveinstall._requirements.request import Request
from liveinstall._staging.bytecode import BytecodeCompiler
from liveinstall._staging.restore import check_restorable
from liveinstall._system.command_line import command_line
from liveinstall._system.lock import environment_lock
from liveinstall._transactions import history as past
from liveinstall._transactions import published
from liveinstall._transactions import transaction as transactions
from liveinstall._verbs.name_patterns import matcher
from liveinstall.errors import NotHappenedError, RequirementError, RetiredError, UndoError
from liveinstall.reports import History, Past
from liveinstall.results import Origin, Plan, Result, Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence


def history(*names: str, limit: int | None = None) -> History:
    """List applied transactions, and whether each can still be undone.

    It finds every reason for which `undo()` would fail: the kept old files are compared with their RECORD.

    Args:
        *names: The names of distributions, or patterns such as "jupyter*" (`fnmatch`): only transactions that
            have changed one of them. Default: all.
        limit: The maximum number of transactions; the newest are listed. Default: all.

    Returns:
        The transactions, newest first.

    Raises:
        RequirementError: `limit` is negative.
        TargetError: The interpreter has no environment that liveinstall supports.
    """
    if limit is not None and limit < 0:
        raise RequirementError(f"limit={limit} is negative.", todo="Pass the number of transactions.", requirement="")
    matches = matcher(names)
    found = sorted(
        (
            (item.when, item.transaction_id)
            for target in find_targets()
            for item in past.happened(target.site)
            if not names or any(matches(each.name) for each in item.record.changes)
        ),
        reverse=True,
    )
    return History(_all_past(None if limit is None and not names else {name for _, name in found[:limit]}))


def transaction_ids() -> list[str]:
    """List the ids of all applied transactions, without checking any file: for completion.

    Returns:
        The ids; in each environment the newest first.
    """
    return [item.transaction_id for target in find_targets() for item in past.happened(target.site)]


def _all_past(ids: Collection[str] | None = None) -> list[Past]:
    """The applied transactions of all environments, or those with the given ids, the newest first."""
    found = [item for target in find_targets() for item in _history_of(target, ids)]
    return sorted(found, key=lambda item: (item.when, item.transaction), reverse=True)


def _history_of(target: Target, ids: Collection[str] | None = None) -> list[Past]:
    """The applied transactions, or those with the given ids."""
    done = past.happened(target.site)
    present = _present(target, done)
    since: dict[str, str] = {}
    found = []
    for item in done:
        deed = _undone_transaction(target.site, item)
        if ids is None or item.transaction_id in ids:
            try:
                _check_restorable(target, item, plan_undo([deed], present, since), done)
                why_not = ""
            except UndoError as error:
                why_not = error.what
            found.append(past_of(item, why_not))
        since = {**{step.name: deed.transaction_id for step in deed.steps}, **since}
    return found


def _check_restorable(
    target: Target, item: past.HistoryEntry, names: Iterable[str], done: Sequence[past.HistoryEntry]
) -> None:
    for candidate in [_candidate(target.site, item, name, done) for name in names]:
        if candidate:
            check_restorable(candidate, target)


def undo(transaction: str | None = None, *, to: str | None = None, verify: bool | None = None) -> Result:
    """Undo the last transaction, a given one, or all after a given one.

    The old versions are restored from kept files, without the network: at once, or all of them at the next start of
    Python if a running process would be disturbed. That is a transaction itself, so it can be undone. Use `cancel()`
    for pending changes.

    Args:
        transaction: The id of the transaction to undo, from `Result.transaction` or `history()`. Default: the last one.
        to: The id of a transaction; all later ones are undone.
        verify: As for `install()`.

    Returns:
        The changes that were made, and those that are pending.

    Raises:
        RequirementError: Both `transaction` and `to` are given.
        NotHappenedError: The transaction is unknown or still pending.
        MovedOnError: A distribution has been changed since the transaction.
        RetiredError: Old files are missing or damaged.
        LiveInstallError: As for `install()`. Nothing was changed in any of these cases.
    """
    if transaction is not None and to is not None:
        raise RequirementError("undo() takes one transaction or to=, not both.", requirement="")
    verified = wants_verification(verify)
    target = checked_for_change(_target_of(transaction or to))
    with changing(target):
        context = RequestContext.of(target)
        done = past.happened(target.site)
        undone = _after(done, to, context) if transaction is None else [_named(done, transaction, context)]
        request = f"undo to {to}" if to else f"undo {undone[0].transaction_id}"
        return _undo(context, done, undone, request, verify=verified)


def _target_of(transaction_id: str | None) -> Target:
    """The environment or the user's site-packages directory: with this transaction, or else with the last one."""
    targets = find_targets()
    last: dict[float, Target] = {}
    for target in targets if len(targets) > 1 else ():
        done, waiting = past.happened(target.site), list(published.read_all(target.site))
        ids = {item.transaction_id for item in done} | {item.transaction_id for item in waiting}
        if transaction_id in ids:
            return target
        if any(item.state == "pending" for item in waiting) and transaction_id is None:
            return target  # pending changes are newer, and have to be cancelled first
        last |= {item.when: target for item in done[:1]}
    return last[max(last)] if last and transaction_id is None else targets[0]


def prune(*, keep: int | None = None, days: float | None = None, bytes: int | None = None) -> tuple[Past, ...]:
    """Remove the old files that are kept for undo: all of them, or the oldest that exceed a limit.

    Args:
        keep: The number of transactions to keep undoable. Default: no limit of number.
        days: Remove the files of transactions that are older. Default: no limit of age.
        bytes: The total size of the files to keep. Default: no limit of size. Without any limit all files are removed.

    Returns:
        The transactions that can no longer be undone because of this call.

    Raises:
        RequirementError: A limit is not a number, or is negative.
        LockTimeoutError: Another process is changing the environment.
    """
    for name, value in (("keep", keep), ("days", days), ("bytes", bytes)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0):
            raise RequirementError(
                f"{name}={value!r} is not a valid limit: it must be a number, 0 or more.", requirement=""
            )
    unlimited = keep is None and days is None and bytes is None
    limits = past.Limits(0 if unlimited else keep, days, bytes)
    gone: set[str] = set()
    for target in find_targets():
        with environment_lock(target.site, who=command_line()):
            transactions.recover(target.site)
            gone.update(past.prune(target.site, limits))
    return tuple(_all_past(gone))


def _after(done: Sequence[past.HistoryEntry], to: str | None, context: RequestContext) -> Sequence[past.HistoryEntry]:
    """The transactions after `to`, or the last one. Pending changes are newer and have to be cancelled first."""
    if context.waiting.ids:
        raise _still_pending(context.waiting.ids[0])
    if to is None:
        if not done:
            raise NotHappenedError("there is no transaction to undo.", transaction="")
        return done[:1]
    return done[: done.index(_named(done, to, context))]


def _named(done: Sequence[past.HistoryEntry], transaction_id: str, context: RequestContext) -> past.HistoryEntry:
    for item in done:
        if item.transaction_id == transaction_id:
            return item
    if any(item.transaction_id == transaction_id for item in published.read_all(context.target.site)):
        raise _still_pending(transaction_id)
    raise NotHappenedError(
        f"unknown transaction {transaction_id!r}.",
        todo="liveinstall.history() lists all transactions.",
        transaction=transaction_id,
    )


def _still_pending(transaction_id: str) -> NotHappenedError:
    return NotHappenedError(
        f"{transaction_id} is still pending, so it cannot be undone.",
        todo="Cancel it with liveinstall.cancel(), or name the transaction to undo.",
        transaction=transaction_id,
    )


def _undo(
    context: RequestContext,
    done: Sequence[past.HistoryEntry],
    undone: Sequence[past.HistoryEntry],
    description: str,
    *,
    verify: bool,
) -> Result:
    site = context.target.site
    undone_transactions = [_undone_transaction(site, item) for item in undone]
    since: dict[str, str] = {}
    for item in done[: done.index(undone[0])] if undone else ():
        since = {**{change.name: item.transaction_id for change in item.record.changes}, **since}
    restored = plan_undo(undone_transactions, _present(context.target, done), since)
    if not restored:
        return Result()
    by_id = {item.transaction_id: item for item in undone}
    candidates, removals = [], set()
    for name, transaction_id in restored.items():
        candidate = _candidate(site, by_id[transaction_id], name, done)
        if candidate:
            candidates.append(candidate)
        else:
            removals.add(name)
    request = Request((description,), frozenset(), frozenset(removals), reinstall=True, verify=verify)

    def decide(overlaps: Mapping[str, frozenset[str]] | None = None) -> Plan:
        return defer_together(context.decide(request, candidates, overlaps), restored)

    decided = decide()
    context.check_replaceable(decided)
    owners = {path: before for item in undone for path, (before, _) in item.record.owners.items()}  # the oldest wins
    from liveinstall._changes.execution import execute

    with BytecodeCompiler() as compiler:
        return execute(context, request, candidates, decided, compiler, again=decide, owners=owners)


def _undone_transaction(site: str, item: past.HistoryEntry) -> UndoneTransaction:
    return UndoneTransaction(
        item.transaction_id,
        tuple(
            UndoneChange(
                change.name,
                str(item.about_change(change.name).get("record", "unknown")),
                change.old_hash or "",
                kept=not change.old_info or past.is_kept(site, item, change),
            )
            for change in item.record.changes
        ),
    )


def _present(target: Target, done: Iterable[past.HistoryEntry]) -> Mapping[str, str]:
    """The SHA-256 of the RECORD of each installed distribution that a transaction changed; "none" without a RECORD."""
    present = installed((target.site, target.platlib))
    names = {change.name for item in done for change in item.record.changes}
    hashes = {}
    for name in names & present.keys():
        record = os.path.join(present[name].info, "RECORD")
        hashes[name] = sha256(record) if os.path.isfile(record) else "none"
    return hashes


def _candidate(site: str, item: past.HistoryEntry, name: str, done: Iterable[past.HistoryEntry]) -> Candidate | None:
    """The version that a transaction removed or replaced, as a candidate; None if it replaced nothing."""
    change = next(change for change in item.record.changes if change.name == name)
    if not change.old_info:
        return None
    info = past.retired_info(site, item, change)
    root = os.path.dirname(info)
    old = next((distribution for distribution in in_directory(root) if distribution.name == name), None)
    if old is None:
        raise RetiredError(
            f"the metadata of {name} {change.old_version} is missing in {root}.",
            todo=f'Install it again: liveinstall.install("{name}=={change.old_version}").',
            transaction=item.transaction_id,
            name=name,
            path=info,
        )
    source = _source(name, change.old_hash, done)
    return Candidate(
        name,
        old.version,
        old.requires,
        requested=os.path.exists(os.path.join(info, "REQUESTED")),
        url=source.url,
        sha256=source.sha256,
        retired=Retired(
            root, os.path.normpath(os.path.join(site, change.old_info)), change.old_hash, site, item.record.roots
        ),
    )


def _source(name: str, record: str, done: Iterable[past.HistoryEntry]) -> Origin:
    """The origin of the distribution with this RECORD hash, if a transaction installed it."""
    for item in done:
        about = item.about_change(name)
        if about.get("record") == record:
            return Origin(about.get("url", ""), about.get("sha256", ""))
    return Origin()
