"""Where a change downloads and builds, so that nothing of it stays behind after a kill.

It lies among the system's temporary files, and `.liveinstall/work` says where, to whoever has the lock next. It does
not lie in the environment: what is built there would find the settings of the project around it (a Cargo workspace, a
git repository), the paths of its sockets would be too long, and that disk may be remote or have a small quota.

    liveinstall-work 1
    /tmp/liveinstall-k2x8d_0q
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from _liveinstall_boot.layout import STATE
from liveinstall._system.temporary import PREFIX, temporary_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC = "liveinstall-work 1"
_ELSEWHERE = "elsewhere-*"  # links in the directory, or in one of its own, to other directories that go with it
_OWNER = "for"  # in the directory: the site directory that it is for, because an environment may be copied meanwhile

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
                Path(directory, _OWNER).write_text(os.path.realpath(site), encoding="utf-8", errors="surrogateescape")
                note.write_text(encode(directory), encoding="utf-8", errors="surrogateescape")
            yield directory
    finally:
        _mine.pop(site, None)
        with suppress(OSError):
            note.unlink()


def sweep(site: str, note: Path | None = None) -> None:
    """Remove what a killed change has left: whoever it belonged to has no lock any longer. Needs the lock."""
    note = note or _note(site)
    try:
        directory = parse(note.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return
    if site in _mine:
        return
    if directory and _is_left_by(site, directory):
        _remove(directory)
    if not (directory and _is_left_by(site, directory)):
        with suppress(OSError):
            note.unlink()


def encode(directory: str) -> str:
    """The note of a directory."""
    return f"{_MAGIC}\n{directory}\n"


def parse(text: str) -> str:
    """The absolute path in a note; empty if it is damaged, of another version, or names what is none of ours."""
    magic, _, rest = text.partition("\n")
    path, end, _ = rest.partition("\n")
    is_ours = os.path.isabs(path) and os.path.basename(path).startswith(PREFIX)
    return path if magic == _MAGIC and end and is_ours else ""


def _note(site: str) -> Path:
    return Path(site, STATE, "work")


def _is_left_by(site: str, directory: str) -> bool:
    try:
        owner = Path(directory, _OWNER).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False
    return owner == os.path.realpath(site) and not os.path.islink(directory)


def _remove(directory: str) -> None:
    """Remove it all, what says whose it is last; builds may leave directories that are read-only."""
    for place, names, _ in os.walk(directory):
        for name in names:
            path = os.path.join(place, name)
            if not os.path.islink(path):
                with suppress(OSError):
                    os.chmod(path, 0o700)
    for link in [*Path(directory).glob(_ELSEWHERE), *Path(directory).glob(f"*/{_ELSEWHERE}")]:
        place = os.readlink(link) if link.is_symlink() else ""
        if os.path.basename(place).startswith(PREFIX) and os.path.isdir(place) and not os.path.islink(place):
            shutil.rmtree(place, ignore_errors=True)
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        elif entry.name != _OWNER:
            with suppress(OSError):
                os.unlink(entry.path)
    if os.listdir(directory) == [_OWNER]:
        shutil.rmtree(directory, ignore_errors=True)
