"""All names on disk of the side-by-side store and its registries, and their default paths. Imported at start-up."""

import os
import sys

STATE = ".liveinstall"  # as in `_liveinstall_boot`, which start-up need not import for this
STORE = "store"  # in the state directory: the default store
STORE_VARIABLE = "LIVEINSTALL_STORE"
MARK, MAGIC = "liveinstall-store", "liveinstall-store 1\n"  # a file in each store, and its content
LOCK = "lock"  # in a store; permanent and empty
WORK = "work"  # in a store, during a fetch: the work directory (`_system/workplace.py`)
DRAFT = ".draft-"  # prefix of entries being written or removed; the holder of the lock may delete them
INDEXES = ".indexes"  # in a store: data derived from registries and entries (`imports/index.py`)
PARTS = (5, 6)  # the number of components of an entry's name: name, version, an optional build, and three tags

REGISTRIES = "registries"  # in the state directory: contains NAME.txt for each registry
REGISTRY = ".txt"
REGISTRY_VARIABLE = "LIVEINSTALL_REGISTRY"  # the name of a registry, or the path of a file
PREFIX_FILE = "liveinstall-registry.txt"  # in sys.prefix: the registry of processes without the variable
START_LINES = ("_liveinstall_registry.pth", "_liveinstall_registry.start")  # in the site directory


def store_path(site: str) -> str:
    """Return the absolute path of an environment's store: LIVEINSTALL_STORE, or its own.

    Args:
        site: The site-packages directory of the environment.
    """
    chosen = os.environ.get(STORE_VARIABLE, "")
    if chosen and not sys.flags.ignore_environment:
        return os.path.realpath(os.path.expanduser(chosen))
    return own_store(site)


def own_store(site: str) -> str:
    """Return the path of the environment's own store, even if LIVEINSTALL_STORE is set.

    Names without a slash in a registry are entries of this store.

    Args:
        site: The site-packages directory of the environment.
    """
    return os.path.join(site, STATE, STORE)


def registry_path(site: str, name: str) -> str:
    """Return the absolute path of a registry.

    Args:
        site: The site-packages directory of the environment.
        name: The name of the registry, or the path of a file, relative to the current directory.
    """
    if os.sep in name or "/" in name or name.endswith(REGISTRY):
        return os.path.abspath(os.path.expanduser(name))
    return os.path.join(site, STATE, REGISTRIES, name + REGISTRY)


def is_enabled(site: str) -> bool:
    """Return whether registries are activated at start-up in the environment with this site-packages directory."""
    return any(os.path.exists(os.path.join(site, name)) for name in START_LINES)


def ignored(site: str) -> str:
    """Return the value of LIVEINSTALL_REGISTRY if it has no effect because registries are not enabled, else empty."""
    return "" if is_enabled(site) or sys.flags.ignore_environment else os.environ.get(REGISTRY_VARIABLE, "")


CACHE_VARIABLE = "LIVEINSTALL_CACHE"


def default_cache() -> str:
    """Return the cache directory: LIVEINSTALL_CACHE, or `liveinstall/wheels` in the user's cache directory."""
    chosen = os.environ.get(CACHE_VARIABLE, "")
    if chosen and not sys.flags.ignore_environment:
        return os.path.abspath(os.path.expanduser(chosen))
    from liveinstall._system.user_cache import user_cache  # only few processes need it

    return os.path.join(user_cache(), "wheels")
