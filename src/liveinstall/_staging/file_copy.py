"""Writing the files of a part: each is read once, hashed while it is copied, and complete unless an error is raised."""

from __future__ import annotations

import io
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import hashlib
    from collections.abc import Iterable
    from concurrent.futures import Future, ThreadPoolExecutor
    from typing import BinaryIO

CHUNK = 2**18  # bytes
LARGE = 2**20  # bytes of a file, and of its pieces
FLUSHED = 2**24  # bytes to write between two flushes


class Rejoined(io.RawIOBase):
    """A stream with its beginning, which was already read, prepended again.

    Args:
        head: The beginning.
        rest: The stream, after the beginning.
    """

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        """Read the beginning first, as a whole; then up to `size` bytes of the rest."""
        head, self._head = self._head, b""
        return head or self._rest.read(size)


def copy(stream: BinaryIO, out: io.FileIO | None, hashes: Iterable[hashlib._Hash], *, large: bool) -> int:
    """Copy a stream into a file and into hashes.

    Args:
        stream: The source.
        out: The file; None to compute only the hashes.
        hashes: The hash objects to update.
        large: Whether to write in a thread while the next chunk is read, and to begin flushing meanwhile.

    Returns:
        The size in bytes.

    Raises:
        OSError: The file cannot be written.
    """

    def process(chunk: bytes) -> int:
        for each in hashes:
            each.update(chunk)
        if out:
            _write_all(out, chunk)
        return len(chunk)

    if not large:
        return sum(map(process, iter(lambda: stream.read(CHUNK), b"")))
    from concurrent.futures import ThreadPoolExecutor  # for few files only, and it loads `logging`

    with ThreadPoolExecutor(max_workers=2) as background:
        flushes = _Flushes(out, background)
        size = 0
        previous: Future[int] | None = None
        while chunk := stream.read(LARGE):
            size += previous.result() if previous else 0
            flushes.reached(size)
            previous = background.submit(process, chunk)
        flushes.wait()
        return size + (previous.result() if previous else 0)


class _Flushes:
    """Flushes a file in the background while it is written, so that the flush of the commit has less to write.

    Args:
        out: The file; None to do nothing.
        background: Its threads; one of them is left free.
    """

    def __init__(self, out: io.FileIO | None, background: ThreadPoolExecutor) -> None:
        self._out = out if hasattr(os, "fdatasync") else None  # Windows and macOS have none
        self._background = background
        self._last: Future[None] | None = None
        self._size = 0

    def reached(self, size: int) -> None:
        """Begin a flush if enough bytes are written and no other flush is running.

        Args:
            size: The bytes that are written.

        Raises:
            OSError: The previous flush failed.
        """
        if self._out and size - self._size >= FLUSHED and (not self._last or self._last.done()):
            self.wait()
            self._last, self._size = self._background.submit(os.fdatasync, self._out.fileno()), size

    def wait(self) -> None:
        """Wait for the running flush. Its error must not be lost: a later flush would not get the same one again.

        Raises:
            OSError: It failed.
        """
        if self._last:
            self._last.result()


def _write_all(out: io.FileIO, chunk: bytes) -> None:
    """Write a whole chunk: an unbuffered write may be partial if the disk is nearly full."""
    view = memoryview(chunk)
    while view:
        view = view[out.write(view) :]


def finish(out: io.FileIO, *, executable: bool) -> int:
    """Set and return the mode of a file.

    Args:
        out: The written file.
        executable: Whether all users who may read the file may execute it, too, regardless of the umask.

    Returns:
        Its permission bits.
    """
    mode = os.fstat(out.fileno()).st_mode & 0o777
    if executable:
        mode |= (mode & 0o444) >> 2
        os.chmod(out.name, mode)
    return mode
