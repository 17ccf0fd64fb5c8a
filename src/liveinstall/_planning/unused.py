"""Dependencies that become unused when distributions are removed. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liveinstall._planning.graph import edges, named

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from liveinstall._planning.graph import Node


def unused_without(removed: AbstractSet[str], state: Mapping[str, Node], requested: AbstractSet[str]) -> set[str]:
    """The direct and indirect dependencies of removed distributions that become unused.

    A distribution counts as used if any requirement names it, regardless of markers and extras: it is better to keep
    too much than to remove too much.

    Args:
        removed: The removed names.
        state: The distributions before the removal, by name.
        requested: The names that a user requested.
    """
    needed_by: dict[str, set[str]] = {}
    for edge in edges(state):
        needed_by.setdefault(edge.requirer, set()).add(edge.name)
    reached = set(removed)
    queue = list(removed)
    while queue:
        more = needed_by.get(queue.pop(), set()) - reached
        reached |= more
        queue += more
    return unneeded((reached & state.keys()) - removed - requested, state, removed)


def unneeded(names: AbstractSet[str], state: Mapping[str, Node], removed: AbstractSet[str] = frozenset()) -> set[str]:
    """Those of `names` that no other distribution needs.

    Args:
        names: The names to check.
        state: All distributions, by name.
        removed: The names whose requirements do not count.
    """
    unused = set(names)
    while True:
        needed = {name for keeper in state.keys() - removed - unused for name in named(state[keeper])} & unused
        if not needed:
            return unused
        unused -= needed
