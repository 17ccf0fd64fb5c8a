"""The importer (owner) of a code archive: the compiled code of many directories in one memory-mapped file.

    liveinstall-archive 1 cpython-311 a70d0d0a <table> <size> <crc32>     one line
    code, code, ...                                                       marshalled
    tables                                     marshalled: one for each top-level name, then one of these tables

Its tables replace the directory listings of Python's own finder, and code is read from memory instead of a .pyc file.
It is never stale: a module is used only while its source has the recorded size and modification time, and in a
directory that can change only while the directory has the recorded modification time; otherwise Python loads it from
its source. Imported modules have the same `__file__` as without the archive, so sources, data and tracebacks work as
usual. `code_archive_writer` makes archives.
"""

from __future__ import annotations

import marshal
import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER, ExtensionFileLoader, PathFinder, SourceFileLoader

from _liveinstall_boot.file_access import open_regular
from liveinstall._sidebyside.imports.directory import DirectoryOwner, located, spec_on_disk
from liveinstall._sidebyside.imports.owner import ModuleEntry
from liveinstall._sidebyside.imports.virtual import fingerprint
from liveinstall._system.gc_throttle import LoadingSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from importlib.metadata import Distribution
    from importlib.resources.abc import TraversableResources
    from types import CodeType
    from typing import Any, NoReturn

    # kind, number of its directory, path in it; of a source: mtime (ns), size, offset and length of its code
    Row = tuple[str, int, str, int, int, int, int]
    Table = dict[str, Row]

MAGIC = "liveinstall-archive 1"
_LONGEST = 200  # maximum length of the first line, in bytes


