"""The owner of a directory that is laid out like site-packages: a distribution in the store, or any other.

Without an index a top-level name is searched for as Python does it, and submodules are left to Python. With an index
(full name -> entry, for a directory that does not change) no directory is searched; files are only opened.
"""

import os
import sys
from _frozen_importlib import ModuleSpec  # importlib.machinery would load importlib and warnings first
from _frozen_importlib_external import (
    ExtensionFileLoader,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
    cache_from_source,
)
from _imp import extension_suffixes

from liveinstall._sidebyside.imports.owner import ModuleEntry, normalized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from importlib.metadata import Distribution
    from importlib.resources.abc import TraversableResources
    from types import CodeType

    Index = Mapping[str, ModuleEntry]

EXTENSION_SUFFIXES = extension_suffixes()
_SUFFIXES = (*EXTENSION_SUFFIXES, ".py", ".pyc")  # in Python's order
_INFO = ".dist-info"
_PYCACHE = f"{os.sep}__pycache__{os.sep}"
_PYC = cache_from_source("x.py").rpartition(os.sep)[2][1:]


class DirectoryOwner:
    """The owner of a directory.

    Args:
        place: The directory, absolute.
        index: All its modules (full name -> entry), or a function that returns them, called once, at the first import.
            It must be complete, and stay valid while the directory is used. Default: search the directory.
    """

    virtual = False

    def __init__(self, place: str, index: "Index | Callable[[], Index] | None" = None) -> None:
        self.place = place
        self.on_disk = index is None
        self._index = index
        self._infos: list[str] | None = None

    def __repr__(self) -> str:
        return f"DirectoryOwner({self.place!r})"

    def names(self) -> "Iterable[str]":
        """The top-level names, in order: modules, and each directory whose name can be imported."""
        with os.scandir(self.place) as entries:
            names = {_import_name(item.name, is_directory=item.is_dir()) for item in entries}
        return sorted(names - {""})

    def is_package(self, name: str) -> bool | None:
        """Check whether a module is a package.

        Args:
            name: A top-level name.

        Returns:
            True or False; None for a namespace package and for an unknown name.
        """
        spec = self.find_spec(name)
        return None if spec is None or spec.loader is None else spec.submodule_search_locations is not None

    def find_spec(self, name: str) -> "ModuleSpec | None":
        """Find a module.

        Args:
            name: The full name of the module.

        Returns:
            Its spec; a spec without a loader for a portion of a namespace package; None for an unknown name.
        """
        if self._index is None:
            inner = name.rpartition(".")[0].replace(".", os.sep)
            spec = PathFinder.find_spec(name, [os.path.join(self.place, inner) if inner else self.place])
            return spec if spec is None or spec.loader is not None else _portion(name, spec)
        entry = self.index().get(name)
        return None if entry is None else spec_on_disk(entry, self.place)

    def index(self) -> "Index":
        """All modules: full name -> entry, from the index, or by listing the whole directory if there is none."""
        if self._index is None:
            return {entry.name: entry for entry in walk(self.place)}
        if callable(self._index):
            self._index = self._index()
        return self._index

    def code(self, entry: "ModuleEntry") -> "CodeType":
        """The code of a module, from its .pyc file if that is valid.

        Args:
            entry: The module's entry in the index.

        Raises:
            ImportError: The module has no code, or its file cannot be read.
            SyntaxError: Its source cannot be compiled.
        """
        code = _loader(entry[0], _joined(self.place, entry[2])).get_code(entry[0])
        if code is None:
            raise ImportError(f"{entry[0]} has no code", name=entry[0])
        return code

    def data(self, path: str) -> bytes:
        """The content of a file.

        Args:
            path: Its path inside the directory, with slashes.

        Raises:
            OSError: There is no such file, or it cannot be read.
        """
        with open(_joined(self.place, path), "rb") as stream:
            return stream.read()

    def native(self, entry: "ModuleEntry") -> str:
        """Return the absolute path of an extension module.

        Args:
            entry: The module's entry in the index.
        """
        return _joined(self.place, entry[2])

    def distributions(self, name: str | None = None) -> "Iterator[Distribution]":
        """The metadata of the distributions in the directory, which is listed once.

        Args:
            name: Only the distribution of this name, normalized or not. Default: all.
        """
        if self._infos is None:
            try:
                self._infos = [item for item in os.listdir(self.place) if item.endswith(_INFO)]
            except OSError:
                self._infos = []
        key = name and normalized(name)
        infos = [info for info in self._infos if not key or normalized(info.partition("-")[0]) == key]
        if infos:
            from importlib.metadata import Distribution

            yield from (Distribution.at(os.path.join(self.place, info)) for info in infos)

    def reader(self, name: str) -> "TraversableResources | None":
        """Return the resources of a package, for `importlib.resources`.

        Args:
            name: The full name of the package.

        Returns:
            The reader; None if it is not a package of this location.
        """
        spec = self.find_spec(name)
        get = getattr(spec and spec.loader, "get_resource_reader", None)
        return get(name) if get else None

    def invalidate_caches(self) -> None:
        """List the metadata again at the next use, as Python does with its own caches."""
        self._infos = None


