"""Let this process import the versions that a registry names. This file is loaded at start-up: it imports little.

The start-up line that `registry enable` writes into the environment calls `start()`. The line itself checks whether a
registry is chosen, so that nothing of this is loaded otherwise.
"""

import os
import sys

from _liveinstall_boot.file_access import read_bytes
from liveinstall._sidebyside import layout
from liveinstall._sidebyside.imports import index as indexes
from liveinstall._sidebyside.imports.directory import DirectoryOwner
from liveinstall._sidebyside.imports.finder import Finder
from liveinstall._system.caller import search_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.machinery import ModuleSpec

    from liveinstall._sidebyside.imports.directory import Index as Modules

    Arguments = tuple[bytes, str, str, str, Sequence[str], str]


class Active:
    """The active registry of this process.

    Attributes:
        index: Its index.
        finder: Its finder on `sys.meta_path`.
        arguments: The arguments of the call of `activate()`.
        handles: Open files, which mark the entries as in use.
    """

    def __init__(self, index: "indexes.Index", finder: "Finder", arguments: "Arguments", handles: list[int]) -> None:
        self.index = index
        self.finder = finder
        self.arguments = arguments
        self.handles = handles

    @property
    def text(self) -> bytes:
        """The content of the registry."""
        return self.arguments[0]

    @property
    def source(self) -> str:
        """The path of the registry, or a description of its origin."""
        return self.arguments[1]

    @property
    def base(self) -> str:
        """The directory that relative paths in the registry are relative to."""
        return self.arguments[2]

    @property
    def why(self) -> str:
        """Why it is active, for people."""
        return self.arguments[5]

    def end(self) -> None:
        """Deactivate it. Imported modules stay."""
        self.finder.remove()
        for handle in self.handles:
            os.close(handle)


_active: "Active | None" = None
_failed: set[str] = set()  # registries that failed: in a virtual environment the start-up line runs twice


def active() -> "Active | None":
    """Return the active registry of this process, or None."""
    return _active


class StoreEntryOwner(DirectoryOwner):
    """An entry of a store: uses its module table if that is valid, else works like any directory."""

    def __init__(self, place: str, infos: "Sequence[str]", tops: "Sequence[str]") -> None:
        super().__init__(place, self._read)
        self._infos = list(infos)
        self._tops = tops

    def names(self) -> "Iterable[str]":
        """Return its top-level names, as in the registry."""
        return self._tops

    def _read(self) -> "Modules":  # pragma: no cover  `_settle()` comes first
        return {}

    def _settle(self) -> None:
        if callable(self._index):
            stamp = indexes.stamp_of(self.place, self._infos[0] if self._infos else "")
            self._index = indexes.read_table(*os.path.split(self.place), stamp)  # type: ignore[assignment]
            self.on_disk = self._index is None

    def find_spec(self, name: str) -> "ModuleSpec | None":
        """See `Owner`."""
        self._settle()
        return super().find_spec(name)

    def index(self) -> "Modules":
        """See `Owner`."""
        self._settle()
        return super().index()

    def invalidate_caches(self) -> None:
        """Do nothing: an entry does not change."""


def finder_of(index: "indexes.Index") -> "Finder":
    """Make the finder for an index.

    Args:
        index: The index of a registry.

    Returns:
        The finder, not yet on `sys.meta_path`.
    """
    tops: list[list[str]] = [[] for _ in index.owners]
    for top, numbers in index.tops.items():
        for number in numbers:
            tops[number].append(top)
    owners = [
        StoreEntryOwner(place, infos, tops[number])
        if len(infos) == 1 and os.path.dirname(place) in index.stores
        else DirectoryOwner(place)
        for number, (place, infos) in enumerate(index.owners)
    ]
    by_name = {top: [owners[number] for number in numbers] for top, numbers in index.tops.items()}
    return _RegistryFinder(by_name, owners, exclusive=index.exclusive, hidden=frozenset(index.hidden))


class _RegistryFinder(Finder):
    """Also finds the metadata of distributions without a top-level name."""

    def __init__(
        self,
        owners: "dict[str, list[DirectoryOwner]]",
        everybody: "list[DirectoryOwner]",
        *,
        exclusive: bool,
        hidden: frozenset[str],
    ) -> None:
        super().__init__(owners, exclusive=exclusive, hidden=hidden)
        self._everybody = everybody

    def _all(self) -> "list[DirectoryOwner]":  # type: ignore[override]
        return self._everybody


