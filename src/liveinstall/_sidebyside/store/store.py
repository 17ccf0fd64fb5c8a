"""The store: unpacked wheels, each in its own directory, which is on no import path until it is activated.

    <store>/
      liveinstall-store                             marks a store, and contains its version
      lock
      numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64/    laid out like site-packages; scripts stay in its .data

An entry is written as a draft, flushed, and renamed; the rename is its commit point. Drafts are ignored, and the next
process that locks the store removes those of killed processes. An entry never changes afterwards, except that Python
may add bytecode. Environments and Python versions may share a store: the tag in an entry's name says which interpreters
can use it. Readers load only this module; what only writers need is imported where they need it.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, nullcontext
from functools import cmp_to_key

from _liveinstall_boot import files, patient
from _liveinstall_boot.file_access import read_bytes
from liveinstall._model import Candidate
from liveinstall._sidebyside import layout
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._system.lean_packaging import canonicalize_name, compare_versions, is_version, name_and_version
from liveinstall._system.privacy import is_open_to_all
from liveinstall.errors import LockTimeoutError, StoreError
from liveinstall.events import Event, Staging, ignore_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import Any


@dataclass(frozen=True)
class Stored:
    """An entry of a store.

    Attributes:
        name: The canonical name of the distribution.
        version: The normalised version.
        tag: The tag of the wheel, with its build number before it.
        path: The directory of the entry, absolute.
    """

    name: str
    version: str
    tag: str
    path: str

    @property
    def info(self) -> str:
        """Return the path of its metadata directory; StoreError if it is missing."""
        infos = [name for name in os.listdir(self.path) if name.endswith(".dist-info")]
        if len(infos) != 1:
            raise StoreError(f"{self.path} is damaged.", todo="Remove it, and add it again.", store=self.path)
        return os.path.join(self.path, infos[0])


class Store:
    """A directory of entries; it is created when the first entry is added."""

    def __init__(self, path: str, *, compiles: bool = True) -> None:
        """Refer to a store, which need not exist.

        Args:
            path: The absolute path of the store.
            compiles: Whether to compile modules when they are added.
        """
        self.path = path
        self._compiles = compiles
        self._mine = False  # whether this object holds the lock

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> Store:
        """Return the store in a directory, which may be relative or begin with `~`."""
        return cls(os.path.realpath(os.path.expanduser(path)))

    @classmethod
    def default(cls, site: str) -> Store:
        """Return the store of the environment with this site directory: LIVEINSTALL_STORE, or its own."""
        return cls(layout.store_path(site))

    def entries(self) -> tuple[Stored, ...]:
        """Return all entries, by name, the newest version of each first."""
        return tuple(sorted(self._read(), key=_order))

    def find(self, name: str) -> tuple[Stored, ...]:
        """Return the entries of one distribution, the newest version first."""
        return tuple(sorted(self._read(canonicalize_name(name)), key=_order))

    def _read(self, name: str = "") -> Iterator[Stored]:
        self._check()
        try:
            entries = os.listdir(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return
        start = name.replace("-", "_") + "-"
        for entry in entries:
            if not name or entry.startswith(start):
                parsed = parse_entry(entry)
                if parsed:
                    yield Stored(*parsed, os.path.join(self.path, entry))

    def add(self, wheel: str | os.PathLike[str]) -> Stored:
        """Add one wheel, unless the store already has its entry.

        Args:
            wheel: The path of the wheel.

        Returns:
            The entry.

        Raises:
            WheelRefusedError: The wheel is damaged or hostile. After each of these errors nothing was added.
            StagingError: The entry cannot be written.
            StoreError: The store cannot be written, or has an entry of this name with different content.
            LockTimeoutError: Another process has the lock of the store for too long.
            DisabledError: Changes are forbidden in this environment.
        """
        path = os.path.abspath(wheel)
        try:
            name, version = name_and_version(os.path.basename(path))
        except ValueError as error:
            raise StoreError(f"{wheel} does not have the name of a wheel ({error}).", store=self.path) from None
        return self.add_all([Candidate(name, version, (), requested=True, wheel=path)])[0]

    def add_all(
        self,
        candidates: Sequence[Candidate],
        *,
        timeout: float | None = None,
        anew: bool = False,
        tell: Callable[[Event], None] = ignore_event,
    ) -> tuple[Stored, ...]:
        """Add the wheels of candidates: all of them, or none unless the process is killed during the commit.

        Args:
            candidates: The distributions, with their wheels.
            timeout: Seconds to wait for another writer; default 60.
            anew: Whether to replace existing entries, which may be damaged; those in use are kept.
            tell: Called with an event after each unpacked wheel.

        Returns:
            The entries, in the order of the candidates.

        Raises:
            LiveInstallError: As for `add()`.
        """
        names = [] if anew else [self._stored_name(candidate) for candidate in candidates]
        if anew or not all(names):
            with nullcontext() if self._mine else self.writing(timeout):
                names = self._add_missing(candidates, tell, anew)
        return tuple(Stored(*_parsed(name), os.path.join(self.path, name)) for name in names)

    def remove(self, *entries: Stored, timeout: float | None = None) -> None:
        """Remove entries; those that no longer exist are ignored.

        Args:
            *entries: The entries.
            timeout: Seconds to wait for another writer; default 60.

        Raises:
            StoreError: A live process uses an entry, or the store cannot be written.
            LockTimeoutError: Another process has the lock of the store for too long.
            DisabledError: Changes are forbidden in this environment.
        """
        from liveinstall._sidebyside.registry import index_builder

        with self.writing(timeout):
            busy = sorted(index_builder.in_use(self.path) & {os.path.realpath(entry.path) for entry in entries})
            if busy:
                raise StoreError(
                    f"a running process uses {', '.join(map(os.path.basename, busy))}.",
                    todo="Try again when that process has exited.",
                    store=self.path,
                )
            try:
                for entry in entries:
                    aside = os.path.join(self.path, layout.DRAFT + os.path.basename(entry.path))
                    if os.path.dirname(entry.path) == self.path and os.path.isdir(entry.path):
                        patient.rename(entry.path, aside)
                files.flush([self.path])
                index_builder.forget(self.path, [entry.path for entry in entries])
                self._sweep()
            except OSError as error:  # on Windows, for example, a file was opened since the check
                raise StoreError(f"{self.path} cannot be written: {error}.", store=self.path) from None

    @contextmanager
    def working(self, timeout: float | None = None) -> Iterator[str]:
        """Lock the store, and make a work directory, which is removed afterwards (after a kill by the next writer).

        Args:
            timeout: Seconds to wait for another writer; default 60.

        Yields:
            The path of the work directory.
        """
        from liveinstall._system.workplace import workplace

        with self.writing(timeout), workplace(self.path, str(self._note)) as directory:
            yield directory

    def _stored_name(self, candidate: Candidate) -> str:
        """The name of an existing entry, or empty; the wheel is read only if the store has an entry of this version."""
        from liveinstall._sidebyside.store import entry as unpacking

        found = [entry.version for entry in self.find(candidate.name) if is_version(entry.version)]
        known = any(not compare_versions(version, candidate.version) for version in found)
        return unpacking.find(candidate, self.path) if known else ""

    def _add_missing(self, candidates: Sequence[Candidate], tell: Callable[[Event], None], anew: bool) -> list[str]:
        from concurrent.futures import ThreadPoolExecutor

        from liveinstall._sidebyside.registry import index_builder
        from liveinstall._sidebyside.store import entry as unpacking
        from liveinstall._staging.bytecode import BytecodeCompiler
        from liveinstall._system.durability import flush_file_system

        compiler = BytecodeCompiler()
        kept = index_builder.in_use(self.path) if anew else None
        started = compiler if self._compiles else nullcontext()
        with started, ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            compiler.start_with({each.name for each in candidates if each.requested} or {c.name for c in candidates})
            jobs = [pool.submit(unpacking.unpack, candidate, self.path, compiler, kept) for candidate in candidates]
            try:
                names = []
                for job, candidate in zip(jobs, candidates, strict=True):
                    names.append(job.result())
                    tell(Staging(candidate.name, len(names), len(jobs)))
                compiler.finish()
                flush_file_system(self.path)
                self._commit(names)
            except BaseException as error:
                pool.shutdown(cancel_futures=True)
                compiler.cancel()
                self._sweep()
                if isinstance(error, OSError):
                    raise StoreError(f"{self.path} cannot be written: {error}.", store=self.path) from None
                raise
            return names

    def _commit(self, names: Iterable[str]) -> None:
        """Rename each draft to its entry, after the entry that it replaces, if any, has been renamed to a draft."""
        from liveinstall._sidebyside.registry import index_builder

        for name in dict.fromkeys(names):
            draft = os.path.join(self.path, layout.DRAFT + name)
            if os.path.isdir(draft):
                entry = os.path.join(self.path, name)
                aside = os.path.join(self.path, f"{layout.DRAFT}old-{name}")
                if os.path.isdir(entry):
                    patient.rename(entry, aside)
                    index_builder.forget(self.path, [entry])
                patient.rename(draft, entry)
                files.remove_tree(aside)
        files.flush([self.path])

    @contextmanager
    def writing(self, timeout: float | None = None) -> Iterator[None]:
        """Lock the store for the only writer, and remove the drafts of killed processes.

        Args:
            timeout: Seconds to wait for another writer; default 60.

        Raises:
            StoreError: The store cannot be written.
            LockTimeoutError: Another process has the lock for longer.
            DisabledError: Changes are forbidden in this environment.
        """
        from liveinstall._system.lock import DEFAULT_TIMEOUT, lock_file
        from liveinstall._system.settings import check_permitted

        check_permitted()
        seconds = DEFAULT_TIMEOUT if timeout is None else timeout
        try:
            self._make()
            lock = lock_file(os.path.join(self.path, layout.LOCK), seconds)
        except TimeoutError:
            what = f"another process is writing to {self.path} (waited {seconds:g} seconds)."
            raise LockTimeoutError(what, todo="Try again when it has finished.", holder="") from None
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be written: {error}.",
                todo="Its entries can still be used. Make it writable, or choose another store.",
                store=self.path,
            ) from None
        self._mine = True
        try:
            self._sweep()
            yield
        finally:
            self._mine = False
            lock.release()

    @property
    def _note(self) -> Path:
        from pathlib import Path

        return Path(self.path, layout.WORK)

    def _make(self) -> None:
        """Create the store if it does not exist; a directory with other content is refused."""
        from liveinstall._system.durability import write_atomically

        os.makedirs(self.path, exist_ok=True)
        mark = os.path.join(self.path, layout.MARK)
        unrelated = set(os.listdir(self.path)) - {layout.LOCK}
        if os.path.exists(mark):  # after the listing: another writer may be creating the store now
            self._check()
            return
        if any(not name.startswith((layout.DRAFT, layout.INDEXES)) for name in unrelated):
            raise StoreError(
                f"{self.path} is not a store: it contains {min(unrelated)}.",
                todo="Choose an empty or new directory.",
                store=self.path,
            )
        draft = os.path.join(self.path, f"{layout.DRAFT}{os.getpid()}")
        try:
            write_atomically(mark, layout.MAGIC, draft=draft)
        except FileNotFoundError:  # another writer was first, and has removed the draft
            if not os.path.exists(mark):
                raise
        files.flush([self.path])

    def _check(self) -> None:
        """Refuse a store of another version of the on-disk format, and one whose entries any user can replace."""
        if is_open_to_all(self.path):
            raise StoreError(
                f"{self.path} belongs to another user, and every user can replace its entries.",
                todo="Its owner can run `chmod o-w` or `chmod +t` on it; or choose another LIVEINSTALL_STORE.",
                store=self.path,
            )
        try:
            content = read_bytes(os.path.join(self.path, layout.MARK)).decode("ascii", "replace")
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno == errno.ENOTDIR:
                return
            raise StoreError(f"{self.path} cannot be read: {error}.", store=self.path) from None
        if content != layout.MAGIC:
            raise StoreError(f"{self.path} is a store of another version of liveinstall.", store=self.path)

    def _sweep(self) -> None:
        from liveinstall._sidebyside.registry import index_builder
        from liveinstall._system.workplace import sweep

        sweep(self.path, str(self._note))
        index_builder.sweep(self.path)
        for name in os.listdir(self.path):
            if name.startswith((layout.DRAFT, layout.WORK + layout.DRAFT)):
                path = os.path.join(self.path, name)
                if os.path.isdir(path) and not os.path.islink(path):
                    files.remove_tree(path)
                else:
                    files.unlink(path)


def parse_entry(name: str) -> tuple[str, str, str] | None:
    """Return the canonical name, version and tag in an entry's name; None if it is not the name of an entry."""
    parts = name.split("-")
    if len(parts) not in layout.PARTS or name.startswith(".") or not all(parts):
        return None
    return canonicalize_name(parts[0]), parts[1], "-".join(parts[2:])


def _parsed(name: str) -> tuple[str, str, str]:
    parsed = parse_entry(name)
    assert parsed
    return parsed


def _compare_newest_first(one: str, other: str) -> int:
    return compare_versions(other, one)


_newest_first = cmp_to_key(_compare_newest_first)


def _order(entry: Stored) -> tuple[str, bool, Any, str]:
    is_ours = is_version(entry.version)  # else a directory that liveinstall did not write
    return entry.name, not is_ours, _newest_first(entry.version if is_ours else "0"), entry.tag
