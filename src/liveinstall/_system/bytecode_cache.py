"""The bytecode of wheels that were installed before, in the user's cache.

Bytecode is valid wherever a source with the same content is installed: its header has the source's size and time of
modification, which are written again, and the import replaces the file name in the code by the real one. The cache has
one file for each set of sources and version of Python. Another file says whether everything that a request wants
compiled was there after an earlier request for the same wheels, so that nothing has to be searched for imports. At the
end of a process, the bytecode of the modules that it has imported from what it installed is added.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER
from contextlib import suppress

from _liveinstall_boot import patient
from _liveinstall_boot.file_access import read_bytes
from liveinstall._system.dist_info import encoded
from liveinstall._system.lean_dataclasses import NamedTuple
from liveinstall._system.lean_hash import sha256
from liveinstall._system.private_archive import PrivateArchive, write_archive
from liveinstall._system.private_cache import PrivateCache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping

_DIRECTORY = "bytecode"
_FORMAT = 2  # of these files
_HEADER = 16  # bytes of a .pyc before the code: magic number, flags, and time and size of the source (PEP 552)
_BY_TIME = bytes(4)  # the flags if the time and size of the source decide whether it is valid
_MASK = 2**32 - 1
_SUFFIX = f".{sys.implementation.cache_tag}.pyc"


class _Restored(NamedTuple):
    part: str
    home: str
    key: str
    digests: dict[str, str]  # the path of a source, relative to the part -> its hash in RECORD
    known: frozenset[str] | None  # those with known bytecode; None if the file in the cache is missing or damaged


class BytecodeCache:
    """The cache, and the parts of one request."""

    def __init__(self) -> None:
        self._cache = PrivateCache(_DIRECTORY)
        self._parts: list[_Restored] = []
        self._request = ""
        self._expected: bytes | None = None

    def expect(self, versions: Mapping[str, str], first: Iterable[str]) -> bool:
        """Look up whether everything that this request wants compiled is probably known; `is_complete()` is certain.

        Args:
            versions: The name of each distribution -> its version.
            first: The names of the distributions whose packages are compiled.
        """
        self._request = _digest(["request", sorted(versions.items()), sorted(first)])
        keys = self._cache.read(self._request)
        self._expected = None if keys is None else bytes(keys)
        return self._expected is not None

    def restore(self, part: str, home: str, record: Mapping[str, tuple[str, str, int | None]]) -> None:
        """Write the known bytecode of a part whose files are complete. Failures are ignored: the import compiles.

        Args:
            part: The absolute path of the part, from which no process imports yet.
            home: The site directory that the part is for, absolute.
            record: The RECORD of its wheel, see `Checked`.
        """
        digests = {path: record[path][1] for path in sorted(record) if path.endswith(".py")}
        key = _digest([*digests.items()])
        made: set[str] = set()
        valid = []
        with PrivateArchive(self._cache, key) as known, suppress(OSError):
            for path, code in known.contents():
                valid.append(path)
                with suppress(OSError):
                    _write(part, path, code, made)
        names = frozenset(valid) if known.is_whole else None
        self._parts.append(_Restored(part, home, key, digests, names))

    def is_complete(self) -> bool:
        """Whether everything that this request wants compiled was known for all parts."""
        return self._expected == self._keys() and all(part.known is not None for part in self._parts)

    def keep(self, *, is_complete: bool) -> None:
        """Add the bytecode that was compiled in the parts since.

        Args:
            is_complete: Whether it is everything that this request wants compiled.
        """
        for part in self._parts:
            compiled = _compiled(part)
            if part.known is None or not compiled.keys() <= part.known:
                self._add(part, ((path, code) for path, file in compiled.items() if (code := _code(file)) is not None))
        if is_complete and self._request:
            self._cache.write(self._request, self._keys())

    def keep_at_exit(self, loaded: Callable[[], Container[str]]) -> None:
        """Add, when this process ends, the bytecode of the modules of the parts that it has imported until then.

        Args:
            loaded: Returns the absolute paths of the files of the loaded modules.
        """
        atexit.register(self._keep_loaded, loaded)

    def _keep_loaded(self, loaded: Callable[[], Container[str]]) -> None:
        with suppress(Exception):  # an exit is not disturbed
            files = loaded()
            for part in self._parts:
                names = [path for path in part.digests if os.path.join(part.home, *path.split("/")) in files]
                more = (path for path in names if path not in (part.known or ()))
                found = [(path, code) for path in more if (code := _of_loaded(part, path)) is not None]
                if found:
                    self._add(part, found)

    def _add(self, part: _Restored, found: Iterable[tuple[str, bytes]]) -> None:
        def contents() -> Iterator[tuple[str, bytes]]:
            added = set()
            for path, code in found:
                added.add(path)
                yield path, code
            with PrivateArchive(self._cache, part.key) as known:
                yield from (each for each in known.contents() if each[0] not in added)

        write_archive(self._cache, part.key, contents())

    def _keys(self) -> bytes:
        return "".join(sorted(part.key for part in self._parts)).encode()


def _digest(about: object) -> str:
    text = json.dumps([_FORMAT, _SUFFIX, MAGIC_NUMBER.hex(), about])
    return sha256(text.encode()).hexdigest()


def cached_path(source: str) -> str:
    """Return the path of the bytecode of a source in the same tree, with slashes."""
    directory, _, name = source.rpartition("/")
    return f"{directory}{'/' if directory else ''}__pycache__/{name.removesuffix('.py')}{_SUFFIX}"


def _header(source: str) -> tuple[bytes, int]:
    """The header of the bytecode of a file, and the file's permission bits."""
    status = os.stat(source)
    times = (int(status.st_mtime) & _MASK, status.st_size & _MASK)
    return MAGIC_NUMBER + _BY_TIME + b"".join(number.to_bytes(4, "little") for number in times), status.st_mode & 0o666


