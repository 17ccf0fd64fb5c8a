"""Many contents by name in one file of a private cache, of which only one at a time is in memory.

The contents come first, then an index of their positions and checksums, then the position and checksum of the index.
"""

from __future__ import annotations

import marshal
import os
from contextlib import suppress

from liveinstall._system.private_cache import CHECKSUM, checksum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

    from liveinstall._system.private_cache import PrivateCache

_POSITION = 8  # bytes


class PrivateArchive:
    """An archive that is opened for reading, a context manager. A missing or damaged one is empty.

    Attributes:
        is_whole: Whether it exists, and no damage was found yet.
    """

    def __init__(self, cache: PrivateCache, key: str) -> None:
        """Open an archive.

        Args:
            cache: The cache.
            key: The name of the file.
        """
        self._handle = cache.open(key)
        self._index: dict[str, tuple[int, int, bytes]] = {}
        self.is_whole = False
        if self._handle is not None:
            with suppress(OSError):
                self._read_index(self._handle)

    def _read_index(self, handle: int) -> None:
        end = os.lseek(handle, 0, os.SEEK_END) - _POSITION - CHECKSUM
        trailer = self._content(end, _POSITION + CHECKSUM) if end >= 0 else b""
        start = int.from_bytes(trailer[:_POSITION], "little")
        index = self._content(start, end - start) if start <= end else b""
        if index and checksum(index) == trailer[_POSITION:]:
            self._index = marshal.loads(index)  # noqa: S302  only this user can have written it
            self.is_whole = True

    def _content(self, start: int, length: int) -> bytes:
        assert self._handle is not None
        os.lseek(self._handle, start, os.SEEK_SET)
        return os.read(self._handle, length)

    def __enter__(self) -> Self:
        """Return this object."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Iterate over the names and contents, except damaged ones.

        Raises:
            OSError: The file cannot be read.
        """
        for name, (start, length, expected) in self._index.items():
            content = self._content(start, length)
            if checksum(content) == expected:
                yield name, content
            else:
                self.is_whole = False


def write_archive(cache: PrivateCache, key: str, contents: Iterable[tuple[str, bytes]]) -> None:
    """Write an archive, if possible; an existing one is replaced.

    Args:
        cache: The cache.
        key: The name of the file.
        contents: The names and contents.
    """
    cache.write_pieces(key, _pieces(contents))


def _pieces(contents: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    index, position = {}, 0
    for name, content in contents:
        index[name] = position, len(content), checksum(content)
        yield content
        position += len(content)
    about = marshal.dumps(index)
    yield about
    yield position.to_bytes(_POSITION, "little") + checksum(about)
