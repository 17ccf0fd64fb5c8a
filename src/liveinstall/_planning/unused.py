"""Dependencies that become unused when distributions are removed. Pure functions."""

from __future__ import annotations

from liveinstall._planning.graph import edges, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from liveinstall._planning.graph import Node


def unused_without(removed: AbstractSet[str], state: Mapping[str, Node], requested: AbstractSet[str]) -> set[str]:
    """Find the direct and indirect dependencies of removed distributions that become unused.

    A distribution counts as used if any requirement names it, regardless of markers and extras: it is better to keep
    too much than to remove too much.

    Args:
        removed: The removed names.
        state: The distributions before the removal, by name.
        requested: The names that a user requested.

    Returns:
        Their names, without `removed` and `requested`.
    """
    dependencies: dict[str, set[str]] = {}
    for edge in edges(state):
        dependencies.setdefault(edge.requirer, set()).add(edge.name)
    reached = set(removed)
    queue = list(removed)
    while queue:
        more = dependencies.get(queue.pop(), set()) - reached
        reached |= more
        queue += more
    return unneeded((reached & state.keys()) - removed - requested, state, removed)


def unneeded(names: AbstractSet[str], state: Mapping[str, Node], removed: AbstractSet[str] = frozenset()) -> set[str]:
    """Find the distributions on which no other distribution depends.

    Args:
        names: The names to check.
        state: All distributions, by name.
        removed: The names of distributions with requirements that do not count.

    Returns:
        Those of `names` that no requirement names, except requirements of `removed` and of each other.
    """
    unused = set(names)
    while True:
        needed = {name for dependent in state.keys() - removed - unused for name in named(state[dependent])} & unused
        if not needed:
            return unused
        unused -= needed
