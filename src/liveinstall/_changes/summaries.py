"""Conversion of the records on disk to the public values of `results` and `reports`."""

from __future__ import annotations

import os

from liveinstall._environment import holders as holds
from liveinstall._transactions import published
from liveinstall._transactions import transaction as transactions
from liveinstall._transactions.published import PendingChange
from liveinstall._transactions.visibility import StagedDistribution, explain_staged, top_level_modules
from liveinstall.results import Change, Holder, Origin, Pending, Plan, Result, Target, Timing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from _liveinstall_boot import codec
    from liveinstall._transactions.history import HistoryEntry
    from liveinstall._transactions.prepared import PreparedTransaction
    from liveinstall.reports import Past


def change_of(entry: PendingChange) -> Change:
    """Convert a pending change."""
    old, new = entry.swap.old_version, entry.swap.new_version
    return Change(entry.swap.name, old, new, Timing.RESTART, entry.about.get("reason", ""))


def changes_of(item: published.Transaction | PreparedTransaction) -> tuple[Change, ...]:
    """Convert a transaction's changes."""
    about = item.about.get("changes", {})
    return tuple(change_of(PendingChange(change, about.get(change.name, {}))) for change in item.record.changes)


def pending_of(target: Target, item: published.Transaction) -> Pending:
    """Convert a pending or failed transaction, and explain what it is waiting for or why it failed.

    Args:
        target: The environment.
        item: The transaction.

    Returns:
        The public value.
    """
    why = transactions.note_of(target.site, item.transaction_id)
    if item.state != "failed":
        own_holds = [holder for holder in holds.holders(target.site) if holder.mine]
        users = "; ".join(map(holds.describe, [*own_holds, *users_of(target, item)]))
        wait = f"the exit of {users}, then the next start of Python" if users else "the next start of Python"
        why = f"{wait} (the last try failed: {why})" if why else wait
    about = item.about
    return Pending(
        transaction=item.transaction_id,
        changes=changes_of(item),
        since=float(about.get("created", 0)),
        pid=int(about.get("pid", 0)),
        command=str(about.get("command", "unknown")),
        requests=tuple(about.get("requests", ())),
        state=item.state,
        waits_for=why,
    )


def users_of(target: Target, item: published.Transaction) -> tuple[Holder, ...]:
    """Find the other running processes that prevent a transaction from being applied.

    Args:
        target: The environment.
        item: The transaction.

    Returns:
        The processes, each with the distributions that it uses.
    """
    return holds.blocking(target.site, item.record)


def past_of(item: HistoryEntry, why_not: str) -> Past:
    """Convert an applied transaction.

    Args:
        item: Its entry in the history.
        why_not: Why it can no longer be undone; empty if it can.

    Returns:
        The public value.
    """
    from liveinstall.reports import Past

    about, changes = item.about, []
    sources = {}
    for change in item.record.changes:
        facts = item.about_change(change.name)
        changes.append(Change(change.name, change.old_version, change.new_version, reason=facts.get("reason", "")))
        if change.new_version:
            sources[change.name] = Origin(str(facts.get("url", "")), str(facts.get("sha256", "")))
    return Past(
        transaction=item.transaction_id,
        changes=tuple(changes),
        when=item.when,
        pid=int(about.get("pid", 0)),
        command=str(about.get("command", "unknown")),
        requests=tuple(about.get("requests", ())),
        sources=sources,
        why_not=why_not,
    )


def result_of(decided: Plan, *, staged: Sequence[Change] | None = None, dry_run: bool = False) -> Result:
    """Make the result of an executed plan.

    Args:
        decided: The plan.
        staged: The pending changes of this request. Default: all pending changes of the plan.
        dry_run: Whether it was only planned.

    Returns:
        The result.
    """
    return Result(
        installed=tuple(change for change in decided.now if change.new_version),
        removed=tuple(change for change in decided.now if not change.new_version),
        staged=decided.waiting if staged is None else tuple(staged),
        unchanged=decided.unchanged,
        conflicts=decided.conflicts,
        notes=decided.notes,
        overlaps=decided.overlaps,
        unlisted=decided.unlisted,
        remedy=decided.remedy,
        dry_run=dry_run,
    )


def explain_imports(target: Target) -> None:
    """Make imports of modules that are only staged raise StagedImportError."""
    explain_staged({top: staged for change, staged in staged_in(target.site) for top in top_level_modules(staged.part)})


def staged_in(site: str) -> Iterator[tuple[codec.SwapChange, StagedDistribution]]:
    """Iterate over the pending changes that install a version, each with its staged distribution."""
    for item in published.read_all(site):
        for change in item.record.changes if item.state == "pending" else ():
            if change.part:
                part = os.path.normpath(os.path.join(site, change.part))
                since = float(item.about.get("created", 0))
                yield change, StagedDistribution(f"{change.name} {change.new_version}", since, part)
