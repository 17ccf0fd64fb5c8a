"""The file that carries variables over a restart: private to its user, made and read by one environment only.

magic line, length of the header and header (JSON: environment, modules, for each group its names and sizes), then
for each group the pickle and its buffers, each at a multiple of 64 bytes, so that arrays can be mapped.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import shutil
import stat
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from _liveinstall_boot import patient
from liveinstall._frontends.restart.variable_groups import Group, reason_of, restored
from liveinstall._sidebyside.layout import user_cache
from liveinstall._system.privacy import is_private, make_private, user

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MAGIC = b"liveinstall variables 1\n"
_SUFFIX = ".variables"
_ALIGNMENT = 64
_SPARE = 2**26  # bytes of the file system that stay free


@dataclass(frozen=True)
class Loaded:
    """The content of a file.

    Attributes:
        values: The variables that could be loaded, by name.
        failures: For each of the others the reason.
    """

    values: dict[str, Any]
    failures: dict[str, str]


def directory() -> str:
    """Return the directory of such files, in the user's cache directory."""
    return os.path.join(user_cache(), "variables")


def write(groups: Sequence[Group], modules: Mapping[str, str]) -> str:
    """Write a file.

    Args:
        groups: The pickled variables.
        modules: Modules to import again: name of the variable -> name of the module.

    Returns:
        The path of the file.

    Raises:
        OSError: It cannot be written, or too little space is free. No file is left.
    """
    place = directory()
    make_private(place)
    needed, free = sum(group.size for group in groups), shutil.disk_usage(place).free
    if needed + _SPARE > free:
        raise OSError(
            errno.ENOSPC, f"{needed / 1e6:.0f} MB are needed, {max(free - _SPARE, 0) / 1e6:.0f} MB are free", place
        )
    rows = [
        {"names": group.names, "sizes": [len(group.data), *(buffer.nbytes for buffer in group.buffers)]}
        for group in groups
    ]
    header = json.dumps({"prefix": sys.prefix, "version": sys.version, "modules": dict(modules), "groups": rows})
    path = os.path.join(place, f"{time.time_ns()}-{os.getpid()}{_SUFFIX}")
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with open(handle, "wb") as stream:
            stream.write(_MAGIC + b"%d\n" % len(header.encode()) + header.encode())
            for group in groups:
                blocks: tuple[bytes | memoryview, ...] = (group.data, *group.buffers)
                for block in blocks:
                    stream.write(b"\0" * (-stream.tell() % _ALIGNMENT))
                    stream.write(block)
    except BaseException:
        patient.unlink(path)
        raise
    return path


def load(path: str, *, mapped: bool = False, prefix: str | None = None) -> Loaded:
    """Load the variables of a file.

    Args:
        path: Its path.
        mapped: Whether arrays use the file itself as their memory, which is for processes that end soon. By default
            they get memory of their own.
        prefix: The environment that must have written it. Default: this process's `sys.prefix`.

    Returns:
        What could be loaded, and what could not.

    Raises:
        OSError: The file is missing, not only this user's, or damaged, or another environment has made it.
    """
    with open(_checked(path), "rb") as stream:
        header = _header(stream, path, prefix or sys.prefix)
        memory = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)) if mapped else None
        values, failures = _modules(header["modules"])
        for row in header["groups"]:
            names = tuple(row["names"])
            try:
                data, *buffers = _blocks(stream, row["sizes"], memory)
                values |= restored(Group(names, data, tuple(buffers)))
            except Exception as error:  # noqa: BLE001  any code of the user's objects
                failures |= dict.fromkeys(names, reason_of(error))
    return Loaded(values, failures)


def _modules(modules: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    from importlib import import_module

    values, failures = {}, {}
    for name, module in modules.items():
        try:
            values[name] = import_module(module)
        except Exception as error:  # noqa: BLE001  any code of the module
            failures[name] = reason_of(error)
    return values, failures


def _blocks(stream: Any, sizes: Sequence[int], memory: memoryview | None) -> Iterator[Any]:
    for size in sizes:
        begin = stream.tell() + -stream.tell() % _ALIGNMENT
        stream.seek(begin + size)
        if memory is not None:
            yield memory[begin : begin + size]
            continue
        stream.seek(begin)
        block = bytearray(size)
        if stream.readinto(block) != size:
            raise EOFError("the file is too short")
        yield block


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
    if not {"prefix", "version", "modules", "groups"} <= header.keys():
        raise OSError(errno.EINVAL, "it is damaged", path)
    if (header["prefix"], header["version"]) != (prefix, sys.version):
        raise OSError(errno.EINVAL, "another environment or another Python has written it", path)
    return header


def left() -> list[str]:
    """Return the paths of the files of this environment that were never restored, the newest first."""
    paths = []
    try:
        names = sorted(os.listdir(directory()), reverse=True)
    except OSError:
        return []
    for name in names:
        path = os.path.join(directory(), name)
        try:
            if name.endswith(_SUFFIX):
                with open(_checked(path), "rb") as stream:
                    _header(stream, path, sys.prefix)
                paths.append(path)
        except OSError:
            continue
    return paths
