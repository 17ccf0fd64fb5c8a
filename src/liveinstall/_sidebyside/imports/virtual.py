"""The base class of owners with files that are not on disk: it needs a list of paths and a method that reads a file.

Subclass `VirtualOwner` and implement `paths()` and `data()`. Everything else is derived from them: packages, modules,
namespaces, metadata, entry points, resources, and sources for tracebacks and `inspect`. Override `code()` if modules
are not stored as sources.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import ExtensionFileLoader, decode_source
from _imp import extension_suffixes

from liveinstall._sidebyside.imports.directory import located
from liveinstall._sidebyside.imports.owner import ModuleEntry, normalized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from importlib.metadata import Distribution
    from importlib.resources.abc import TraversableResources
    from types import CodeType, ModuleType

_EXTENSIONS = tuple(extension_suffixes())
_SUFFIXES = (*_EXTENSIONS, ".py", ".pyc")
_INFO = ".dist-info"


class VirtualOwner:
    """The base class of owners with files that are not on disk.

    The `__file__` of a module is the location, a slash, and its path. Unless the location is an absolute path, that
    file cannot exist, and Python gets sources and data from the loader.

    Args:
        place: The location: any string.
    """

    on_disk = False
    virtual = True

    def __init__(self, place: str) -> None:
        self.place = place
        self._index: Mapping[str, ModuleEntry] | None = None
        self._listed: dict[str, list[str]] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.place!r})"

    # --- to be implemented --------------------------------------------------------------------------------------

    def paths(self) -> Iterable[str]:
        """The paths of all files, with slashes, laid out as in site-packages. A subclass has to implement it."""
        raise NotImplementedError

    def data(self, path: str) -> bytes:
        """The content of a file. A subclass has to implement it.

        Args:
            path: One of `paths()`.

        Raises:
            OSError: The file cannot be read; FileNotFoundError if it does not exist.
        """
        raise NotImplementedError

    # --- derived from it ---------------------------------------------------------------------------------------

    def source(self, entry: ModuleEntry) -> str | None:
        """The source of a module, for `inspect` and tracebacks; None if it is not available.

        Args:
            entry: The module's entry in the index.
        """
        return decode_source(self.data(entry[2])) if entry[2].endswith(".py") else None

    def code(self, entry: ModuleEntry) -> CodeType:
        """The code of a module, compiled on each call.

        Args:
            entry: The module's entry in the index.

        Raises:
            ImportError: There is no code for this interpreter.
            SyntaxError: Its source cannot be compiled.
        """
        if entry[2].endswith(".pyc"):
            return _unmarshal_pyc(entry[0], self.data(entry[2]))
        return compile(self.data(entry[2]), self.locate(entry[2]), "exec", dont_inherit=True)

    def native(self, entry: ModuleEntry) -> str:
        """The absolute path of an extension module on disk.

        Args:
            entry: The module's entry in the index.

        Raises:
            ImportError: Always, unless a subclass overrides it: this owner has no directory.
        """
        raise ImportError(f"{entry[0]} is an extension module, which {self!r} cannot load", name=entry[0])

    def locate(self, path: str) -> str:
        """The path of a file for `__file__`: the location, a slash, and the path inside the location.

        Args:
            path: The path inside the location, with slashes.
        """
        return f"{self.place}{os.sep}{path.replace('/', os.sep)}"

    def index(self) -> Mapping[str, ModuleEntry]:
        """All modules, as Python would find them in a directory with these files: full name -> entry."""
        if self._index is None:
            self._index = index_of(self.paths())
        return self._index

    def names(self) -> Iterable[str]:
        """The top-level names."""
        return [name for name in self.index() if "." not in name]

    def is_package(self, name: str) -> bool | None:
        """Check whether a module is a package.

        Args:
            name: A top-level name.

        Returns:
            True or False; None for a namespace package and for an unknown name.
        """
        entry = self.index().get(name)
        if entry is None or entry[1] == "namespace":
            return None
        return entry[2].rpartition("/")[2].startswith("__init__.")

    def find_spec(self, name: str) -> ModuleSpec | None:
        """Find a module.

        Args:
            name: The full name of the module.

        Returns:
            Its spec; a spec without a loader for a portion of a namespace package; None for an unknown name.
        """
        entry = self.index().get(name)
        return None if entry is None else self.spec_of(entry)

    def spec_of(self, entry: ModuleEntry) -> ModuleSpec:
        """Make the spec of a module.

        Args:
            entry: The module's entry in the index.

        Returns:
            The spec.

        Raises:
            ImportError: It is an extension module, and this owner cannot load those.
        """
        name, kind, inner = entry
        if kind == "namespace":
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [self.locate(inner)]
            return spec
        directory, _, file = inner.rpartition("/")
        search = [self.locate(directory)] if file.startswith("__init__.") else None
        if kind == "native":
            path = self.native(entry)
            return located(name, path, ExtensionFileLoader(name, path), search)
        return located(name, self.locate(inner), VirtualLoader(self, entry), search)

    def distributions(self, name: str | None = None) -> Iterator[Distribution]:
        """The metadata of the distributions in this location.

        Args:
            name: Only the distribution of this name, normalized or not. Default: all.
        """
        key = name and normalized(name)
        for info in self.infos():
            if not key or normalized(info.partition("-")[0]) == key:
                from liveinstall._sidebyside.imports.virtual_data import VirtualDistribution

                yield VirtualDistribution(self, info)

    def infos(self) -> list[str]:
        """The names of the metadata directories."""
        return sorted(name for name in self.listing().get("", ()) if name.endswith(_INFO))

    def reader(self, name: str) -> TraversableResources | None:
        """Return the resources of a package, for `importlib.resources`.

        Args:
            name: The full name of the package.

        Returns:
            The reader; None if it is not a package of this location.
        """
        entry = self.index().get(name)
        if entry is None or entry[1] == "namespace" or not entry[2].rpartition("/")[2].startswith("__init__."):
            return None
        from liveinstall._sidebyside.imports.virtual_data import VirtualReader

        return VirtualReader(self, entry[2].rpartition("/")[0])

    def listing(self) -> dict[str, list[str]]:
        """The names in each directory: path -> names; the path of the top directory is ''."""
        if self._listed is None:
            directories: dict[str, set[str]] = {"": set()}
            for path in self.paths():
                while path:
                    path, _, name = path.rpartition("/")
                    directories.setdefault(path, set()).add(name)
            self._listed = {path: sorted(names) for path, names in directories.items()}
        return self._listed

    def invalidate_caches(self) -> None:
        """Discard the index, so that `paths()` is called again."""
        self._index = self._listed = None


class VirtualLoader:
    """Loads one module; supports `runpy`, `inspect`, `linecache`, `pkgutil` and `importlib.resources`.

    Args:
        owner: The owner of the module's location.
        entry: The module's entry in the index.
    """

    def __init__(self, owner: VirtualOwner, entry: ModuleEntry) -> None:
        self.owner = owner
        self.entry = entry
        self.name, self.path = entry[0], owner.locate(entry[2])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VirtualLoader) and (self.owner, self.entry) == (other.owner, other.entry)

    def __hash__(self) -> int:
        return hash((self.owner, self.entry))

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Use Python's default module creation."""

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module's code."""
        exec(self.owner.code(self.entry), module.__dict__)  # noqa: S102  the task of a loader

    def get_code(self, name: str) -> CodeType:
        """The code of the module."""
        return self.owner.code(self._entry_for(name))

    def get_source(self, name: str) -> str | None:
        """The source of the module; None if it is not available.

        Raises:
            ImportError: The source cannot be read.
        """
        try:
            return self.owner.source(self._entry_for(name))
        except OSError as error:
            raise ImportError(f"the source of {name} cannot be read", name=name) from error

    def get_filename(self, name: str) -> str:
        """The `__file__` of the module."""
        return self.owner.locate(self._entry_for(name)[2])

    def is_package(self, name: str) -> bool:
        """Whether the module is a package."""
        return self._entry_for(name)[2].rpartition("/")[2].startswith("__init__.")

    def get_data(self, path: str) -> bytes:
        """The content of a file.

        Args:
            path: Its path as derived from `__file__`: the location, a slash, and the path inside the location.

        Raises:
            FileNotFoundError: The path is not inside the location, or there is no such file.
            OSError: The file cannot be read.
        """
        start = self.owner.place + os.sep
        if not path.startswith(start):
            raise FileNotFoundError(2, "not inside this location", path)
        return self.owner.data(os.path.normpath(path[len(start) :]).replace(os.sep, "/"))

    def get_resource_reader(self, name: str) -> TraversableResources | None:
        """The resources of the module; None unless it is a package."""
        return self.owner.reader(name)

    def _entry_for(self, name: str) -> ModuleEntry:
        if name not in (self.name, "__main__"):
            raise ImportError(f"this loader is for {self.name}, not for {name}", name=name)
        return self.entry


