"""Where a change downloads and builds, so that nothing of it stays behind after a kill.

It lies among the system's temporary files, and `.liveinstall/work` says where, to whoever has the lock next. It does
not lie in the environment: what is built there would find the settings of the project around it (a Cargo workspace, a
git repository), the paths of its sockets would be too long, and that disk may be remote or have a small quota.

    liveinstall-work 2
    /tmp/liveinstall-k2x8d_0q
    0123456789abcdef0123456789abcdef

Other users can write to that place too. When it has been cleaned up, one of them could make a directory of that name
anew and have ours, and what it links to, removed by us. So nothing is removed that is not proven ours: it belongs to
this user alone, nobody else can exchange it (`privacy`), and a file in it has the random token that only the note has.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from _liveinstall_boot.layout import STATE
from liveinstall._system.privacy import is_private, read_private, write_private
from liveinstall._system.temporary import PREFIX, temporary_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC = "liveinstall-work 2"
_TOKEN = re.compile("[0-9a-f]{32}")
_ELSEWHERE = "elsewhere-*-*"  # links in the directory, or in one of its own, to others that go with it; and a token
_OWNER = "for"  # in the directory: the token, and the site directory, because an environment may be copied meanwhile
_MARK = ".liveinstall-for"  # in a directory elsewhere: the token in its link's name

_mine: dict[str, str] = {}  # site directory -> its workplace, while this process uses it


@contextmanager
def workplace(site: str, note: Path | None = None) -> Iterator[str]:
    """An empty directory, its absolute path, until the end of one change. Needs the lock.

    `note`: where it is noted, if `site` is no site directory.
    """
    note = note or _note(site)
    try:
        with temporary_directory() as directory:
            _mine[site] = directory
            with suppress(OSError):  # on a full disk a change may still succeed; only a kill would leave something
                token = os.urandom(16).hex()
                write_private(os.path.join(directory, _OWNER), _mark(token, site))
                write_private(str(note), os.fsencode(encode(directory, token)))
            yield directory
    finally:
        _mine.pop(site, None)
        with suppress(OSError):
            note.unlink()


def sweep(site: str, note: Path | None = None) -> None:
    """Remove what a killed change has left: whoever it belonged to has no lock any longer. Needs the lock."""
    note = note or _note(site)
    try:
        directory, token = parse(os.fsdecode(read_private(str(note))))
    except OSError:  # also another user's: that is for him to sweep
        return
    if site in _mine:
        return
    if directory and _is_ours(directory, _OWNER, _mark(token, site)):
        _remove(directory)
    if not (directory and _is_ours(directory, _OWNER, _mark(token, site))):
        with suppress(OSError):
            note.unlink()


def note_elsewhere(directory: str, name: str, place: str) -> None:
    """Let whoever sweeps the workplace that `directory` lies in find `place`, a directory of its own. Raises: OSError.

    On disk before: nothing that leads there; the commit point is the link.
    """
    token = os.urandom(16).hex()
    write_private(os.path.join(place, _MARK), token.encode())
    os.symlink(place, os.path.join(directory, f"elsewhere-{name}-{token}"))


def encode(directory: str, token: str) -> str:
    """The note of a directory."""
    return f"{_MAGIC}\n{directory}\n{token}\n"


def parse(text: str) -> tuple[str, str]:
    """The absolute path in a note, and its token; empty if it is damaged, of another version, or names none of ours."""
    magic, path, token, *rest = [*text.split("\n"), "", ""]
    is_ours = os.path.isabs(path) and os.path.basename(path).startswith(PREFIX)
    is_whole = magic == _MAGIC and _TOKEN.fullmatch(token) and rest == ["", "", ""]
    return (path, token) if is_whole and is_ours else ("", "")


def _note(site: str) -> Path:
    return Path(site, STATE, "work")


def _mark(token: str, site: str) -> bytes:
    return os.fsencode(f"{token}\n{os.path.realpath(site)}")


def _is_ours(directory: str, name: str, content: bytes) -> bool:
    """Whether it is this user's alone, and has the file that only it has. No link is followed to it."""
    try:
        is_there = not os.path.islink(directory) and is_private(directory)
        return is_there and read_private(os.path.join(directory, name)) == content
    except OSError:
        return False


def _remove(directory: str) -> None:
    """Remove it all, what says whose it is last; builds may leave directories that are read-only."""
    for place, names, _ in os.walk(directory):
        for name in names:
            path = os.path.join(place, name)
            if not os.path.islink(path):
                with suppress(OSError):
                    os.chmod(path, 0o700)
    for link in [*Path(directory).glob(_ELSEWHERE), *Path(directory).glob(f"*/{_ELSEWHERE}")]:
        place, token = (os.readlink(link) if link.is_symlink() else "", link.name.rpartition("-")[2])
        if os.path.basename(place).startswith(PREFIX) and _is_ours(place, _MARK, token.encode()):
            shutil.rmtree(place, ignore_errors=True)
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        elif entry.name != _OWNER:
            with suppress(OSError):
                os.unlink(entry.path)
    if os.listdir(directory) == [_OWNER]:
        shutil.rmtree(directory, ignore_errors=True)
