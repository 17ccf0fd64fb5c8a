"""Making a plan from the engine's choice, the installed distributions and the pending changes. Pure functions."""

from __future__ import annotations

from liveinstall._planning.decide import Situation, conflicts, decide
from liveinstall._planning.graph import Node, edges
from liveinstall._system.lean_dataclasses import dataclass, replace
from liveinstall.results import Change, Plan, Timing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from liveinstall._model import Candidate
    from liveinstall._requirements.request import Request


@dataclass(frozen=True)
class PendingNode:
    """A change that is pending already.

    Attributes:
        node: The future version; None for a removal.
        reason: Why it is pending, for people.
        requested: Whether a user requested the distribution by name.
        shadows: Whether it only shadows an importable distribution outside of the environment, which always stays.
        beneath: For a removal, the distribution outside of the environment that is importable after it; None without.
    """

    node: Node | None
    reason: str = ""
    requested: bool = True
    shadows: bool = False
    beneath: Node | None = None


def future(before: Mapping[str, Node], waiting: Mapping[str, PendingNode]) -> dict[str, Node]:
    """Compute the environment after all pending changes.

    Args:
        before: The importable distributions, by name.
        waiting: The pending changes, by name.

    Returns:
        The distributions after them, by name.
    """
    state = dict(before)
    for name, pending in waiting.items():
        state.pop(name, None)
        left = pending.node or pending.beneath
        if left:
            state[name] = left
    return state


def changes_for(
    request: Request,
    candidates: Iterable[Candidate],
    before: Mapping[str, Node],
    waiting: Mapping[str, PendingNode],
    beneath: Mapping[str, Node] | None = None,
) -> tuple[tuple[Change, ...], dict[str, Node]]:
    """Compute the changes for a request together with all pending changes.

    A request for the version on disk cancels the pending change of that distribution, except a request with a direct
    URL: the same version from another source may differ from the one on disk.

    Args:
        request: The request.
        candidates: The distributions that the engine chose.
        before: The importable distributions, by name.
        waiting: The pending changes, by name.
        beneath: The distributions that are importable after the removals, by name; see `PendingNode`.

    Returns:
        The changes without timing, and the environment after them.
    """
    after = future(before, waiting)
    chosen = {candidate.name: candidate for candidate in candidates}
    after |= {name: Node(candidate.version, candidate.requires) for name, candidate in chosen.items()}
    after = {name: node for name, node in after.items() if name not in request.removals}
    # Removing a pending shadow cancels it: the distribution outside of the environment is importable again.
    cancelled = {name for name in request.removals & waiting.keys() if waiting[name].shadows}
    after |= {name: before[name] for name in cancelled}
    after |= {name: node for name, node in (beneath or {}).items() if name not in after}
    removed = {name for name, pending in waiting.items() if not pending.node and name not in chosen}
    removed |= request.removals - cancelled
    changes = []
    for name in dict.fromkeys([*waiting, *chosen, *sorted(request.removals)]):
        old = before[name].version if name in before else None
        new = after[name].version if name in after and name not in removed else None
        reinstalled = name in chosen and (
            request.reinstall or name not in waiting or chosen[name].direct_url is not None
        )
        if old != new or reinstalled:
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
    beneath: Mapping[str, Node] | None = None,
) -> Plan:
    """Make the plan for a request.

    Args:
        request: The request.
        candidates: The distributions that the engine chose.
        before: The importable distributions, by name.
        waiting: The pending changes, by name.
        disturbing: See `Situation`.
        used: See `Situation`.
        overlaps: See `Situation`.
        beneath: See `changes_for()`.

    Returns:
        The plan for the request and for all pending changes.
    """
    candidates = list(candidates)
    chosen = {candidate.name: candidate for candidate in candidates}
    changes, after = changes_for(request, candidates, before, waiting, beneath)
    situation = Situation(
        before=before,
        after=after,
        disturbing=disturbing,
        waiting={n: pending.reason for n, pending in waiting.items() if n not in chosen and n not in request.removals},
        extras={name: frozenset(candidate.extras) for name, candidate in chosen.items() if candidate.extras},
        used=frozenset(used),
        overlaps=overlaps or {},
    )
    timed = decide(changes, situation)
    if request.when == "restart":
        timed = tuple(_deferred(change) for change in timed)
    changed = {change.name for change in changes}
    unchanged = tuple(
        Change(name, after[name].version, after[name].version, reason="it satisfies the request")
        for name in sorted(request.names)
        if name not in chosen and name in after and name not in changed
    ) + tuple(
        Change(name, before[name].version, before[name].version, reason=f"{_shown(pending)} is no longer pending")
        for name, pending in waiting.items()
        if name in chosen and name in before and name not in changed
    )
    notes = tuple(f"{c.name} {c.version} is yanked{_because(c.yanked)}" for c in candidates if c.yanked)
    return Plan(timed, unchanged, conflicts(changes, situation), notes)


def _because(reason: str) -> str:
    return "" if reason == "yanked" else f": {reason.rstrip('.')}"


def _shown(pending: PendingNode) -> str:
    return pending.node.version if pending.node else "its removal"


def _deferred(change: Change) -> Change:
    if change.timing is Timing.RESTART:
        return change
    return replace(change, timing=Timing.RESTART, reason="deferred as requested")


def defer_together(decided: Plan, names: Container[str]) -> Plan:
    """Make all changes of `names` pending if one of them is, so that they are applied in one transaction or not at all.

    Args:
        decided: The plan.
        names: The distributions to change together.

    Returns:
        The plan with the new timing.
    """
    first = next((change.name for change in decided.waiting if change.name in names), None)
    if first is None:
        return decided
    return replace(
        decided,
        changes=tuple(
            replace(change, timing=Timing.RESTART, reason=f"it is applied together with {first}, which is pending")
            if change.timing is Timing.NOW and change.name in names
            else change
            for change in decided.changes
        ),
    )


def kept_after_cancel(waiting: Mapping[str, PendingNode], before: Mapping[str, Node], names: Iterable[str]) -> set[str]:
    """Find the changes that are still pending after others were cancelled.

    The changes that depend on a cancelled one are cancelled too, and those that were staged only as its dependencies.
    The remaining ones satisfy, together with the versions on disk, every requirement that all would have satisfied.

    Args:
        waiting: The pending changes, by name.
        before: The importable distributions, by name.
        names: The cancelled names.

    Returns:
        Their names.
    """
    kept = set(waiting) - set(names)
    uncancelled = future(before, waiting)
    while True:
        state = future(before, {name: waiting[name] for name in kept})
        satisfied = [edge for edge in edges(uncancelled, on=waiting) if edge.is_satisfied(uncancelled)]
        broken = {
            edge.requirer
            for edge in satisfied
            if edge.requirer in kept and state[edge.requirer].version == edge.version and not edge.is_satisfied(state)
        }
        needed = {edge.name for edge in edges(state, on=kept) if not edge.is_satisfied(before)}
        unneeded = {name for name in kept if not waiting[name].requested and name not in needed}
        if not broken | unneeded:
            return kept
        kept -= broken | unneeded