def _joined(place: str, path: str) -> str:
    """The path of a file of an entry, with the separators of this system."""
    return os.path.join(place, path.replace("/", os.sep)) if os.sep != "/" else f"{place}/{path}"


def spec_on_disk(entry: "ModuleEntry", place: str) -> "ModuleSpec":
    """Make the spec of a module of a directory, without access to the disk.

    Args:
        entry: The module's entry in the index.
        place: The directory, absolute.

    Returns:
        The spec.
    """
    name, kind, path = entry
    path = _joined(place, path)
    if kind == "namespace":
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [path]
        return spec
    loader = ExtensionFileLoader(name, path) if kind == "native" else _loader(name, path)
    is_package = kind == "package" or path.rpartition(os.sep)[2].startswith("__init__.")
    return located(name, path, loader, [path.rpartition(os.sep)[0]] if is_package else None)


def _loader(name: str, path: str) -> "SourceFileLoader | SourcelessFileLoader":
    return SourcelessFileLoader(name, path) if path.endswith(".pyc") else SourceFileLoader(name, path)


def located(
    name: str, path: str, loader: object, search: list[str] | None, kind: "type[ModuleSpec]" = ModuleSpec
) -> "ModuleSpec":
    """Make a spec whose module gets `path` as its `__file__`, faster than `spec_from_file_location()`.

    Args:
        name: The full name of the module.
        path: The file, absolute.
        loader: The module's loader.
        search: The search path for submodules; None unless it is a package.
        kind: The class of the spec.

    Returns:
        The spec.
    """
    spec = kind(name, loader, origin=path)  # type: ignore[arg-type]
    spec.has_location = True
    spec.submodule_search_locations = search
    if path.endswith(".py") and sys.pycache_prefix is None:
        directory, _, file = path.rpartition(os.sep)
        spec.cached = f"{directory}{_PYCACHE}{file[:-3]}{_PYC}"  # the same as `cache_from_source()`, ten times as fast
    return spec


def _portion(name: str, portion: "ModuleSpec") -> "ModuleSpec":
    """The spec of a namespace portion with a plain list as its path; Python would compute that again from sys.path."""
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = list(portion.submodule_search_locations or ())
    return spec


def _import_name(name: str, *, is_directory: bool) -> str:
    """The import name of a file or directory; empty if there is none."""
    if not is_directory:
        name = next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), "")
    return name if name.isidentifier() and name != "__pycache__" else ""


def walk(place: str) -> "Iterator[ModuleEntry]":
    """List all modules below a directory, as Python would find them there.

    Args:
        place: The directory.

    Returns:
        Their entries, with paths relative to the directory.
    """
    remaining = [("", "")]
    while remaining:
        prefix, inner = remaining.pop()
        items = sorted(os.scandir(os.path.join(place, inner)), key=lambda item: item.name)
        modules = list(_entries([item.name for item in items if not item.is_dir()], prefix, inner))
        yield from modules
        names = {entry[0] for entry in modules}
        for item in items:
            if item.is_dir() and _import_name(item.name, is_directory=True):
                path = f"{inner}/{item.name}" if inner else item.name
                entry = _entry_of_directory(prefix + item.name, path, place)
                if (
                    entry[1] != "namespace" or entry[0] not in names
                ):  # a module takes precedence over a namespace package
                    yield entry
                    remaining.append((f"{prefix}{item.name}.", path))


def _entry_of_directory(name: str, path: str, place: str) -> "ModuleEntry":
    """The entry of a directory: a package if it has an `__init__` file, else a namespace package."""
    for suffix in _SUFFIXES:
        init = f"{path}/__init__{suffix}"
        if os.path.isfile(os.path.join(place, init)):
            return ModuleEntry(name, "native" if suffix in EXTENSION_SUFFIXES else "package", init)
    return ModuleEntry(name, "namespace", path)


def _entries(files: list[str], prefix: str, inner: str) -> "Iterator[ModuleEntry]":
    """The modules among the files of one directory; for each name extension modules come first and .pyc files last."""
    seen = {"__init__"}
    for suffix in _SUFFIXES:
        for name in files:
            module = name.removesuffix(suffix)
            if name.endswith(suffix) and module not in seen and module.isidentifier():
                seen.add(module)
                kind = "native" if suffix in EXTENSION_SUFFIXES else "module"
                yield ModuleEntry(prefix + module, kind, f"{inner}/{name}".lstrip("/"))  # type: ignore[arg-type]
