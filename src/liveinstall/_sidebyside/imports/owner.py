"""What an owner is: whoever manages one concrete place that modules come from (after Gordon McMillan's `iu`).

A place is a directory, a wheel file, a code archive, or what a third party makes of it. The finder asks the owners of a
top-level name, in order; an owner answers with a spec or with None. This file runs at starts: it loads nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know the name; importing typing takes longer than all of this
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
    """One module of a place: full `name`, `kind`, and `path` inside the place, with slashes.

    The path of a package is that of its `__init__` file, the path of a namespace is its directory. It is a tuple, so
    that an index can be read with `marshal`: wherever an Entry is taken, a plain tuple of the same three is taken too.
    """

    __slots__ = ()

    def __new__(cls, name: str, kind: Kind, path: str) -> Self:
        return tuple.__new__(cls, (name, kind, path))

    @property
    def name(self) -> str:
        """The full name of the module."""
        return self[0]

    @property
    def kind(self) -> str:
        """One of KINDS."""
        return self[1]

    @property
    def path(self) -> str:
        """Where it lies in its place."""
        return self[2]

    def __repr__(self) -> str:
        return f"Entry({self[0]!r}, {self[1]!r}, {self[2]!r})"

    def __reduce__(self) -> tuple[type[ModuleEntry], tuple[str, str, str]]:
        return ModuleEntry, (self[0], self[1], self[2])


class Owner(Protocol):
    """One concrete place. `place` names it: a path, or whatever words its owner understands.

    `on_disk`: what is below a package is found by the path that its spec has, without asking the owner again.
    `virtual`: those paths are no directories; the finder tells Python how to list them.
    `VirtualOwner` makes all of this from two methods, `paths()` and `data()`; most owners are better made from it.
    """

    place: str
    on_disk: bool
    virtual: bool

    def names(self) -> Iterable[str]:
        """The top-level names that can be imported from here."""

    def is_package(self, name: str) -> bool | None:
        """Whether a top-level name is a package; None for a namespace, and for what is not here."""

    def find_spec(self, name: str) -> ModuleSpec | None:
        """How to load a module; a spec without a loader for a portion of a namespace; None if it is not here."""

    def index(self) -> Mapping[str, ModuleEntry]:
        """All modules: full name -> entry. May take long."""

    def code(self, entry: ModuleEntry) -> CodeType:
        """The code of a module or package. Raises: ImportError, SyntaxError."""

    def data(self, path: str) -> bytes:
        """A file's content, by its path inside the place. Raises: OSError."""

    def native(self, entry: ModuleEntry) -> str:
        """Where an extension module lies on disk, with the libraries that it is linked to. Raises: ImportError."""

    def distributions(self, name: str | None = None) -> Iterable[Distribution]:
        """The metadata of what is here, or only of the distribution that is called `name` (normalised or not)."""

    def reader(self, name: str) -> TraversableResources | None:
        """The resources of a package; None if it is no package of this place."""

    def invalidate_caches(self) -> None:
        """Forget what was seen of a place that can change."""


def by_name(owners: Iterable[Owner]) -> dict[str, list[Owner]]:
    """The owners of each top-level name, in the order in which they are given."""
    found: dict[str, list[Owner]] = {}
    for owner in owners:
        for name in owner.names():
            found.setdefault(name, []).append(owner)
    return found


def normalized(name: str) -> str:
    """A distribution's name as directories of metadata spell it: lower case, one underscore for a run of -_. signs."""
    joined = name.lower().replace("-", "_").replace(".", "_")
    while "__" in joined:
        joined = joined.replace("__", "_")
    return joined
