"""The decision: which changes happen now, and which wait for the next start of Python. Values in, values out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from liveinstall._planning.graph import Edge, Node, edges, named
from liveinstall.results import Change, Timing

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Situation:
    """Everything that the decision depends on.

    `before` is what imports find now, by name; `after` what it shall be. `disturbing` says of each change that would
    touch what a live process has loaded why it must wait; `waiting` are changes that wait already. `extras` are those
    that were asked for. `used` are distributions that a live process uses and that need something that shall go.
    `overlaps`: the distributions whose files a change would replace or bring; `disturbing` tells of those too.
    """

    before: Mapping[str, Node]
    after: Mapping[str, Node]
    disturbing: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, frozenset[str]] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    overlaps: Mapping[str, frozenset[str]] = field(default_factory=dict)


def decide(changes: tuple[Change, ...], situation: Situation) -> tuple[Change, ...]:
    """Give each change its timing and the reason in words.

    Invariants: nothing that disturbs a live process happens now; every requirement that is satisfied before is
    satisfied after what happens now, but for what needs something that shall go for good and that nobody uses; a change
    happens now only if what it needs is there without what waits. The changes that wait only grow, so this ends after
    at most as many rounds as there are changes.
    """
    reasons = {c.name: situation.waiting[c.name] for c in changes if c.name in situation.waiting}
    reasons |= {c.name: situation.disturbing[c.name] for c in changes if c.name in situation.disturbing}
    names = frozenset(change.name for change in changes)
    held = [
        edge
        for edge in edges(situation.before, on=names, extras=situation.extras)
        if edge.is_satisfied(situation.before)
    ]
    needs = edges(situation.after, of=names, extras=situation.extras)
    while True:
        state = _state(changes, reasons, situation)
        more = (
            _needing(changes, reasons, state, needs, situation)
            or _breaking(reasons, state, held, situation)
            or _accompanying(changes, reasons, situation)
            or _overlapping(changes, reasons, situation)
        )
        if not more:
            return tuple(_timed(change, reasons) for change in changes)
        reasons |= more


def conflicts(changes: tuple[Change, ...], situation: Situation) -> tuple[str, ...]:
    """The requirements that hold before and no longer after all changes, in words."""
    names = frozenset(change.name for change in changes)
    broken = {edge for edge in edges(situation.before, on=names) if not edge.is_satisfied(situation.before)}
    return tuple(
        f"{edge}, but {_found(edge, situation.after)}"
        for edge in edges(situation.after, on=names, extras=situation.extras)
        if not edge.is_satisfied(situation.after) and edge not in broken
    )


def _found(edge: Edge, state: Mapping[str, Node]) -> str:
    node = state.get(edge.name)
    return f"{edge.name} will be {node.version}" if node else f"{edge.name} will be missing"


def _timed(change: Change, reasons: Mapping[str, str]) -> Change:
    if change.name in reasons:
        return replace(change, timing=Timing.RESTART, reason=reasons[change.name])
    reason = "nobody has it loaded" if change.old_version else "it is new here"
    return replace(change, timing=Timing.NOW, reason=reason)


def _state(changes: tuple[Change, ...], waiting: Mapping[str, str], situation: Situation) -> dict[str, Node]:
    """What is there once everything but `waiting` has happened."""
    state = dict(situation.before)
    for change in changes:
        if change.name in waiting:
            continue
        if change.new_version is None:
            state.pop(change.name, None)
        else:
            state[change.name] = situation.after[change.name]
    return state


def _needing(
    changes: tuple[Change, ...],
    waiting: Mapping[str, str],
    state: Mapping[str, Node],
    needs: list[Edge],
    situation: Situation,
) -> dict[str, str]:
    """Changes whose own requirements only hold together with something that waits."""
    now = {change.name for change in changes if change.name not in waiting and change.new_version}
    return {
        edge.requirer: f"it needs {edge.name} {situation.after[edge.name].version}, which waits"
        for edge in needs
        if edge.requirer in now
        and edge.name in waiting
        and edge.is_satisfied(situation.after)
        and not edge.is_satisfied(state)
    }


def _accompanying(changes: tuple[Change, ...], waiting: Mapping[str, str], situation: Situation) -> dict[str, str]:
    """Replacements of what a waiting distribution's old version names among its requirements, extras included.

    The old version goes on running and may import it late; both are replaced together because they belong together
    (starlette imports httpx only in its test client, and names it only for an extra).
    """
    replaced = {change.name for change in changes if change.old_version and change.name not in waiting}
    return {
        name: f"{requirer} waits and may still import it"
        for requirer in waiting
        if requirer in situation.before
        for name in named(situation.before[requirer]) & replaced
    }


def _overlapping(changes: tuple[Change, ...], waiting: Mapping[str, str], situation: Situation) -> dict[str, str]:
    """Changes that have files of a distribution that must not change now, or of one that waits."""
    found = {}
    for change in changes:
        for other in sorted(situation.overlaps.get(change.name, ())) if change.name not in waiting else ():
            if other in waiting:
                found[change.name] = f"it has files of {other}, which waits"
            elif other in situation.disturbing:
                found[change.name] = f"it has files of {other}: {situation.disturbing[other]}"
    return found


def _breaking(
    waiting: Mapping[str, str], state: Mapping[str, Node], held: list[Edge], situation: Situation
) -> dict[str, str]:
    """Changes that would now break a requirement of something that stays as it is until the restart."""
    return {
        edge.name: f"{edge}" + (", and that waits" if edge.requirer in waiting else "")
        for edge in held
        if edge.name not in waiting
        and state.get(edge.requirer) == situation.before[edge.requirer]
        and not edge.is_satisfied(state)
        and (edge.name in situation.after or edge.requirer in situation.used)
    }
