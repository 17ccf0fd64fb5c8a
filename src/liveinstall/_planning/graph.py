"""The dependency graph: the requirements between distributions. Pure functions."""

from __future__ import annotations

from functools import lru_cache

from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._system.lean_packaging import (
    InvalidRequirement,
    InvalidVersion,
    canonicalize_name,
    leading_name,
    parse_requirement_line,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.requirements import Requirement


@dataclass(frozen=True)
class Node:
    """A distribution in the graph.

    Attributes:
        version: Its version.
        requires: Its Requires-Dist lines (core metadata).
    """

    version: str
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edge:
    """A requirement of one distribution on another.

    Attributes:
        requirer: The name of the dependent distribution.
        version: Its version.
        name: The name of the required distribution.
        text: The requirement (PEP 508).
    """

    requirer: str
    version: str
    name: str
    text: str

    def is_satisfied(self, state: Mapping[str, Node]) -> bool:
        """Return whether `state` has an allowed version; pre-releases are allowed."""
        node = state.get(self.name)
        if node is None:
            return False
        return _is_allowed(self.text, node.version)

    def __str__(self) -> str:
        """Return a text for people, for example `pandas 1.5.3 requires numpy<2`."""
        return f"{self.requirer} {self.version} requires {self.text.partition(';')[0].strip()}"


@lru_cache(maxsize=16384)
def _is_allowed(text: str, version: str) -> bool:
    try:
        return parse_requirement_line(text).specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return True  # a version that PEP 440 does not define cannot be compared


def edges(
    state: Mapping[str, Node],
    *,
    of: Iterable[str] | None = None,
    on: Iterable[str] | None = None,
    extras: Mapping[str, frozenset[str]] | None = None,
) -> list[Edge]:
    """List the requirements between distributions, with markers evaluated for this interpreter (PEP 508).

    Args:
        state: The distributions, by name.
        of: Only the requirements of these distributions. Default: of all.
        on: Only the requirements on these distributions. Default: on all.
        extras: The requested extras, by name. Extras that one distribution requires of another are added.

    Returns:
        The requirements, each once; invalid ones are omitted.
    """
    of, on = (None if names is None else frozenset(names) for names in (of, on))
    active = {name: set(names) for name, names in (extras or {}).items()}
    required: dict[Edge, None] = {}
    queue = list(state)
    while queue:
        requirer = queue.pop()
        node = state.get(requirer)
        for line in node.requires if node else ():
            name = canonicalize_name(leading_name(line))
            is_selected = (of is None or requirer in of) and (on is None or name in on)
            # Parsing is slow: only the selected requirements, and those that may have an extra, are parsed.
            requirement = _applicable(line, frozenset(active.get(requirer, ()))) if is_selected or "[" in line else None
            if node is None or requirement is None:
                continue
            if is_selected:
                required.setdefault(Edge(requirer, node.version, name, line))
            new = requirement.extras - active.setdefault(name, set())
            if new:
                active[name] |= new
                queue.append(name)
    return list(required)


def named(node: Node) -> set[str]:
    """Return the normalized names in all requirements of a distribution, regardless of their markers."""
    return {canonicalize_name(name) for name in map(leading_name, node.requires) if name}


@lru_cache(maxsize=16384)
def _applicable(line: str, extras: frozenset[str]) -> Requirement | None:
    """The parsed requirement if its marker applies to this interpreter and one of the extras, else None."""
    try:
        requirement = parse_requirement_line(line)
    except InvalidRequirement:
        return None
    marker = requirement.marker
    if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *sorted(extras))):
        return requirement
    return None
