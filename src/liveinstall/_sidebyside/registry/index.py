"""What is derived from a registry, so that a start need not read it again; and from an entry, its modules.

Both lie in the store's INDEXES, or nowhere where that cannot be written. The name of a registry's index is a digest of
all that it depends on, with the time of the last change of each site directory. The table of an entry has the stamp of
the RECORD that it was made of. So neither is ever stale; and what is damaged is made anew.

A process keeps the index that it uses open, with a shared lock: so it is known which entries are in use.

This file runs at starts of Python: it loads nothing.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER
from _imp import extension_suffixes, source_hash
from marshal import dumps, loads
from time import sleep

try:
    from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
except ImportError:  # Windows: there, what is used cannot be removed
    flock = None  # type: ignore[assignment]

from liveinstall._sidebyside import layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    Stamp = tuple[int, int, int]
    Table = Mapping[str, tuple[str, str, str]]

INDEX_MAGIC, TABLE_MAGIC = b"liveinstall-index 1\n", b"liveinstall-table 1\n"
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_KEY = 0x6C697665
_TRIES = 50
# The kind of interpreter: its bytecode, and which extension modules it loads (free-threaded builds have others).
CACHE = f"{sys.implementation.cache_tag}-{int.from_bytes(MAGIC_NUMBER[:2], 'little')}{extension_suffixes()[0]}"
CACHE = CACHE.replace(".", "-")


class Index:
    """A registry, ready to be used: no text to parse, nothing to look for.

    `owners`: (place, its metadata directories) in order; `tops`: top-level name -> which of the owners have it;
    `hidden`: top-level names that only replaced versions have; `pins`: (name, version, place); `stores`: the stores
    that have entries among the places.
    """

    def __init__(
        self,
        owners: tuple[tuple[str, tuple[str, ...]], ...],
        tops: dict[str, tuple[int, ...]],
        pins: tuple[tuple[str, str, str], ...],
        hidden: tuple[str, ...] = (),
        stores: tuple[str, ...] = (),
        *,
        exclusive: bool = False,
        prefix: str = "",
    ) -> None:
        self.owners = owners
        self.tops = tops
        self.pins = pins
        self.hidden = hidden
        self.stores = stores
        self.exclusive = exclusive
        self.prefix = prefix

    def encode(self) -> bytes:
        """As it lies on disk: magic line, digest, content."""
        content = (self.owners, self.tops, self.pins, self.hidden, self.stores, self.exclusive, self.prefix)
        return dump_checked(INDEX_MAGIC, content)


def decode(data: bytes) -> Index | None:
    """None for anything but a whole index of this version."""
    content = load_checked(INDEX_MAGIC, data)
    if not isinstance(content, tuple) or len(content) != 7:  # noqa: PLR2004
        return None
    *first, exclusive, prefix = content
    return Index(*first, exclusive=exclusive, prefix=prefix)


def dump_checked(magic: bytes, content: Any) -> bytes:
    """What can be marshalled, as a file's content: magic line, digest, data."""
    data = dumps(content)
    return magic + source_hash(_KEY, data) + data


def load_checked(magic: bytes, data: bytes) -> Any:
    """What was sealed; None for anything that is not whole."""
    start = len(magic) + 8
    if not data.startswith(magic) or source_hash(_KEY, data[start:]) != data[len(magic) : start]:
        return None
    return loads(data[start:])  # noqa: S302  it is our own, and whole


# --- on disk ----------------------------------------------------------------------------------------------------------


def index_path(text: bytes, base: str, store: str, sites: Sequence[str]) -> str:
    """Where the index of a registry lies, for this kind of interpreter and the site directories as they are."""
    facts = [base, store, CACHE, os.path.expanduser("~") if b"~" in text else ""]
    for site in sites:
        try:
            facts.append(f"{site} {os.stat(site).st_mtime_ns}")
        except OSError:
            facts.append(site)
    seed = b"\0".join((text, *map(os.fsencode, facts)))
    return os.path.join(store, layout.INDEXES, digest(seed))


