"""Read the state of the caller's process without side effects.

Calling a finder can have side effects (setuptools' finder unloads `distutils` when pip is looked up), and attribute
access on a lazy module imports it. So no finder is called, and only the namespace of a module is read. `sys.path` and
`sys.modules` may contain objects that are not strings.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def search_path() -> list[str]:
    """Return the entries of `sys.path` that Python itself searches: strings without null bytes."""
    return [entry for entry in list(sys.path) if isinstance(entry, str) and "\0" not in entry]


def place_of(package: str, path: "Iterable[str] | None" = None) -> str:
    """Find the directory that contains a package, without calling a finder or a path hook.

    Args:
        package: The name of a top-level package.
        path: The directories to search. Default: `sys.path`.

    Returns:
        The absolute path of the first such directory; empty if there is none.
    """
    directories = (entry or os.curdir for entry in (search_path() if path is None else path))
    return next((os.path.abspath(each) for each in directories if os.path.isfile(_init_file(each, package))), "")


def _init_file(directory: str, package: str) -> str:
    return os.path.join(directory, package, "__init__.py")


def module_names() -> list[str]:
    """Return the names in `sys.modules`, which other threads may be changing."""
    return [name for name in list(sys.modules) if isinstance(name, str)]


def namespace_of(module: object) -> "dict[str, Any]":
    """Return the attributes that a module has already; no `__getattr__` is called and no lazy module is loaded."""
    try:
        namespace = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return {}
    return namespace if isinstance(namespace, dict) else {}


def attribute(name: str, key: str) -> "Any":
    """Read an attribute of a loaded module.

    Args:
        name: The full name of the module.
        key: The name of the attribute.

    Returns:
        The value; None if the module is not loaded or has no such attribute yet.
    """
    return namespace_of(sys.modules.get(name)).get(key)


def defined_in(finder: object) -> str:
    """Return the name of the module that defines a finder's class."""
    kind = finder if isinstance(finder, type) else type(finder)
    return str(type.__getattribute__(kind, "__module__"))


def place_first(finder: "Any") -> None:
    """Put a finder before all others, even if `sys.meta_path` was replaced by something other than a list."""
    if isinstance(sys.meta_path, list):
        sys.meta_path.insert(0, finder)
    else:
        sys.meta_path = [finder, *(sys.meta_path or ())]


def place_last(finder: "Any") -> None:
    """Put a finder after all others, even if `sys.meta_path` was replaced by something other than a list."""
    if isinstance(sys.meta_path, list):
        sys.meta_path.append(finder)
    else:
        sys.meta_path = [*(sys.meta_path or ()), finder]


def remove_finder(finder: object) -> None:
    """Remove all occurrences of a finder, compared by identity, because `==` would run code of the other finders."""
    if any(other is finder for other in sys.meta_path or ()):
        kept = [other for other in sys.meta_path if other is not finder]
        if isinstance(sys.meta_path, list):
            sys.meta_path[:] = kept
        else:
            sys.meta_path = kept


def invalidate_caches() -> None:
    """Invalidate the caches of all finders, as `importlib.invalidate_caches()`, even if one of them raises."""
    metadata = sys.modules.get("importlib.metadata")
    own = namespace_of(metadata).get("MetadataPathFinder")  # PathFinder calls it, unless that fails half-way
    for finder in (*list(sys.path_importer_cache.values()), *(sys.meta_path or ()), own):
        try:
            finder.invalidate_caches()
        except Exception:  # noqa: BLE001, S112  third-party code; the change is done already
            continue
