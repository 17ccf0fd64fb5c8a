"""Transferring the wheels of a lock into this user's cache, in pieces for any transport, checked by SHA-256."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from contextlib import suppress

from _liveinstall_boot import patient
from _liveinstall_boot.file_access import create
from liveinstall._cluster.wheel_lock import cached
from liveinstall.errors import LockError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from liveinstall._cluster.values import Lock, LockedWheel

PIECE = 8 * 2**20
_SHA256 = re.compile("[0-9a-f]{64}")


def missing(lock: Lock) -> list[LockedWheel]:
    """Return the wheels of a lock that this user's cache lacks."""
    return [wheel for wheel in lock.wheels if not os.path.isfile(cached(wheel.sha256, wheel.file))]


def read_piece(sha256: str, file: str, offset: int) -> bytes:
    """Read a piece of a wheel in the cache.

    Args:
        sha256: The SHA-256 of the wheel, hexadecimal.
        file: Its file name.
        offset: Where the piece begins, in bytes.

    Returns:
        At most `PIECE` bytes; none at the end.

    Raises:
        LockError: The cache does not have it.
    """
    if not _SHA256.fullmatch(sha256) or os.path.basename(file) != file or not file.endswith(".whl"):
        raise LockError(f"{file} is not the name of a wheel.", name="")
    try:
        with open(cached(sha256, file), "rb") as stream:
            stream.seek(offset)
            return stream.read(PIECE)
    except OSError as error:
        raise LockError(f"{file} cannot be read here: {error.strerror}.", name="") from None


class Arrival:
    """A wheel that arrives in pieces. It is in the cache when it is complete and its SHA-256 is correct."""

    def __init__(self, wheel: LockedWheel) -> None:
        """Make an empty draft.

        Args:
            wheel: The wheel that is expected.

        Raises:
            OSError: The cache cannot be written to.
        """
        self._wheel = wheel
        self._path = cached(wheel.sha256, wheel.file)
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        handle, self._draft = create(self._path + ".draft-")
        self._stream = open(handle, "wb")
        self._digest = hashlib.sha256()

    def add(self, piece: bytes) -> None:
        """Append a piece. Raises OSError."""
        self._stream.write(piece)
        self._digest.update(piece)

    def finish(self) -> None:
        """Check the wheel, and give it its name. Raises LockError or OSError, and leaves nothing behind."""
        self._stream.close()
        if self._digest.hexdigest() != self._wheel.sha256:
            self.discard()
            raise LockError(
                f"{self._wheel.file} arrived with a SHA-256 that is not the one in the lock.", name=self._wheel.name
            )
        patient.replace(self._draft, self._path)

    def discard(self) -> None:
        """Remove the draft. Never raises."""
        with suppress(OSError):
            self._stream.close()
        with suppress(OSError):
            patient.unlink(self._draft)


async def fetch(lock: Lock, ask: Callable[[str, str, int], Awaitable[bytes]]) -> int:
    """Fetch the missing wheels of a lock into the cache.

    Args:
        lock: The lock.
        ask: Returns a piece of a wheel by its SHA-256, file name and offset in bytes; an empty one at the end.

    Returns:
        The number of bytes that were fetched.

    Raises:
        LockError: A wheel arrived with other content than the lock specifies.
        OSError: The cache cannot be written to; the wheel that did not fit is not left there.
    """
    count = 0
    for wheel in missing(lock):
        arrival = Arrival(wheel)
        try:
            offset = 0
            while piece := await ask(wheel.sha256, wheel.file, offset):
                await asyncio.to_thread(arrival.add, piece)
                offset += len(piece)
            await asyncio.to_thread(arrival.finish)
        except BaseException:
            arrival.discard()
            raise
        count += offset
    return count
