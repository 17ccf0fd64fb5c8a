"""The file that carries variables over a restart: private to its user, made and read by one environment only.

magic line, length of the header and header (JSON: environment, modules, state of the session, sizes of the blocks, and
for each group its names and where in the blocks its pickle and its buffers are), then the blocks, each at a multiple of
64 bytes, so that arrays can be mapped. Buffers that share memory are parts of one block.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import re
import stat
import sys
import time
from collections import Counter
from contextlib import suppress

from _liveinstall_boot import patient
from liveinstall._frontends.restart.shared_memory import Block, blocks
from liveinstall._frontends.restart.variable_groups import Group, reason_of, restored
from liveinstall._system.lean_dataclasses import dataclass, field
from liveinstall._system.privacy import is_private, make_private, user
from liveinstall._system.user_cache import user_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, TypeAlias

    Show: TypeAlias = Callable[[int, int], None]

_MAGIC = b"liveinstall variables 2\n"
_SUFFIX = ".variables"
_OFFERED = f".offered{_SUFFIX}"
_NAME = re.compile(r"\d+-\d+(\.offered)?\.variables")
DAYS = 14  # until a file that was not restored is removed
_RESTART = 600  # seconds that a restart may take
_ALIGNMENT = 64
_CHUNK = 2**24  # bytes between two reports of the progress, and at most until Ctrl-C


@dataclass(frozen=True)
class Loaded:
    """The content of a file.

    Attributes:
        values: The variables that could be loaded, by name.
        failures: For each of the others the reason.
        session: What else of the session comes back.
    """

    values: dict[str, Any]
    failures: dict[str, str]
    session: dict[str, Any] = field(default_factory=dict)


def directory() -> str:
    """Return the directory of such files, in the user's cache directory."""
    return os.path.join(user_cache(), "variables")


def place() -> str:
    """Return the directory of such files, which exists and is this user's alone.

    Raises:
        OSError: It cannot be made, or others can write to it.
    """
    make_private(directory())
    return directory()


def needed(groups: Sequence[Group]) -> int:
    """Return the bytes that groups need in a file; memory that they share counts once.

    Args:
        groups: The pickled variables.
    """
    return sum(block.size for block in _arranged(groups)[0])


def _arranged(groups: Sequence[Group]) -> tuple[list[Block], list[dict[str, Any]]]:
    """The blocks of a file, and the rows of its header that describe the groups."""
    made, places = blocks([(buffer, group.has_frames) for group in groups for buffer in group.buffers])
    rows, begin = [], 0
    for group in groups:
        end = begin + len(group.buffers)
        rows.append({"names": group.names, "parts": [(len(made), 0, len(group.data)), *places[begin:end]]})
        made.append(Block((group.data,)))
        begin = end
    return made, rows


def write(
    groups: Sequence[Group],
    modules: Mapping[str, str],
    show: Show = lambda _done, _total: None,
    session: Mapping[str, Any] | None = None,
) -> str:
    """Write a file.

    Args:
        groups: The pickled variables.
        modules: Modules to import again: name of the variable -> name of the module.
        show: Called with the bytes that are written, and those to write.
        session: What else of the session comes back; values of JSON.

    Returns:
        The path of the file.

    Raises:
        OSError: It cannot be written. No file is left.
    """
    made, rows = _arranged(groups)
    facts = {"prefix": sys.prefix, "version": sys.version, "modules": dict(modules), "session": dict(session or {})}
    header = json.dumps({**facts, "blocks": [block.size for block in made], "groups": rows}).encode()
    sweep()
    path = os.path.join(place(), f"{time.time_ns()}-{os.getpid()}{_SUFFIX}")
    total = sum(block.size for block in made)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with open(handle, "wb") as stream:
            stream.write(_MAGIC + b"%d\n" % len(header) + header)
            for block in made:
                stream.write(b"\0" * (-stream.tell() % _ALIGNMENT))
                for piece in block.pieces:
                    for begin in range(0, len(piece), _CHUNK):
                        stream.write(memoryview(piece)[begin : begin + _CHUNK])
                        show(min(stream.tell(), total), total)
    except BaseException:  # Ctrl-C, too
        with suppress(FileNotFoundError):
            patient.unlink(path)
        raise
    return path


def load(
    path: str,
    *,
    mapped: bool = False,
    prefix: str | None = None,
    show: Show = lambda _done, _total: None,
    prepare: Callable[[dict[str, Any]], object] | None = None,
) -> Loaded:
    """Load the variables of a file.

    Args:
        path: Its path.
        mapped: Whether arrays use the file itself as their memory, which is for processes that end soon. By default
            they get separate memory.
        prefix: The environment that must have written it. Default: this process's `sys.prefix`.
        show: Called with the bytes that are loaded, and those of the file.
        prepare: Called with the state of the session before anything is loaded.

    Returns:
        What could be loaded, and what could not.

    Raises:
        OSError: The file is missing, not only this user's, or damaged, or another environment has made it.
    """
    with open(_checked(path), "rb") as stream:
        header = _header(stream, path, prefix or sys.prefix)
        if prepare:
            prepare(header.get("session", {}))
        content = _Content(stream, header, show, mapped=mapped)
        modules, failures = _modules(header["modules"])
        values: dict[str, Any] = {}
        for row in header["groups"]:
            names = tuple(row["names"])
            try:
                data, *buffers = map(content.part, row["parts"])
                values |= restored(Group(names, data, tuple(buffers)))
            except Exception as error:  # noqa: BLE001  any code of the user's objects
                failures |= dict.fromkeys(names, reason_of(error))
    return Loaded({**values, **modules}, failures, header.get("session", {}))


