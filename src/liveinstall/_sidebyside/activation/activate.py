"""Let this process import what a registry says, from now on. This file runs at starts of Python: it loads little.

`start()` is what the start-up line calls that `registry enable` has put into the environment. The line itself looks
whether a registry is chosen, so that nothing of this is loaded where none is.
"""

from __future__ import annotations

import os
import sys

from liveinstall._sidebyside import layout
from liveinstall._sidebyside.imports.directory import DirectoryOwner
from liveinstall._sidebyside.imports.finder import Finder
from liveinstall._sidebyside.registry import index as indexes
from liveinstall._system.caller import search_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.machinery import ModuleSpec

    from liveinstall._sidebyside.imports.directory import Index as Modules

    Asked = tuple[bytes, str, str, str, Sequence[str], str]


class Active:
    """What is active in this process, and `asked`: how `activate()` was called for it."""

    def __init__(self, index: indexes.Index, finder: Finder, asked: Asked, handles: list[int]) -> None:
        self.index = index
        self.finder = finder
        self.asked = asked
        self.handles = handles  # as long as they are open what is active is in use

    @property
    def text(self) -> bytes:
        """The registry."""
        return self.asked[0]

    @property
    def source(self) -> str:
        """The registry's file, or what stands for it."""
        return self.asked[1]

    @property
    def base(self) -> str:
        """The directory that relative places count from."""
        return self.asked[2]

    @property
    def why(self) -> str:
        """Why it is active, in words."""
        return self.asked[5]

    def end(self) -> None:
        """Be active no longer. What was imported stays."""
        self.finder.remove()
        for handle in self.handles:
            os.close(handle)


_active: Active | None = None
_failed: set[str] = set()  # in a virtual environment the start-up line runs twice


def active() -> Active | None:
    """What is active in this process."""
    return _active


class StoreEntryOwner(DirectoryOwner):
    """An entry of a store: with its table where there is a good one, or else as any directory."""

    def __init__(self, place: str, infos: Sequence[str], tops: Sequence[str]) -> None:
        super().__init__(place, self._read)
        self._infos = list(infos)
        self._tops = tops

    def names(self) -> Iterable[str]:
        """Its top-level names, as its registry has them."""
        return self._tops

    def _read(self) -> Modules:  # pragma: no cover  `_settle()` comes first
        return {}

    def _settle(self) -> None:
        if callable(self._index):
            stamp = indexes.stamp_of(self.place, self._infos[0] if self._infos else "")
            self._index = indexes.read_table(*os.path.split(self.place), stamp)  # type: ignore[assignment]
            self.on_disk = self._index is None

    def find_spec(self, name: str) -> ModuleSpec | None:
        """See `Owner`."""
        self._settle()
        return super().find_spec(name)

    def index(self) -> Modules:
        """See `Owner`."""
        self._settle()
        return super().index()

    def invalidate_caches(self) -> None:
        """Nothing changes here."""


def finder_of(index: indexes.Index) -> Finder:
    """The finder of what an index names."""
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
    """It also knows the metadata of what has no top-level name."""

    def __init__(
        self,
        owners: dict[str, list[DirectoryOwner]],
        everybody: list[DirectoryOwner],
        *,
        exclusive: bool,
        hidden: frozenset[str],
    ) -> None:
        super().__init__(owners, exclusive=exclusive, hidden=hidden)
        self._everybody = everybody

    def _all(self) -> list[DirectoryOwner]:  # type: ignore[override]
        return self._everybody


