"""The import manager: the owner of a location, the active finders, and owners that third parties register.

Modelled on `iu`: a manager has directors, which are on `sys.meta_path`; a director has owners, each of which imports
from one location. Here the director is the Finder; other finders on `sys.meta_path` work by Python's rules.
"""

from __future__ import annotations

import os
import sys

from _liveinstall_boot.file_access import open_regular
from liveinstall._sidebyside.activation import spawned
from liveinstall._sidebyside.imports.code_archive import MAGIC, ArchiveOwner
from liveinstall._sidebyside.imports.directory import DirectoryOwner
from liveinstall._sidebyside.imports.finder import Finder
from liveinstall._sidebyside.imports.owner import by_name
from liveinstall._sidebyside.imports.path_hooks import WheelsHook
from liveinstall._sidebyside.wheels.owner import WheelOwner
from liveinstall._system.caller import attribute, module_names
from liveinstall.errors import OwnerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from liveinstall._sidebyside.imports.owner import Owner

GROUP = "liveinstall.owners"  # entry points: functions from a location to its owner, or to None


def open_place(place: str | os.PathLike[str]) -> Owner:
    """Make the owner of a location.

    Args:
        place: The path of a directory, a wheel or a code archive, relative to the current directory; or any string that
            an entry point of the group `liveinstall.owners` accepts.

    Returns:
        The owner.

    Raises:
        OwnerError: The location is unknown or cannot be used.
        WheelRefusedError: A wheel violates a rule of safe unpacking.
    """
    location = os.fspath(place)
    if os.path.isdir(location):
        return DirectoryOwner(os.path.abspath(location))
    if location.endswith(".whl"):
        return WheelOwner(location)
    if _is_archive(location):
        return ArchiveOwner(location)
    return _registered(location)


def _is_archive(path: str) -> bool:
    try:
        with open(path, "rb", opener=open_regular) as stream:
            return stream.read(len(MAGIC)).startswith(MAGIC.partition(" ")[0].encode())
    except OSError:
        return False


def _registered(place: str) -> Owner:
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        try:
            owner: Owner | None = point.load()(place)
        except OwnerError:
            raise
        except Exception as error:
            raise OwnerError(
                f"{place}: the owner {point.name} ({point.value}) failed: {error}.", place=place
            ) from error
        if owner is not None:
            return owner
    todo = f"It is not a directory, wheel or code archive, and no entry point of the group {GROUP} accepts it."
    raise OwnerError(f"cannot import from {place}.", todo=todo, place=place)


def activate(*places: str | os.PathLike[str] | Owner, exclusive: bool = False) -> Finder:
    """Import from these locations first in this process, until the returned finder is removed.

    Child processes of `multiprocessing` activate the same locations.

    Args:
        *places: Owners, or arguments of `open_place()`, in the order of precedence.
        exclusive: Whether nothing else of the default environment can be imported. Default: everything can.

    Returns:
        The finder; its `remove()`, or its use as a context manager, ends the activation.

    Raises:
        OwnerError: A location is unknown or cannot be used, or a module of it was already imported from elsewhere.
        WheelRefusedError: A wheel violates a rule of safe unpacking.
    """
    owners = [open_place(place) if isinstance(place, (str, os.PathLike)) else place for place in places]
    grouped = by_name(owners)
    _check_not_loaded(grouped)
    finder = Finder(grouped, exclusive=exclusive)
    finder.install()
    spawned.places_of.append((finder, [owner.place for owner in owners], exclusive))
    spawned.pass_on()
    return finder


def active() -> tuple[Finder, ...]:
    """List the active finders of this process, in the order of `sys.meta_path`."""
    return tuple(finder for finder in sys.meta_path if isinstance(finder, Finder))


def _check_not_loaded(owners: Mapping[str, Sequence[Owner]]) -> None:
    for name, importers in owners.items():
        if name not in sys.modules:
            continue
        if _file_of(name) is not None:
            _check_origin(name, importers)
            continue
        for inner in [inner for inner in module_names() if inner.startswith(name + ".")]:  # a namespace can be extended
            _check_origin(inner, importers)


def _file_of(name: str) -> str | None:
    file = attribute(name, "__file__")
    return file if isinstance(file, str) else None


def _check_origin(name: str, owners: Sequence[Owner]) -> None:
    """Check that a module was not imported from elsewhere.

    Raises:
        OwnerError: It was imported, and not from the location of one of these owners.
    """
    loaded = _file_of(name)
    if loaded is None:
        return
    for owner in owners:
        spec = owner.find_spec(name)
        if spec is not None and spec.loader is not None:
            if spec.origin == loaded:
                return
            todo = "Activate it before the first import, or restart Python."
            what = f"{name} cannot be imported from {owner.place}: it was already imported from {loaded}."
            raise OwnerError(what, todo=todo, place=owner.place)


# --- wheels on sys.path -----------------------------------------------------------------------------------------------

_wheels = WheelsHook(WheelOwner)


def enable_wheels() -> None:
    """Import from wheels on `sys.path` by a `WheelOwner`; Python itself treats them as zip files.

    An invalid wheel causes one warning, and nothing is imported from it. Child processes of `multiprocessing` do the
    same.
    """
    if _wheels not in sys.path_hooks:
        sys.path_hooks.insert(0, _wheels)
        _clear_importer_cache()
    spawned.wheels = True
    spawned.pass_on()


def disable_wheels() -> None:
    """Have Python treat wheels on `sys.path` as zip files again. Imported modules stay."""
    spawned.wheels = False
    if _wheels in sys.path_hooks:
        sys.path_hooks.remove(_wheels)
        _clear_importer_cache()


def _clear_importer_cache() -> None:
    for path in [path for path in sys.path_importer_cache if ".whl" in path]:
        del sys.path_importer_cache[path]
