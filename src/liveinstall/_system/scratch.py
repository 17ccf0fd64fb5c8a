"""Locked scratch directories; those of dead processes are removed by the next process that creates one.

Each contains a file with a kernel lock, held until its creator and all processes that inherit the handle have exited.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress

from _liveinstall_boot import patient
from _liveinstall_boot.files import remove_tree
from _liveinstall_boot.locks import try_lock
from liveinstall._system.privacy import keeps_apart, make_private, reached, user
from liveinstall._system.removal import own_directory, remove_opened
from liveinstall._system.temporary import new_directory, temporary_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMORY = "/dev/shm"  # noqa: S108  a file system in memory, on Linux
MARK = ".liveinstall-made-by"  # the locked file in the directory
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def scratch_directory(parent: str, prefix: str, mode: int = 0o700) -> Iterator[tuple[str, int]]:
    """Create an empty directory for the duration of a block.

    Args:
        parent: The absolute path of the parent directory.
        prefix: The beginning of the directory's name; abandoned directories with this prefix are removed first.
        mode: The permissions, restricted by the umask.

    Yields:
        The absolute path of the directory, and the file descriptor of its lock.

    Raises:
        OSError: It cannot be created.
    """
    sweep(parent, prefix)
    directory, handle = _make(parent, prefix, mode)
    try:
        yield directory, handle
    finally:
        os.close(handle)
        if os.name == "nt":  # which removes nothing that a descendant of the block's program still uses; swept later
            with suppress(OSError):
                remove_opened(directory, None, last=MARK)
        else:
            remove_tree(directory)


def _make(parent: str, prefix: str, mode: int) -> tuple[str, int]:
    """Create and lock a directory; until it is locked, another process may remove it as abandoned, so try again."""
    while True:
        directory = new_directory(parent, prefix, mode)
        try:
            handle = try_lock(os.path.join(directory, MARK), _NO_FOLLOW)
            if handle is not None:
                return directory, handle
        except FileNotFoundError:
            continue
        except OSError:
            remove_tree(directory)
            raise


def sweep(parent: str, prefix: str) -> None:
    """Remove the scratch directories of this user's dead processes, if no other user can replace them.

    Args:
        parent: The absolute path of the parent directory.
        prefix: The beginning of their names.
    """
    with suppress(OSError):
        status = reached(parent)
        if status is None or not keeps_apart(status):
            return
        for entry in os.scandir(parent):
            with suppress(OSError):
                is_ours = entry.name.startswith(prefix) and entry.stat(follow_symlinks=False).st_uid == user()
                if is_ours and entry.is_dir(follow_symlinks=False):
                    with own_directory(entry.path) as directory:
                        _sweep(entry.path, directory)


def _sweep(path: str, directory: int | None) -> None:
    mark = os.path.join(path, MARK)
    if not os.path.lexists(mark):
        patient.rmdir(path)  # only if it is empty: its creator writes nothing before the mark
        return
    handle = try_lock(mark, _NO_FOLLOW)
    if handle is None:
        return
    try:
        if directory is not None and os.path.samestat(os.fstat(handle), os.stat(MARK, dir_fd=directory)):
            remove_opened(path, directory, last=MARK)
    finally:
        os.close(handle)
    if directory is None:  # Windows removes no open file; no process locks the leftovers of a dead one again
        remove_opened(path, None, last=MARK)


def private_directory(name: str) -> str:
    """Create or find this user's own directory in the system's temporary directory.

    Args:
        name: The beginning of the directory's name; the user id is appended.

    Returns:
        The absolute path; the temporary directory itself if another user has taken the name.
    """
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
    """The file system in memory, unless TMPDIR is set: links on a disk take up to fifty times longer."""
    # In containers it is often mounted with `noexec`, so that no script in it can be run; then it is not used.
    is_configured = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    with suppress(OSError, AttributeError):
        if (
            not is_configured
            and os.access(_MEMORY, os.W_OK | os.X_OK)
            and not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC
        ):
            status = reached(_MEMORY)
            if status is not None and keeps_apart(status):
                return _MEMORY
    return temporary_root()
