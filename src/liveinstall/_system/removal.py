"""Removing directories where other users can write: by descriptor, so that nothing can be exchanged meanwhile."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress

from _liveinstall_boot import patient
from _liveinstall_boot.files import remove_tree
from liveinstall._system.privacy import open_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BY_DESCRIPTOR = {os.open, os.unlink, os.rmdir, os.chmod} <= os.supports_dir_fd and os.scandir in os.supports_fd


@contextmanager
def own_directory(path: str, *, dir_fd: int | None = None) -> Iterator[int | None]:
    """Open a directory of this user's; its descriptor, or None on Windows, where other users cannot write to it.

    Args:
        path: The directory; a link is not followed.
        dir_fd: The descriptor that `path` is relative to. Default: the working directory.

    Raises:
        OSError: There is none, or it is another user's.
    """
    if not BY_DESCRIPTOR:
        yield None
        return
    handle = open_own(path, dir_fd=dir_fd)
    try:
        yield handle
    finally:
        os.close(handle)


def remove_opened(path: str, handle: int | None, *, last: str = "") -> None:
    """Remove an opened directory and everything in it, as far as possible. No link is followed.

    Args:
        path: The directory.
        handle: Its descriptor, from `own_directory()`. If another directory has its path by now, that one stays.
        last: The name of a file in it that is removed last.
    """
    if handle is None:
        _remove_by_path(path, last)
        return
    empty(handle, spare=last)
    with suppress(OSError):
        if last and os.listdir(handle) == [last]:
            os.unlink(last, dir_fd=handle)
        if os.path.samestat(os.lstat(path), os.fstat(handle)):
            patient.rmdir(path)  # only if it is empty, whatever its type


def empty(handle: int, *, spare: str = "") -> None:
    """Remove everything in an opened directory, except for one name; builds may leave read-only directories."""
    with suppress(OSError):
        os.fchmod(handle, 0o700)
    with os.scandir(handle) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries if entry.name != spare]
    for name, is_directory in found:
        with suppress(OSError, RecursionError):
            if not is_directory:
                os.unlink(name, dir_fd=handle)
                continue
            inner = _open(name, handle)
            try:
                empty(inner)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=handle)


def _open(name: str, handle: int) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=handle)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=handle)
        return os.open(name, flags, dir_fd=handle)


def _remove_by_path(path: str, last: str) -> None:
    for entry in os.scandir(path):
        if entry.is_dir(follow_symlinks=False):
            with suppress(OSError):
                remove_tree(entry.path)
        elif entry.name != last:
            with suppress(OSError):
                patient.unlink(entry.path)
    if os.listdir(path) in ([], [last]):
        with suppress(OSError):
            remove_tree(path)
