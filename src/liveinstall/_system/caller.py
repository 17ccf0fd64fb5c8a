"""What the caller's process has, read without any effect on it.

A finder that is asked may act (setuptools' drops `distutils` when it is asked for pip), and an attribute of a lazy
module is an import. So finders are not asked, and of a module only its namespace is looked at. What is in `sys.path`
and `sys.modules` need not be a string.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def search_path() -> list[str]:
    """The entries of `sys.path` that Python itself searches: the strings."""
    return [entry for entry in list(sys.path) if isinstance(entry, str) and "\0" not in entry]


def place_of(package: str) -> str:
    """The first directory on `sys.path` that has a package, or nothing. No finder is asked for it."""
    places = (entry or os.curdir for entry in search_path())
    return next((os.path.abspath(place) for place in places if os.path.isfile(_init(place, package))), "")


def _init(place: str, package: str) -> str:
    return os.path.join(place, package, "__init__.py")


def module_names() -> list[str]:
    """The names in `sys.modules`, which other threads may be changing."""
    return [name for name in list(sys.modules) if isinstance(name, str)]


def namespace_of(module: object) -> dict[str, Any]:
    """The attributes that a module has already; no `__getattr__` is called and no lazy module is loaded."""
    try:
        namespace = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return {}
    return namespace if isinstance(namespace, dict) else {}


def attribute(name: str, key: str) -> Any:
    """What the loaded module `name` has as `key`; None if it is not loaded, or has no such attribute yet."""
    return namespace_of(sys.modules.get(name)).get(key)


def defined_in(finder: object) -> str:
    """The name of the module that has a finder's class."""
    kind = finder if isinstance(finder, type) else type(finder)
    return str(type.__getattribute__(kind, "__module__"))


def place_first(finder: Any) -> None:
    """Put a finder in front of all others, whatever `sys.meta_path` has been replaced by."""
    if isinstance(sys.meta_path, list):
        sys.meta_path.insert(0, finder)
    else:
        sys.meta_path = [finder, *(sys.meta_path or ())]


def place_last(finder: Any) -> None:
    """Put a finder behind all others."""
    if isinstance(sys.meta_path, list):
        sys.meta_path.append(finder)
    else:
        sys.meta_path = [*(sys.meta_path or ()), finder]


def remove_finder(finder: object) -> None:
    """Take a finder out, as often as it is there. Compared by identity: `==` would be the other finders' own."""
    if any(other is finder for other in sys.meta_path or ()):
        kept = [other for other in sys.meta_path if other is not finder]
        if isinstance(sys.meta_path, list):
            sys.meta_path[:] = kept
        else:
            sys.meta_path = kept


def invalidate_caches() -> None:
    """`importlib.invalidate_caches()`, but a finder that fails keeps no other from being told."""
    metadata = sys.modules.get("importlib.metadata")
    own = namespace_of(metadata).get("MetadataPathFinder")  # else behind a PathFinder that failed half-way
    for finder in (*list(sys.path_importer_cache.values()), *(sys.meta_path or ()), own):
        try:
            finder.invalidate_caches()
        except Exception:  # noqa: BLE001, S112  somebody else's code, and the change is done
            continue
