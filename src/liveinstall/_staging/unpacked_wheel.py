"""An unpacked wheel in an engine's cache, with the interface of an archive, so that all rules for wheels apply to it.

Rules that only apply to archives (hidden, duplicate or encrypted entries) are the responsibility of the engine.
"""

from __future__ import annotations

import io
import os
import stat

from _liveinstall_boot.file_access import open_regular
from liveinstall._staging.zip_checks import MAX_BYTES, MAX_FILES
from liveinstall._system.dist_info import decoded, encoded
from liveinstall._system.lean_dataclasses import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from liveinstall._staging.zip_checks import Refuse

_CHUNK = 2**20
Row = tuple[str, str, int | None]  # algorithm, digest (base64, without padding) and size


class FileEntry(NamedTuple):
    """A file or directory of the tree, with the fields of `zipfile.ZipInfo`.

    Attributes:
        filename: Its path relative to the tree; a directory's path ends with a slash.
        file_size: Its size in bytes.
        mode: Its mode, with the file type.
        owner: The id of its owner.
        inode: Its inode.
        changed: The time of its last modification, in ns since the epoch.
    """

    filename: str
    file_size: int
    mode: int
    owner: int
    inode: int
    changed: int

    @property
    def external_attr(self) -> int:
        """The mode in the upper 16 bits, as in `zipfile.ZipInfo`."""
        return self.mode << 16

    def is_dir(self) -> bool:
        """Return whether this is a directory."""
        return stat.S_ISDIR(self.mode)


class UnpackedWheel:
    """An unpacked wheel with the interface of `zipfile.ZipFile`.

    Attributes:
        root: The directory, absolute.
        filename: A possible file name of the wheel.
        state: A hash of the state of all files, by which an earlier check of them is found; empty if not known.
        is_verified: Whether an earlier check has found that all files match RECORD.
    """

    state = ""
    is_verified = False

    def __init__(self, root: str, name: str, version: str) -> None:
        """List the tree.

        Args:
            root: The directory, absolute.
            name: The project name.
            version: The version.

        Raises:
            OSError: The directory does not exist.
        """
        self.root = root
        self.filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        self._entries = {entry.filename: entry for entry in sorted(_walk(root))}

    def __enter__(self) -> Self:
        """Return this object: nothing has to be opened."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: nothing has to be closed."""

    def infolist(self) -> list[FileEntry]:
        """Return all entries."""
        return list(self._entries.values())

    def namelist(self) -> list[str]:
        """Return the names of all entries."""
        return list(self._entries)

    def getinfo(self, name: str) -> FileEntry:
        """Return the entry with a name.

        Raises:
            KeyError: There is no such entry.
        """
        return self._entries[name]

    def read(self, entry: FileEntry | str) -> bytes:
        """Return a file's content."""
        with self.open(entry) as stream:
            return stream.read()

    def open(self, entry: FileEntry | str) -> io.FileIO:
        """Open a file as a raw stream with a name, so that it can be linked."""
        name = entry if isinstance(entry, str) else entry.filename
        return io.FileIO(os.path.join(self.root, *name.split("/")))


def _walk(root: str) -> Iterator[FileEntry]:
    """All entries below `root`, each directory before its content."""
    queue = [""]
    while queue:
        directory = queue.pop()
        with os.scandir(os.path.join(root, directory)) as entries:
            for entry in entries:
                status, path = entry.stat(follow_symlinks=False), directory + entry.name
                mode = status.st_mode
                if stat.S_ISDIR(mode):
                    path += "/"
                    queue.append(path)
                yield FileEntry(path, status.st_size, mode, status.st_uid, status.st_ino, status.st_mtime_ns)


def check_tree(tree: UnpackedWheel, refuse: Refuse) -> None:
    """Check the rules that apply to trees as well as to archives.

    Args:
        tree: The unpacked wheel.
        refuse: Called as `refuse(entry, why)` for the first violation; it raises.
    """
    entries = tree.infolist()
    if len(entries) > MAX_FILES:
        refuse(entries[MAX_FILES].filename, f"is one of more than {MAX_FILES} files")
    for entry in entries:
        if not (entry.is_dir() or stat.S_ISREG(entry.mode)):
            refuse(entry.filename, "is neither a file nor a directory")
    if sum(entry.file_size for entry in entries) > MAX_BYTES:
        refuse(max(entries, key=lambda entry: entry.file_size).filename, "and the other files are far too large")


