"""The homes of a Ray node: one for each requested environment, over the environment that Ray runs in."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from threading import Lock

from liveinstall._environment.installed import finder
from liveinstall._homes.base_python import python_of
from liveinstall._homes.create import create
from liveinstall._homes.record import NAME
from liveinstall._homes.remove import remove
from liveinstall._system.removal import own_directory, remove_opened
from liveinstall.errors import HomeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from liveinstall._cluster.ray.requested import Requested

_KEPT = "ray"  # all processes of a cluster must run one version of it
_DIGITS = 16  # of the digest, in the name of a home's directory


class NodeHomes:
    """Creates and removes the homes of this node. The methods may be called in several threads."""

    def __init__(self, directory: str) -> None:
        """Start without homes.

        Args:
            directory: The directory of the homes; only this node uses it.
        """
        self._directory = directory
        self._sizes: dict[str, int] = {}
        self._locks: dict[str, Lock] = {}

    def path(self, uri: str) -> str:
        """Return the directory of the home with this URI."""
        return os.path.join(self._directory, uri.rpartition("/")[2][:_DIGITS])

    def python(self, uri: str) -> str:
        """Return the interpreter of the home with this URI."""
        return python_of(self.path(uri))

    def make(self, uri: str, requested: Requested) -> int:
        """Create a home, unless it exists. A killed call leaves no partial home.

        Args:
            uri: Its name.
            requested: Its content.

        Returns:
            The size of its files in bytes; 0 if it was there already.

        Raises:
            LiveInstallError: As for `liveinstall.homes.create()`.
        """
        with self._lock_of(uri):
            path = self.path(uri)
            if os.path.isfile(os.path.join(path, NAME)):
                return 0
            keep = [_KEPT] if finder()(_KEPT) else []
            create(path, *requested.requirements, over=sys.prefix, keep=keep, quiet=True, **requested.options)
            self._sizes[uri] = size = _size(path)
            return size

    def remove(self, uri: str) -> int:
        """Remove a home, with everything that its processes have written into it.

        Args:
            uri: Its name.

        Returns:
            The size that `make()` has returned for it; 0 if there is no such home.

        Raises:
            OSError: Something cannot be removed.
        """
        with self._lock_of(uri):
            path = self.path(uri)
            with suppress(HomeError):  # no home, or a damaged one
                remove(path)
            if os.path.isdir(path):
                with own_directory(path) as handle:
                    remove_opened(path, handle, last=NAME)
            return self._sizes.pop(uri, 0)

    def _lock_of(self, uri: str) -> Lock:
        return self._locks.setdefault(uri, Lock())


def _size(directory: str) -> int:
    """The bytes of all files in a directory; links to files elsewhere count only as links."""
    found = 0
    for parent, _, names in os.walk(directory):
        found += sum(os.lstat(os.path.join(parent, name)).st_size for name in names)
    return found
