"""The protocol of owners: importers of one location each (modelled on Gordon McMillan's `iu`).

A location (`place`) is a directory, a wheel file, a code archive, or any source that a third party defines. The finder
calls the owners of a top-level name in order; each returns a spec or None. This module runs when Python starts, so it
imports nothing.
"""

TYPE_CHECKING = False  # type checkers know the name; importing typing takes longer than this whole module
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.machinery import ModuleSpec
    from importlib.metadata import Distribution
    from importlib.resources.abc import TraversableResources
    from types import CodeType
    from typing import Literal, Protocol, Self

    Kind = Literal["package", "module", "native", "namespace"]
else:
    Protocol = object

KINDS = ("package", "module", "native", "namespace")


class ModuleEntry(tuple[str, str, str]):
    """One module of a location.

    It is a tuple, so that an index can be read with `marshal`: a plain tuple of the same three values is accepted
    wherever an entry is.
    """

    __slots__ = ()

    def __new__(cls, name: str, kind: "Kind", path: str) -> "Self":
        """Create the entry.

        Args:
            name: The full name of the module.
            kind: "package", "module", "native" (an extension module) or "namespace".
            path: Its path inside the location, with slashes: of a package that of its `__init__` file, of a namespace
                package its directory.
        """
        return tuple.__new__(cls, (name, kind, path))

    @property
    def name(self) -> str:
        """The full name of the module."""
        return self[0]

    @property
    def kind(self) -> str:
        """The kind: one of KINDS."""
        return self[1]

    @property
    def path(self) -> str:
        """The path inside the location, with slashes."""
        return self[2]

    def __repr__(self) -> str:
        return f"Entry({self[0]!r}, {self[1]!r}, {self[2]!r})"

    def __reduce__(self) -> "tuple[type[ModuleEntry], tuple[str, str, str]]":
        return ModuleEntry, (self[0], self[1], self[2])


class Owner(Protocol):
    """An importer of one location.

    `VirtualOwner` implements all of this from two methods, `paths()` and `data()`; most owners should derive from it.

    Attributes:
        place: The location: a path, or any string that the owner understands.
        on_disk: Whether Python finds submodules by the path in a package's spec, without calling the owner again.
        virtual: Whether these paths are not directories, so that the finder has to list them for Python.
    """

    place: str
    on_disk: bool
    virtual: bool

    def names(self) -> "Iterable[str]":
        """The top-level import names of this location."""

    def is_package(self, name: str) -> bool | None:
        """Whether a module is a package.

        Args:
            name: A top-level name.

        Returns:
            True or False; None for a namespace package and for an unknown name.
        """

    def find_spec(self, name: str) -> "ModuleSpec | None":
        """Find a module.

        Args:
            name: Its full name.

        Returns:
            Its spec; a spec without a loader for a portion of a namespace package; None for an unknown name.
        """

    def index(self) -> "Mapping[str, ModuleEntry]":
        """All modules of the location, which may take long to list: full name -> entry."""

    def code(self, entry: "ModuleEntry") -> "CodeType":
        """The code of a module or package.

        Args:
            entry: Its entry in the index.

        Raises:
            ImportError: There is no code for this interpreter.
            SyntaxError: Its source cannot be compiled.
        """

    def data(self, path: str) -> bytes:
        """The content of a file.

        Args:
            path: Its path inside the location, with slashes.

        Raises:
            OSError: There is no such file, or it cannot be read.
        """

    def native(self, entry: "ModuleEntry") -> str:
        """The absolute path of an extension module on disk, next to the libraries that it is linked to.

        Args:
            entry: Its entry in the index.

        Raises:
            ImportError: It cannot be written to disk.
        """

    def distributions(self, name: str | None = None) -> "Iterable[Distribution]":
        """The metadata of the distributions of this location.

        Args:
            name: Only the distribution of this name, normalized or not. Default: all.
        """

    def reader(self, name: str) -> "TraversableResources | None":
        """The resources of a package, for `importlib.resources`.

        Args:
            name: Its full name.

        Returns:
            The reader; None if it is not a package of this location.
        """

    def invalidate_caches(self) -> None:
        """Discard the cached listing of a location that can change."""


def by_name(owners: "Iterable[Owner]") -> "dict[str, list[Owner]]":
    """Group owners by their top-level names.

    Args:
        owners: The owners, in the order of precedence.

    Returns:
        Top-level name -> its owners, in the same order.
    """
    grouped: dict[str, list[Owner]] = {}
    for owner in owners:
        for name in owner.names():
            grouped.setdefault(name, []).append(owner)
    return grouped


def normalized(name: str) -> str:
    """Normalize a name as in `.dist-info` directories: lower case, and one `_` for each run of `-`, `_` and `.`.

    Args:
        name: The name of the distribution; see
            https://packaging.python.org/en/latest/specifications/name-normalization/.
    """
    joined = name.lower().replace("-", "_").replace(".", "_")
    while "__" in joined:
        joined = joined.replace("__", "_")
    return joined