class Link(NamedTuple):
    """A verified and linked file.

    Attributes:
        path: Its path, as listed.
        mode: Its permission bits.
        size: Its size in bytes.
        sha256: Its SHA-256.
    """

    path: str
    mode: int
    size: int
    sha256: bytes


def link_listed(
    tree: UnpackedWheel, start: str, listed: Mapping[str, Row], directory: str, refuse: Refuse
) -> Iterator[Link]:
    """Hard-link files of an unpacked wheel to the same paths in another directory.

    Files that cannot be linked, or have no SHA-256 in RECORD, are skipped; they have to be copied.

    Args:
        tree: The unpacked wheel.
        start: The beginning of the files' paths in the tree: empty, or a directory with a slash at the end.
        listed: The files: path after `start` -> its row in the wheel's RECORD. They were checked, and are on POSIX.
        directory: The directory of the links, absolute.
        refuse: Called as `refuse(entry, why)` for a file that does not match its row; it raises.

    Returns:
        The linked files.
    """
    made: set[str] = set()
    for path, (algorithm, digest, length) in listed.items() if os.name != "nt" else ():
        if algorithm != "sha256":
            continue
        source = f"{tree.root}/{start}{path}"
        if tree.is_verified:
            entry = tree.getinfo(start + path)
            mode, size, sha256 = _linkable_mode(entry.mode, entry.owner), entry.file_size, decoded(digest)
        else:
            mode, size, sha256 = _read(source)
            if mode is not None and (length not in (None, size) or digest != encoded(sha256)):
                refuse(start + path, "does not match its RECORD")
        if mode is None:
            continue
        link = f"{directory}/{path}"
        _make_directory(link.rpartition("/")[0], made)
        try:
            os.link(source, link)
        except OSError:  # another file system, one without links, or too many of them
            continue
        yield Link(path, mode, size, sha256)


def _read(path: str) -> tuple[int | None, int, bytes]:
    """The mode, size and SHA-256 of a file; None as the mode if the file has to be copied."""
    import hashlib  # loads OpenSSL; trees that were verified before are not read

    handle = open_regular(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        status, sha256, size = os.fstat(handle), hashlib.sha256(), 0
        # A buffer of exactly the file's size: a larger one, or another read, would take as long as all the rest.
        while size < status.st_size and (chunk := os.read(handle, min(status.st_size - size, _CHUNK))):
            sha256.update(chunk)
            size += len(chunk)
        return _linkable_mode(status.st_mode, status.st_uid), size, sha256.digest()
    finally:
        os.close(handle)


def _make_directory(path: str, made: set[str]) -> None:
    if path not in made:
        try:
            os.mkdir(path)  # `makedirs()` would look up each parent
        except FileNotFoundError:
            os.makedirs(path)
        except FileExistsError:
            pass  # the part itself, or a name that differs only in case
        made.add(path)


def _linkable_mode(mode: int, owner: int, *, executable: bool = False) -> int | None:
    """A file's permission bits; None if it has to be copied, because a link would share an unsuitable mode or owner."""
    executable = executable or bool(mode & 0o111)
    mode = stat.S_IMODE(mode)
    if owner != os.geteuid() or mode & 0o7000 or (executable and (mode & 0o444) >> 2 & ~mode):
        return None
    return mode


def linked(stream: object, path: str, *, executable: bool) -> int | None:
    """Hard-link the file of a stream.

    A link shares its mode and owner with the file in the cache, which must not be writable by others. On Windows
    nothing is linked: a library that another environment has loaded could not be removed here.

    Args:
        stream: The opened file.
        path: The path of the new link.
        executable: Whether it has to be executable.

    Returns:
        The file's mode; None if it was not linked and has to be copied.
    """
    if not isinstance(stream, io.FileIO) or os.name == "nt":
        return None
    status = os.fstat(stream.fileno())
    mode = _linkable_mode(status.st_mode, status.st_uid, executable=executable)
    if mode is None:
        return None
    try:
        os.link(stream.name, path)
    except OSError:
        return None  # another file system, one without links, or too many of them
    return mode
