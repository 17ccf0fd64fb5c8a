"""What happened, and back again: a transaction's old files are staged and committed like any other change."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from _liveinstall_boot.files import sha256
from liveinstall._changes.context import RequestContext, changing
from liveinstall._changes.summaries import past_of
from liveinstall._environment.installed import in_directory, installed
from liveinstall._environment.target import find_target
from liveinstall._model import Candidate, Retired
from liveinstall._planning.plan import defer_together
from liveinstall._planning.undo_plan import UndoneChange, UndoneTransaction, plan_undo
from liveinstall._requirements.option_values import wants_verification
from liveinstall._requirements.request import Request
from liveinstall._staging.bytecode import BytecodeCompiler
from liveinstall._system.command_line import command_line
from liveinstall._system.lock import environment_lock
from liveinstall._transactions import history as past
from liveinstall._transactions import transaction as transactions
from liveinstall.errors import NotHappenedError, RequirementError, RetiredError, UndoError
from liveinstall.reports import History, Past
from liveinstall.results import Origin, Plan, Result, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def history() -> History:
    """Every transaction that happened, newest first, and whether it can still be undone."""
    target = find_target(for_change=False)
    done = past.happened(target.site)
    present = _present(target, done)
    since: dict[str, str] = {}
    found = []
    for item in done:
        deed = _deed(target.site, item)
        try:
            plan_undo([deed], present, since)
            why_not = ""
        except UndoError as error:
            why_not = error.what
        found.append(past_of(item, why_not))
        since = {**{step.name: deed.transaction_id for step in deed.steps}, **since}
    return History(found)


def undo(transaction: str | None = None, *, to: str | None = None, verify: bool | None = None) -> Result:
    """Undo the last transaction, the one that is named, or everything that happened after `to`.

    Old versions come back from the files that are kept, without a network: at once, or, where a live process would be
    disturbed, all of it at the next start of Python. It is one transaction itself, so it can be undone. What only
    waits is taken back by `cancel()`.

    `transaction` is an id, as `Result.transaction` and `history()` have it; a result that changed nothing has none.
    `verify` is as for `install()`.

    Raises: NotHappenedError, MovedOnError, RetiredError, and what `install()` raises; nothing was changed then.
    """
    if transaction is not None and to is not None:
        raise RequirementError("undo() takes one transaction or to=, not both.", requirement="")
    verified = wants_verification(verify)
    target = find_target()
    with changing(target):
        scene = RequestContext.of(target)
        done = past.happened(target.site)
        undone = _after(done, to, scene) if transaction is None else [_named(done, transaction, scene)]
        asked = f"undo to {to}" if to else f"undo {undone[0].transaction_id}"
        return _undo(scene, done, undone, asked, verify=verified)


def prune(*, keep: int | None = None, days: float | None = None, bytes: int | None = None) -> tuple[Past, ...]:
    """Remove old files that are kept for undo: all of them, or what exceeds a limit, the oldest first.

    `keep`: so many of the newest transactions stay. `days`: what is older goes. `bytes`: the newest stay that fit.
    Returns the transactions that can no longer be undone.

    Raises: RequirementError, LockTimeoutError.
    """
    for name, value in (("keep", keep), ("days", days), ("bytes", bytes)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0):
            raise RequirementError(f"{name}={value!r} is not a limit.", requirement="")
    unlimited = keep is None and days is None and bytes is None
    limits = past.Limits(0 if unlimited else keep, days, bytes)
    target = find_target(for_change=False)
    with environment_lock(target.site, who=command_line()):
        transactions.recover(target.site)
        gone = past.prune(target.site, limits)
    return tuple(item for item in history() if item.transaction in gone)


def _after(done: Sequence[past.HistoryEntry], to: str | None, scene: RequestContext) -> Sequence[past.HistoryEntry]:
    """What happened after `to`, or the last of all. What waits is newer than that, and has to be taken back first."""
    if scene.waiting.ids:
        raise _waits(scene.waiting.ids[0])
    if to is None:
        if not done:
            raise NotHappenedError("nothing has happened here that could be undone.", transaction="")
        return done[:1]
    return done[: done.index(_named(done, to, scene))]


def _named(done: Sequence[past.HistoryEntry], transaction_id: str, scene: RequestContext) -> past.HistoryEntry:
    for item in done:
        if item.transaction_id == transaction_id:
            return item
    if any(item.transaction_id == transaction_id for item in transactions.read_all(scene.target.site)):
        raise _waits(transaction_id)
    raise NotHappenedError(
        f"no transaction {transaction_id!r} has happened here.",
        todo="liveinstall.history() names those that have.",
        transaction=transaction_id,
    )


def _waits(transaction_id: str) -> NotHappenedError:
    return NotHappenedError(
        f"{transaction_id} has not happened yet, it waits.",
        todo="Take it back with liveinstall.cancel(), or name the transaction that shall be undone.",
        transaction=transaction_id,
    )


def _undo(
    scene: RequestContext,
    done: Sequence[past.HistoryEntry],
    undone: Sequence[past.HistoryEntry],
    asked: str,
    *,
    verify: bool,
) -> Result:
    site = scene.target.site
    deeds = [_deed(site, item) for item in undone]
    since: dict[str, str] = {}
    for item in done[: done.index(undone[0])] if undone else ():
        since = {**{change.name: item.transaction_id for change in item.record.changes}, **since}
    back = plan_undo(deeds, _present(scene.target, done), since)
    if not back:
        return Result()
    by_id = {item.transaction_id: item for item in undone}
    candidates, removals = [], set()
    for name, transaction_id in back.items():
        candidate = _candidate(site, by_id[transaction_id], name, done)
        if candidate:
            candidates.append(candidate)
        else:
            removals.add(name)
    request = Request((asked,), frozenset(), frozenset(removals), reinstall=True, verify=verify)

    def decide(overlaps: Mapping[str, frozenset[str]] | None = None) -> Plan:
        return defer_together(scene.decide(request, candidates, overlaps), back)

    decided = decide()
    scene.check_replaceable(decided)
    owners = {path: before for item in undone for path, (before, _) in item.record.owners.items()}  # the oldest wins
    from liveinstall._changes.execution import execute

    with BytecodeCompiler() as compiler:
        return execute(scene, request, candidates, decided, compiler, again=decide, owners=owners)


def _deed(site: str, item: past.HistoryEntry) -> UndoneTransaction:
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
    """The sha256 of the RECORD of each distribution here that a transaction has changed; without one, like no other."""
    here = installed((target.site, target.platlib))
    names = {change.name for item in done for change in item.record.changes}
    found = {}
    for name in names & here.keys():
        record = os.path.join(here[name].info, "RECORD")
        found[name] = sha256(record) if os.path.isfile(record) else "none"
    return found


def _candidate(site: str, item: past.HistoryEntry, name: str, done: Iterable[past.HistoryEntry]) -> Candidate | None:
    """What a transaction has taken out, to be brought in again; None where nothing was."""
    change = next(change for change in item.record.changes if change.name == name)
    if not change.old_info:
        return None
    info = past.retired_info(site, item, change)
    root = os.path.dirname(info)
    old = next((found for found in in_directory(root) if found.name == name), None)
    if old is None:
        raise RetiredError(
            f"the metadata of {name} {change.old_version} is gone from {root}.",
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
    """Where what has this RECORD came from, if a transaction put it in."""
    for item in done:
        about = item.about_change(name)
        if about.get("record") == record:
            return Origin(about.get("url", ""), about.get("sha256", ""))
    return Origin()
