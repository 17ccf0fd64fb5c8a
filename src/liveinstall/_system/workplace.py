"""The work directory of a change, for downloads and builds, which is removed even after a kill.

It is in the system's temporary directory, and a note, `.liveinstall/work`, has its path for the next holder of the
lock. It is not in the environment: a build there would use the settings of the surrounding project (a Cargo workspace,
a git repository), the paths of its sockets would be too long, and that disk may be remote or have a small quota.

    liveinstall-work 2
    /tmp/liveinstall-k2x8d_0q
    0123456789abcdef0123456789abcdef

Other users can write to the temporary directory, too. After a cleanup, one of them could create a directory of the
same name and make us remove it, with what its links point to. So a directory is removed only if it is proven to be
ours: it belongs to this user, no other user can replace it (`privacy`), and it contains the random token of the note.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress

from _liveinstall_boot import patient
from _liveinstall_boot.layout import STATE
from liveinstall._system.privacy import is_private, read_private, write_private
from liveinstall._system.removal import empty, own_directory, remove_opened
from liveinstall._system.temporary import PREFIX, temporary_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC = "liveinstall-work 2"
_TOKEN = (32, "0123456789abcdef")  # the length and the digits
# Links in the work directory, or in a subdirectory, to other directories to remove with it; the name ends with a token.
_ELSEWHERE = "elsewhere-*-*"
_OWNER = "for"  # in the work directory: the token, and the site directory, because an environment may be copied
_MARK = ".liveinstall-for"  # in a linked directory: the token in the link's name

_mine: dict[str, str] = {}  # site directory -> the work directory that this process uses for it


@contextmanager
def workplace(site: str, note: str | None = None) -> Iterator[str]:
    """Create the work directory of a change. The caller holds the lock.

    Args:
        site: The site-packages directory; or another directory that is changed under a lock, with `note`.
        note: The file for the path of the work directory. Default: `.liveinstall/work` in `site`.

    Yields:
        The absolute path of the empty directory.

    Raises:
        StagingError: It cannot be created.
    """
    note = note or _note(site)
    try:
        with temporary_directory() as directory:
            _mine[site] = directory
            # On a full disk the change may still succeed; only a kill would leave the directory.
            with suppress(OSError):
                token = os.urandom(16).hex()
                write_private(os.path.join(directory, _OWNER), _mark(token, site))
                write_private(note, os.fsencode(encode(directory, token)))
            try:
                yield directory
            finally:
                _empty(directory)
    finally:
        _mine.pop(site, None)
        with suppress(OSError):
            patient.unlink(note)


def _empty(directory: str) -> None:
    """Remove all but the token, by which `sweep()` recognizes a directory that was left by a kill."""
    with suppress(OSError), own_directory(directory) as handle:
        if handle is not None:
            empty(handle, spare=_OWNER)


def sweep(site: str, note: str | None = None) -> None:
    """Remove the work directory of a killed change. The caller holds the lock, so the process of that change is dead.

    Args:
        site: As for `workplace()`.
        note: As for `workplace()`.
    """
    note = note or _note(site)
    try:
        directory, token = parse(os.fsdecode(read_private(note)))
    except OSError:  # another user's note, for example: that user removes the directory
        return
    except UnicodeError:  # damaged: on Windows not all bytes are a path
        directory = token = ""
    if site in _mine:
        return
    if not (directory and _remove_if_ours(directory, _OWNER, _mark(token, site))):
        with suppress(OSError):
            patient.unlink(note)


def note_elsewhere(directory: str, name: str, elsewhere: str) -> None:
    """Add a directory elsewhere to a work directory, so that `sweep()` removes it, too.

    On disk before: no reference to it; the commit point is the link.

    Args:
        directory: The work directory or a subdirectory of it, absolute.
        name: A name for the link.
        elsewhere: The other directory, absolute.

    Raises:
        OSError: The link cannot be made.
    """
    token = os.urandom(16).hex()
    write_private(os.path.join(elsewhere, _MARK), token.encode())
    os.symlink(elsewhere, os.path.join(directory, f"elsewhere-{name}-{token}"))


def encode(directory: str, token: str) -> str:
    """Encode a note.

    Args:
        directory: The absolute path of the work directory.
        token: Its token: 32 hexadecimal digits.

    Returns:
        The content of the note.
    """
    return f"{_MAGIC}\n{directory}\n{token}\n"


def parse(text: str) -> tuple[str, str]:
    """Decode a note.

    Args:
        text: The content of the note.

    Returns:
        The absolute path of the work directory, and its token; both empty if the note is damaged, of another version,
        or has a path that is not one of liveinstall.
    """
    magic, path, token, *rest = [*text.split("\n"), "", ""]
    is_ours = os.path.isabs(path) and os.path.basename(path).startswith(PREFIX)
    is_whole = magic == _MAGIC and len(token) == _TOKEN[0] and not token.strip(_TOKEN[1]) and rest == ["", "", ""]
    return (path, token) if is_whole and is_ours else ("", "")


def _note(site: str) -> str:
    return os.path.join(site, STATE, "work")


def _mark(token: str, site: str) -> bytes:
    return os.fsencode(f"{token}\n{os.path.realpath(site)}")


def _remove_if_ours(directory: str, name: str, content: bytes) -> bool:
    """Remove a directory if it is private and contains a file with this content, which is removed last.

    It is opened first, and checked and removed by its descriptor, so that it cannot be exchanged meanwhile.

    Returns:
        Whether it is ours, and still there.
    """
    try:
        if not is_private(directory):
            return False
        with own_directory(directory) as handle:
            path = name if handle is not None else os.path.join(directory, name)
            if read_private(path, dir_fd=handle) != content:
                return False
            if name == _OWNER:
                _remove_elsewhere(directory)
            remove_opened(directory, handle, last=name)
    except OSError:
        return False
    return os.path.lexists(directory)


def _remove_elsewhere(directory: str) -> None:
    """Remove the directories that links in a work directory lead to."""
    from pathlib import Path

    for link in [*Path(directory).glob(_ELSEWHERE), *Path(directory).glob(f"*/{_ELSEWHERE}")]:
        target, token = (os.readlink(link) if link.is_symlink() else "", link.name.rpartition("-")[2])
        if os.path.basename(target).startswith(PREFIX):
            _remove_if_ours(target, _MARK, token.encode())
