"""What nobody needs any more once something goes. Values in, values out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liveinstall._planning.graph import edges, named

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from liveinstall._planning.graph import Node


def unused_without(removed: AbstractSet[str], state: Mapping[str, Node], requested: AbstractSet[str]) -> set[str]:
    """What `removed` needed, directly or not, that nobody asked for and nobody else needs.

    `state` still has what is removed. Whoever names a distribution in any requirement, whatever its marker or extra,
    needs it: something is rather left than missed.
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
    """Those of `names` that nothing in `state` needs but `removed` and they themselves."""
    unused = set(names)
    while True:
        needed = {name for keeper in state.keys() - removed - unused for name in named(state[keeper])} & unused
        if not needed:
            return unused
        unused -= needed
