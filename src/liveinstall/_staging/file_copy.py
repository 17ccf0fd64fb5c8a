"""Files of a part are written: read once, hashed on the way, whole or an error."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Iterable
    from concurrent.futures import Future

CHUNK = 2**18  # bytes
LARGE = 2**20  # bytes of a file, and of its pieces


class Rejoined(io.RawIOBase):
    """A stream whose beginning has been read already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        """Read the beginning first."""
        head, self._head = self._head, b""
        return head or self._rest.read(size)


def copy(stream: BinaryIO, out: io.FileIO | None, hashes: Iterable[hashlib._Hash], *, large: bool) -> int:
    """Read all of `stream` into `hashes` and `out`; its size. Of a large file a piece is written beside reading on."""

    def take(chunk: bytes) -> int:
        for each in hashes:
            each.update(chunk)
        if out:
            _write_all(out, chunk)
        return len(chunk)

    if not large:
        return sum(map(take, iter(lambda: stream.read(CHUNK), b"")))
    size = 0
    with ThreadPoolExecutor(max_workers=1) as beside:
        before: Future[int] | None = None
        while chunk := stream.read(LARGE):
            size += before.result() if before else 0
            before = beside.submit(take, chunk)
        return size + (before.result() if before else 0)


def _write_all(out: io.FileIO, chunk: bytes) -> None:
    """An unbuffered write may take less than all of it, on a disk that is just filling up."""
    view = memoryview(chunk)
    while view:
        view = view[out.write(view) :]


def finish(out: io.FileIO, *, executable: bool) -> int:
    """Its mode: executable for whoever may read it, under any umask."""
    mode = os.fstat(out.fileno()).st_mode & 0o777
    if executable:
        mode |= (mode & 0o444) >> 2
        os.chmod(out.name, mode)
    return mode
