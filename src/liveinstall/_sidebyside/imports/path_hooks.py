"""Path hooks: list and find the modules of archives and wheels on `sys.path` and in `__path__`."""

from __future__ import annotations

import os
import sys
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec

    from liveinstall._sidebyside.imports.owner import Owner


class PlacesHook:
    """An entry of `sys.path_hooks` for the locations of these owners.

    Args:
        owners: The owners.
    """

    def __init__(self, owners: Sequence[Owner]) -> None:
        self._owners = {owner.place: owner for owner in owners}

    def __call__(self, path: str) -> PlaceFinder:
        """Return the finder of a path, as Python calls an entry of `sys.path_hooks`.

        Args:
            path: An entry of `sys.path` or of a `__path__`.

        Returns:
            The finder.

        Raises:
            ImportError: The path is not inside the location of an owner; Python then calls the next hook.
        """
        for place, owner in self._owners.items():
            if path == place or path.startswith(place + os.sep):
                return PlaceFinder(owner, path[len(place) + 1 :].replace(os.sep, "/"))
        raise ImportError(f"{path} is not inside a location of these owners", path=path)

    def install(self) -> None:
        """Insert the hook first, before those for archives and directories."""
        self.remove()
        if self._owners:
            sys.path_hooks.insert(0, self)
            self._clear_importer_cache()

    def remove(self) -> None:
        """Remove the hook."""
        if self in sys.path_hooks:
            sys.path_hooks[:] = [hook for hook in sys.path_hooks if hook is not self]
            self._clear_importer_cache()

    def _clear_importer_cache(self) -> None:
        for path in list(sys.path_importer_cache):
            if any(path == place or path.startswith(place + os.sep) for place in self._owners):
                del sys.path_importer_cache[path]


class PlaceFinder:
    """Finds and lists the modules of one directory of a location.

    Args:
        owner: The owner of the location.
        inner: The directory inside the location, with slashes; empty for the top.
    """

    def __init__(self, owner: Owner, inner: str) -> None:
        self._owner = owner
        self._inner = inner

    def find_spec(self, name: str, target: object = None) -> ModuleSpec | None:  # noqa: ARG002  Python's signature
        """Find a module of this directory, as `importlib.abc.PathEntryFinder` defines it.

        Args:
            name: The full name of the module.
            target: Not used.

        Returns:
            Its spec; None if this directory does not have it.
        """
        package = self._inner.replace("/", ".")
        if name.rpartition(".")[0] != package:
            return None  # a directory under another name: such a module would be loaded twice
        return self._owner.find_spec(name)

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        """List the modules of this directory without namespace packages, for `pkgutil.iter_modules()`.

        Args:
            prefix: Prepended to each name.

        Returns:
            Pairs of the name and whether it is a package.
        """
        if not self._inner:
            kinds = ((name, self._owner.is_package(name)) for name in self._owner.names())
            yield from ((prefix + name, kind) for name, kind in kinds if kind is not None)
            return
        package = self._inner.replace("/", ".")
        for name, kind, path in self._owner.index().values():
            parent, _, last = name.rpartition(".")
            if parent == package and kind != "namespace":
                yield prefix + last, path.rpartition("/")[2].startswith("__init__.")

    def invalidate_caches(self) -> None:
        """Clear the caches of the owner."""
        self._owner.invalidate_caches()


_opening: set[int] = set()  # threads that are opening a wheel
_passed: list[str] = []  # paths of wheels that these have not opened


class NoWheelsOpened:
    """Lets this thread find no module in wheels that are not open yet, for the duration of a block.

    Opening one imports modules of the standard library, some of which other platforms lack (`fcntl`, `msvcrt`): these
    are searched in each entry of `sys.path`, and would have the wheel opened again.
    """

    def __enter__(self) -> None:
        self._is_outer = get_ident() not in _opening
        _opening.add(get_ident())

    def __exit__(self, *_: object) -> None:
        if self._is_outer:
            _opening.discard(get_ident())
            while _passed:
                sys.path_importer_cache.pop(_passed.pop(), None)


class WheelsHook:
    """An entry of `sys.path_hooks` for wheels on `sys.path`, before Python's hook, which treats them as zip files.

    Args:
        open_wheel: Makes the owner of a wheel from its path.
    """

    def __init__(self, open_wheel: Callable[[str], Owner]) -> None:
        self._open_wheel = open_wheel
        self._owners: dict[str, Owner] = {}

    def __call__(self, path: str) -> PlaceFinder | NoFinder:
        """Return the finder of a wheel or of a directory in it, as Python calls an entry of `sys.path_hooks`.

        Args:
            path: An entry of `sys.path` or of a `__path__`.

        Returns:
            The finder; one without modules, and a warning, if the wheel cannot be used.

        Raises:
            ImportError: The path is not inside a wheel; Python then calls the next hook.
        """
        head, separator, inner = path.partition(".whl" + os.sep)
        place = head + ".whl" if separator else path
        if not place.endswith(".whl") or not os.path.isfile(place):
            raise ImportError(f"{path} is not a wheel", path=path)
        owner = self._owners.get(place)
        if owner is None:
            if get_ident() in _opening:
                _passed.append(path)
                return NoFinder()
            from liveinstall.errors import LiveInstallError

            try:
                with NoWheelsOpened():
                    owner = self._owners[place] = self._open_wheel(place)
            except LiveInstallError as error:
                _warn(f"A wheel on sys.path is ignored: {error}")
                return NoFinder()
        return PlaceFinder(owner, inner.replace(os.sep, "/"))


class NoFinder:
    """Has no modules, so that the next hook does not treat a refused wheel as a zip file."""

    def find_spec(self, name: str, target: object = None) -> None:
        """Return None for every name."""


def _warn(message: str) -> None:
    import warnings

    warnings.warn(message, RuntimeWarning, stacklevel=2)
