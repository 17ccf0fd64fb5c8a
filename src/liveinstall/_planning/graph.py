"""Who requires what: the edges between distributions that a decision looks at. Values in, values out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NAME = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")


@dataclass(frozen=True)
class Node:
    """A distribution as the graph sees it: one version and its Requires-Dist lines."""

    version: str
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edge:
    """`requirer` at `version` needs `name` with a version that `text` (a PEP 508 requirement) admits."""

    requirer: str
    version: str
    name: str
    text: str

    def is_satisfied(self, state: Mapping[str, Node]) -> bool:
        """Whether `state` has a fitting version."""
        node = state.get(self.name)
        if node is None:
            return False
        return _admits(self.text, node.version)

    def __str__(self) -> str:
        """`pandas 1.5.3 requires numpy<2`."""
        return f"{self.requirer} {self.version} requires {self.text.partition(';')[0].strip()}"


@lru_cache(maxsize=16384)
def _admits(text: str, version: str) -> bool:
    try:
        return _parsed(text).specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return True  # a version from before PEP 440 proves nothing


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Requirement:
    return Requirement(text)


def edges(
    state: Mapping[str, Node],
    *,
    of: Iterable[str] | None = None,
    on: Iterable[str] | None = None,
    extras: Mapping[str, frozenset[str]] | None = None,
) -> list[Edge]:
    """The requirements in `state`, markers evaluated for this interpreter.

    `of`, `on`: only requirements of these names, on these names. `extras`: what was asked for, by name; extras that
    one distribution asks of another are followed.
    """
    of, on = (None if names is None else frozenset(names) for names in (of, on))
    asked = {name: set(names) for name, names in (extras or {}).items()}
    found: dict[Edge, None] = {}
    queue = list(state)
    while queue:
        requirer = queue.pop()
        node = state.get(requirer)
        for line in node.requires if node else ():
            match = _NAME.match(line)
            name = canonicalize_name(match[1]) if match else ""
            wanted = (of is None or requirer in of) and (on is None or name in on)
            # Parsing is what costs: only what is wanted, and what may ask for an extra, is looked at closely.
            requirement = _applies(line, frozenset(asked.get(requirer, ()))) if wanted or "[" in line else None
            if node is None or requirement is None:
                continue
            if wanted:
                found.setdefault(Edge(requirer, node.version, name, line))
            new = requirement.extras - asked.setdefault(name, set())
            if new:
                asked[name] |= new
                queue.append(name)
    return list(found)


def named(node: Node) -> set[str]:
    """Every distribution that the requirements name, whatever their markers say."""
    return {canonicalize_name(match[1]) for match in map(_NAME.match, node.requires) if match}


@lru_cache(maxsize=16384)
def _applies(line: str, extras: frozenset[str]) -> Requirement | None:
    """The requirement, if its marker holds for this interpreter and one of the extras."""
    try:
        requirement = _parsed(line)
    except InvalidRequirement:
        return None
    marker = requirement.marker
    if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *sorted(extras))):
        return requirement
    return None
