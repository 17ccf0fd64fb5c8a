"""Pending changes: list them, cancel them, or apply them now."""

from __future__ import annotations

from liveinstall._changes.context import RequestContext, changing
from liveinstall._changes.summaries import change_of, changes_of, explain_imports, pending_of, result_of, users_of
from liveinstall._environment.holders import describe
from liveinstall._environment.installed import installed
from liveinstall._environment.loaded import loaded
from liveinstall._environment.target import checked_for_change, find_targets
from liveinstall._planning.plan import kept_after_cancel
from liveinstall._system.command_line import command_line
from liveinstall._system.lean_dataclasses import replace
from liveinstall._system.lean_packaging import canonicalize_name
from liveinstall._system.lock import environment_lock
from liveinstall._transactions import published
from liveinstall._transactions import transaction as transactions
from liveinstall._transactions.pending import publish_pending
from liveinstall.errors import NotPendingError
from liveinstall.results import AllPending, Cancelled, Change, Plan, Result, Timing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from liveinstall.results import Holder, Target


def pending() -> AllPending:
    """List the pending transactions, and those that were set aside after a failure, with the reasons.

    Returns:
        The transactions, oldest first.

    Raises:
        TargetError: The interpreter has no environment that liveinstall supports.
    """
    found = (pending_of(target, item) for target in find_targets() for item in published.read_all(target.site))
    return AllPending(sorted(found, key=lambda item: item.transaction))


def cancel(*names: str) -> Cancelled:
    """Cancel pending changes of distributions, of their dependents, and of dependencies that nothing else needs.

    Args:
        *names: The distributions. Default: all pending changes, and those that were set aside.

    Returns:
        The cancelled changes.

    Raises:
        NotPendingError: A name has no pending change, or without names nothing is pending.
        LockTimeoutError: Another process is changing the environment.
    """
    wanted: set[str] = {canonicalize_name(name) for name in names}
    shares = _shares(wanted)
    return Cancelled(change for target, share in shares for change in _cancel(checked_for_change(target), share))


def _shares(wanted: set[str]) -> list[tuple[Target, set[str]]]:
    """Which of the names, or all changes if there are none, to cancel in the environment and in the user site."""
    environment, *others = find_targets()
    shares = []
    for user in others:
        names = _changing_in(user)
        if names & wanted if wanted else names:
            shares.append((user, names & wanted))
    rest = wanted.difference(*(share for _, share in shares))
    if rest or not shares or (not wanted and _changing_in(environment)):
        shares.insert(0, (environment, rest))
    return shares


def _changing_in(target: Target) -> set[str]:
    return {change.name for item in published.read_all(target.site) for change in changes_of(item)}


def _cancel(target: Target, requested: set[str]) -> tuple[Change, ...]:
    with changing(target):
        context = RequestContext.of(target)
        entries = context.waiting.entries
        dropped = _drop_failed(target, requested)
        damaged = not requested and transactions.discard_unreadable(target.site)
        missing = requested - set(entries) - {change.name for change in dropped}
        if missing or not (entries or dropped or damaged):
            unreadable = "".join(f" This cannot be read: {path}." for path in published.unreadable(target.site))
            what = f"{', '.join(sorted(missing))} is not pending." if missing else "no changes are pending."
            todo = (
                "liveinstall.pending() lists the pending changes." if entries else "Nothing is pending." * bool(missing)
            )
            raise NotPendingError(f"{what}{unreadable}", todo=todo)
        kept = kept_after_cancel(context.waits(), context.before, requested) if requested else set()
        dropped += [change_of(entry) for name, entry in entries.items() if name not in kept]
        kept_entries = [entry for name, entry in entries.items() if name in kept]
        early = context.loaded_at_start(kept)
        from liveinstall._changes.shared_files import handover  # loads all of staging, which `status()` does not need

        publish_pending(
            target, context.waiting, kept_entries, context.waiting.requests, early=early, handover=handover(target)
        )
        transactions.recover(target.site)
        explain_imports(target)
        return tuple(dropped)


def finalize(*, force: bool = False) -> Result:
    """Apply pending changes now if no running process uses the affected distributions.

    For interpreters that never run `site` (`-S`, embedded). Transactions that were set aside are tried again.

    Args:
        force: Apply changes even if other processes use the distributions. Those that this process has loaded are never
            replaced.

    Returns:
        The applied changes, and those that are still pending as `staged`, with the reasons.

    Raises:
        CommitError: The swap failed and was rolled back.
        LockTimeoutError: Another process is changing the environment.
    """
    applied = [change for target in find_targets() for change in _finalize(target, force=force)]
    return replace(result_of(Plan(tuple(applied))), transaction=None)


def _finalize(target: Target, *, force: bool) -> list[Change]:
    """Apply the pending changes of one installation scheme; those that are still pending keep their timing."""
    done: list[Change] = []
    left: list[Change] = []
    with environment_lock(target.site, who=command_line()):
        transactions.recover(target.site)
        transactions.retry(target.site)
        for item in list(published.read_all(target.site)):
            changes = changes_of(item)
            touched = {change.name for change in changes if change.old_version} | item.record.tops.keys()
            why = why_not_now(touched, () if force else users_of(target, item))
            if why:
                left += [replace(change, reason=why) for change in changes]
            else:
                transactions.apply(target.site, item.transaction_id, keep=True, force=force)
                done += [replace(change, timing=Timing.NOW) for change in changes]
    return [*done, *left]


def why_not_now(names: Iterable[str], users: Sequence[Holder]) -> str:
    """Say why a pending transaction cannot be applied now; empty if it can.

    Args:
        names: The distributions that it replaces, removes, or takes files from.
        users: The other processes that use them.
    """
    distributions = installed()
    imported = loaded(distributions[name] for name in names if name in distributions)
    if imported:
        return f"{', '.join(sorted(imported))} is imported here"
    return f"used by {'; '.join(map(describe, users))}" if users else ""


def _drop_failed(target: Target, names: set[str]) -> list[Change]:
    """Discard the failed transactions that change one of `names`, or all failed ones without names."""
    dropped: list[Change] = []
    for item in list(published.read_all(target.site)):
        changes = changes_of(item)
        if item.state == "failed" and (not names or names & {change.name for change in changes}):
            transactions.discard(target.site, item.transaction_id)
            dropped += changes
    return dropped
