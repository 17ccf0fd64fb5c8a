"""The record of an examined wheel, a small text file in the cache, and the layout of the cache.

    <cache>/
      x-1.0-py3-none-any.whl-1a2b3c4d.cpython-311   the record of the wheel at one path, for one kind of interpreter
      x-1.0-<digest>/                               one content, by the sha256 of its RECORD
        x-1.0.dist-info/...                         its metadata
        code/<module>.cpython-311                   marshalled code, of a wheel that is imported straight
        tree/<entry of a store>/                    the unpacked wheel

All of it can be removed whenever no process runs from it. A record is valid as long as the wheel's size, times and
inode are unchanged; it is written by one rename.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISREG
from zlib import crc32

from liveinstall._sidebyside.imports.owner import KINDS, ModuleEntry
from liveinstall._sidebyside.imports.virtual import fingerprint
from liveinstall._system.privacy import is_private, keeps_apart, reached, read_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAGIC, END = "liveinstall-wheel 1", "end"


class WheelRecord:
    """The state of a wheel when it was examined.

    Args:
        path: Its absolute path.
        stat: Its size, times and inode, as `stat_of()` returns them.
        key: The name of the cache directory of its content.
        entry: Its name in a store.
        info: The name of its metadata directory.
        names: Its top-level names.
        straight: Whether it can be imported without unpacking.
        modules: The entries of its top-level modules; of all modules if it is `straight`.
    """

    def __init__(
        self,
        path: str,
        stat: str,
        *,
        key: str,
        entry: str,
        info: str,
        names: Iterable[str],
        straight: bool,
        modules: Iterable[ModuleEntry] = (),
    ) -> None:
        self.path, self.stat, self.key, self.entry, self.info = path, stat, key, entry, info
        self.names, self.straight, self.modules = tuple(names), straight, tuple(modules)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WheelRecord) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.path, self.stat))

    def index(self) -> Mapping[str, ModuleEntry]:
        """Map the full name of each recorded module to its entry."""
        return {entry[0]: entry for entry in self.modules}


def encode(record: WheelRecord) -> str:
    """Encode a record as text."""
    lines = [
        MAGIC,
        f"path {_escaped(record.path)}",
        f"stat {record.stat}",
        f"key {record.key}",
        f"entry {record.entry}",
        f"info {record.info}",
        f"names {' '.join(record.names)}",
        f"straight {int(record.straight)}",
        *(f"{kind} {name} {path}" for name, kind, path in record.modules),
        END,
    ]
    return "\n".join(lines) + "\n"


def parse(text: str, path: str) -> WheelRecord | None:
    """Parse a record.

    Args:
        text: The text.
        path: The wheel, absolute.

    Returns:
        The record; None unless it is complete and of the wheel at this path, which then has to be examined again.
    """
    lines = text.split("\n")
    if len(lines) < 10 or lines[0] != MAGIC or lines[-2:] != [END, ""]:  # noqa: PLR2004  the fixed lines
        return None
    values = []
    for line, expected in zip(lines[1:8], ("path", "stat", "key", "entry", "info", "names", "straight"), strict=True):
        word, space, value = line.partition(" ")
        if word != expected or not space:
            return None
        values.append(value)
    recorded_path, stat, key, entry, info, names, straight = values
    if recorded_path != _escaped(path) or straight not in ("0", "1") or not all(map(_is_file_name, (key, entry, info))):
        return None
    modules = []
    for line in lines[8:-2]:
        kind, _, rest = line.partition(" ")
        name, _, inner = rest.partition(" ")
        if kind not in KINDS or not name or not inner:
            return None
        modules.append(ModuleEntry(name, kind, inner))  # type: ignore[arg-type]
    return WheelRecord(
        path, stat, key=key, entry=entry, info=info, names=names.split(), straight=straight == "1", modules=modules
    )


def _escaped(path: str) -> str:
    return path.encode("unicode_escape").decode("ascii")


def _is_file_name(name: str) -> bool:
    return bool(name) and "/" not in name and os.sep not in name and not name.startswith(".")


def stat_of(path: str) -> str:
    """The size, times and inode of a file as one string, by which a change of the file is detected.

    Args:
        path: The file.

    Raises:
        OSError: There is no such file, or it is not a regular file.
    """
    status = os.stat(path)
    if not S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", path)  # opening a FIFO would block
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def record_path(path: str, cache: str) -> str:
    """The path of a wheel's record. Two wheels may have the same one, so a record contains the wheel's path.

    Args:
        path: The wheel, absolute.
        cache: The cache directory.
    """
    checksum = crc32(path.encode("utf-8", "surrogateescape"))
    return os.path.join(cache, f"{os.path.basename(path)}-{checksum:08x}.{fingerprint()}")


def read_record(path: str, cache: str) -> WheelRecord | None:
    """Read the record of a wheel.

    Args:
        path: The wheel, absolute.
        cache: The cache directory.

    Returns:
        The record; None if there is none, or if the wheel has changed or does not exist.
    """
    try:
        text = read_private(record_path(path, cache)).decode("utf-8", "replace")
    except OSError:
        return None
    record = parse(text, path)
    try:
        return record if record is not None and record.stat == stat_of(path) else None
    except OSError:
        return None


def can_be_private(cache: str) -> bool:
    """Whether a cache is private to this user, or can be created so; code from it is executed.

    This does not guarantee anything: another user may create it first. Therefore each write creates it and then checks
    it, and each read checks it again.

    Args:
        cache: The cache directory, absolute.
    """
    if os.path.lexists(cache):
        return is_private(cache)
    parent = os.path.dirname(cache)
    while not os.path.lexists(parent) and parent != os.path.dirname(parent):
        parent = os.path.dirname(parent)
    status = reached(parent)
    return status is not None and keeps_apart(status)
