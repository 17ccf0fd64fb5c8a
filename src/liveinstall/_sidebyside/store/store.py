"""Unpacked wheels side by side, each in a directory of its own, which no import finds by itself.

    <store>/
      liveinstall-store                             says that this is a store, and of which version
      lock
      numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64/    laid out as site-packages; scripts stay in its .data

An entry is written aside, flushed, and renamed in: the rename is its commit point. Before it nothing counts, and
whoever has the lock next removes what a kill has left. From then on nothing in it changes; Python may add bytecode.
Environments and Python versions may share a store: the tag in an entry's name says who can use it.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import Timeout
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from _liveinstall_boot import files
from liveinstall._model import Candidate
from liveinstall._sidebyside import layout
from liveinstall._sidebyside.registry import index_builder
from liveinstall._sidebyside.store import entry as unpacking
from liveinstall._staging.bytecode import BytecodeCompiler
from liveinstall._system.durability import flush_file_system, write_atomically
from liveinstall._system.lock import DEFAULT_TIMEOUT, lock_file
from liveinstall._system.settings import check_permitted
from liveinstall._system.workplace import sweep, workplace
from liveinstall.errors import LockTimeoutError, StoreError
from liveinstall.events import Event, Staging, ignore_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


@dataclass(frozen=True)
class Stored:
    """An entry: canonical `name`, normalised `version`, the wheel's `tag` (its build before it), and its directory."""

    name: str
    version: str
    tag: str
    path: str

    @property
    def info(self) -> str:
        """Its metadata directory; StoreError if somebody has taken it away."""
        found = [entry for entry in os.listdir(self.path) if entry.endswith(".dist-info")]
        if len(found) != 1:
            raise StoreError(f"{self.path} is damaged.", todo="Remove it, and add it anew.", store=self.path)
        return os.path.join(self.path, found[0])


