"""Every name on disk of what lies side by side, and where it is by default. Imported in starting interpreters."""

import os
import sys

STATE = ".liveinstall"  # as `_liveinstall_boot` has it, which a start need not import for it
STORE = "store"  # in the state directory: the default store
STORE_VARIABLE = "LIVEINSTALL_STORE"
MARK, MAGIC = "liveinstall-store", "liveinstall-store 1\n"  # a file in a store, and all that it has in it
LOCK = "lock"  # in a store; permanent and empty
WORK = "work"  # in a store, while somebody fetches: where (`_system/workplace.py`)
DRAFT = ".draft-"  # what is written, or goes: whoever has the lock may remove it
INDEXES = ".indexes"  # in a store: what is derived from registries and entries (`registry/index.py`)
PARTS = (5, 6)  # of an entry's name: name, version, perhaps a build, and three tags

REGISTRIES = "registries"  # in the state directory: NAME.txt each
REGISTRY = ".txt"
REGISTRY_VARIABLE = "LIVEINSTALL_REGISTRY"  # the name of a registry, or the path of a file
PREFIX_FILE = "liveinstall-registry.txt"  # below sys.prefix: the registry of whoever has no variable
START_LINES = ("_liveinstall_registry.pth", "_liveinstall_registry.start")  # in the site directory


def store_path(site: str) -> str:
    """The absolute path of the store of the environment with this site directory: LIVEINSTALL_STORE, or its own."""
    chosen = os.environ.get(STORE_VARIABLE, "")
    if chosen and not sys.flags.ignore_environment:
        return os.path.realpath(os.path.expanduser(chosen))
    return own_store(site)


def own_store(site: str) -> str:
    """The environment's own store, whatever the variable says: what a registry names without a slash lies there."""
    return os.path.join(site, STATE, STORE)


def registry_path(site: str, given: str) -> str:
    """The absolute path of a registry that is given by its name, or by the path of a file."""
    if os.sep in given or "/" in given or given.endswith(REGISTRY):
        return os.path.abspath(os.path.expanduser(given))
    return os.path.join(site, STATE, REGISTRIES, given + REGISTRY)


CACHE_VARIABLE = "LIVEINSTALL_CACHE"


def default_cache() -> str:
    """The directory of the cache: LIVEINSTALL_CACHE, or `liveinstall/wheels` where this system has a user's caches."""
    chosen = os.environ.get(CACHE_VARIABLE, "")
    if chosen and not sys.flags.ignore_environment:
        return os.path.abspath(os.path.expanduser(chosen))
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~\\AppData\\Local")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "liveinstall", "wheels")
