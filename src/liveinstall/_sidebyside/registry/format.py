"""A registry as text: which directories a process imports from. Pure: text in, values out.

    liveinstall-registry 1
    # what `registry create env1 numpy==1.26.4` has written
    numpy==1.26.4 -> numpy-1.26.4-cp311-cp311-manylinux2014_x86_64
    numpy -> numpy-1.26.4-cp311-cp311-manylinux2014_x86_64
    google.* -> /opt/packages/protobuf-5.29

A row names a distribution (`NAME==VERSION`), a top-level module or package, or (`NAME.*`) a package that several
directories have a share of. A directory without a slash is an entry of the store; another relative one counts from the
file. `exclusive` alone in a row: the default environment is shut out. `prefix DIRECTORY`: elsewhere than in the
environment with that `sys.prefix` the file counts for nothing. The magic line may stand in the middle too, so that
registries can be concatenated.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from liveinstall.errors import RegistryConflictError, RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAGIC = "liveinstall-registry 1"
_ARROW = " -> "
_PIN = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==([^\s=]+)")
_SHARE = ".*"


@dataclass(frozen=True)
class Row:
    """One row: `name` is a distribution's where it has a `version`, else a top-level name, `shared` or not.

    `place` is as written. `source` says where the row stands, for people.
    """

    name: str
    place: str
    version: str = ""
    shared: bool = False
    source: str = ""

    def __str__(self) -> str:
        """The row as it is written."""
        left = f"{self.name}=={self.version}" if self.version else self.name + (_SHARE if self.shared else "")
        return f"{left}{_ARROW}{self.place}"


@dataclass(frozen=True)
class Registry:
    """Rows in their order, each once. `prefix` is empty if it counts everywhere."""

    rows: tuple[Row, ...] = ()
    exclusive: bool = False
    prefix: str = ""

    @property
    def pins(self) -> tuple[Row, ...]:
        """The rows of distributions."""
        return tuple(row for row in self.rows if row.version)

    @property
    def names(self) -> tuple[Row, ...]:
        """The rows of top-level names."""
        return tuple(row for row in self.rows if not row.version)

    @property
    def places(self) -> tuple[str, ...]:
        """Every directory, once, in the order of the rows."""
        return tuple(dict.fromkeys(row.place for row in self.rows))


def decode(text: str, source: str = "the registry") -> Registry:
    """Read a registry; RegistryError names the line of `source` that cannot be understood.

    Whether rows fit together is not looked at: see `check()`.
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
    if not arrow or not place or "\0" in place or place.endswith(MAGIC):  # two files joined without a line's end
        _refuse(source, number, "is not NAME -> DIRECTORY")
    where = f"{source}, line {number}"
    pin = _PIN.fullmatch(left)
    if pin:
        return Row(re.sub(r"[-_.]+", "-", pin[1]).lower(), place, pin[2], source=where)
    name = left.removesuffix(_SHARE)
    if not name.isidentifier():
        _refuse(source, number, f"names {left!r}, which is no top-level name and no NAME==VERSION")
    return Row(name, place, shared=name != left, source=where)


def _refuse(source: str, number: int, why: str) -> NoReturn:
    raise RegistryError(f"{source} cannot be read: line {number} {why}.", registry=source)


def encode(registry: Registry, remarks: Iterable[str] = ()) -> str:
    """Write a registry; each of `remarks` becomes a line for people."""
    lines = [MAGIC, *(f"# {' '.join(remark.split())}" for remark in remarks)]
    lines += ["exclusive"] if registry.exclusive else []
    lines += [f"prefix {registry.prefix}"] if registry.prefix else []
    lines += map(str, registry.rows)
    places = [*registry.places, registry.prefix]
    if any(line.splitlines() != [line] for line in lines) or any(place != place.strip() for place in places):
        raise RegistryError("a directory's name cannot be written into a registry.", registry="")
    return "\n".join(lines) + "\n"


def check(registry: Registry) -> None:
    """RegistryConflictError for one name in two places, or one distribution in two versions; it names both lines."""
    seen: dict[tuple[str, bool], Row] = {}
    for row in registry.rows:
        key = row.name, bool(row.version)
        before = seen.setdefault(key, row)
        if before is not row and not (before.shared and row.shared):
            both = f"{before.source} ({before}) and {row.source} ({row})"
            raise RegistryConflictError(
                f"{row.name} is in two places: {both}.",
                todo="Take one of the lines out. Two versions at once need two processes.",
                registry=row.source.rpartition(", ")[0],
                lines=(f"{before.source}: {before}", f"{row.source}: {row}"),
            )


def merge(registries: Iterable[Registry]) -> Registry:
    """The rows of all, each once; exclusive if one of them is. Raises: RegistryConflictError."""
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
    """The absolute path of a row's place: `base` is the directory of the registry's file, `store` the store's path."""
    if "/" not in place and os.sep not in place and not place.startswith("~"):
        return os.path.join(store, place)
    return os.path.normpath(os.path.join(base, os.path.expanduser(place)))
