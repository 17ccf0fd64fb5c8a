"""Files and directories that only this user can have created, below directories that other users can write to.

The name alone proves nothing: another user may have created the file first, replaced it by a link or a FIFO, or may do
so after a cleanup of temporary files. So each use checks every directory of the path: it must belong to root or to this
user, and only they may be able to rename its entries, either because no other user can write to it or because it is
sticky, as `/tmp` is. If that holds, no other user can replace the file between the check and the use. The rules are
those of OpenSSH's StrictModes, and of the sticky bit in inode(7).

This file runs at each start of Python, so it imports little. On Windows, where files have no such modes, a user's own
directories are closed to other users, and every existing path passes the checks.
"""

import errno
import os
from stat import S_ISDIR, S_ISLNK, S_ISREG, S_ISVTX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_LINKS = 40  # symbolic links in one path, as in Linux
_GROUP, _OTHERS = 0o020, 0o002
_LONGEST = 2**26  # bytes of a file that is read
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_OPEN = os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_HAS_USERS = hasattr(os, "geteuid")


def user() -> int:
    """Return the id of the user who owns the files that this process creates; 0 on systems without user ids."""
    return os.geteuid() if _HAS_USERS else 0


def keeps_apart(status: "os.stat_result") -> bool:
    """Whether only root and this user can rename this user's entries of a directory with this status."""
    if not _HAS_USERS:
        return True
    return status.st_uid in _trusted() and (bool(status.st_mode & S_ISVTX) or _is_closed(status))


def reached(path: str) -> "os.stat_result | None":
    """Follow a path, with its symbolic links, through directories that no other user can tamper with.

    Args:
        path: The path, absolute or relative to the current directory.

    Returns:
        The status of the file or directory; None if it does not exist or another user could replace it.
    """
    try:
        return _reached(os.path.abspath(path)) if _HAS_USERS else os.stat(path)
    except (OSError, ValueError):
        return None


def is_private(path: str) -> bool:
    """Whether a path is a directory of this user that no other user can write to or replace."""
    status = reached(path)
    return status is not None and S_ISDIR(status.st_mode) and (not _HAS_USERS or _is_mine(status))