class Store:
    """A directory of entries. It need not exist before something is added."""

    def __init__(self, path: str, *, compiles: bool = True) -> None:
        """`path` is absolute. `compiles`: what imports will need is compiled while it is added."""
        self.path = path
        self._compiles = compiles
        self._mine = False  # whether the lock is this object's

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> Store:
        """The store in a directory."""
        return cls(os.path.realpath(os.path.expanduser(path)))

    @classmethod
    def default(cls, site: str) -> Store:
        """The store of the environment with this site directory: its own, or the one that LIVEINSTALL_STORE names."""
        return cls(layout.store_path(site))

    def entries(self) -> tuple[Stored, ...]:
        """All entries, by name, the newest version of each first."""
        return tuple(sorted(self._read(), key=_order))

    def find(self, name: str) -> tuple[Stored, ...]:
        """The entries of one distribution, the newest version first."""
        return tuple(sorted(self._read(canonicalize_name(name)), key=_order))

    def _read(self, name: str = "") -> Iterator[Stored]:
        self._check_version()
        try:
            found = os.listdir(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return
        start = name.replace("-", "_") + "-"
        for entry in found:
            if not name or entry.startswith(start):
                parsed = parse_entry(entry)
                if parsed:
                    yield Stored(*parsed, os.path.join(self.path, entry))

    def add(self, wheel: str | os.PathLike[str]) -> Stored:
        """Add one wheel; what is there already stays as it is.

        Raises: WheelRefusedError, StagingError, StoreError, LockTimeoutError, DisabledError; nothing was added then.
        """
        path = os.path.abspath(wheel)
        try:
            name, version, *_ = parse_wheel_filename(os.path.basename(path))
        except ValueError as error:
            raise StoreError(f"{wheel} is not named as a wheel is ({error}).", store=self.path) from error
        return self.add_all([Candidate(name, str(version), (), requested=True, wheel=path)])[0]

    def add_all(
        self,
        candidates: Sequence[Candidate],
        *,
        timeout: float | None = None,
        anew: bool = False,
        tell: Callable[[Event], None] = ignore_event,
    ) -> tuple[Stored, ...]:
        """Add the wheels of candidates, all or none unless a kill comes between; in their order.

        `anew`: also what is there, and may be damaged, unless a live process uses it. `timeout`: seconds to wait for
        another writer. `tell` hears of each that is unpacked. Raises as `add()` does.
        """
        there = [] if anew else [self._there(candidate) for candidate in candidates]
        if anew or not all(there):
            with nullcontext() if self._mine else self.writing(timeout):
                there = self._add_missing(candidates, tell, anew)
        return tuple(Stored(*_parsed(name), os.path.join(self.path, name)) for name in there)

    def remove(self, *entries: Stored, timeout: float | None = None) -> None:
        """Remove entries; what is gone already is fine.

        Raises: StoreError, also for one that a live process uses; LockTimeoutError, DisabledError.
        """
        with self.writing(timeout):
            busy = sorted(index_builder.in_use(self.path) & {os.path.realpath(entry.path) for entry in entries})
            if busy:
                raise StoreError(
                    f"a live process uses {', '.join(map(os.path.basename, busy))}.",
                    todo="Try again when it has ended.",
                    store=self.path,
                )
            for entry in entries:
                aside = os.path.join(self.path, layout.DRAFT + os.path.basename(entry.path))
                if os.path.dirname(entry.path) == self.path and os.path.isdir(entry.path):
                    os.rename(entry.path, aside)
            files.flush([self.path])
            index_builder.forget(self.path, [entry.path for entry in entries])
            self._sweep()

    @contextmanager
    def working(self, timeout: float | None = None) -> Iterator[str]:
        """Lock the store; an empty directory to fetch and build in, which is gone afterwards, also after a kill."""
        with self.writing(timeout), workplace(self.path, self._note) as directory:
            yield directory

    def _there(self, candidate: Candidate) -> str:
        """The entry that is there already; a look at the wheel is needed only if there may be one."""
        version = str(Version(candidate.version))
        known = any(entry.version == version for entry in self.find(candidate.name))
        return unpacking.find(candidate, self.path) if known else ""

    def _add_missing(self, candidates: Sequence[Candidate], tell: Callable[[Event], None], anew: bool) -> list[str]:
        compiler = BytecodeCompiler()
        kept = index_builder.in_use(self.path) if anew else None
        started = compiler if self._compiles else nullcontext()
        with started, ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            compiler.start_with({each.name for each in candidates if each.requested} or {c.name for c in candidates})
            jobs = [pool.submit(unpacking.unpack, candidate, self.path, compiler, kept) for candidate in candidates]
            try:
                found = []
                for job, candidate in zip(jobs, candidates, strict=True):
                    found.append(job.result())
                    tell(Staging(candidate.name, len(found), len(jobs)))
                compiler.finish()
                flush_file_system(self.path)
                self._commit(found)
            except BaseException as error:
                pool.shutdown(cancel_futures=True)
                compiler.cancel()
                self._sweep()
                if isinstance(error, OSError):
                    raise StoreError(f"{self.path} cannot be written: {error}.", store=self.path) from error
                raise
            return found

    def _commit(self, found: Iterable[str]) -> None:
        """Rename drafts in, each for good, and aside what one replaces."""
        for name in dict.fromkeys(found):
            draft = os.path.join(self.path, layout.DRAFT + name)
            if os.path.isdir(draft):
                place = os.path.join(self.path, name)
                aside = os.path.join(self.path, f"{layout.DRAFT}old-{name}")
                if os.path.isdir(place):
                    os.rename(place, aside)
                    index_builder.forget(self.path, [place])
                os.rename(draft, place)
                files.remove_tree(aside)
        files.flush([self.path])

    @contextmanager
    def writing(self, timeout: float | None = None) -> Iterator[None]:
        """Lock the store, which has one writer at a time, and remove what a kill has left.

        Raises: StoreError, LockTimeoutError after `timeout` seconds (default 60), DisabledError.
        """
        check_permitted()
        seconds = DEFAULT_TIMEOUT if timeout is None else timeout
        try:
            self._make()
            lock = lock_file(os.path.join(self.path, layout.LOCK), seconds)
        except Timeout:
            what = f"another process is writing to {self.path} (waited {seconds:g} seconds)."
            raise LockTimeoutError(what, todo="Try again when it has finished.", holder="") from None
        except (OSError, NotImplementedError) as error:
            raise StoreError(
                f"{self.path} cannot be written: {error}.",
                todo="What is in it can still be used. Make it writable, or choose another store.",
                store=self.path,
            ) from error
        self._mine = True
        try:
            self._sweep()
            yield
        finally:
            self._mine = False
            lock.release()

    @property
    def _note(self) -> Path:
        return Path(self.path, layout.WORK)

    def _make(self) -> None:
        """Make the store, if it is not there. Nobody's directory becomes one by mistake."""
        os.makedirs(self.path, exist_ok=True)
        mark = os.path.join(self.path, layout.MARK)
        strange = set(os.listdir(self.path)) - {layout.LOCK}
        if os.path.exists(mark):  # asked after the listing: another writer may be making the store just now
            self._check_version()
            return
        if any(not name.startswith((layout.DRAFT, layout.INDEXES)) for name in strange):
            raise StoreError(
                f"{self.path} is no store: it has {min(strange)} in it.",
                todo="Choose a directory that is empty, or does not exist yet.",
                store=self.path,
            )
        draft = os.path.join(self.path, f"{layout.DRAFT}{os.getpid()}")
        try:
            write_atomically(mark, layout.MAGIC, draft=draft)
        except FileNotFoundError:  # another writer was first, and has swept
            if not os.path.exists(mark):
                raise
        files.flush([self.path])

    def _check_version(self) -> None:
        """A store that a newer liveinstall has made is left alone."""
        try:
            with open(os.path.join(self.path, layout.MARK), encoding="ascii", errors="replace") as stream:
                found = stream.read(80)
        except OSError:
            return
        if found != layout.MAGIC:
            raise StoreError(f"{self.path} is a store of another version of liveinstall.", store=self.path)

    def _sweep(self) -> None:
        sweep(self.path, self._note)
        index_builder.sweep(self.path)
        for name in os.listdir(self.path):
            if name.startswith(layout.DRAFT):
                path = os.path.join(self.path, name)
                if os.path.isdir(path) and not os.path.islink(path):
                    files.remove_tree(path)
                else:
                    files.unlink(path)


def parse_entry(name: str) -> tuple[str, str, str] | None:
    """An entry's canonical name, version and tag; None for what is no entry's name."""
    parts = name.split("-")
    if len(parts) not in layout.PARTS or name.startswith(".") or not all(parts):
        return None
    return canonicalize_name(parts[0]), parts[1], "-".join(parts[2:])


def _parsed(name: str) -> tuple[str, str, str]:
    found = parse_entry(name)
    assert found
    return found


def _order(entry: Stored) -> tuple[str, bool, _Newest, str]:
    try:
        return entry.name, False, _Newest(Version(entry.version)), entry.tag
    except ValueError:  # somebody else's directory
        return entry.name, True, _Newest(Version("0")), entry.tag


@dataclass(frozen=True)
class _Newest:
    """Sorts the newest version first."""

    version: Version

    def __lt__(self, other: _Newest) -> bool:
        return self.version > other.version
