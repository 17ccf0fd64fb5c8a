"""What is known of a wheel that was looked at: a small text in the cache, and the names of all that lies there.

    <cache>/
      x-1.0-py3-none-any.whl-1a2b3c4d.cpython-311   the record of the wheel at one path, for one kind of interpreter
      x-1.0-<digest>/                               one content, by the sha256 of its RECORD
        x-1.0.dist-info/...                         its metadata
        code/<module>.cpython-311                   marshalled code, of a wheel that is imported straight
        tree/<entry of a store>/                    the wheel, unpacked

All of it can be removed at any time when nothing runs from it. A record holds for as long as size, times and inode of
the wheel are what they were; it is written by one rename.
"""

from __future__ import annotations

import os
from zlib import crc32

from liveinstall._sidebyside.imports.owner import KINDS, ModuleEntry
from liveinstall._sidebyside.imports.virtual import fingerprint
from liveinstall._system.privacy import is_private, keeps_apart, reached, read_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAGIC, END = "liveinstall-wheel 1", "end"


class WheelRecord:
    """A wheel as it was when it was examined.

    `stat`: its size, times and inode; `key`: the directory of its content in the cache; `entry`: its name in a store;
    `info`: its metadata directory; `names`: its top-level names; `modules`: these, and all others if it is `straight`.
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
        """The modules by name."""
        return {entry[0]: entry for entry in self.modules}


def encode(record: WheelRecord) -> str:
    """The text of a record."""
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
    """The record in a text, if it is whole and of the wheel at `path`; anything else is None: it is made anew."""
    lines = text.split("\n")
    if len(lines) < 10 or lines[0] != MAGIC or lines[-2:] != [END, ""]:  # noqa: PLR2004  its fixed lines
        return None
    values = []
    for line, expected in zip(lines[1:8], ("path", "stat", "key", "entry", "info", "names", "straight"), strict=True):
        word, space, value = line.partition(" ")
        if word != expected or not space:
            return None
        values.append(value)
    written, stat, key, entry, info, names, straight = values
    if written != _escaped(path) or straight not in ("0", "1") or not all(map(_is_one_part, (key, entry, info))):
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


def _is_one_part(name: str) -> bool:
    return bool(name) and "/" not in name and os.sep not in name and not name.startswith(".")


def stat_of(path: str) -> str:
    """What changes when a file changes. Raises: OSError."""
    about = os.stat(path)
    return f"{about.st_size} {about.st_mtime_ns} {about.st_ctime_ns} {about.st_ino}"


def record_path(path: str, cache: str) -> str:
    """Where the record of a wheel is. Two wheels may share it: each says whose it is."""
    mark = crc32(path.encode("utf-8", "surrogateescape"))
    return os.path.join(cache, f"{os.path.basename(path)}-{mark:08x}.{fingerprint()}")


def read_record(path: str, cache: str) -> WheelRecord | None:
    """What is known of a wheel; None if nothing is, or if it has changed or is gone."""
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
    """Whether a cache is this user's alone, or is not there yet and can be made so: what is in it is run.

    That is no promise: somebody else may make it first. So whoever writes makes it and looks then, and whoever reads
    looks again.
    """
    if os.path.lexists(cache):
        return is_private(cache)
    above = os.path.dirname(cache)
    while not os.path.lexists(above) and above != os.path.dirname(above):
        above = os.path.dirname(above)
    about = reached(above)
    return about is not None and keeps_apart(about)
