"""Versions, names and requirements as in `packaging`, without loading it for the simple ones, which are nearly all.

`packaging.requirements` loads forty modules, `logging`, `platform`, `inspect` and `ast` among them: a fifth of the time
to load a plain request, and most of it for `list` and `ensure`. Versions such as `1.26.4` and `1.0.post1`,
requirements with such versions, and markers that compare `extra`, `python_version`, the system or the implementation
are evaluated here, others by `packaging`. `tests/system/test_lean_packaging.py` compares both.
"""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName

_PYTHON = tuple(sys.version_info[:2])
# The base class of those of `packaging`.
InvalidRequirement = InvalidSpecifier = InvalidVersion = InvalidWheelFilename = ValueError

# The larger patterns are compiled by `re` when they are first used: most processes need only some of them.
_VERSION = re.compile(r"([0-9]+(?:\.[0-9]+)*)(?:\.post([0-9]+))?")
_CLAUSE = r"(?:(?:>=|<=|==|!=|<|>) *[0-9]+(?:\.[0-9]+)*|[=!]= *[0-9]+(?:\.[0-9]+)*\.\*|~= *[0-9]+(?:\.[0-9]+)+)"
_CLAUSES = rf"{_CLAUSE}(?: *, *{_CLAUSE})*"
_SPECIFIERS = f" *{_CLAUSES} *"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_REQUIREMENT = (
    rf" *({_NAME}) *(?:\[ *((?:{_NAME}(?: *, *{_NAME})*)?) *\])? *({_CLAUSES}|\( *{_CLAUSES} *\))? *(?:;(.*))?"
)
_NUMBER = "(?:0|[1-9][0-9]*)"  # as in a normalized version
_PART = "[a-z0-9_]+(?:[.][a-z0-9_]+)*"
_WHEEL = (
    rf"([A-Za-z0-9]+(?:[_.][A-Za-z0-9]+)*)-({_NUMBER}(?:\.{_NUMBER})*(?:\.post{_NUMBER})?)-{_PART}-{_PART}-{_PART}\.whl"
)
_MARKER_WORD = (
    r""" *(?:(\(|\)|and\b|or\b)"""
    r"""|(extra) *== *(["'])([A-Za-z0-9._-]+)\3"""
    r"""|(python_version) *(>=|<=|==|!=|<|>) *(["'])([0-9]+(?:\.[0-9]+)*)\7"""
    r"""|(sys_platform|os_name|platform_system|platform_machine|implementation_name|platform_python_implementation)"""
    r""" *(==|!=) *(["'])([A-Za-z_][A-Za-z0-9_]*)\11)"""
)
_COMPARE: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": lambda one, other: one >= other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    "<": lambda one, other: one < other,
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
}


def canonicalize_name(name: str) -> NormalizedName:
    """Normalize the name of a project (PEP 503)."""
    return cast("NormalizedName", re.sub(r"[-_.]+", "-", name).lower())


