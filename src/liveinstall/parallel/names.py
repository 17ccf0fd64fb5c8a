"""Every name on disk of what lies side by side, and where it is by default. Imported in starting interpreters."""

import os
import sys

STATE = ".liveinstall"  # as `_liveinstall_boot` has it, which a start need not import for it
STORE = "store"  # in the state directory: the default store
STORE_VARIABLE = "LIVEINSTALL_STORE"
MARK, MAGIC = "liveinstall-store", "liveinstall-store 1\n"  # a file in a store, and all that it has in it
LOCK = "lock"  # in a store; permanent and empty
WORK = "work"  # in a store, while somebody fetches: where (`commit/workplace.py`)
DRAFT = ".draft-"  # what is written, or goes: whoever has the lock may remove it
PARTS = (5, 6)  # of an entry's name: name, version, perhaps a build, and three tags


def store_path(site: str) -> str:
    """The absolute path of the store of the environment with this site directory: LIVEINSTALL_STORE, or its own."""
    chosen = os.environ.get(STORE_VARIABLE, "")
    if chosen and not sys.flags.ignore_environment:
        return os.path.abspath(os.path.expanduser(chosen))
    return os.path.join(site, STATE, STORE)
