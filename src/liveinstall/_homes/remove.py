"""Removing a home: only the files that `create()` made are removed."""

from __future__ import annotations

import errno
import filecmp
import hashlib
import os
from contextlib import suppress
from stat import S_ISLNK

from _liveinstall_boot import patient
from _liveinstall_boot.file_access import open_regular
from liveinstall._homes import record as records
from liveinstall._system.removal import BY_DESCRIPTOR
from liveinstall._system.scratch import MARK
from liveinstall._system.settings import check_permitted
from liveinstall.errors import HomeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from liveinstall._homes.record import HomeRecord

_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_FILE = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)

# Without these it cannot be started.
_REMOVED_FIRST = ("pyvenv.cfg", "bin/python", "bin/python3", "Scripts/python.exe")


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
    directory = os.path.abspath(path)
    record = records.read(directory)
    try:
        return _remove(directory, record)
    except OSError as error:
        raise HomeError(
            f"{directory} could not be removed: {error}.",
            todo="Call remove() again to remove the remaining files.",
            path=directory,
        ) from None


def _remove(directory: str, record: HomeRecord) -> tuple[str, ...]:
    """Remove the files that start-up needs first and the record last, so that a removal can be resumed after a kill.

    Everything is reached from the opened directory and through no link: the home may be another user's, who could
    exchange a directory of it between a check and the removal.
    """
    with _Inside(directory) if BY_DESCRIPTOR else _InsideByPath(directory) as home:
        home.unlink(MARK)
        order = sorted(record.paths(), key=lambda path: path not in _REMOVED_FIRST)
        for path in order:
            if home.is_as_made(path, record):
                home.unlink(path)
        for path in sorted(record.directories(), key=len, reverse=True):
            home.remove_bytecode(path)
            home.rmdir(path)
        left = _left(directory)
        home.unlink(records.NAME)
    if not left:
        patient.rmdir(directory)
    return left


class _Inside:
    """The files in a directory, which are reached by its descriptor."""

    def __init__(self, place: str) -> None:
        self._top = os.open(place, _DIRECTORY)
        self._opened = {"": self._top}  # the directory that was used last, and the top

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._opened.values():
            os.close(handle)

    def _parent(self, path: str) -> tuple[int, str]:
        """The descriptor of the directory that `path` is in, and its name there. Raises OSError, also for a link."""
        parent, _, name = path.rpartition("/")
        if parent not in self._opened:
            for known in [known for known in self._opened if known]:
                os.close(self._opened.pop(known))
            handle = self._top
            for part in parent.split("/"):
                above = handle
                try:
                    handle = os.open(part, _DIRECTORY, dir_fd=above)
                finally:
                    if above != self._top:
                        os.close(above)
            self._opened[parent] = handle
        return self._opened[parent], name

    def unlink(self, path: str) -> None:
        """Remove a file, unless it is gone, or behind a link."""
        with suppress(FileNotFoundError):
            parent, name = self._parent(path)
            os.unlink(name, dir_fd=parent)

    def rmdir(self, path: str) -> None:
        """Remove a directory if it is empty."""
        with suppress(OSError):
            parent, name = self._parent(path)
            os.rmdir(name, dir_fd=parent)

    def is_as_made(self, path: str, record: HomeRecord) -> bool:
        """Whether a file or link matches the record."""
        source, inode = record.hard.get(path, ("", 0))
        try:
            parent, name = self._parent(path)
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if S_ISLNK(status.st_mode):
                return os.readlink(name, dir_fd=parent) == (source or record.links.get(path))
            if source:
                return status.st_ino == inode
            with open(open_regular(name, _FILE, dir_fd=parent), "rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest() == record.files.get(path)
        except OSError:
            return False

    def remove_bytecode(self, path: str) -> None:
        """Remove the bytecode of modules that were removed: .pyc files without a source."""
        cache = path if path.endswith("__pycache__") else f"{path}/__pycache__"
        try:
            names = self._names(cache)
        except OSError:
            return
        sources = {name: f"{os.path.dirname(cache)}/{name.partition('.')[0]}.py" for name in names}
        gone = [name for name in names if name.endswith(".pyc") and not self._is_there(sources[name])]
        for name in gone:
            self.unlink(f"{cache}/{name}")
        self.rmdir(cache)

    def _names(self, path: str) -> list[str]:
        return os.listdir(self._parent(f"{path}/x")[0])

    def _is_there(self, path: str) -> bool:
        try:
            parent, name = self._parent(path)
            os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError:
            return False
        return True


class _InsideByPath(_Inside):
    """The same on Windows, which has no descriptors of directories."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def _path(self, path: str) -> str:
        """The absolute path; FileNotFoundError if it leads through a link or a junction."""
        parent = os.path.join(self._place, os.path.dirname(path))
        if os.path.normcase(os.path.realpath(parent)) != os.path.normcase(
            os.path.normpath(os.path.join(os.path.realpath(self._place), os.path.dirname(path)))
        ):
            raise FileNotFoundError(errno.ENOENT, "it leads through a link", parent)
        return os.path.join(self._place, path)

    def unlink(self, path: str) -> None:
        """Remove a file, unless it is gone, or behind a link."""
        with suppress(FileNotFoundError):
            patient.unlink(self._path(path))

    def rmdir(self, path: str) -> None:
        """Remove a directory if it is empty."""
        with suppress(OSError):
            patient.rmdir(self._path(path))

    def is_as_made(self, path: str, record: HomeRecord) -> bool:
        """Whether a file matches the record: a hard link, or a copy from another volume."""
        source, inode = record.hard.get(path, ("", 0))
        try:
            made = self._path(path)
            if source:
                return os.lstat(made).st_ino == inode or filecmp.cmp(source, made, shallow=False)
            with open(made, "rb", opener=open_regular) as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest() == record.files.get(path)
        except OSError:
            return False

    def _names(self, path: str) -> list[str]:
        return os.listdir(self._path(f"{path}/x").removesuffix("x"))

    def _is_there(self, path: str) -> bool:
        try:
            return os.path.exists(self._path(path))
        except OSError:
            return False


def _left(place: str) -> tuple[str, ...]:
    left = []
    for directory, names, files in os.walk(place):
        relative = os.path.relpath(directory, place)
        links = [name for name in names if os.path.islink(os.path.join(directory, name))]
        left += [os.path.normpath(os.path.join(relative, name)) for name in (*files, *links)]
        if not names and not files and relative != os.curdir:
            left.append(relative)
    return tuple(sorted(set(left) - {records.NAME}))
