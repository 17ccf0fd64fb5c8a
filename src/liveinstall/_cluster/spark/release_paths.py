"""The paths of a release's files, in the directory where Spark puts the files that it sends.

    liveinstall-<digest>.toml       the lock
    liveinstall-<digest>            the launcher: a shell script that acts as the interpreter
    liveinstall-homes/<digest>/     the home, which an executor makes
    liveinstall-homes/store/        its unpacked wheels

Spark makes all files that it sends executable.
"""

from __future__ import annotations

import os

FOLDER = "liveinstall-homes"  # not importable: Spark adds its parent directory to sys.path
PREFIX = "liveinstall-"


def lock_path(directory: str, digest: str) -> str:
    """Return the path of a release's lock in a directory.

    Args:
        directory: The directory.
        digest: The name of the release.
    """
    return os.path.join(directory, f"{PREFIX}{digest}.toml")


def home_path(directory: str, digest: str) -> str:
    """Return the path of a release's home.

    Args:
        directory: The directory of an executor's files.
        digest: The name of the release.
    """
    return os.path.join(directory, FOLDER, digest)
