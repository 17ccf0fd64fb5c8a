"""Creating a code archive of directories, and checking whether one is up to date."""

from __future__ import annotations

import marshal
import os
import sys
import sysconfig
from contextlib import suppress
from zlib import crc32

from _liveinstall_boot import patient
from liveinstall._sidebyside import layout
from liveinstall._sidebyside.imports.code_archive import ArchiveOwner, head
from liveinstall._sidebyside.imports.directory import walk
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall.errors import OwnerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType
    from typing import Any, Self

    from liveinstall._sidebyside.imports.code_archive import Table
    from liveinstall._sidebyside.imports.owner import ModuleEntry

_NOT_ARCHIVED = (
    "test",
    "idlelib",
    "lib2to3",
    "turtledemo",
)  # parts of the standard library: large, and rarely imported


@dataclass(frozen=True)
class Archived:
    """A new code archive.

    Attributes:
        path: Its absolute path.
        modules: The number of modules with code in it.
        size: Its size in bytes.
        left_out: The modules that could not be compiled, or have no source; Python loads them as usual.
    """

    path: str
    modules: int
    size: int
    left_out: tuple[str, ...]


def create(path: str | os.PathLike[str], *directories: str | os.PathLike[str], stdlib: bool = False) -> Archived:
    """Create a code archive of directories that are laid out like site-packages.

    The file is written under another name and renamed: a running process keeps the file that it has mapped.

    Args:
        path: The archive, relative to the current directory; an existing one is replaced.
        *directories: The directories, in the order of precedence, relative to the current directory.
        stdlib: Whether to add the standard library of this interpreter. Default: only `directories`.

    Returns:
        The archive.

    Raises:
        OwnerError: A directory cannot be read, or the archive cannot be written.
    """
    path = os.path.abspath(path)
    locations = [os.path.abspath(directory) for directory in directories] + (_stdlib() if stdlib else [])
    try:
        with _Draft(path) as draft:
            return draft.fill(locations)
    except OSError as error:
        raise OwnerError(f"{path} cannot be created: {error}. An existing archive is unchanged.", place=path) from None


def _stdlib() -> list[str]:
    """The directories of the standard library, in the order of `sys.path`."""
    stdlib = os.path.normcase(sysconfig.get_path("stdlib"))
    return [entry for entry in sys.path if os.path.normcase(entry) in (stdlib, os.path.join(stdlib, "lib-dynload"))]


_ASIDE = f"{layout.DRAFT}old-"  # an archive that is still in use; the next one that is created there removes it


