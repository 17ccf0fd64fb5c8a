"""Files in the user's cache that only save time: any of them may be missing, and removed at any time."""

from __future__ import annotations

import os
import time
from _imp import source_hash
from contextlib import suppress

from liveinstall._system.privacy import is_private, make_private, open_private, read_private, write_private
from liveinstall._system.settings import NO_CACHE, is_on
from liveinstall._system.user_cache import user_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

CHECKSUM = 8  # bytes
_UNUSED, _DAY = 30 * 86400, 86400  # seconds
_SWEPT = "swept"  # an empty file; it was changed when unused files were last removed


class PrivateCache:
    """A directory that no other user can write to. Files that were not used for a month are removed.

    Each file starts with a checksum of the rest, because nothing is flushed to the disk: after a power loss it may be
    damaged. Nothing is read or written while LIVEINSTALL_NO_CACHE is on.

    Args:
        name: The name of the directory.
    """

    def __init__(self, name: str) -> None:
        self._path = os.path.join(user_cache(), name)
        self._is_usable: bool | None = None

    def read(self, key: str) -> memoryview | None:
        """Return the content of a file; None if it is missing or damaged.

        Args:
            key: Its name.
        """
        if not self._is_open():
            return None
        path = os.path.join(self._path, key)
        with suppress(OSError):
            content = memoryview(read_private(path))
            if content[:CHECKSUM] == checksum(content[CHECKSUM:]):
                os.utime(path)
                return content[CHECKSUM:]
        return None

    def open(self, key: str) -> int | None:
        """Open a file for reading, whose content is not checked.

        Args:
            key: Its name.

        Returns:
            Its descriptor; None if it is missing.
        """
        if not self._is_open():
            return None
        path = os.path.join(self._path, key)
        with suppress(OSError):
            handle = open_private(path)
            os.utime(path)
            return handle
        return None

    def _is_open(self) -> bool:
        if self._is_usable is None:
            self._is_usable = not is_on(NO_CACHE) and is_private(self._path)
        return self._is_usable

    def write(self, key: str, content: bytes) -> None:
        """Write a file, if possible.

        Args:
            key: Its name.
            content: Its content.
        """
        self.write_pieces(key, (checksum(content), content))

    def write_pieces(self, key: str, pieces: Iterable[bytes]) -> None:
        """Write a file without a checksum, if possible.

        Args:
            key: Its name.
            pieces: The pieces of its content, which need not be in memory at the same time.
        """
        if is_on(NO_CACHE):
            return
        with suppress(OSError):
            make_private(self._path)
            self._is_usable = True
            write_private(os.path.join(self._path, key), b"", pieces)
            self._sweep()

    def _sweep(self) -> None:
        """Remove what was not used for a month, also drafts of killed processes; at most once a day."""
        from _liveinstall_boot import patient

        now, swept = time.time(), os.path.join(self._path, _SWEPT)
        if os.path.exists(swept) and now - os.stat(swept).st_mtime < _DAY:
            return
        write_private(swept, b"")
        for name in os.listdir(self._path):
            path = os.path.join(self._path, name)
            with suppress(OSError):
                if now - os.lstat(path).st_mtime > _UNUSED:
                    patient.unlink(path)


def checksum(content: bytes | memoryview) -> bytes:
    """Return the hash by which Python recognizes sources (PEP 552): ten times as fast as SHA-256, and always there.

    Args:
        content: The content.
    """
    return source_hash(len(content), content)
