"""The finder of side-by-side packages, first on `sys.meta_path`: it calls the owners (importers) of a top-level name.

Names without an owner are left to Python's finders, unless this finder is `exclusive`. Namespace packages are merged
over all owners and the default environment. This module runs when Python starts, so it imports only modules that Python
has loaded anyway.
"""

import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import NamespaceLoader, PathFinder

from liveinstall._system.caller import namespace_of, place_first, remove_finder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from importlib.metadata import Distribution, DistributionFinder
    from types import ModuleType
    from typing import Self

    from liveinstall._sidebyside.imports.isolation import EnvironmentIsolation
    from liveinstall._sidebyside.imports.owner import Owner
    from liveinstall._sidebyside.imports.path_hooks import PlacesHook


class Finder:
    """A meta path finder (`importlib.abc.MetaPathFinder`) for the modules and metadata of owners.

    If several owners have the same package, all its directories are searched, as if they were in one site-packages
    directory. As a context manager it removes itself from `sys.meta_path` at the end of the block.

    Args:
        owners: Top-level name -> its owners; the first one wins.
        exclusive: Whether modules without an owner cannot be imported from the default environment; or the set of
            top-level names that can. Default: all can be imported.
        hidden: Top-level names that cannot be imported, because they belong to replaced versions.
    """

    def __init__(
        self,
        owners: "Mapping[str, Sequence[Owner]]",
        *,
        exclusive: frozenset[str] | bool = False,
        hidden: frozenset[str] = frozenset(),
    ) -> None:
        self.owners = owners
        self.hidden = hidden
        self._isolation = None if exclusive is False else _isolation(exclusive)
        self._hook: PlacesHook | None = None

    def __repr__(self) -> str:
        return f"<liveinstall's finder of {len(self.owners)} names>"

    @property
    def places(self) -> list[str]:
        """The locations of all owners, in order."""
        return [owner.place for owner in self._all()]

    def install(self) -> None:
        """Insert this finder at the front of `sys.meta_path`, once; loaded namespace packages are extended."""
        self._detach()
        place_first(self)
        if self._isolation is not None:
            self._isolation.close()
        virtual = [owner for owner in self._all() if owner.virtual]
        if virtual and self._hook is None:
            from liveinstall._sidebyside.imports.path_hooks import PlacesHook

            self._hook = PlacesHook(virtual)
        if self._hook is not None:
            self._hook.install()
        for name in self.owners:
            if name in sys.modules:
                self._extend_namespace(name, sys.modules[name])

    def remove(self) -> None:
        """Remove this finder from `sys.meta_path`. Imported modules stay."""
        self._detach()
        if self._isolation is not None:
            self._isolation.open()
        if self._hook is not None:
            self._hook.remove()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def _detach(self) -> None:
        remove_finder(self)

    def find_spec(
        self,
        name: str,
        path: "Sequence[str] | None" = None,
        target: "ModuleType | None" = None,  # noqa: ARG002  the import system's own signature
    ) -> "ModuleSpec | None":
        """Find a module, as `importlib.abc.MetaPathFinder` defines it.

        Args:
            name: The full name of the module.
            path: The `__path__` of its parent package; None for a top-level module.
            target: Not used.

        Returns:
            Its spec; None if the other finders on `sys.meta_path` have to find it.

        Raises:
            ModuleNotFoundError: The module is hidden or excluded, or its location no longer exists.
        """
        top = name.partition(".")[0]
        owners = self.owners.get(top)
        if not owners:
            return self._find_unowned(name) if top == name else None
        only = owners[0] if len(owners) == 1 else None
        if path is None:
            spec = only.find_spec(name) if only else None
            if spec is not None and spec.loader is not None:
                return spec
        elif only:
            if _is_on_disk(only, top):
                return None
            spec = only.find_spec(name)
            if spec is not None and spec.loader is not None and _is_below(name, spec, path):
                return spec
        return self._merge(name, owners, path)

    def _find_unowned(self, name: str) -> "ModuleSpec | None":
        """The spec of a top-level name without an owner; None if the other finders have to find it."""
        if name in self.hidden:
            reason = "it belongs to a version in the default environment that an active version replaces"
            raise ModuleNotFoundError(f"No module named {name!r}: {reason}", name=name)
        return None if self._isolation is None else self._isolation.find_spec(name)

    def _merge(self, name: str, owners: "Sequence[Owner]", path: "Sequence[str] | None") -> "ModuleSpec | None":
        """The spec of a name over all owners and the default environment: the first regular package or module wins."""
        chosen, portions = None, []
        for owner in owners:
            spec = owner.find_spec(name)
            if spec is not None and _is_below(name, spec, path):
                portions += [item for item in spec.submodule_search_locations or () if item not in portions]
                if chosen is None and spec.loader is not None:
                    chosen = spec
        if chosen is None:
            if not portions:
                self._check_locations(name, owners)  # first: another version must not be imported instead
            default = PathFinder.find_spec(name, path)
            search = None if default is None else default.submodule_search_locations
            if default is not None and (search is not None or not portions):
                portions += [item for item in search or () if item not in portions]
                chosen = default if default.loader is not None else None
        if chosen is not None:
            if chosen.submodule_search_locations is not None and len(portions) > 1:
                chosen.submodule_search_locations = portions
            return chosen
        if not portions:
            return None
        spec = ModuleSpec(name, None, is_package=True)
        loader = NamespaceLoader(name, portions, self._portions)  # its path is computed again when sys.path changes
        spec.submodule_search_locations = loader._path  # type: ignore[attr-defined]  # noqa: SLF001
        return spec

    def _portions(self, name: str, path: "Sequence[str]") -> "ModuleSpec | None":
        """The spec of a namespace package with a plain list as its path, needed after its parent's path has changed."""
        spec = self._merge(name, self.owners[name.partition(".")[0]], path if "." in name else None)
        if spec is not None and spec.loader is None:
            spec.submodule_search_locations = list(spec.submodule_search_locations or ())
        return spec

    @staticmethod
    def _check_locations(name: str, owners: "Sequence[Owner]") -> None:
        """Raise ModuleNotFoundError if the location of an owner no longer exists."""
        missing = [owner.place for owner in owners if os.path.isabs(owner.place) and not os.path.exists(owner.place)]
        if missing:
            raise ModuleNotFoundError(
                f"No module named {name!r}: {missing[0]}, which had it, no longer exists", name=name
            )

    def _extend_namespace(self, name: str, module: "ModuleType") -> None:
        """Add the portions of the owners to a namespace package that is already imported."""
        attributes = namespace_of(module)
        if "__path__" in attributes and attributes.get("__file__") is None:
            spec = self._merge(name, self.owners[name], None)
            if spec is not None and spec.loader is None and spec.submodule_search_locations is not None:
                module.__path__ = spec.submodule_search_locations

    def find_distributions(self, context: "DistributionFinder.Context | None" = None) -> "Iterator[Distribution]":
        """Find the metadata of distributions, as `importlib.metadata.DistributionFinder` defines it.

        Args:
            context: The search. With a `name`, only the distribution of this name. With a `path`, only the locations in
                it that are not on disk, because Python's own finder returns the metadata of the others. Default: all
                distributions of all owners.

        Returns:
            The distributions, in the classes of the calling library.
        """
        requested = vars(context) if context is not None else {}
        convert = _converter(context)
        for owner in self._all():
            if "path" not in requested or (owner.place in requested["path"] and not os.path.exists(owner.place)):
                yield from map(convert, owner.distributions(requested.get("name")))

    def iter_modules(self, prefix: str = "") -> "Iterator[tuple[str, bool]]":
        """List the top-level modules without namespaces, for `pkgutil.iter_modules()`.

        Args:
            prefix: Prepended to each name.

        Returns:
            Pairs of the name and whether it is a package.
        """
        for name, owners in self.owners.items():
            kinds = (owner.is_package(name) for owner in owners)
            is_package = next((kind for kind in kinds if kind is not None), None)
            if is_package is not None:
                yield prefix + name, is_package

    def invalidate_caches(self) -> None:
        """Invalidate the caches of all owners."""
        for owner in self._all():
            owner.invalidate_caches()

    def _all(self) -> "list[Owner]":
        """Each owner once: a name may have several owners, and an owner several names."""
        return list({id(owner): owner for owners in self.owners.values() for owner in owners}.values())


