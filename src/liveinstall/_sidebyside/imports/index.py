"""Caches derived from registries (indexes) and from entries of the store (tables of their modules).

Both are files in the store's INDEXES directory, and optional: if it cannot be written, they are computed each time. The
name of an index is a digest of all its inputs, including the modification time of each site directory. A table contains
the stamp of the RECORD that it was computed from. So neither is ever stale, and a damaged one is written again.

A process keeps its index open with a shared lock, which shows other processes that its entries are in use.

This file runs at the start-up of Python, so it imports as little as possible.
"""

import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER
from _imp import extension_suffixes, source_hash
from marshal import dumps, loads
from time import sleep

try:
    from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
except ImportError:  # Windows, where open files cannot be removed
    flock = None  # type: ignore[assignment]

from _liveinstall_boot.file_access import LIMIT, create, open_regular, read_bytes
from liveinstall._sidebyside import layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    Stamp = tuple[int, int, int]
    Table = Mapping[str, tuple[str, str, str]]

INDEX_MAGIC, TABLE_MAGIC = b"liveinstall-index 1\n", b"liveinstall-table 1\n"
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_KEY = 0x6C697665
_TRIES = 50
# The kind of interpreter: its bytecode, and the extension modules that it loads (free-threaded builds load others).
CACHE = f"{sys.implementation.cache_tag}-{int.from_bytes(MAGIC_NUMBER[:2], 'little')}{extension_suffixes()[0]}"
CACHE = CACHE.replace(".", "-")


