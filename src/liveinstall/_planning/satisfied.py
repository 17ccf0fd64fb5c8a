"""Whether requirements are satisfied, including extras and all dependencies. Pure functions."""

from __future__ import annotations

from functools import cache, lru_cache

from liveinstall._system.lean_packaging import (
    InvalidRequirement,
    InvalidVersion,
    canonicalize_name,
    compare_versions,
    leading_name,
    parse_requirement_line,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from liveinstall._model import Distribution
    from liveinstall._planning.graph import Node


def unsatisfied(requirements: Iterable[str], find: Callable[[str], Node | Distribution | None]) -> str:
    """Check requirements, including all dependencies. Pre-releases are accepted, as pip accepts installed pre-releases.

    Args:
        requirements: PEP 508 strings.
        find: Returns the distribution of a normalized name, or None.

    Returns:
        A text about the first unsatisfied requirement; empty if all are satisfied.
    """
    queue: list[tuple[str, str, frozenset[str]]] = [("", line, frozenset()) for line in requirements]
    seen: dict[str, set[str]] = {}
    while queue:
        requirer, line, requested = queue.pop()
        if requirer and "extra" in line and not requested and ";" in line:
            continue  # parsing is slow, and no extra was requested
        name, extras, is_allowed = parse_line(line, requested)
        if is_allowed is None:
            continue
        node = find(name)
        if node is None or not is_allowed(node.version):
            requirement = line.partition(";")[0].strip()
            return f"{requirer + ' requires ' if requirer else ''}{requirement}, but {_installed_version(name, node)}"
        known = seen.get(name)
        new = extras if known is None else extras - known
        if known is None or new:
            seen.setdefault(name, set()).update(extras)
            queue += [(name, more, frozenset(new)) for more in node.requires]
    return ""


@lru_cache(maxsize=16384)
def parse_line(line: str, asked: frozenset[str]) -> tuple[str, frozenset[str], Callable[[str], bool] | None]:
    """Parse a requirement.

    Args:
        line: A PEP 508 string.
        asked: The requested extras of the distribution that has this requirement.

    Returns:
        The normalized name, the extras, and a function that returns whether a version is allowed; None instead of the
        function if the marker does not apply or the line is invalid.
    """
    if leading_name(line) == line:  # most requirements are as simple as this, or the next one
        return canonicalize_name(line), frozenset(), lambda _: True
    name, sign, minimum = line.partition(">=")
    if sign and minimum.isascii() and minimum.replace(".", "").isdigit() and leading_name(name) == name:
        return canonicalize_name(name), frozenset(), lambda version: _is_at_least(version, minimum)
    try:
        requirement = parse_requirement_line(line)
    except InvalidRequirement:
        return "", frozenset(), None  # an invalid requirement of an installed distribution is ignored
    marker = requirement.marker
    if marker and not any(marker.evaluate({"extra": extra}) for extra in ("", *asked)):
        return "", frozenset(), None

    @cache
    def is_allowed(version: str) -> bool:
        try:
            return requirement.specifier.contains(version, prereleases=True)
        except InvalidVersion:
            return not requirement.specifier

    return canonicalize_name(requirement.name), frozenset(requirement.extras), is_allowed


def _is_at_least(version: str, minimum: str) -> bool:
    try:
        return compare_versions(version, minimum) >= 0
    except InvalidVersion:
        return False


def _installed_version(name: str, node: Node | Distribution | None) -> str:
    return f"{name} is not installed" if node is None else f"{name} {node.version} is installed"
