"""From what the engine chose to a plan, over what is here and what waits already. Values in, values out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from liveinstall._planning.decide import Situation, conflicts, decide
from liveinstall._planning.graph import Node, edges
from liveinstall.results import Change, Plan, Timing

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from liveinstall._model import Candidate
    from liveinstall._requirements.request import Request


@dataclass(frozen=True)
class PendingNode:
    """A change that waits already. `node` is what will be there, None for a removal."""

    node: Node | None
    reason: str = ""
    requested: bool = True


def future(before: Mapping[str, Node], waiting: Mapping[str, PendingNode]) -> dict[str, Node]:
    """The environment with all that waits in place."""
    state = dict(before)
    for name, waits in waiting.items():
        state.pop(name, None)
        if waits.node:
            state[name] = waits.node
    return state


def changes_for(
    request: Request, candidates: Iterable[Candidate], before: Mapping[str, Node], waiting: Mapping[str, PendingNode]
) -> tuple[tuple[Change, ...], dict[str, Node]]:
    """What has to change on disk for this request and all that waits together, and the state after it.

    A request that goes back to the version on disk takes the waiting change of that distribution away; but the same
    version from an address of its own need not be what is on disk.
    """
    after = future(before, waiting)
    chosen = {candidate.name: candidate for candidate in candidates}
    after |= {name: Node(candidate.version, candidate.requires) for name, candidate in chosen.items()}
    after = {name: node for name, node in after.items() if name not in request.removals}
    changes = []
    for name in dict.fromkeys([*waiting, *chosen, *sorted(request.removals)]):
        old = before[name].version if name in before else None
        new = after[name].version if name in after else None
        again = name in chosen and (request.reinstall or name not in waiting or chosen[name].direct_url is not None)
        if old != new or again:
            changes.append(Change(name, old, new))
    return tuple(changes), after


def make_plan(
    request: Request,
    candidates: Iterable[Candidate],
    before: Mapping[str, Node],
    waiting: Mapping[str, PendingNode],
    disturbing: Mapping[str, str],
    used: Iterable[str] = (),
    overlaps: Mapping[str, frozenset[str]] | None = None,
) -> Plan:
    """Decide what happens now and what waits. `disturbing`, `used`, `overlaps`: see `Situation`."""
    candidates = list(candidates)
    chosen = {candidate.name: candidate for candidate in candidates}
    changes, after = changes_for(request, candidates, before, waiting)
    situation = Situation(
        before=before,
        after=after,
        disturbing=disturbing,
        waiting={n: waits.reason for n, waits in waiting.items() if n not in chosen and n not in request.removals},
        extras={name: frozenset(candidate.extras) for name, candidate in chosen.items() if candidate.extras},
        used=frozenset(used),
        overlaps=overlaps or {},
    )
    timed = decide(changes, situation)
    if request.when == "restart":
        timed = tuple(_asked_to_wait(change) for change in timed)
    unchanged = tuple(
        Change(name, after[name].version, after[name].version, reason="it satisfies the request")
        for name in sorted(request.names)
        if name not in chosen and name in after
    ) + tuple(
        Change(name, before[name].version, before[name].version, reason=f"{_words(waits)} no longer waits")
        for name, waits in waiting.items()
        if name in chosen and name in before and all(change.name != name for change in changes)
    )
    notes = tuple(f"{c.name} {c.version} is yanked" for c in candidates if c.yanked)
    return Plan(timed, unchanged, conflicts(changes, situation), notes)


def _words(waits: PendingNode) -> str:
    return waits.node.version if waits.node else "its removal"


def _asked_to_wait(change: Change) -> Change:
    if change.timing is Timing.RESTART:
        return change
    return replace(change, timing=Timing.RESTART, reason="you asked for it to wait")


def defer_together(decided: Plan, names: Container[str]) -> Plan:
    """Let all changes of `names` wait if one of them does, so that they happen as one transaction, or not at all."""
    first = next((change.name for change in decided.waiting if change.name in names), None)
    if first is None:
        return decided
    return replace(
        decided,
        changes=tuple(
            replace(change, timing=Timing.RESTART, reason=f"it belongs with {first}, which waits")
            if change.timing is Timing.NOW and change.name in names
            else change
            for change in decided.changes
        ),
    )


def kept_after_cancel(waiting: Mapping[str, PendingNode], before: Mapping[str, Node], names: Iterable[str]) -> set[str]:
    """What still waits once `names` are cancelled.

    With them goes what needs them, and what was only staged because something that is gone needed it. What is left
    satisfies, together with what is on disk, every requirement that it would have satisfied with all of it.
    """
    kept = set(waiting) - set(names)
    whole = future(before, waiting)
    while True:
        state = future(before, {name: waiting[name] for name in kept})
        held = [edge for edge in edges(whole, on=waiting) if edge.is_satisfied(whole)]
        broken = {
            edge.requirer
            for edge in held
            if edge.requirer in kept and state[edge.requirer].version == edge.version and not edge.is_satisfied(state)
        }
        needed = {edge.name for edge in edges(state, on=kept) if not edge.is_satisfied(before)}
        unneeded = {name for name in kept if not waiting[name].requested and name not in needed}
        if not broken | unneeded:
            return kept
        kept -= broken | unneeded
