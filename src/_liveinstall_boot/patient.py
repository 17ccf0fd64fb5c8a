"""Renaming and removing, as in `os`; on Windows patiently, because a scanner or an indexer may have opened a new file.

Every file of ours is renamed and removed by these functions, or by those of `files`, which use them.
"""

import os
import time

_PAUSES = (0.02, 0.1, 0.3, 0.6)  # seconds


def rename(source, target):
    """Rename a file or directory. Raises OSError."""
    _patiently("rename", source, target)


def replace(source, target):
    """Rename a file over another one. Raises OSError."""
    _patiently("replace", source, target)


def unlink(path):
    """Remove a file. Raises OSError."""
    _patiently("unlink", path)


def rmdir(path):
    """Remove an empty directory. Raises OSError."""
    _patiently("rmdir", path)


def _patiently(name, *paths):
    for pause in (*_PAUSES, None):
        try:
            return getattr(os, name)(*paths)
        except PermissionError:
            if os.name != "nt" or pause is None:
                raise
            if name != "rename":
                _make_writable(paths[-1])
            time.sleep(pause)
    return None


def _make_writable(path):
    """Windows does not remove or replace a file that is read-only; POSIX does."""
    try:
        if not os.lstat(path).st_mode & 0o200:
            os.chmod(path, 0o600)
    except OSError:
        pass