def _isolation(needed: "frozenset[str] | bool") -> "EnvironmentIsolation":
    """Isolate from the default environment, except for the needed names; only then is the module loaded."""
    from liveinstall._sidebyside.imports.isolation import EnvironmentIsolation

    return EnvironmentIsolation(needed)


def _converter(context: object) -> "Callable[[Distribution], Distribution]":
    """The converter of metadata to the classes of the calling library, which is recognised by its Context class.

    `importlib_metadata`, the backport, and vendored copies of it have their own Context classes.
    """
    library = type(context).__module__
    if context is None or library.partition(".")[0] == "importlib":
        return _unchanged
    from liveinstall._sidebyside.imports.backport import converter

    return converter(library)


def _unchanged(distribution: "Distribution") -> "Distribution":
    return distribution


def _is_on_disk(owner: "Owner", top: str) -> bool:
    """Whether Python finds the submodules of `top` by its `__path__`; other owners may have portions of a namespace."""
    return owner.on_disk and getattr(sys.modules.get(top), "__file__", None) is not None


def _is_below(name: str, spec: "ModuleSpec", path: "Sequence[str] | None") -> bool:
    """Whether a module is on the `__path__` of its parent package, which may have been imported from elsewhere.

    The path of a namespace package that another finder has created may lack some of its portions.
    """
    if path is None:
        return True
    search = spec.submodule_search_locations
    if (search[0] if search else spec.origin or "").rpartition(os.sep)[0] in path:
        return True
    return getattr(sys.modules.get(name.rpartition(".")[0]), "__file__", None) is None
