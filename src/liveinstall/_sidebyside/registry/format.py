"""The text format of a registry: which directories a process imports from. Pure: text in, values out.

    liveinstall-registry 1
    # written by `registry create env1 numpy==1.26.4`
    numpy==1.26.4 -> numpy-1.26.4-cp311-cp311-manylinux2014_x86_64
    numpy -> numpy-1.26.4-cp311-cp311-manylinux2014_x86_64
    google.* -> /opt/packages/protobuf-5.29

A row names a distribution (`NAME==VERSION`), a top-level module or package, or a package that is split over several
directories (`NAME.*`). A directory without a slash is an entry of the store; any other relative path is relative to the
file. A line `exclusive` makes the default environment invisible. A line `prefix DIRECTORY` restricts the registry to
the environment with that `sys.prefix`. The magic line may be repeated, so that registries can be concatenated.
"""

from __future__ import annotations

import os
import re

from liveinstall._system.lean_dataclasses import dataclass
from liveinstall.errors import RegistryConflictError, RegistryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

MAGIC = "liveinstall-registry 1"
_ARROW = " -> "
_PIN = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==([^\s=]+)")
_SHARE = ".*"


@dataclass(frozen=True)
class Row:
    """One row: the directory of a distribution or of a top-level name.

    Attributes:
        name: The canonical name of a distribution if there is a `version`, else a top-level name.
        place: The directory, as it was written.
        version: The version of the distribution; empty for a top-level name.
        shared: Whether several directories may contain parts of the package.
        source: The file and line of the row, for messages.
    """

    name: str
    place: str
    version: str = ""
    shared: bool = False
    source: str = ""

    def __str__(self) -> str:
        """Return the row in the text format."""
        left = f"{self.name}=={self.version}" if self.version else self.name + (_SHARE if self.shared else "")
        return f"{left}{_ARROW}{self.place}"


@dataclass(frozen=True)
class Registry:
    """The content of a registry.

    Attributes:
        rows: The rows in their order, without duplicates.
        exclusive: Whether the default environment is invisible.
        prefix: The `sys.prefix` of the only environment that it applies to; empty: any.
    """

    rows: tuple[Row, ...] = ()
    exclusive: bool = False
    prefix: str = ""

    @property
    def pins(self) -> tuple[Row, ...]:
        """Return the rows of distributions."""
        return tuple(row for row in self.rows if row.version)

    @property
    def names(self) -> tuple[Row, ...]:
        """Return the rows of top-level names."""
        return tuple(row for row in self.rows if not row.version)

    @property
    def places(self) -> tuple[str, ...]:
        """Return the directories without duplicates, in the order of the rows."""
        return tuple(dict.fromkeys(row.place for row in self.rows))


def decode(text: str, source: str = "the registry") -> Registry:
    """Parse a registry. Contradictions between rows are not detected; see `check()`.

    Args:
        text: The content of the file.
        source: The name of the file, for messages.

    Returns:
        The registry.

    Raises:
        RegistryError: A line is invalid; the message names it.
    """
    lines = text.splitlines()
    if not lines or lines[0].rstrip() != MAGIC:
        _refuse(source, 1, f"must be {MAGIC!r}")
    rows: dict[tuple[str, str, str, bool], Row] = {}
    exclusive, prefix = False, ""
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if not line or line.startswith("#") or line == MAGIC:
            continue
        if line == "exclusive":
            exclusive = True
        elif line.startswith("prefix "):
            prefix = line.removeprefix("prefix ").strip()
        else:
            row = _row(line, source, number)
            rows.setdefault((row.name, row.place, row.version, row.shared), row)
    return Registry(tuple(rows.values()), exclusive, prefix)


def _row(line: str, source: str, number: int) -> Row:
    left, arrow, place = line.partition(_ARROW)
    left, place = left.strip(), place.strip()
    if not arrow or not place or "\0" in place or place.endswith(MAGIC):  # two files concatenated without a line break
        _refuse(source, number, "is not NAME -> DIRECTORY")
    location = f"{source}, line {number}"
    pin = _PIN.fullmatch(left)
    if pin:
        return Row(re.sub(r"[-_.]+", "-", pin[1]).lower(), place, pin[2], source=location)
    name = left.removesuffix(_SHARE)
    if not name.isidentifier():
        _refuse(source, number, f"names {left!r}, which is neither a top-level name nor NAME==VERSION")
    return Row(name, place, shared=name != left, source=location)


def _refuse(source: str, number: int, why: str) -> NoReturn:
    raise RegistryError(f"{source} cannot be read: line {number} {why}.", registry=source)


def encode(registry: Registry, remarks: Iterable[str] = ()) -> str:
    """Return a registry in the text format.

    Args:
        registry: The registry.
        remarks: Comments, one line each.

    Returns:
        The content of the file.

    Raises:
        RegistryError: A directory's name cannot be represented.
    """
    lines = [MAGIC, *(f"# {' '.join(remark.split())}" for remark in remarks)]
    lines += ["exclusive"] if registry.exclusive else []
    lines += [f"prefix {registry.prefix}"] if registry.prefix else []
    lines += map(str, registry.rows)
    places = [*registry.places, registry.prefix]
    if any(line.splitlines() != [line] for line in lines) or any(place != place.strip() for place in places):
        raise RegistryError("a directory's name cannot be written into a registry.", registry="")
    return "\n".join(lines) + "\n"


def check(registry: Registry) -> None:
    """Check that no row contradicts another one.

    Args:
        registry: The registry.

    Raises:
        RegistryConflictError: A name has two directories, or a distribution two versions; the message names both lines.
    """
    seen: dict[tuple[str, bool], Row] = {}
    for row in registry.rows:
        key = row.name, bool(row.version)
        before = seen.setdefault(key, row)
        if before is not row and not (before.shared and row.shared):
            both = f"{before.source} ({before}) and {row.source} ({row})"
            raise RegistryConflictError(
                f"{row.name} is in two places: {both}.",
                todo="Remove one of the lines. Two versions at once need two processes.",
                registry=row.source.rpartition(", ")[0],
                lines=(f"{before.source}: {before}", f"{row.source}: {row}"),
            )


def merge(registries: Iterable[Registry]) -> Registry:
    """Merge registries: the rows of all, without duplicates; exclusive if one of them is.

    Args:
        registries: The registries, in the order of their rows in the result.

    Returns:
        The merged registry; its prefix is empty unless all have the same one.

    Raises:
        RegistryConflictError: Rows contradict each other.
    """
    rows: dict[tuple[str, str, str, bool], Row] = {}
    exclusive, prefixes = False, set()
    for registry in registries:
        exclusive |= registry.exclusive
        prefixes.add(registry.prefix)
        for row in registry.rows:
            rows.setdefault((row.name, row.place, row.version, row.shared), row)
    merged = Registry(tuple(rows.values()), exclusive, prefixes.pop() if len(prefixes) == 1 else "")
    check(merged)
    return merged


def located(place: str, base: str, store: str) -> str:
    """Return the absolute path of a row's directory.

    Args:
        place: The directory as it was written.
        base: The directory of the registry's file; other relative paths are relative to it.
        store: The path of the store; a name without a slash is an entry of it.
    """
    if "/" not in place and os.sep not in place and not place.startswith("~"):
        return os.path.join(store, place)
    return os.path.normpath(os.path.join(base, os.path.expanduser(place)))
