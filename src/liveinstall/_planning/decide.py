"""The decision: which changes are applied now, and which when Python next starts. Pure functions."""

from __future__ import annotations

from liveinstall._planning.graph import Edge, Node, edges, named
from liveinstall._system.lean_dataclasses import dataclass, field, replace
from liveinstall.results import Change, Timing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Situation:
    """Everything that the decision depends on.

    Args:
        before: The importable distributions, by name.
        after: The distributions after all changes, by name; for a removal the distribution that it has shadowed.
        disturbing: The distributions that a running process uses: name -> reason why they must not change now.
        waiting: The changes that are pending already: name -> reason.
        extras: The requested extras, by name.
        used: The distributions that a running process uses and that depend on a removed one.
        overlaps: Name of a change -> the distributions with which it shares paths that get other content; those in use
            are in `disturbing`, too.
    """

    before: Mapping[str, Node]
    after: Mapping[str, Node]
    disturbing: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, frozenset[str]] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    overlaps: Mapping[str, frozenset[str]] = field(default_factory=dict)


def decide(changes: tuple[Change, ...], situation: Situation) -> tuple[Change, ...]:
    """Decide when each change is applied.

    Invariants: no change that disturbs a running process is applied now. Every requirement that is satisfied before is
    satisfied after the immediate changes, except those of unused distributions on removed ones. A change is applied now
    only if its requirements are satisfied without the pending changes. The set of pending changes only grows, so the
    loop ends after at most as many rounds as there are changes.

    Args:
        changes: The changes, without timing.
        situation: The input of the decision.

    Returns:
        The changes with timing and reason, in the same order.
    """
    reasons = {c.name: situation.waiting[c.name] for c in changes if c.name in situation.waiting}
    reasons |= {c.name: situation.disturbing[c.name] for c in changes if c.name in situation.disturbing}
    names = frozenset(change.name for change in changes)
    satisfied = [
        edge
        for edge in edges(situation.before, on=names, extras=situation.extras)
        if edge.is_satisfied(situation.before)
    ]
    needs = edges(situation.after, of=names, extras=situation.extras)
    while True:
        state = _state(changes, reasons, situation)
        more = (
            _needing(changes, reasons, state, needs, situation)
            or _breaking(changes, reasons, state, satisfied, situation)
            or _accompanying(changes, reasons, situation)
            or _overlapping(changes, reasons, situation)
        )
        if not more:
            return tuple(_timed(change, reasons) for change in changes)
        reasons |= more


def conflicts(changes: tuple[Change, ...], situation: Situation) -> tuple[str, ...]:
    """Find the requirements that are satisfied before all changes and not after them.

    Args:
        changes: The changes.
        situation: The environment before and after them.

    Returns:
        Texts for people, for example "pandas 1.5.3 requires numpy<2, but numpy will be 2.2.6".
    """
    names = frozenset(change.name for change in changes)
    broken = {edge for edge in edges(situation.before, on=names) if not edge.is_satisfied(situation.before)}
    return tuple(
        f"{edge}, but {_future_version(edge, situation.after)}"
        for edge in edges(situation.after, on=names, extras=situation.extras)
        if not edge.is_satisfied(situation.after) and edge not in broken
    )


def _future_version(edge: Edge, state: Mapping[str, Node]) -> str:
    node = state.get(edge.name)
    return f"{edge.name} will be {node.version}" if node else f"{edge.name} will be missing"


def _timed(change: Change, reasons: Mapping[str, str]) -> Change:
    if change.name in reasons:
        return replace(change, timing=Timing.RESTART, reason=reasons[change.name])
    reason = "not in use" if change.old_version else "new"
    return replace(change, timing=Timing.NOW, reason=reason)


def _state(changes: tuple[Change, ...], waiting: Mapping[str, str], situation: Situation) -> dict[str, Node]:
    """The environment after all changes except `waiting`."""
    state = dict(situation.before)
    for change in changes:
        if change.name in waiting:
            continue
        if change.name in situation.after:  # for a removal: the distribution that it has shadowed
            state[change.name] = situation.after[change.name]
        else:
            state.pop(change.name, None)
    return state


def _needing(
    changes: tuple[Change, ...],
    waiting: Mapping[str, str],
    state: Mapping[str, Node],
    needs: list[Edge],
    situation: Situation,
) -> dict[str, str]:
    """The changes with requirements that only a pending change satisfies: name -> reason."""
    now = {change.name for change in changes if change.name not in waiting and change.new_version}
    return {
        edge.requirer: f"it depends on {edge.name} {situation.after[edge.name].version}, which is pending"
        for edge in needs
        if edge.requirer in now
        and edge.name in waiting
        and edge.is_satisfied(situation.after)
        and not edge.is_satisfied(state)
    }


def _accompanying(changes: tuple[Change, ...], waiting: Mapping[str, str], situation: Situation) -> dict[str, str]:
    """The changes of distributions that the old version of a pending one requires, even for extras only.

    The old version keeps running and may import them later, so all are replaced together. (starlette imports httpx only
    in its test client, and requires it only for an extra.)
    """
    replaced = {change.name for change in changes if change.old_version and change.name not in waiting}
    return {
        name: f"{requirer} is pending, and its old version may still import it"
        for requirer in waiting
        if requirer in situation.before
        for name in named(situation.before[requirer]) & replaced
    }


def _overlapping(changes: tuple[Change, ...], waiting: Mapping[str, str], situation: Situation) -> dict[str, str]:
    """The changes that share files with a pending change, or with a distribution that must not change now."""
    reasons = {}
    for change in changes:
        for other in sorted(situation.overlaps.get(change.name, ())) if change.name not in waiting else ():
            if other in waiting:
                reasons[change.name] = f"it shares files with {other}, which is pending"
            elif other in situation.disturbing:
                reasons[change.name] = f"it shares files with {other}: {situation.disturbing[other]}"
    return reasons


def _breaking(
    changes: tuple[Change, ...],
    waiting: Mapping[str, str],
    state: Mapping[str, Node],
    satisfied: list[Edge],
    situation: Situation,
) -> dict[str, str]:
    """The changes that would break a requirement of a distribution that does not change until the restart."""
    removed = {change.name for change in changes if change.new_version is None}
    return {
        edge.name: f"{edge}" + (f", and {edge.requirer} is pending" if edge.requirer in waiting else "")
        for edge in satisfied
        if edge.name not in waiting
        and state.get(edge.requirer) == situation.before[edge.requirer]
        and not edge.is_satisfied(state)
        and (edge.name not in removed or edge.requirer in situation.used)
    }
