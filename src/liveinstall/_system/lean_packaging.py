"""Versions, names and requirements as in `packaging`, without loading it for the simple ones, which are nearly all.

`packaging.requirements` loads forty modules, `logging`, `platform`, `inspect` and `ast` among them: a fifth of the time
to load a plain request, and most of it for `list` and `ensure`. Versions such as `1.26.4` and `1.0.post1`,
requirements with such versions, and markers that compare `extra`, `python_version`, the system or the implementation
are evaluated here, others by `packaging`. `tests/system/test_lean_packaging.py` compares both.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName

_PYTHON = tuple(sys.version_info[:2])
# The base class of those of `packaging`.
InvalidRequirement = InvalidSpecifier = InvalidVersion = InvalidWheelFilename = ValueError

# No regular expressions: compiling them would take longer than parsing all texts of a usual request.
_TAG_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789_"
NAME_CHARACTERS = f"{_TAG_CHARACTERS}ABCDEFGHIJKLMNOPQRSTUVWXYZ.-"
_PARTS_OF_WHEEL = 5
_TEXTS = ("sys_platform", "os_name", "platform_system", "platform_machine", "implementation_name")
Token = str | tuple[str, str, str]  # of a marker: a parenthesis or an operator, or the parts of a comparison
_COMPARE: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": lambda one, other: one >= other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    "<": lambda one, other: one < other,
}


def canonicalize_name(name: str) -> NormalizedName:
    """Normalize the name of a project (PEP 503)."""
    name = name.lower().replace("_", "-").replace(".", "-")
    while "--" in name:
        name = name.replace("--", "-")
    return name  # type: ignore[return-value]


def leading_name(text: str) -> str:
    """Return the name that a requirement begins with, as it is written; empty if there is none."""
    text = text.lstrip()
    name = text[: len(text) - len(text.lstrip(NAME_CHARACTERS))].rstrip("._-")
    return name if name[:1].isalnum() else ""


def _is_name(text: str) -> bool:
    return bool(text) and text == leading_name(text)


def _is_release(text: str) -> bool:
    """Whether a version has only numbers and dots."""
    return text.isascii() and all(map(str.isdigit, text.split(".")))


def _numbers(text: str) -> tuple[int, ...]:
    """The numbers of a release, without zeros at the end."""
    numbers = [int(each) for each in text.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _parsed(text: str) -> tuple[tuple[int, ...], int] | None:
    """The numbers of a version, and of its post-release or -1; None for a version that has anything else."""
    head, post, number = text.partition(".post")
    if not _is_release(head) or (post and not (number.isascii() and number.isdigit())):
        return None
    return _numbers(head), int(number) if post else -1


def is_version(text: str) -> bool:
    """Whether PEP 440 defines a version."""
    if _parsed(text):
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
    if _parsed(text):
        return False
    from packaging.version import Version

    return Version(text).is_prerelease


def name_and_version(file_name: str) -> tuple[str, str]:
    """Return the normalized name and the version in the name of a wheel.

    Raises:
        InvalidWheelFilename: It is not the name of a wheel.
    """
    parts = file_name.removesuffix(".whl").split("-")
    if file_name.endswith(".whl") and file_name.isascii() and len(parts) == _PARTS_OF_WHEEL:
        name, version, *tags = parts
        is_plain = all(map(str.isalnum, name.replace(".", "_").split("_"))) and _is_normalized(version)
        if is_plain and all(each and not each.strip(_TAG_CHARACTERS) for tag in tags for each in tag.split(".")):
            return canonicalize_name(name), version
    from packaging.utils import parse_wheel_filename

    name, parsed, *_ = parse_wheel_filename(file_name)
    return name, str(parsed)


def _is_normalized(version: str) -> bool:
    """Whether a version is of the form 1.0 or 1.0.post1, without additional zeros."""
    head, _, number = version.partition(".post")
    numbers = [*head.split("."), *([number] if head != version else [])]
    return all(each.isdigit() and (each == "0" or each[0] != "0") for each in numbers)


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


def _are_clauses(text: str) -> bool:
    return all(_is_clause(each.strip(" ")) for each in text.split(","))


def _is_clause(text: str) -> bool:
    sign = text[: 2 if text[1:2] == "=" else 1]
    release = text[len(sign) :].lstrip(" ")
    if sign == "~=":
        return "." in release and _is_release(release)
    if sign in ("==", "!="):
        return _is_release(release.removesuffix(".*")) or _parsed(release) is not None
    return sign in _COMPARE and _is_release(release)


def _is_allowed(release: tuple[int, ...], post: int, clause: str) -> bool:
    """Whether a clause allows a version. A post-release is higher than the release, but `>` does not allow it."""
    sign = clause[: 2 if clause[1] == "=" else 1]
    text = clause[len(sign) :].strip()
    if text.endswith(".*"):
        return _has_prefix(release, text[:-2]) is (sign == "==")
    if sign == "~=":
        return release >= _numbers(text) and _has_prefix(release, text.rpartition(".")[0])
    if sign in ("==", "!="):
        return ((release, post) == _parsed(text)) is (sign == "==")
    other = _numbers(text)
    if release == other and post >= 0:
        return sign == ">="
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
    if _are_clauses(text):
        return _Specifiers(text.strip())  # type: ignore[return-value]
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(text)


class _Marker:
    """A marker of simple comparisons.

    Args:
        tokens: The comparisons, parentheses and operators.

    Raises:
        ValueError: Their order is invalid.
    """

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self.evaluate()  # all comparisons are read, whatever their values are

    def evaluate(self, environment: Mapping[str, str] | None = None) -> bool:
        """See `packaging.markers.Marker`."""
        extra = (environment or {}).get("extra", "")
        left = [each if isinstance(each, str) else _applies(*each, extra) for each in reversed(self._tokens)]
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


def _applies(variable: str, sign: str, value: str, extra: str) -> bool:
    if variable == "extra":
        return canonicalize_name(value) == canonicalize_name(extra)
    if variable == "python_version":
        return _is_allowed(_PYTHON, -1, f"{sign}{value}")
    return (_actual(variable) == value) is (sign == "==")


def _actual(variable: str) -> str:
    """The value of a variable of markers."""
    known = {"sys_platform": sys.platform, "os_name": os.name, "implementation_name": sys.implementation.name}
    if variable in known:
        return known[variable]
    if variable == "platform_python_implementation":
        return "CPython"  # see `_marker()`
    return os.uname().sysname if variable == "platform_system" else os.uname().machine


def _marker(text: str) -> _Marker | None:
    """Parse a marker; None if it is not simple."""
    if not hasattr(os, "uname") and ("platform_system" in text or "platform_machine" in text):
        return None
    if "platform_python_implementation" in text and sys.implementation.name != "cpython":
        return None
    tokens = _tokens(text)
    try:
        return _Marker(tokens) if tokens else None
    except (ValueError, RecursionError):
        return None


def _tokens(text: str) -> list[Token] | None:
    """The tokens of a marker; None if it is not simple. Every second part between quotation marks is a value."""
    quotes = [each for each in text if each in "'\""]
    if quotes[::2] != quotes[1::2] or not (text.isascii() and text.isprintable()):
        return None  # a value without its end, or with the other kind of quotation marks in it
    parts = text.replace('"', "'").split("'")
    tokens: list[Token] = []
    for code, value in zip(parts[::2], [*parts[1::2], None], strict=True):
        left = code.rstrip(" ").rstrip("=<>!~")
        words = left.replace("(", " ( ").replace(")", " ) ").split()
        variable, sign = words.pop() if words and value is not None else "", code.rstrip(" ")[len(left) :]
        if not all(word in ("(", ")", "and", "or") for word in words):
            return None
        tokens += words
        if value is not None:
            if not _is_comparison(variable, sign, value):
                return None
            tokens.append((variable, sign, value))
        elif sign:
            return None
    return tokens


def _is_comparison(variable: str, sign: str, value: str) -> bool:
    if variable == "extra":
        return sign == "==" and bool(value) and not value.strip(NAME_CHARACTERS)
    if variable == "python_version":
        return sign in (*_COMPARE, "==", "!=") and _is_release(value)
    is_text = variable in (*_TEXTS, "platform_python_implementation")
    return is_text and sign in ("==", "!=") and value.isidentifier()


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
    head, semicolon, condition = text.partition(";")
    parts = _parts(head)
    marker = _marker(condition) if parts and condition else None
    if parts is None or (semicolon and marker is None):
        from packaging.requirements import Requirement

        return Requirement(text)
    name, extras, specifiers = parts
    return _Requirement(name, extras, _Specifiers(specifiers), marker)  # type: ignore[return-value]


def _parts(text: str) -> tuple[str, set[str], str] | None:
    """The name, the extras and the specifiers of a requirement without a marker; None if it is not simple."""
    text = text.strip(" ")
    rest = text.lstrip(NAME_CHARACTERS)
    name, rest, extras = text[: len(text) - len(rest)], rest.lstrip(" "), set[str]()
    if rest.startswith("["):
        inside, bracket, rest = rest[1:].partition("]")
        inside, rest = inside.strip(" "), rest.lstrip(" ")
        extras = {each.strip(" ") for each in inside.split(",")} if inside else extras
        if not bracket or not all(map(_is_name, extras)):
            return None
    if rest.startswith("("):
        rest = rest[1:-1].strip(" ") if rest.endswith(")") else ")"
        if not rest:
            return None
    return (name, extras, rest) if _is_name(name) and (not rest or _are_clauses(rest)) else None


def is_requirement(value: object) -> bool:
    """Whether a value is a Requirement of `packaging`."""
    loaded = sys.modules.get("packaging.requirements")
    return loaded is not None and isinstance(value, loaded.Requirement)