def digest(seed: bytes) -> str:
    """32 hexadecimal digits."""
    return source_hash(_KEY, seed).hex() + source_hash(_KEY + 1, seed).hex()


def read_and_keep(path: str) -> tuple[Index, int] | None:
    """The index at `path` and the open file that keeps it in use; None if there is none that is good."""
    handle = keep(path)
    if handle is None:
        return None
    try:
        index = decode(os.read(handle, os.fstat(handle).st_size))
    except OSError:
        index = None
    if index is None:
        os.close(handle)
        return None
    return index, handle


def keep(path: str) -> int | None:
    """Open the file at `path` with a shared lock, so that it is in use while it is open; None if that cannot be done.

    Who looks whether it is in use locks it for a moment; and another file may have come to its path meanwhile.
    """
    for _ in range(_TRIES):
        try:
            handle = os.open(path, _READ)
        except OSError:
            return None
        try:
            if flock is not None:
                flock(handle, LOCK_SH | LOCK_NB)
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
        except OSError:
            sleep(0.001)
        os.close(handle)
    return None


def write(path: str, data: bytes, *, over: bool = True) -> bool:
    """Put a file into the store's INDEXES; whether that could be done, or it is there. Nothing depends on it.

    Not `over` one that is there: who has that locked would not be seen any more.
    """
    draft = f"{path}.{os.getpid()}{layout.DRAFT}"
    try:
        if not _make(os.path.dirname(path)):
            return False
        with open(draft, "xb") as stream:
            stream.write(data)
        if over:
            os.replace(draft, path)
        else:
            _link(draft, path)
            os.unlink(draft)
    except OSError:
        try:  # noqa: SIM105  contextlib costs a start 4 ms
            os.unlink(draft)
        except OSError:
            pass
        return False
    return True


def _link(draft: str, path: str) -> None:
    try:  # noqa: SIM105  contextlib costs a start 4 ms
        os.link(draft, path)
    except FileExistsError:
        pass


def _make(directory: str) -> bool:
    """Make a directory, unless it would be in another user's: root may run Python in anybody's environment."""
    if os.path.isdir(directory):
        return True
    above = os.path.dirname(directory)
    while not os.path.isdir(above):
        above = os.path.dirname(above)
    if hasattr(os, "geteuid") and os.stat(above).st_uid != os.geteuid():
        return False
    os.makedirs(directory, exist_ok=True)
    return True


def is_in_use(path: str) -> bool:
    """Whether a live process uses the index at `path`."""
    if flock is None:
        return False
    try:
        handle = os.open(path, _READ)
    except OSError:
        return False
    try:
        flock(handle, LOCK_EX | LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


# --- tables -----------------------------------------------------------------------------------------------------------


def stamp_of(place: str, info: str) -> Stamp | None:
    """What tells one content of an entry from another; None if it is gone."""
    try:
        about = os.stat(f"{place}/{info}/RECORD")
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_size


def _table_path(store: str, entry: str) -> str:
    return os.path.join(store, layout.INDEXES, f"{entry}.{CACHE}")


def read_table(store: str, entry: str, stamp: Stamp | None) -> Table | None:
    """All modules of an entry: full name -> (full name, kind, path); None where that has not been written."""
    try:
        with open(_table_path(store, entry), "rb") as stream:
            content = load_checked(TABLE_MAGIC, stream.read())
    except OSError:
        return None
    if not isinstance(content, tuple) or stamp is None or content[0] != stamp:
        return None
    table: Table = content[1]
    return table


def write_table(store: str, entry: str, stamp: Stamp, table: Table) -> bool:
    """Write the table of an entry with this stamp; whether that could be done."""
    plain = {name: tuple(found) for name, found in table.items()}
    return write(_table_path(store, entry), dump_checked(TABLE_MAGIC, (stamp, plain)))
