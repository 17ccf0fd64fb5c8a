"""Directories that are made aside and are nobody's once their maker is dead: the next maker sweeps them.

Each has a file under a kernel lock, which its maker has as long as it lives, and with it whoever inherits the handle.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import _liveinstall_boot as boot
from _liveinstall_boot.files import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMORY = "/dev/shm"  # noqa: S108  a file system in memory, on Linux
MARK = ".liveinstall-made-by"  # in it, locked


@contextmanager
def aside(parent: str, prefix: str) -> Iterator[tuple[str, int]]:
    """An empty directory in `parent` and the handle of its lock; at the end it is removed, if it is still there."""
    sweep(parent, prefix)
    directory, handle = _made(parent, prefix)
    try:
        yield directory, handle
    finally:
        os.close(handle)
        remove_tree(directory)


def _made(parent: str, prefix: str) -> tuple[str, int]:
    """Until it is locked, another maker may take it for a dead one's and remove it."""
    while True:
        directory = os.path.join(parent, prefix + os.urandom(6).hex())
        try:
            os.mkdir(directory)
        except FileExistsError:
            continue
        try:
            handle = _locked(directory, make=True)
            if handle is not None:
                return directory, handle
        except FileNotFoundError:
            continue
        except OSError:
            remove_tree(directory)
            raise


def sweep(parent: str, prefix: str) -> None:
    """Remove what dead makers of this user have left; nobody else's, and nothing that is reached by a link."""
    with suppress(OSError):
        for entry in os.scandir(parent):
            if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_uid == _user():
                        _sweep(entry.path)


def _sweep(directory: str) -> None:
    try:
        handle = _locked(directory)
    except FileNotFoundError:
        os.rmdir(directory)  # only if it is empty: without the mark nothing is made in it
        return
    if handle is not None:
        try:
            remove_tree(directory)
        finally:
            os.close(handle)


def _locked(directory: str, *, make: bool = False) -> int | None:
    """The handle of a directory's mark, locked; None where somebody else has it. A link is no mark."""
    path = os.path.join(directory, MARK)
    if not make and stat.S_ISLNK(os.lstat(path).st_mode):
        return None
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | (os.O_CREAT | os.O_EXCL if make else 0)
    os.close(os.open(path, flags, 0o600))
    handle: int | None = boot.try_lock(path)
    return handle


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def private_directory(name: str) -> str:
    """A directory of this user's among the system's temporary files; a new one where somebody else has the name."""
    temporary = _temporary()
    if not hasattr(os, "getuid"):
        return temporary
    path = os.path.join(temporary, f"{name}-{os.getuid()}")
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)
    about = os.lstat(path)
    if stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid() and not about.st_mode & 0o022:
        return path
    return tempfile.mkdtemp(prefix=f"{name}-", dir=temporary)


def _temporary() -> str:
    """Memory, unless the user has chosen a place: making and removing links on a disk takes up to fifty times longer.

    Containers often have it mounted so that no script in it can be run (noexec).
    """
    chosen = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    with suppress(OSError, AttributeError):
        if not chosen and os.access(_MEMORY, os.W_OK | os.X_OK) and not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:
            return _MEMORY
    return tempfile.gettempdir()