def _write(part: str, source: str, code: bytes, made: set[str]) -> None:
    target = f"{part}/{cached_path(source)}"
    directory = os.path.dirname(target)
    if directory not in made:
        with suppress(FileExistsError):
            os.mkdir(directory)
        made.add(directory)
    header, mode = _header(f"{part}/{source}")
    content, written = header + code, 0
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        written = os.write(handle, content)
    finally:
        os.close(handle)
        if written < len(content):
            patient.unlink(target)


def _of_loaded(part: _Restored, source: str) -> bytes | None:
    """The code of an installed module; None unless the source is that of the part, and the bytecode belongs to it."""
    path = f"{part.home}/{source}"
    try:
        content, bytecode = read_bytes(path), read_bytes(f"{part.home}/{cached_path(source)}")
        is_its_own = bytecode.startswith(_header(path)[0])
    except OSError:  # one of them was removed
        return None
    is_same = encoded(sha256(content).digest()) == part.digests[source]
    return bytecode[_HEADER:] if is_same and is_its_own else None


def _compiled(part: _Restored) -> dict[str, str]:
    """The bytecode in a part: the path of the source, relative to the part -> the absolute path of the bytecode."""
    listed: dict[str, frozenset[str]] = {}
    found = {}
    for source in part.digests:
        directory, _, name = f"{part.part}/{cached_path(source)}".rpartition("/")
        if directory not in listed:
            listed[directory] = frozenset()
            with suppress(OSError):
                listed[directory] = frozenset(os.listdir(directory))
        if name in listed[directory]:
            found[source] = f"{directory}/{name}"
    return found


def _code(bytecode: str) -> bytes | None:
    """The code in a file of bytecode; None if it cannot be read, or is not valid by the time and size of the source."""
    try:
        content = read_bytes(bytecode)
    except OSError:
        return None
    return content[_HEADER:] if content.startswith(MAGIC_NUMBER + _BY_TIME) else None