def index_of(paths: Iterable[str]) -> dict[str, ModuleEntry]:
    """Find the modules among the paths of files.

    Packages take precedence over modules, extension modules over sources, and .pyc files are last, as in Python.

    Args:
        paths: The paths, relative to site-packages, with slashes.

    Returns:
        Full name -> entry.
    """
    candidates: dict[str, tuple[int, ModuleEntry]] = {}
    directories: dict[str, str] = {}
    for path in paths:
        suffix = next((suffix for suffix in _SUFFIXES if path.endswith(suffix)), "")
        parts = path.removesuffix(suffix).split("/") if suffix else []
        if not parts or not all(part.isidentifier() for part in parts):
            continue
        is_package = parts[-1] == "__init__" and len(parts) > 1
        if parts[-1] == "__init__" and not is_package:
            continue
        for depth in range(1, len(parts)):
            directories[".".join(parts[:depth])] = "/".join(parts[:depth])
        name = ".".join(parts[:-1] if is_package else parts)
        kind = "native" if suffix in _EXTENSIONS else "package" if is_package else "module"
        rank = _SUFFIXES.index(suffix) + (0 if is_package else len(_SUFFIXES))
        if name not in candidates or rank < candidates[name][0]:
            candidates[name] = rank, ModuleEntry(name, kind, path)  # type: ignore[arg-type]
    entries = {name: entry for name, (_, entry) in candidates.items()}
    for name, path in directories.items():
        if name not in entries:
            entries[name] = ModuleEntry(name, "namespace", path)
    return entries


def _unmarshal_pyc(name: str, content: bytes) -> CodeType:
    """The code in the content of a .pyc file."""
    import marshal
    from _frozen_importlib_external import MAGIC_NUMBER

    if content[:4] != MAGIC_NUMBER:
        raise ImportError(f"{name} was compiled by another version of Python", name=name)
    return marshal.loads(content[16:])  # type: ignore[no-any-return]  # noqa: S302  the location is trusted to run code


def fingerprint() -> str:
    """The key of compiled code, which differs between interpreters: the tag in the names of .pyc files, and `-O`."""
    level = sys.flags.optimize
    return f"{sys.implementation.cache_tag}{f'.opt-{level}' if level else ''}"