class Index:
    """The precomputed content of a registry, which start-up uses without parsing or searching.

    Attributes:
        owners: (directory, names of its metadata directories) in the order of the registry.
        tops: Top-level name -> the indexes in `owners` of the directories that contain it.
        pins: (name, version, directory) of each distribution.
        hidden: The top-level names that only replaced versions contain.
        stores: The stores that contain some of the directories.
        exclusive: Whether the default environment is invisible.
        prefix: The `sys.prefix` of the only environment that it applies to; empty: any.
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
        """Return the on-disk format: magic line, digest, content."""
        content = (self.owners, self.tops, self.pins, self.hidden, self.stores, self.exclusive, self.prefix)
        return dump_checked(INDEX_MAGIC, content)


def decode(data: bytes) -> "Index | None":
    """Read an index; None for anything but a complete index of this version."""
    content = load_checked(INDEX_MAGIC, data)
    if not isinstance(content, tuple) or len(content) != 7:  # noqa: PLR2004
        return None
    *first, exclusive, prefix = content
    return Index(*first, exclusive=exclusive, prefix=prefix)


def dump_checked(magic: bytes, content: "Any") -> bytes:
    """Return the content of a file: magic line, digest, marshalled data.

    Args:
        magic: The magic line, with its line break.
        content: Any value that can be marshalled.
    """
    data = dumps(content)
    return magic + source_hash(_KEY, data) + data


def load_checked(magic: bytes, data: bytes) -> "Any":
    """Return the value that was passed to `dump_checked()`; None if the data is incomplete or damaged.

    Args:
        magic: The magic line, with its line break.
        data: The content of the file.
    """
    start = len(magic) + 8
    if not data.startswith(magic) or source_hash(_KEY, data[start:]) != data[len(magic) : start]:
        return None
    try:
        return loads(data[start:])  # noqa: S302  our own file, and complete
    except (ValueError, EOFError, TypeError):
        return None


# --- on disk ----------------------------------------------------------------------------------------------------------


def index_path(text: bytes, base: str, store: str, sites: "Sequence[str]") -> str:
    """Return the path of the index of a registry, for this kind of interpreter and the current site directories.

    Args:
        text: The content of the registry.
        base: The directory of the registry's file.
        store: The path of the store.
        sites: The site directories of the default environment.
    """
    facts = [base, store, CACHE, os.path.expanduser("~") if b"~" in text else ""]
    for site in sites:
        try:
            facts.append(f"{site} {os.stat(site).st_mtime_ns}")
        except OSError:
            facts.append(site)
    seed = b"\0".join((text, *map(os.fsencode, facts)))
    return os.path.join(store, layout.INDEXES, digest(seed))


def digest(seed: bytes) -> str:
    """Return a digest as 32 hexadecimal digits; not cryptographic."""
    return source_hash(_KEY, seed).hex() + source_hash(_KEY + 1, seed).hex()


def read_and_keep(path: str) -> "tuple[Index, int] | None":
    """Read an index and mark it as in use by this process.

    Args:
        path: The path of the index.

    Returns:
        The index, and the open file that marks it as in use; None if it is missing or damaged.
    """
    handle = keep(path)
    if handle is None:
        return None
    try:
        about = os.fstat(handle)
        index = decode(os.read(handle, about.st_size)) if about.st_size <= LIMIT else None
    except (OSError, TypeError, ValueError):
        index = None
    if index is None:
        os.close(handle)
        return None
    return index, handle


def keep(path: str) -> int | None:
    """Open a file with a shared lock, which marks it as in use until it is closed.

    This tries repeatedly, because `is_in_use()` in another process locks the file for a moment, and because the file
    may have been replaced before it was locked.

    Args:
        path: The path of the file.

    Returns:
        The file descriptor; None if the file cannot be opened or locked.
    """
    for _ in range(_TRIES):
        try:
            handle: int = open_regular(path, _READ)
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
    """Write a file in the store's INDEXES directory, if possible; it is a cache, so a failure does no harm.

    Args:
        path: The path of the file.
        data: Its content.
        over: Whether to replace an existing file. A file that processes may have locked must not be replaced, because
            the new one would not have their locks.

    Returns:
        Whether the file exists now.
    """
    from _liveinstall_boot import patient  # not loaded by a start

    draft = ""
    try:
        if not _make_directory(os.path.dirname(path)):
            return False
        handle, draft = create(f"{path}.{os.getpid()}{layout.DRAFT}")
        with open(handle, "wb") as stream:
            stream.write(data)
        if over:
            patient.replace(draft, path)
        else:
            _link(draft, path)
            patient.unlink(draft)
    except OSError:
        try:
            if draft:
                patient.unlink(draft)
        except OSError:
            pass
        return False
    return True


def _link(draft: str, path: str) -> None:
    try:  # noqa: SIM105  contextlib costs a start 4 ms
        os.link(draft, path)
    except FileExistsError:
        pass


def _make_directory(directory: str) -> bool:
    """Make a directory, except in another user's directory: root may run Python in any user's environment."""
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
    """Return whether a live process uses the index at `path`."""
    if flock is None:  # Windows renames no open file, not even to its own name
        from _liveinstall_boot import patient  # not loaded by a start

        try:
            patient.rename(path, path)
        except OSError as error:
            return not isinstance(error, FileNotFoundError)
        return False
    try:
        handle = open_regular(path, _READ)
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


def stamp_of(place: str, info: str) -> "Stamp | None":
    """Return a stamp that changes with the content of an entry; None if the entry no longer exists.

    Args:
        place: The directory of the entry.
        info: The name of its metadata directory.
    """
    try:
        about = os.stat(f"{place}/{info}/RECORD")
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_size


def _table_path(store: str, entry: str) -> str:
    return os.path.join(store, layout.INDEXES, f"{entry}.{CACHE}")


def read_table(store: str, entry: str, stamp: "Stamp | None") -> "Table | None":
    """Read the table of an entry's modules.

    Args:
        store: The path of the store.
        entry: The name of the entry.
        stamp: The result of `stamp_of()`.

    Returns:
        Full name -> (full name, kind, path) of each module; None if the table is missing, damaged or out of date.
    """
    try:
        content = load_checked(TABLE_MAGIC, read_bytes(_table_path(store, entry)))
    except OSError:
        return None
    if not isinstance(content, tuple) or len(content) != 2 or stamp is None or content[0] != stamp:  # noqa: PLR2004
        return None
    table: Table = content[1]
    return table if isinstance(table, dict) else None


def write_table(store: str, entry: str, stamp: "Stamp", table: "Table") -> bool:
    """Write the table of an entry's modules, if possible.

    Args:
        store: The path of the store.
        entry: The name of the entry.
        stamp: The result of `stamp_of()`.
        table: Full name -> (full name, kind, path) of each module.

    Returns:
        Whether it was written.
    """
    plain = {name: tuple(module) for name, module in table.items()}
    return write(_table_path(store, entry), dump_checked(TABLE_MAGIC, (stamp, plain)))