def _numbers(text: str) -> tuple[int, ...]:
    """The numbers of a release, without zeros at the end."""
    numbers = [int(each) for each in text.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _parsed(text: str) -> tuple[tuple[int, ...], int] | None:
    """The numbers of a version, and of its post-release or -1; None for a version that has anything else."""
    match = _VERSION.fullmatch(text)
    return (_numbers(match[1]), -1 if match[2] is None else int(match[2])) if match else None


def is_version(text: str) -> bool:
    """Whether PEP 440 defines a version."""
    if _VERSION.fullmatch(text):
        return True
    from packaging.version import Version

    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def is_prerelease(text: str) -> bool:
    """Whether a version is a pre-release or a development release.

    Raises:
        InvalidVersion: PEP 440 does not define it.
    """
    if _VERSION.fullmatch(text):
        return False
    from packaging.version import Version

    return Version(text).is_prerelease


def name_and_version(file_name: str) -> tuple[str, str]:
    """Return the normalized name and the version in the name of a wheel.

    Raises:
        InvalidWheelFilename: It is not the name of a wheel.
    """
    match = re.fullmatch(_WHEEL, file_name)
    if match:
        return canonicalize_name(match[1]), match[2]
    from packaging.utils import parse_wheel_filename

    name, version, *_ = parse_wheel_filename(file_name)
    return name, str(version)


def compare_versions(first: str, second: str) -> int:
    """Compare two versions.

    Args:
        first: A version.
        second: Another version.

    Returns:
        A number below, equal to or above 0, if the first is lower, equal or higher.

    Raises:
        InvalidVersion: PEP 440 does not define one of them.
    """
    one: Any = _parsed(first)
    other: Any = _parsed(second)
    if one is None or other is None:
        from packaging.version import Version

        one, other = Version(first), Version(second)
    return int(one > other) - int(one < other)


class _Specifiers:
    """The `SpecifierSet` of a simple requirement."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._clauses = [each.strip() for each in text.split(",")] if text else []

    def __bool__(self) -> bool:
        return bool(self._clauses)

    def __str__(self) -> str:
        return ",".join(sorted(each.replace(" ", "") for each in self._clauses))

    def contains(self, version: str, *, prereleases: bool = True) -> bool:
        """See `packaging.specifiers.SpecifierSet`."""
        parsed = _parsed(version)
        if parsed is None or not prereleases:
            from packaging.specifiers import SpecifierSet

            return SpecifierSet(self._text).contains(version, prereleases=prereleases)
        return all(_is_allowed(*parsed, clause) for clause in self._clauses)


def _is_allowed(release: tuple[int, ...], post: int, clause: str) -> bool:
    """Whether a clause allows a version. A post-release is higher than the release, but `>` does not allow it."""
    sign = clause[: 2 if clause[1] == "=" else 1]
    text = clause[len(sign) :].strip()
    if text.endswith(".*"):
        return _has_prefix(release, text[:-2]) is (sign == "==")
    if sign == "~=":
        return release >= _numbers(text) and _has_prefix(release, text.rpartition(".")[0])
    other = _numbers(text)
    if release == other and post >= 0:
        return sign in (">=", "!=")
    return _COMPARE[sign](release, other)


def _has_prefix(release: tuple[int, ...], prefix: str) -> bool:
    numbers = tuple(int(each) for each in prefix.split("."))
    return (release + (0,) * len(numbers))[: len(numbers)] == numbers


def parse_specifiers(text: str) -> SpecifierSet:
    """Parse the specifiers of a version, such as a Requires-Python.

    Args:
        text: The specifiers.

    Returns:
        Them, or an object with the same `contains()`.

    Raises:
        InvalidSpecifier: They are invalid.
    """
    if re.fullmatch(_SPECIFIERS, text):
        return cast("SpecifierSet", _Specifiers(text.strip()))
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(text)


class _Marker:
    """A marker of simple comparisons.

    Args:
        tokens: The comparisons, parentheses and operators.

    Raises:
        ValueError: Their order is invalid.
    """

    def __init__(self, tokens: list[re.Match[str]]) -> None:
        self._tokens = tokens
        self.evaluate()  # all comparisons are read, whatever their values are

    def evaluate(self, environment: Mapping[str, str] | None = None) -> bool:
        """See `packaging.markers.Marker`."""
        extra = (environment or {}).get("extra", "")
        left = [each[1] or _applies(each, extra) for each in reversed(self._tokens)]
        value = _any(left)
        if left:
            raise ValueError(left)
        return value


def _any(left: list[str | bool]) -> bool:
    """Evaluate and remove, from the end of `left`, alternatives: `or` binds less than `and`."""
    value = _all(left)
    while left and left[-1] == "or":
        left.pop()
        value = _all(left) or value
    return value


def _all(left: list[str | bool]) -> bool:
    value = _one(left)
    while left and left[-1] == "and":
        left.pop()
        value = _one(left) and value
    return value


def _one(left: list[str | bool]) -> bool:
    first = left.pop() if left else ""
    value = _any(left) if first == "(" else first
    if not isinstance(value, bool) or (first == "(" and (not left or left.pop() != ")")):
        raise ValueError(first)
    return value


def _applies(comparison: re.Match[str], extra: str) -> bool:
    _, is_extra, _, name, is_python, sign, _, version, variable, equality, _, value = comparison.groups()
    if is_extra:
        return canonicalize_name(name) == canonicalize_name(extra)
    if is_python:
        return _is_allowed(_PYTHON, -1, f"{sign}{version}")
    return (_actual(variable) == value) is (equality == "==")


def _actual(variable: str) -> str:
    """The value of a variable of markers."""
    if variable == "sys_platform":
        return sys.platform
    if variable == "os_name":
        return os.name
    if variable == "implementation_name":
        return sys.implementation.name
    if variable == "platform_python_implementation":
        return "CPython"  # see `_marker()`
    return os.uname().sysname if variable == "platform_system" else os.uname().machine


def _marker(text: str) -> _Marker | None:
    """Parse a marker; None if it is not simple."""
    if not hasattr(os, "uname") and ("platform_system" in text or "platform_machine" in text):
        return None
    if "platform_python_implementation" in text and sys.implementation.name != "cpython":
        return None
    tokens, end, text, pattern = [], 0, text.rstrip(" "), re.compile(_MARKER_WORD)
    while end < len(text):
        token = pattern.match(text, end)
        if not token:
            return None
        tokens.append(token)
        end = token.end()
    try:
        return _Marker(tokens)
    except (ValueError, RecursionError):
        return None


class _Requirement:
    """A simple `Requirement`, as far as liveinstall uses it."""

    url = None

    def __init__(self, name: str, extras: set[str], specifier: _Specifiers, marker: _Marker | None) -> None:
        self.name, self.extras, self.specifier, self.marker = name, extras, specifier, marker


@lru_cache(maxsize=4096)
def parse_requirement_line(text: str) -> Requirement:
    """Parse a requirement (PEP 508).

    Args:
        text: The requirement.

    Returns:
        It, or an object with the same `name`, `extras`, `specifier`, `marker` and `url`. Do not change it.

    Raises:
        InvalidRequirement: It is invalid.
    """
    match = re.fullmatch(_REQUIREMENT, text)
    marker = _marker(match[4]) if match and match[4] else None
    if not match or (match[4] is not None and marker is None):
        from packaging.requirements import Requirement

        return Requirement(text)
    extras = {each.strip() for each in match[2].split(",")} if match[2] else set()
    specifier = _Specifiers((match[3] or "").strip("()").strip())
    return cast("Requirement", _Requirement(match[1], extras, specifier, marker))


def is_requirement(value: object) -> bool:
    """Whether a value is a Requirement of `packaging`."""
    loaded = sys.modules.get("packaging.requirements")
    return loaded is not None and isinstance(value, loaded.Requirement)
