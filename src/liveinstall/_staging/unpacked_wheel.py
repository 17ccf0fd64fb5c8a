"""An unpacked wheel in an engine's cache, read as if it were the archive, so that all rules for wheels hold for it.

What only the archive could tell (entries that are hidden, doubled or encrypted) whoever unpacked it has decided.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from liveinstall._staging.zip_checks import MAX_BYTES, MAX_FILES
from liveinstall._system.dist_info import encoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from liveinstall._staging.zip_checks import Refuse

_CHUNK = 2**20
Row = tuple[str, str, int | None]  # algorithm, digest (base64, without padding) and size


class FileEntry(NamedTuple):
    """A file or directory of the tree, in the words of `zipfile.ZipInfo`: a directory's name ends with a slash."""

    filename: str
    file_size: int
    mode: int

    @property
    def external_attr(self) -> int:
        """Its mode, where zip has it."""
        return self.mode << 16

    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.mode)


class UnpackedWheel:
    """Read like a `zipfile.ZipFile`. `filename` is what the wheel's name could have been."""

    def __init__(self, root: str, name: str, version: str) -> None:
        """List the tree; OSError when it is gone."""
        self.root = root
        self.filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        self._entries = {entry.filename: entry for entry in sorted(_walk(root))}

    def __enter__(self) -> Self:
        """Nothing is open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is to be closed."""

    def infolist(self) -> list[FileEntry]:
        """All entries."""
        return list(self._entries.values())

    def namelist(self) -> list[str]:
        """Their names."""
        return list(self._entries)

    def getinfo(self, name: str) -> FileEntry:
        """One of them; KeyError if it is not there."""
        return self._entries[name]

    def read(self, entry: FileEntry | str) -> bytes:
        """A file's content."""
        with self.open(entry) as stream:
            return stream.read()

    def open(self, entry: FileEntry | str) -> io.FileIO:
        """A file that knows where it lies, for a link to it."""
        name = entry if isinstance(entry, str) else entry.filename
        return io.FileIO(os.path.join(self.root, *name.split("/")))


def _walk(root: str) -> Iterator[FileEntry]:
    """All that lies below `root`, a directory before what it has."""
    left = [""]
    while left:
        inner = left.pop()
        with os.scandir(os.path.join(root, inner)) as found:
            for item in found:
                about, path = item.stat(follow_symlinks=False), inner + item.name
                if stat.S_ISDIR(about.st_mode):
                    path += "/"
                    left.append(path)
                yield FileEntry(path, about.st_size, about.st_mode)


def check_tree(tree: UnpackedWheel, refuse: Refuse) -> None:
    """What holds for a tree as for an archive; `refuse(entry, why)` is called for the first thing that is wrong."""
    entries = tree.infolist()
    if len(entries) > MAX_FILES:
        refuse(entries[MAX_FILES].filename, f"is one of more than {MAX_FILES} files")
    for entry in entries:
        if not (entry.is_dir() or stat.S_ISREG(entry.mode)):
            refuse(entry.filename, "is neither a file nor a directory")
    if sum(entry.file_size for entry in entries) > MAX_BYTES:
        refuse(max(entries, key=lambda entry: entry.file_size).filename, "and the rest are far too large")


@dataclass(frozen=True)
class Link:
    """A file that was compared with its row in RECORD and linked: its path in tree and part, mode, size and sha256."""

    path: str
    mode: int
    size: int
    sha256: bytes


def link_listed(tree: UnpackedWheel, listed: Mapping[str, Row], part: str, refuse: Refuse) -> Iterator[Link]:
    """Link the files of `tree` that `listed` names to the same paths in `part`: path -> its row in the wheel's RECORD.

    What cannot be linked, or has no sha256 there, is left to whoever copies. `refuse` is called for a file that is not
    what its row says.
    """
    made = {""}
    for path, (algorithm, digest, length) in listed.items() if os.name != "nt" else ():
        if algorithm != "sha256":
            continue
        mode, size, found = _read(os.path.join(tree.root, path))
        if mode is None:
            continue
        if length not in (None, size) or digest != encoded(found):
            refuse(path, "is not what its RECORD says")
        _make_directory(part, os.path.dirname(path), made)
        with suppress(OSError):  # another file system, one without links, or too many of them
            os.link(os.path.join(tree.root, path), os.path.join(part, path))
            yield Link(path, mode, size, found)


def _read(path: str) -> tuple[int | None, int, bytes]:
    """Mode, size and sha256; no mode where a link would not be as good as a copy."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        about, sha256, size = os.fstat(handle), hashlib.sha256(), 0
        # No longer than it was found to be: a larger buffer, or one read more, would cost as much as all the rest.
        while size < about.st_size and (chunk := os.read(handle, min(about.st_size - size, _CHUNK))):
            sha256.update(chunk)
            size += len(chunk)
        return _mode(about, executable=bool(about.st_mode & 0o111)), size, sha256.digest()
    finally:
        os.close(handle)


def _make_directory(part: str, path: str, made: set[str]) -> None:
    if path not in made:
        _make_directory(part, os.path.dirname(path), made)
        with suppress(FileExistsError):  # under another case of its name
            os.mkdir(os.path.join(part, path))
        made.add(path)


def _mode(about: os.stat_result, *, executable: bool) -> int | None:
    """A file's mode; None where a link would not be as good as a copy, because it shares mode and owner."""
    mode = stat.S_IMODE(about.st_mode)
    if about.st_uid != os.geteuid() or mode & 0o7000 or (executable and (mode & 0o444) >> 2 & ~mode):
        return None
    return mode


def linked(stream: object, path: str, *, executable: bool) -> int | None:
    """Link the file that `stream` reads to `path`, and its mode; None where a link would not be as good as a copy.

    A link shares its mode and owner with the cache, and nobody may write to it. On Windows a library that another
    environment runs could not be removed here.
    """
    if not isinstance(stream, io.FileIO) or os.name == "nt":
        return None
    mode = _mode(os.fstat(stream.fileno()), executable=executable)
    if mode is None:
        return None
    try:
        os.link(stream.name, path)
    except OSError:
        return None  # another file system, one without links, or too many of them
    return mode