def _modules(modules: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    from importlib import import_module

    values, failures = {}, {}
    for name, module in modules.items():
        try:
            values[name] = import_module(module)
        except Exception as error:  # noqa: BLE001  any code of the module
            failures[name] = reason_of(error)
    return values, failures


class _Content:
    """The blocks of a file. Each is read once; one that several groups use stays until the last of them."""

    def __init__(self, stream: Any, header: Mapping[str, Any], show: Show, *, mapped: bool) -> None:
        self._stream, self._sizes, self._show = stream, header["blocks"], show
        self._total = os.fstat(stream.fileno()).st_size
        self._begins, at = [], stream.tell()
        for size in self._sizes:
            self._begins.append(at + -at % _ALIGNMENT)
            at = self._begins[-1] + size
        self._uses = Counter(part[0] for row in header["groups"] for part in row["parts"])
        self._read: dict[int, memoryview] = {}
        # On Windows this moves the position of the file.
        self._memory = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)) if mapped else None

    def part(self, place: Sequence[int]) -> memoryview:
        """Return a part of a block.

        Args:
            place: The number of the block, where the part begins there, and its bytes.
        """
        number, begin, size = place
        block = self._read.get(number)
        if block is None:
            block = self._read[number] = self._block(number)
        self._uses[number] -= 1
        if not self._uses[number]:
            del self._read[number]
        return block[begin : begin + size]

    def _block(self, number: int) -> memoryview:
        begin, size = self._begins[number], self._sizes[number]
        if self._memory is not None:
            return self._memory[begin : begin + size]
        self._stream.seek(begin)
        block = memoryview(bytearray(size))
        for part in range(0, size, _CHUNK):
            piece = block[part : part + _CHUNK]
            if self._stream.readinto(piece) != len(piece):
                raise EOFError("the file is too short")
            self._show(self._stream.tell(), self._total)
        return block


def _checked(path: str) -> str:
    """The path of a file that only this user can have written, in a directory that only this user can write to."""
    status = os.lstat(path)
    is_own = not hasattr(os, "geteuid") or (status.st_uid == user() and not status.st_mode & 0o077)
    if not stat.S_ISREG(status.st_mode) or not is_own or not is_private(os.path.dirname(path)):
        raise PermissionError(errno.EPERM, "it is not a file that only this user can read and write", path)
    return path


def _header(stream: Any, path: str, prefix: str) -> dict[str, Any]:
    header: dict[str, Any] = {}
    with suppress(ValueError):
        if stream.readline(100) == _MAGIC:
            header = json.loads(stream.read(int(stream.readline(20))))
    if not {"prefix", "version", "modules", "blocks", "groups"} <= header.keys():
        raise OSError(errno.EINVAL, "it is damaged", path)
    if (header["prefix"], header["version"]) != (prefix, sys.version):
        raise OSError(errno.EINVAL, "another environment or another Python has written it", path)
    return header


def left() -> list[str]:
    """Return the paths of the files of this environment that were never restored, the newest first."""
    return [path for path, _ in _unrestored()]


def not_offered() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the files of ended sessions that no session has mentioned yet, with their headers.

    The files that are yielded are marked, and old ones are removed.
    """
    sweep()
    for path, header in _unrestored():
        if not path.endswith(_OFFERED) and not _is_in_use(path):
            marked = path.removesuffix(_SUFFIX) + _OFFERED
            patient.replace(path, marked)
            yield marked, header


def sweep() -> None:
    """Remove the files that are too old, of all environments of this user."""
    for path in _paths():
        with suppress(OSError):
            if time.time() - time_of(path) > DAYS * 86400:
                patient.unlink(path)


def time_of(path: str) -> float:
    """Return when a file was written, in seconds since the epoch."""
    return int(os.path.basename(path).partition("-")[0]) / 1e9


def _is_in_use(path: str) -> bool:
    """Whether the process that has written a file may be restarting now: it lives, and the file is new."""
    if time.time() - time_of(path) > _RESTART:
        return False
    pid = int(os.path.basename(path).partition("-")[2].partition(".")[0])
    if os.name == "nt" or pid == os.getpid():  # os.kill() would end a process of Windows
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _unrestored() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in _paths():
        header: dict[str, Any] = {}
        with suppress(OSError), open(_checked(path), "rb") as stream:
            header = _header(stream, path, sys.prefix)
        if header:  # yielded when it is closed, because Windows renames no open file
            yield path, header


def _paths() -> list[str]:
    """The files of all environments of this user, the newest first."""
    try:
        names = sorted(os.listdir(directory()), reverse=True)
    except OSError:
        return []
    return [os.path.join(directory(), name) for name in names if _NAME.fullmatch(name)]
