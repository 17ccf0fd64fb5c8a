"""The directory of liveinstall among the caches of the user."""

import os
import sys


def user_cache() -> str:
    """Return `liveinstall` in the directory where this system keeps a user's caches."""
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~\\AppData\\Local")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "liveinstall")