def activate(text: bytes, source: str, base: str, store: str, sites: "Sequence[str]", why: str) -> "Active | None":
    """Activate a registry in this process, in place of the active one.

    Args:
        text: The content of the registry.
        source: Its path, or a description of its origin.
        base: The directory that relative paths in it are relative to.
        store: The store that its index is written to.
        sites: The site directories of the environment, the first with its own store.
        why: Why it is activated, for people.

    Returns:
        The active registry; None if it is for another environment.

    Raises:
        RegistryError: The registry is damaged, or names a directory that does not exist.
        RegistryConflictError: It names two versions of a distribution or module.
    """
    global _active  # noqa: PLW0603  it belongs to the process
    path = indexes.index_path(text, base, store, sites)
    kept = indexes.read_and_keep(path)
    if kept and not all(os.path.isdir(place) for place, _ in kept[0].owners):
        os.close(kept[1])
        kept = None  # building it again reports the missing files
    if kept is None:
        from liveinstall._sidebyside.registry.index_builder import build

        own = layout.own_store(sites[0]) if sites else store
        built = build(text.decode("utf-8", "surrogateescape"), source, base, own, sites)
        kept = _written(path, built)
        index, handles = kept[0] if kept else built, [kept[1]] if kept else []
    else:
        index, handles = kept[0], [kept[1]]
    for other in index.stores:
        if other != store:  # writers of that store look there for entries in use
            also = os.path.join(other, layout.INDEXES, os.path.basename(path))
            kept = indexes.read_and_keep(also) or _written(also, index)
            handles += [kept[1]] if kept else []
    if index.prefix and os.path.realpath(index.prefix) != os.path.realpath(sys.prefix):
        for handle in handles:
            os.close(handle)
        return None
    new = Active(index, finder_of(index), (text, source, base, store, tuple(sites), why), handles)
    if _active is not None:
        _active.end()
    new.finder.install()
    _active = new
    return new


def _written(path: str, index: "indexes.Index") -> "tuple[indexes.Index, int] | None":
    data = index.encode()
    kept = (
        indexes.read_and_keep(path) if indexes.write(path, data, over=False) else None
    )  # perhaps written by another process
    if kept is None and indexes.write(path, data):  # the existing one is damaged, or hard links are not possible
        kept = indexes.read_and_keep(path)
    return kept


def start(site: str) -> None:
    """Activate the registry that the variable or the environment's file names; the start-up line calls this.

    Never raises. If the registry cannot be activated, one line is written to stderr.

    Args:
        site: The site directory with the start-up line.
    """
    name = "" if sys.flags.ignore_environment else os.environ.get(layout.REGISTRY_VARIABLE, "")
    path = layout.registry_path(site, name) if name else os.path.join(sys.prefix, layout.PREFIX_FILE)
    if path in _failed or (_active is not None and _active.source == path):
        return
    try:
        from _liveinstall_boot.process import is_manager

        if is_manager(sys.orig_argv):
            return  # a package manager needs the environment as it is on disk, because it changes that
        if name and os.path.dirname(name):
            os.environ[layout.REGISTRY_VARIABLE] = path  # children may have another working directory
        text = read_bytes(path)
        site = os.path.realpath(site)
        why = f"{layout.REGISTRY_VARIABLE}={name}" if name else path
        new = activate(text, path, os.path.dirname(path), layout.store_path(site), [site], why)
        handle = indexes.keep(path) if new and os.path.basename(os.path.dirname(path)) == layout.INDEXES else None
        if new and handle is not None:  # the registry of a parent process, which may exit first
            new.handles.append(handle)
    except BaseException as error:  # noqa: BLE001  SystemExit or KeyboardInterrupt here would be fatal to Python
        _failed.add(path)
        what = getattr(error, "what", "") or str(error)
        _write_line(f"liveinstall: the registry {name or path} is not active: {what}")


def start_all() -> None:
    """Activate as `start()` does; the .start file names this (Python 3.18 and later), which passes no directory."""
    if not sys.flags.ignore_environment and layout.REGISTRY_VARIABLE in os.environ:
        chosen = bool(os.environ[layout.REGISTRY_VARIABLE])
    else:
        chosen = os.path.exists(os.path.join(sys.prefix, layout.PREFIX_FILE))
    for entry in search_path() if chosen else ():
        if os.path.exists(os.path.join(entry, layout.START_LINES[1])):
            start(entry)


def _write_line(line: str) -> None:
    try:  # noqa: SIM105
        sys.stderr.write(" ".join(line.split()) + "\n")
    except BaseException:  # noqa: BLE001, S110  closed, or None
        pass
