"""The import manager: which owner a place has, what is active, and owners that others register.

After `iu`: a manager asks directors, which stand on `sys.meta_path`; a director asks owners, of which each manages one
concrete place. Here the director is the Finder, and others stand beside it as Python's rules say.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from liveinstall._sidebyside.activation import spawned
from liveinstall._sidebyside.imports.code_archive import MAGIC, ArchiveOwner
from liveinstall._sidebyside.imports.directory import DirectoryOwner
from liveinstall._sidebyside.imports.finder import Finder
from liveinstall._sidebyside.imports.owner import by_name
from liveinstall._sidebyside.imports.path_hooks import WheelsHook
from liveinstall._sidebyside.wheels.owner import WheelOwner
from liveinstall._system.caller import attribute, module_names
from liveinstall.errors import OwnerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from liveinstall._sidebyside.imports.owner import Owner

GROUP = "liveinstall.owners"  # entry points: functions that make an owner of a place, or None if it is not theirs


def open_place(place: str | os.PathLike[str]) -> Owner:
    """The owner of a directory, a wheel, a code archive, or of what an entry point of `liveinstall.owners` knows.

    Raises: OwnerError when nobody knows the place, or it cannot be used; WheelRefusedError.
    """
    words = os.fspath(place)
    if os.path.isdir(words):
        return DirectoryOwner(os.path.abspath(words))
    if words.endswith(".whl"):
        return WheelOwner(words)
    if _is_archive(words):
        return ArchiveOwner(words)
    return _registered(words)


def _is_archive(path: str) -> bool:
    try:
        with open(path, "rb") as stream:
            return stream.read(len(MAGIC)).startswith(MAGIC.partition(" ")[0].encode())
    except OSError:
        return False


def _registered(place: str) -> Owner:
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        try:
            found: Owner | None = point.load()(place)
        except OwnerError:
            raise
        except Exception as error:
            raise OwnerError(
                f"{place}: the owner {point.name} ({point.value}) failed: {error}.", place=place
            ) from error
        if found is not None:
            return found
    todo = f"It is no directory, wheel or code archive, and no entry point of {GROUP} knows it."
    raise OwnerError(f"nobody can import from {place}.", todo=todo, place=place)


def activate(*places: str | os.PathLike[str] | Owner, exclusive: bool = False) -> Finder:
    """Import from these places before all others, in this process, in their order, until the finder is removed.

    It is a context manager, too. Children of `multiprocessing` open the same places. `exclusive`: nothing else of the
    default environment can be imported.
    Raises: OwnerError, WheelRefusedError; also when a module in question was imported from elsewhere already.
    """
    owners = [open_place(place) if isinstance(place, (str, os.PathLike)) else place for place in places]
    found = by_name(owners)
    _check_not_loaded(found)
    finder = Finder(found, exclusive=exclusive)
    finder.install()
    spawned.places_of.append((finder, [owner.place for owner in owners], exclusive))
    spawned.pass_on()
    return finder


def active() -> tuple[Finder, ...]:
    """The finders of this process, the first of `sys.meta_path` first."""
    return tuple(finder for finder in sys.meta_path if isinstance(finder, Finder))


def _check_not_loaded(owners: Mapping[str, Sequence[Owner]]) -> None:
    for name, having in owners.items():
        if name not in sys.modules:
            continue
        if _file_of(name) is not None:
            _check_origin(name, having)
            continue
        for inner in [inner for inner in module_names() if inner.startswith(name + ".")]:  # a namespace, which grows
            _check_origin(inner, having)


def _file_of(name: str) -> str | None:
    file = attribute(name, "__file__")
    return file if isinstance(file, str) else None


def _check_origin(name: str, having: Sequence[Owner]) -> None:
    """Raises: OwnerError if a module was imported, and not from where these owners have it."""
    loaded = _file_of(name)
    if loaded is None:
        return
    for owner in having:
        spec = owner.find_spec(name)
        if spec is not None and spec.loader is not None:
            if spec.origin == loaded:
                return
            todo = "Activate it before the first import, or start Python anew."
            what = f"{name} cannot come from {owner.place}: it was imported from {loaded}."
            raise OwnerError(what, todo=todo, place=owner.place)


# --- wheels on sys.path -----------------------------------------------------------------------------------------------

_wheels = WheelsHook(WheelOwner)


def enable_wheels() -> None:
    """Let wheels on `sys.path` be imported from as by their owners; Python itself takes them for zip files.

    A wheel that is refused is warned of, once, and nothing is imported from it. It holds for children of
    `multiprocessing`, too.
    """
    if _wheels not in sys.path_hooks:
        sys.path_hooks.insert(0, _wheels)
        _forget_wheels()
    spawned.wheels = True
    spawned.pass_on()


def disable_wheels() -> None:
    """Leave wheels on `sys.path` to Python again. What was imported stays."""
    spawned.wheels = False
    if _wheels in sys.path_hooks:
        sys.path_hooks.remove(_wheels)
        _forget_wheels()


def _forget_wheels() -> None:
    for path in [path for path in sys.path_importer_cache if ".whl" in path]:
        del sys.path_importer_cache[path]
