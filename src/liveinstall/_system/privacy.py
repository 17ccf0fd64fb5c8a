"""Files and directories that only this user can have made, in places that other users can write to.

A name proves nothing there: somebody else may have taken it first, put a link or a FIFO in its place, or take it when
what was there has been cleaned up. So each use looks at the whole way to it: every directory on it belongs to root or
to this user, and only they can rename what is in it, either because nobody else can write there or because it is
sticky, as `/tmp` is. Once that holds, nobody else can put something else in its place between the check and the use.
The rules are those of OpenSSH's StrictModes, and of the sticky bit in inode(7).

This file runs at starts of Python: it loads nothing. On Windows, whose files have no such modes, a user's own
directories are closed to others, and everything that is there passes.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISDIR, S_ISLNK, S_ISREG, S_ISVTX

_MOST_LINKS = 40  # as the kernel
_GROUP, _OTHERS = 0o020, 0o002
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_HAS_USERS = hasattr(os, "geteuid")


def user() -> int:
    """Whose files this process makes."""
    return os.geteuid() if _HAS_USERS else 0


def keeps_apart(about: os.stat_result) -> bool:
    """Whether, in a directory of this status, only root and this user can rename what this user has made."""
    if not _HAS_USERS:
        return True
    return about.st_uid in _trusted() and (bool(about.st_mode & S_ISVTX) or _is_closed(about))


def reached(path: str) -> os.stat_result | None:
    """What lies at the end of `path`, links followed; None if nothing does, or if somebody else can exchange it."""
    try:
        return _reached(os.path.abspath(path)) if _HAS_USERS else os.stat(path)
    except (OSError, ValueError):
        return None


def is_private(path: str) -> bool:
    """Whether `path` is a directory of this user's that nobody else can write to, or put another in place of."""
    about = reached(path)
    return about is not None and S_ISDIR(about.st_mode) and (not _HAS_USERS or _is_mine(about))


def make_private(path: str) -> None:
    """Make a directory, and those above it that are not there, for this user only; or find that it is so already.

    It is made first and looked at then, so that it does not matter who else has made something there meanwhile.

    Raises: OSError: it cannot be made, or is not private.
    """
    if not os.path.lexists(path):
        _make(path)
    if not is_private(path):
        raise PermissionError(errno.EPERM, "it is not this user's alone", path)


def read_private(path: str) -> bytes:
    """The content of a file that this user has written, and nobody else can write to.

    Raises: OSError: there is none, or it is a link, a FIFO, another user's, or writable by others.
    """
    handle = os.open(path, _OPEN | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as stream:
        about = os.fstat(handle)
        if not S_ISREG(about.st_mode) or (_HAS_USERS and not _is_mine(about)):
            raise PermissionError(errno.EPERM, "it is no file of this user's alone", path)
        return stream.read()


def write_private(path: str, content: bytes) -> None:
    """Write a file that only this user may read, by one rename; a link or a FIFO at its place is replaced, not used.

    Only one may do it at a time. Raises: OSError.
    """
    draft = f"{path}.draft"
    try:  # noqa: SIM105
        os.unlink(draft)
    except FileNotFoundError:
        pass
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with open(handle, "wb") as stream:
        stream.write(content)
    os.replace(draft, path)


def open_own(path: str, *, dir_fd: int | None = None) -> int:
    """The descriptor of a directory of this user's, which is no link; nothing else is opened, and no FIFO waited for.

    Raises: OSError.
    """
    handle = os.open(path, _OPEN | getattr(os, "O_DIRECTORY", 0), dir_fd=dir_fd)
    if _HAS_USERS and os.fstat(handle).st_uid != user():
        os.close(handle)
        raise PermissionError(errno.EPERM, "it is another user's", path)
    return handle


def _trusted() -> set[int]:
    """Root, who may do everything, and this user. In a user namespace root is whoever owns the root directory."""
    return {0, user(), os.stat(os.sep).st_uid}


def _is_mine(about: os.stat_result) -> bool:
    return about.st_uid == user() and not about.st_mode & (_GROUP | _OTHERS)


def _is_closed(about: os.stat_result) -> bool:
    if about.st_mode & _OTHERS:
        return False
    return not about.st_mode & _GROUP or _is_alone_in(about.st_gid)


def _is_alone_in(group: int) -> bool:
    """Whether a group has no member but this user: many systems give each user one, and a umask to go with it."""
    from grp import getgrgid  # only where something is writable by a group
    from pwd import getpwuid

    try:
        me, found = getpwuid(user()), getgrgid(group)
    except KeyError:
        return False
    return group == me.pw_gid and found.gr_name == me.pw_name and set(found.gr_mem) <= {me.pw_name}


def _reached(path: str) -> os.stat_result | None:
    at, about, links = os.sep, os.lstat(os.sep), 0
    left = path.split(os.sep)[::-1]
    while left:
        part = left.pop()
        if part in ("", os.curdir):
            continue
        if part == os.pardir:  # of a link
            at = os.path.dirname(at)
            about = os.lstat(at)
            continue
        if not keeps_apart(about):
            return None
        at = os.path.join(at, part)
        about = os.lstat(at)
        if about.st_uid not in _trusted():
            return None
        if S_ISLNK(about.st_mode):
            links += 1
            if links > _MOST_LINKS:
                return None
            target = os.readlink(at)
            left += target.split(os.sep)[::-1]
            at = os.sep if os.path.isabs(target) else os.path.dirname(at)
            about = os.lstat(at)
    return about


def _make(path: str) -> None:
    above = os.path.dirname(path)
    if above != path and not os.path.lexists(above):
        _make(above)
    about = reached(above)
    if about is None or not keeps_apart(about):  # root may run Python in anybody's home, and makes nothing there
        raise PermissionError(errno.EPERM, "somebody else could exchange what is made in it", above)
    try:  # noqa: SIM105  contextlib costs a start 4 ms
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
