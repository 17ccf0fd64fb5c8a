"""Removing a home: only the files that `create()` made are removed."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from _liveinstall_boot.files import sha256
from liveinstall._homes import record as records
from liveinstall._system.scratch import MARK
from liveinstall._system.settings import check_permitted
from liveinstall.errors import HomeError

if TYPE_CHECKING:
    from liveinstall._homes.record import HomeRecord


_REMOVED_FIRST = ("pyvenv.cfg", "bin/python", "bin/python3")  # without these it can no longer be started


def remove(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Remove a home: the files that `create()` made, and their bytecode. Added or changed files stay.

    If this process is killed, another call completes the removal.

    Args:
        path: The home's directory, relative to the current directory.

    Returns:
        The remaining paths, relative to `path`; if there are none, the directory is removed too.

    Raises:
        HomeError: `path` is not a home, or a file cannot be removed.
        DisabledError: The environment variable LIVEINSTALL_DISABLE is set.
    """
    check_permitted()
    place = os.path.abspath(path)
    record = records.read(place)
    try:
        return _remove(place, record)
    except OSError as error:
        raise HomeError(
            f"{place} could not be removed: {error}.", todo="What is left can be removed by another try.", path=place
        ) from error


def _remove(place: str, record: HomeRecord) -> tuple[str, ...]:
    """Remove the files that start-up needs first and the record last, so that a removal can be resumed after a kill."""
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(place, MARK))
    order = sorted(record.paths(), key=lambda path: path not in _REMOVED_FIRST)
    for path in order:
        full = os.path.join(place, path)
        if not _is_reached_by_link(place, path) and _is_as_made(full, record, path):
            os.unlink(full)
    for path in sorted(record.directories(), key=len, reverse=True):
        _remove_bytecode(place, path)
        with suppress(OSError):
            if not _is_reached_by_link(place, path + "/x"):
                os.rmdir(os.path.join(place, path))
    left = _left(place)
    os.unlink(os.path.join(place, records.NAME))
    if not left:
        os.rmdir(place)
    return left


def _is_reached_by_link(place: str, path: str) -> bool:
    """Whether a parent directory of `path` has been replaced by a symbolic link."""
    parts = path.split("/")[:-1]
    return any(os.path.islink(os.path.join(place, *parts[:depth])) for depth in range(1, len(parts) + 1))


def _is_as_made(full: str, record: HomeRecord, path: str) -> bool:
    source, inode = record.hard.get(path, ("", 0))
    link = source or record.links.get(path)
    try:
        if os.path.islink(full):
            return os.readlink(full) == link
        return os.lstat(full).st_ino == inode if source else sha256(full) == record.files.get(path)
    except OSError:
        return False


def _remove_bytecode(place: str, path: str) -> None:
    """Remove the bytecode of modules that were removed: .pyc files without a source."""
    cache = path if path.endswith("__pycache__") else f"{path}/__pycache__"
    full = os.path.join(place, cache)
    if not os.path.isdir(full) or _is_reached_by_link(place, f"{cache}/x"):
        return
    for name in os.listdir(full):
        source = os.path.join(os.path.dirname(full), name.partition(".")[0] + ".py")
        if name.endswith(".pyc") and not os.path.lexists(source):
            os.unlink(os.path.join(full, name))
    with suppress(OSError):
        os.rmdir(full)


def _left(place: str) -> tuple[str, ...]:
    left = []
    for directory, names, files in os.walk(place):
        relative = os.path.relpath(directory, place)
        links = [name for name in names if os.path.islink(os.path.join(directory, name))]
        left += [os.path.normpath(os.path.join(relative, name)) for name in (*files, *links)]
        if not names and not files and relative != os.curdir:
            left.append(relative)
    return tuple(sorted(set(left) - {records.NAME}))