def is_open_to_all(path: str) -> bool:
    """Whether a directory is another user's, and every user can rename its entries: it is writable, not sticky."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    is_open = status.st_mode & _OTHERS and not status.st_mode & S_ISVTX
    return bool(_HAS_USERS and is_open and status.st_uid != user())


def make_private(path: str) -> None:
    """Create a directory and its missing parents for this user only, unless it is private already.

    It is created first and checked then, so that it does not matter what another user has created there meanwhile.

    Args:
        path: The absolute path of the directory.

    Raises:
        OSError: It cannot be created, or is not private.
    """
    if not os.path.lexists(path):
        _make(path)
    if not is_private(path):
        raise PermissionError(errno.EPERM, "other users can write to it or replace it", path)


def open_private(path: str, *, dir_fd: int | None = None) -> int:
    """Open a file for reading that belongs to this user and that no other user can write to.

    Args:
        path: The path of the file.
        dir_fd: The descriptor of the directory that `path` is relative to. Default: the working directory.

    Returns:
        The descriptor.

    Raises:
        OSError: It is missing, a link, a FIFO, another user's, or writable by others.
    """
    handle = os.open(path, _OPEN | getattr(os, "O_BINARY", 0), dir_fd=dir_fd)
    status = os.fstat(handle)
    if not S_ISREG(status.st_mode) or (_HAS_USERS and not _is_mine(status)):
        os.close(handle)
        raise PermissionError(errno.EPERM, "it is not a regular file of this user that is closed to others", path)
    return handle


def read_private(path: str, *, dir_fd: int | None = None) -> bytes:
    """Read a file as `open_private()` opens it.

    Args:
        path: As there.
        dir_fd: As there.

    Returns:
        Its content.

    Raises:
        OSError: As there, or it is too long.
    """
    with open(open_private(path, dir_fd=dir_fd), "rb") as stream:
        if os.fstat(stream.fileno()).st_size > _LONGEST:
            raise OSError(errno.EFBIG, "it is too long to be a file of liveinstall", path)
        return stream.read()


def write_private(path: str, content: bytes, more: "Iterable[bytes]" = ()) -> None:
    """Write a file that only this user may read, by one rename; a link or a FIFO at the path is replaced, not used.

    Args:
        path: The path of the file.
        content: Its content, or the first piece of it.
        more: Further pieces, which need not be in memory at the same time.

    Raises:
        OSError: It cannot be written; the file is as it was, and no draft is left.
    """
    from _liveinstall_boot import patient  # not loaded by a start

    draft = f"{path}.draft-{os.urandom(8).hex()}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with open(handle, "wb") as stream:
            stream.write(content)
            stream.writelines(more)
        patient.replace(draft, path)
    except BaseException:
        patient.unlink(draft)
        raise


def open_own(path: str, *, dir_fd: int | None = None) -> int:
    """Open a directory of this user that is not a link; nothing else is opened, and a FIFO does not block.

    Args:
        path: The path of the directory, relative to `dir_fd` if that is given.
        dir_fd: The descriptor of the parent directory. Default: the current directory.

    Returns:
        The descriptor of the directory.

    Raises:
        OSError: It cannot be opened, is not a directory, or belongs to another user.
    """
    handle = os.open(path, _OPEN | getattr(os, "O_DIRECTORY", 0), dir_fd=dir_fd)
    if _HAS_USERS and os.fstat(handle).st_uid != user():
        os.close(handle)
        raise PermissionError(errno.EPERM, "it belongs to another user", path)
    return handle


def _trusted() -> set[int]:
    """The ids of root and this user. In a user namespace, root is the owner of the root directory."""
    return {0, user(), os.stat(os.sep).st_uid}


def _is_mine(status: "os.stat_result") -> bool:
    return status.st_uid == user() and not status.st_mode & (_GROUP | _OTHERS)


def _is_closed(status: "os.stat_result") -> bool:
    if status.st_mode & _OTHERS:
        return False
    return not status.st_mode & _GROUP or _is_alone_in(status.st_gid)


def _is_alone_in(group: int) -> bool:
    """Whether a group has only this user: many systems create one for each user, with a group-writable umask."""
    from grp import getgrgid  # only needed for group-writable files
    from pwd import getpwuid

    try:
        me, entry = getpwuid(user()), getgrgid(group)
    except KeyError:
        return False
    return group == me.pw_gid and entry.gr_name == me.pw_name and set(entry.gr_mem) <= {me.pw_name}


def _reached(path: str) -> "os.stat_result | None":
    reached_path, status, links = os.sep, os.lstat(os.sep), 0
    remaining = path.split(os.sep)[::-1]
    while remaining:
        part = remaining.pop()
        if part in ("", os.curdir):
            continue
        if part == os.pardir:  # in the target of a link
            reached_path = os.path.dirname(reached_path)
            status = os.lstat(reached_path)
            continue
        if not keeps_apart(status):
            return None
        reached_path = os.path.join(reached_path, part)
        status = os.lstat(reached_path)
        if status.st_uid not in _trusted():
            return None
        if S_ISLNK(status.st_mode):
            links += 1
            if links > _MAX_LINKS:
                return None
            target = os.readlink(reached_path)
            remaining += target.split(os.sep)[::-1]
            reached_path = os.sep if os.path.isabs(target) else os.path.dirname(reached_path)
            status = os.lstat(reached_path)
    return status


def _make(path: str) -> None:
    parent = os.path.dirname(path)
    if parent != path and not os.path.lexists(parent):
        _make(parent)
    status = reached(parent)
    # Root may run Python in another user's home, and must not create anything there.
    if status is None or not keeps_apart(status):
        raise PermissionError(errno.EPERM, "other users could replace files in it", parent)
    try:  # noqa: SIM105  importing contextlib would slow down each start by 4 ms
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
