"""Directories that are made aside and are nobody's once their maker is dead: the next maker sweeps them.

Each has a file under a kernel lock, which its maker has as long as it lives, and with it whoever inherits the handle.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from _liveinstall_boot.files import remove_tree
from _liveinstall_boot.locks import try_lock
from liveinstall._system.privacy import keeps_apart, make_private, reached, user

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMORY = "/dev/shm"  # noqa: S108  a file system in memory, on Linux
MARK = ".liveinstall-made-by"  # in it, locked
_NOT_BY_LINK = getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def scratch_directory(parent: str, prefix: str, mode: int = 0o700) -> Iterator[tuple[str, int]]:
    """An empty directory in `parent` and the handle of its lock; at the end it is removed, if it is still there.

    `mode`: what it is made with, less the umask.
    """
    sweep(parent, prefix)
    directory, handle = _make(parent, prefix, mode)
    try:
        yield directory, handle
    finally:
        os.close(handle)
        remove_tree(directory)


def _make(parent: str, prefix: str, mode: int) -> tuple[str, int]:
    """Until it is locked, another maker may take it for a dead one's and remove it."""
    while True:
        directory = os.path.join(parent, prefix + os.urandom(6).hex())
        try:
            os.mkdir(directory, mode)
        except FileExistsError:
            continue
        try:
            handle = try_lock(os.path.join(directory, MARK), _NOT_BY_LINK)
            if handle is not None:
                return directory, handle
        except FileNotFoundError:
            continue
        except OSError:
            remove_tree(directory)
            raise


def sweep(parent: str, prefix: str) -> None:
    """Remove what dead makers of this user have left, where nobody else can put something in its place."""
    with suppress(OSError):
        about = reached(parent)
        if about is None or not keeps_apart(about):
            return
        for entry in os.scandir(parent):
            with suppress(OSError):
                is_ours = entry.name.startswith(prefix) and entry.stat(follow_symlinks=False).st_uid == user()
                if is_ours and entry.is_dir(follow_symlinks=False):
                    _sweep(entry.path)


def _sweep(directory: str) -> None:
    mark = os.path.join(directory, MARK)
    if not os.path.lexists(mark):
        os.rmdir(directory)  # only if it is empty: without the mark nothing is made in it
        return
    handle = try_lock(mark, _NOT_BY_LINK)
    if handle is not None:
        try:
            remove_tree(directory)
        finally:
            os.close(handle)


def private_directory(name: str) -> str:
    """A directory of this user's among the system's temporary files; all of these where somebody else has the name."""
    temporary = _temporary()
    if not hasattr(os, "geteuid"):
        return temporary
    path = os.path.join(temporary, f"{name}-{user()}")
    try:
        make_private(path)
    except PermissionError:
        return temporary
    return temporary if os.path.islink(path) else path


def _temporary() -> str:
    """Memory, unless the user has chosen a place: making and removing links on a disk takes up to fifty times longer.

    Containers often have it mounted so that no script in it can be run (noexec).
    """
    chosen = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    with suppress(OSError, AttributeError):
        if not chosen and os.access(_MEMORY, os.W_OK | os.X_OK) and not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:
            about = reached(_MEMORY)
            if about is not None and keeps_apart(about):
                return _MEMORY
    return tempfile.gettempdir()