def activate(text: bytes, source: str, base: str, store: str, sites: Sequence[str], why: str) -> Active | None:
    """Make the registry with this text the active one, instead of any other; None if it is not for this environment.

    `base`: the directory that relative places count from; `store`: where its index lies; `sites`: the site directories
    of the environment, the first with its own store. Raises: RegistryError, RegistryConflictError.
    """
    global _active  # noqa: PLW0603  it is about the process
    path = indexes.index_path(text, base, store, sites)
    kept = indexes.read_and_keep(path)
    if kept and not all(os.path.isdir(place) for place, _ in kept[0].owners):
        os.close(kept[1])
        kept = None  # making it anew tells what is gone
    if kept is None:
        from liveinstall._sidebyside.registry.index_builder import build

        own = layout.own_store(sites[0]) if sites else store
        built = build(text.decode("utf-8", "surrogateescape"), source, base, own, sites)
        kept = _written(path, built)
        index, handles = kept[0] if kept else built, [kept[1]] if kept else []
    else:
        index, handles = kept[0], [kept[1]]
    for other in index.stores:
        if other != store:  # whoever writes there looks there
            also = os.path.join(other, layout.INDEXES, os.path.basename(path))
            kept = indexes.read_and_keep(also) or _written(also, index)
            handles += [kept[1]] if kept else []
    if index.prefix and os.path.realpath(index.prefix) != os.path.realpath(sys.prefix):
        for handle in handles:
            os.close(handle)
        return None
    asked = (text, source, base, store, tuple(sites), why)
    found = Active(index, finder_of(index), asked, handles)
    if _active is not None:
        _active.end()
    found.finder.install()
    _active = found
    return found


def _written(path: str, index: indexes.Index) -> tuple[indexes.Index, int] | None:
    data = index.encode()
    kept = indexes.read_and_keep(path) if indexes.write(path, data, over=False) else None  # maybe another process's
    if kept is None and indexes.write(path, data):  # one is there, and damaged, or it cannot be linked
        kept = indexes.read_and_keep(path)
    return kept


def start(site: str) -> None:
    """What the start-up line calls: activate what the variable or the environment's file chooses.

    Never raises; at most one line on stderr, when what was chosen cannot be had.
    """
    given = "" if sys.flags.ignore_environment else os.environ.get(layout.REGISTRY_VARIABLE, "")
    path = layout.registry_path(site, given) if given else os.path.join(sys.prefix, layout.PREFIX_FILE)
    if path in _failed or (_active is not None and _active.source == path):
        return
    try:
        from _liveinstall_boot.process import is_manager

        if is_manager(sys.orig_argv):
            return  # it is shown the environment as it is on disk, because that is what it changes
        if given and os.path.dirname(given):
            os.environ[layout.REGISTRY_VARIABLE] = path  # children may have another working directory
        with open(path, "rb") as stream:
            text = stream.read()
        site = os.path.realpath(site)
        why = f"{layout.REGISTRY_VARIABLE}={given}" if given else path
        found = activate(text, path, os.path.dirname(path), layout.store_path(site), [site], why)
        handle = indexes.keep(path) if found and os.path.basename(os.path.dirname(path)) == layout.INDEXES else None
        if found and handle is not None:  # the registry of a parent, which may end first
            found.handles.append(handle)
    except BaseException as error:  # noqa: BLE001  SystemExit or KeyboardInterrupt here would be fatal to Python
        _failed.add(path)
        what = getattr(error, "what", "") or str(error)
        _say(f"liveinstall: the registry {given or path} is not active: {what}")


def start_all() -> None:
    """What the .start file names (Python 3.18 and later), which tells no directory."""
    if not sys.flags.ignore_environment and layout.REGISTRY_VARIABLE in os.environ:
        wanted = bool(os.environ[layout.REGISTRY_VARIABLE])
    else:
        wanted = os.path.exists(os.path.join(sys.prefix, layout.PREFIX_FILE))
    for entry in search_path() if wanted else ():
        if os.path.exists(os.path.join(entry, layout.START_LINES[1])):
            start(entry)


def _say(line: str) -> None:
    try:  # noqa: SIM105
        sys.stderr.write(" ".join(line.split()) + "\n")
    except BaseException:  # noqa: BLE001, S110  closed, or None
        pass