class _Draft:
    """A draft of the archive, renamed to its path at the end of the block, or removed after an exception."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._tables: dict[str, Table] = {}
        self._namespaces: dict[str, list[tuple[int, str]]] = {}
        self._left_out: list[str] = []
        self._changeable: dict[int, dict[str, int]] = {}

    def __enter__(self) -> Self:
        self._draft = os.path.join(os.path.dirname(self._path), f"{layout.DRAFT}{os.urandom(8).hex()}")
        self._stream = open(self._draft, "xb")
        self._stream.write(head(0, 0, 0))
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._stream.close()
        if kind is None:
            self._publish()
        else:
            with suppress(OSError):
                patient.unlink(self._draft)

    def _publish(self) -> None:
        """Rename the draft to its path. Windows can rename an archive that is in use, but not replace it."""
        parent = os.path.dirname(self._path)
        for name in os.listdir(parent) if os.name == "nt" else ():
            if name.startswith(_ASIDE):
                with suppress(OSError):
                    os.unlink(os.path.join(parent, name))
        try:
            os.replace(self._draft, self._path)
        except PermissionError:
            if os.name != "nt":
                raise
            patient.rename(self._path, os.path.join(parent, f"{_ASIDE}{os.urandom(8).hex()}"))
            patient.rename(self._draft, self._path)

    def fill(self, directories: list[str]) -> Archived:
        """Write the code of all modules, then the tables, then the first line.

        Args:
            directories: The directories, absolute, in the order of precedence.

        Returns:
            The archive.
        """
        modules = 0
        for number, directory in enumerate(directories):
            if not os.path.exists(os.path.join(os.path.dirname(directory), layout.MARK)):  # a store never changes
                self._changeable[number] = {}
            for entry in _entries(directory):
                modules += self._add(number, directory, entry)
        tables = {}
        for top, table in sorted(self._tables.items()):
            content = marshal.dumps(table)
            tables[top] = (*self._write(content), crc32(content))
        about: dict[str, Any] = {"directories": directories, "changeable": self._changeable}
        about |= {"namespaces": self._namespaces, "tables": tables}
        content = marshal.dumps(about)
        start, length = self._write(content)
        self._stream.seek(0)
        self._stream.write(head(start, start + length, crc32(content)))
        self._stream.flush()
        os.fsync(self._stream.fileno())
        return Archived(self._path, modules, start + length, tuple(self._left_out))

    def _write(self, content: bytes) -> tuple[int, int]:
        start = self._stream.tell()
        self._stream.write(content)
        return start, len(content)

    def _add(self, number: int, directory: str, entry: ModuleEntry) -> bool:
        """Add one module, unless an earlier directory has it; return whether code was written."""
        name, kind, inner = entry
        inner = inner.replace("/", os.sep)  # as in the paths of code on this system
        table = self._tables.setdefault(name.partition(".")[0], {})
        path = os.path.join(directory, inner)
        if kind == "namespace":
            self._namespaces.setdefault(name, []).append((number, inner))
            return False
        if name in table:
            return False
        code, time, size = (None, 0, 0) if kind == "native" else _compiled(path)
        start, length = (0, 0) if code is None else self._write(marshal.dumps(code))
        table[name] = (kind, number, inner, time, size, start, length)
        if code is None and kind != "native":
            self._left_out.append(name)
        if number in self._changeable:
            parent = os.path.dirname(path)
            _make_pycache(parent)
            self._changeable[number][parent] = os.stat(parent).st_mtime_ns
        return code is not None


def _make_pycache(directory: str) -> None:
    """Create `__pycache__` now: if Python created it later, the directory's modification time would change."""
    if not sys.dont_write_bytecode and sys.pycache_prefix is None:
        with suppress(OSError):
            os.mkdir(os.path.join(directory, "__pycache__"))


def _compiled(path: str) -> tuple[CodeType | None, int, int]:
    """The code of a source file, and the file's modification time in ns and size; no code if it cannot be compiled.

    A .pyc file is not used, because its timestamp has a resolution of one second only.
    """
    if path.endswith(".pyc"):
        return None, 0, 0
    with open(path, "rb") as stream:
        status = os.fstat(stream.fileno())
        content = stream.read()
    try:
        return compile(content, path, "exec", dont_inherit=True), status.st_mtime_ns, status.st_size
    except (SyntaxError, ValueError, RecursionError):
        return None, 0, 0


def _entries(directory: str) -> Iterator[ModuleEntry]:
    """The modules of a directory that are archived."""
    skipped = _NOT_ARCHIVED if directory in _stdlib() else ()
    return (entry for entry in walk(directory) if entry[0].partition(".")[0] not in skipped)


@dataclass(frozen=True)
class ArchiveCheck:
    """The state of a code archive.

    Attributes:
        path: Its absolute path.
        modules: The number of modules with code in it.
        stale: The modules that have changed since it was created; Python loads their sources instead.
    """

    path: str
    modules: int
    stale: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether no module is stale."""
        return not self.stale


def check(path: str | os.PathLike[str]) -> ArchiveCheck:
    """Compare a code archive with its directories.

    Args:
        path: The archive, relative to the current directory.

    Returns:
        The number of modules, and the stale ones.

    Raises:
        OwnerError: The file is not an archive, is damaged, or was made by another Python.
    """
    owner = ArchiveOwner(os.fspath(path))
    rows = owner.rows()
    stale = [name for name, row in rows.items() if not owner.is_good(row)]
    return ArchiveCheck(owner.place, sum(bool(row[-1]) for row in rows.values()), tuple(sorted(stale)))


def directories_of(places: Iterable[str]) -> list[str]:
    """List the directories of locations; wheels are unpacked.

    Args:
        places: The paths of directories and wheels, relative to the current directory.

    Returns:
        The directories, in the same order.

    Raises:
        OwnerError: A wheel cannot be used.
        WheelRefusedError: A wheel violates a rule of safe unpacking.
    """
    from liveinstall._sidebyside.wheels.owner import WheelOwner

    return [WheelOwner(place).tree().place if place.endswith(".whl") else place for place in places]