class ArchiveOwner:
    """The owner of the modules in a code archive.

    The attribute `directories` lists the archived directories. Those on `sys.path`, such as the standard library, keep
    their precedence: entries before them on `sys.path` are searched first.

    Args:
        path: The archive, relative to the current directory.

    Raises:
        OwnerError: The file is not an archive, is damaged, or was made by another Python.
    """

    on_disk = False
    virtual = False

    def __init__(self, path: str) -> None:
        self.place = os.path.abspath(path)
        self._memory, table = self._map()
        # The directories that may change: number -> {path of a directory in it: its modification time in ns}.
        self.directories: list[str] = table["directories"]
        self._changeable: dict[int, dict[str, int]] = table["changeable"]
        self._namespaces: dict[str, list[tuple[int, str]]] = table["namespaces"]
        self._tables: dict[str, tuple[int, int, int]] = table["tables"]
        self._read: dict[str, Table] = {}
        self._checked: dict[str, bool] = {}
        self._metadata = [DirectoryOwner(directory) for directory in self.directories]

    def __repr__(self) -> str:
        return f"ArchiveOwner({self.place!r})"

    def _map(self) -> tuple[memoryview, dict[str, Any]]:
        import mmap

        try:
            with open(self.place, "rb", opener=_open) as stream:
                head = stream.readline(_LONGEST)
                size = os.fstat(stream.fileno()).st_size
                start, checksum = parse_head(head, size)
                memory = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
            table = _checked(_load_table(memory[start:], checksum))
        except (OSError, ValueError, EOFError, TypeError) as error:
            self._refuse(error)
        return memory, table

    def _refuse(self, error: Exception) -> NoReturn:
        from liveinstall.errors import OwnerError

        todo = "Create it again: python -m liveinstall archive create."
        raise OwnerError(f"{self.place} cannot be used: {error}.", todo=todo, place=self.place) from None

    def _table(self, top: str) -> Table:
        """The modules of a top-level name, read on first use."""
        table = self._read.get(top)
        if table is None:
            try:
                start, length, checksum = self._tables.get(top, (0, 0, 0))
                table = self._read[top] = _load_table(self._memory[start : start + length], checksum) if length else {}
            except (ValueError, EOFError, TypeError) as error:
                self._refuse(error)
        return table

    def names(self) -> Iterable[str]:
        """The top-level names."""
        return self._tables

    def is_package(self, name: str) -> bool | None:
        """Check whether a module is a package.

        Args:
            name: A top-level name.

        Returns:
            True or False; None for a namespace package and for an unknown name.
        """
        row = self._table(name).get(name)
        return None if row is None else row[2].rpartition(os.sep)[2].startswith("__init__.")

    def find_spec(self, name: str) -> ModuleSpec | None:
        """Find a module.

        Args:
            name: The full name of the module.

        Returns:
            Its spec; None for an unknown name, and if Python has to search because a directory has changed.

        Raises:
            OwnerError: The archive is damaged.
        """
        top, dot, _ = name.partition(".")
        row = self._table(top).get(name)
        if row is None:
            return self._namespace(name) if name in self._namespaces else None
        kind, number, inner = row[:3]
        directory = self.directories[number]
        path = f"{directory}{os.sep}{inner}"
        if number in self._changeable and not self._is_unchanged(number, path):
            return None if dot else self._search_directories(name)
        if directory in sys.path:
            if not dot and self._is_shadowed(name, directory):
                return None
            if dot and name.rpartition(".")[0] in self._namespaces:
                return None  # portions that are found later may precede this one
        if kind != "native" and not row[-1]:
            return spec_on_disk((name, kind, inner), directory)  # type: ignore[arg-type]
        search = [path.rpartition(os.sep)[0]] if inner.rpartition(os.sep)[2].startswith("__init__.") else None
        loader = ExtensionFileLoader(name, path) if kind == "native" else ArchivedLoader(name, path, row, self._memory)
        return located(name, path, loader, search, LoadingSpec)

    def _namespace(self, name: str) -> ModuleSpec | None:
        """The portions of a namespace package, without those on `sys.path`, which Python finds itself."""
        portions = [
            self.directories[number] + os.sep + inner
            for number, inner in self._namespaces[name]
            if self.directories[number] not in sys.path
        ]
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = portions
        return spec if portions else None

    def _search_directories(self, name: str) -> ModuleSpec | None:
        """Search the directories that are not on `sys.path` for a top-level name, as without an archive."""
        specs = (owner.find_spec(name) for owner in self._metadata if owner.place not in sys.path)
        return next((spec for spec in specs if spec is not None), None)

    def _is_unchanged(self, number: int, path: str) -> bool:
        """Whether no file was added to or removed from a module's directory; cached until `invalidate_caches()`."""
        directory = path.rpartition(os.sep)[0]
        unchanged = self._checked.get(directory)
        if unchanged is None:
            try:
                unchanged = os.stat(directory).st_mtime_ns == self._changeable[number].get(directory)
            except OSError:
                unchanged = False
            self._checked[directory] = unchanged
        return unchanged

    @staticmethod
    def _is_shadowed(name: str, directory: str) -> bool:
        """Whether an earlier entry of `sys.path` has a module of this name, such as the directory of the script."""
        earlier = sys.path[: sys.path.index(directory)]
        spec = PathFinder.find_spec(name, earlier) if earlier else None
        return spec is not None and spec.loader is not None

    def index(self) -> Mapping[str, ModuleEntry]:
        """All modules: full name -> entry, with a path relative to one of `directories`."""
        modules = {name: _entry(name, row[0], row[2]) for name, row in self.rows().items()}
        namespaces = {name: _entry(name, "namespace", portions[0][1]) for name, portions in self._namespaces.items()}
        return {**namespaces, **modules}

    def rows(self) -> Table:
        """The recorded facts about each module: full name -> row."""
        return {name: row for top in self._tables for name, row in self._table(top).items()}

    def is_good(self, row: Row) -> bool:
        """Whether a module has not changed since the archive was created.

        Args:
            row: The recorded facts about the module.
        """
        _, number, inner, time, size, _, length = row
        path = f"{self.directories[number]}{os.sep}{inner}"
        try:
            status = os.stat(path)
        except OSError:
            return False
        same = not length or (status.st_mtime_ns == time and status.st_size == size)
        return same and (number not in self._changeable or self._is_unchanged(number, path))

    def code(self, entry: ModuleEntry) -> CodeType:
        """The code of a module.

        Args:
            entry: The module's entry in the index.

        Raises:
            ImportError: There is no such module, or it has no code.
            SyntaxError: Its source cannot be compiled.
        """
        spec = self.find_spec(entry[0])
        get = getattr(spec and spec.loader, "get_code", None)
        code: CodeType | None = get(entry[0]) if get else None
        if code is None:
            raise ImportError(f"{self!r} has no code of {entry[0]}", name=entry[0])
        return code

    def data(self, path: str) -> bytes:
        """The content of a file, from the first directory that has it.

        Args:
            path: Its path inside a directory, with slashes.

        Raises:
            FileNotFoundError: None of the directories has it.
            OSError: It cannot be read.
        """
        for owner in self._metadata:
            try:
                return owner.data(path)
            except FileNotFoundError:
                continue
        raise FileNotFoundError(2, "not in any of the archived directories", path)

    def native(self, entry: ModuleEntry) -> str:
        """Return the absolute path of an extension module.

        Args:
            entry: The module's entry in the index.
        """
        directory = self.directories[self._table(entry[0].partition(".")[0])[entry[0]][1]]
        return os.path.normpath(os.path.join(directory, entry[2]))

    def distributions(self, name: str | None = None) -> Iterator[Distribution]:
        """The metadata in the directories that are not on `sys.path`; Python finds the others itself.

        Args:
            name: Only the distribution of this name, normalized or not. Default: all.
        """
        for owner in self._metadata:
            if owner.place not in sys.path:
                yield from owner.distributions(name)

    def reader(self, name: str) -> TraversableResources | None:
        """Return the resources of a package, for `importlib.resources`.

        Args:
            name: The full name of the package.

        Returns:
            The reader; None if it is not a package of this location.
        """
        spec = self.find_spec(name)
        get = getattr(spec and spec.loader, "get_resource_reader", None)
        return get(name) if get else None

    def invalidate_caches(self) -> None:
        """Check again whether directories have changed."""
        self._checked.clear()
        for owner in self._metadata:
            owner.invalidate_caches()


class ArchivedLoader(SourceFileLoader):
    """Loads a source file as Python does, but takes its code from an archive while the source is unchanged.

    Args:
        name: The full name of the module.
        path: The source file, absolute.
        row: The recorded facts about the module.
        memory: The mapped archive.
    """

    def __init__(self, name: str, path: str, row: Row, memory: memoryview) -> None:
        self.name = name
        self.path = path
        self._row = row
        self._memory = memory

    def get_code(self, fullname: str) -> CodeType | None:
        """The code of the module.

        Args:
            fullname: The full name of the module.

        Raises:
            ImportError: The source cannot be read.
            SyntaxError: The source cannot be compiled.
        """
        _, _, _, time, size, start, length = self._row
        try:
            status = os.stat(self.path)
        except OSError:
            raise ImportError(f"{fullname} cannot be read from {self.path}", name=fullname, path=self.path) from None
        if status.st_mtime_ns == time and status.st_size == size:
            try:
                return marshal.loads(self._memory[start : start + length])  # type: ignore[no-any-return]  # noqa: S302
            except (ValueError, EOFError, TypeError):
                pass  # damaged: compile the source
        return super().get_code(fullname)


def _open(path: str, flags: int) -> int:
    """Open an archive so that it can be created again while it is in use."""
    if os.name == "nt":
        from _liveinstall_boot.file_access import open_shared

        return int(open_shared(path, flags))
    return int(open_regular(path, flags))


def _entry(name: str, kind: str, inner: str) -> ModuleEntry:
    """An entry of the index, whose paths have slashes on every system."""
    return ModuleEntry(name, kind, inner.replace(os.sep, "/"))  # type: ignore[arg-type]


def _checked(table: Any) -> dict[str, Any]:
    """The tables of an archive; raise ValueError if they are something else."""
    kinds = {"directories": list, "changeable": dict, "namespaces": dict, "tables": dict}
    if not isinstance(table, dict) or not all(isinstance(table.get(name), kind) for name, kind in kinds.items()):
        raise ValueError("it has no tables")
    return table


def _load_table(content: memoryview, checksum: int) -> Any:
    """Load a table; raise ValueError if its CRC-32 is wrong."""
    from zlib import crc32

    if crc32(content) != checksum:
        raise ValueError("it is damaged")
    return marshal.loads(content)  # noqa: S302  who can write it can write sources too


def head(table: int, size: int, mark: int) -> bytes:
    """Encode the first line of an archive.

    Args:
        table: The offset of the table, in bytes.
        size: The size of the archive, in bytes.
        mark: The CRC-32 of the table.
    """
    return f"{MAGIC} {fingerprint()} {MAGIC_NUMBER.hex()} {table:020} {size:020} {mark:010}\n".encode("ascii")


def parse_head(line: bytes, size: int) -> tuple[int, int]:
    """Parse the first line of an archive.

    Args:
        line: The line.
        size: The size of the file, in bytes.

    Returns:
        The offset of the table in bytes, and its CRC-32.

    Raises:
        ValueError: It is not the first line of an archive of this size for this Python.
    """
    fields = line.decode("ascii", "replace").rstrip("\n").split(" ")
    if " ".join(fields[:2]) != MAGIC or not line.endswith(b"\n") or len(fields) != 7:  # noqa: PLR2004  fields
        raise ValueError("it is not a code archive of this format version")
    if fields[2:4] != [fingerprint(), MAGIC_NUMBER.hex()]:
        raise ValueError(
            f"it was created by {fields[2]} ({fields[3]}), but this is {fingerprint()} ({MAGIC_NUMBER.hex()})"
        )
    if not all(field.isdigit() for field in fields[4:]) or int(fields[5]) != size or not 0 < int(fields[4]) < size:
        raise ValueError("it is incomplete")
    return int(fields[4]), int(fields[6])
