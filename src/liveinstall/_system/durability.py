"""Durable files: complete or missing, even after a kill or a power loss."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cache

from _liveinstall_boot import patient
from _liveinstall_boot.file_access import create

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def write_atomically(path: str, content: str | bytes, *, draft: str = "", flush: bool = True) -> None:
    """Write a file under another name, flush it, and rename it into place.

    On disk before: the old file, or none. The commit point is the rename. A kill leaves the draft, which a process with
    the lock of that directory removes. Its name cannot be guessed, and a link at `path` is replaced.

    Args:
        path: The absolute path of the file.
        content: Text is written as UTF-8; surrogates are written as the bytes that they stand for.
        draft: The beginning of the draft's path, on the same file system. Default: `path` with `.draft-` appended.
        flush: Whether the content must survive a power loss. The directory is not flushed.

    Raises:
        OSError: It cannot be written. The old file is unchanged, and no draft is left.
    """
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    handle, draft = create(draft or f"{path}.draft-")
    try:
        with open(handle, "wb") as stream:
            stream.write(data)
            if flush:
                stream.flush()
                os.fsync(stream.fileno())
        patient.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            patient.unlink(draft)
        raise


def flush_file_system(site: str) -> None:
    """Flush everything that was written to the file system of a directory.

    One `syncfs` takes a fifth of the time of an `fsync` for each file.

    Args:
        site: The absolute path of a directory on the file system.

    Raises:
        OSError: The directory cannot be opened.
    """
    syncfs = load_syncfs()
    if syncfs:
        handle = os.open(site, os.O_RDONLY)
        try:
            if syncfs(handle) == 0:
                return
        finally:
            os.close(handle)
    if hasattr(os, "sync"):
        os.sync()


def begin_flush(site: str) -> None:
    """Let the disk work already, in a thread, so that the later `flush_file_system()`, which is still needed, is short.

    Args:
        site: As for `flush_file_system()`.
    """

    def flush() -> None:
        with suppress(OSError):  # the later flush fails, too
            flush_file_system(site)

    if load_syncfs():
        from threading import Thread  # which most users of this module do not need

        with suppress(RuntimeError):  # some subinterpreters may not start threads
            Thread(target=flush).start()


@cache
def load_syncfs() -> Callable[[int], int] | None:
    """Load the C function `syncfs` by ctypes, which takes a few milliseconds. None if there is none."""
    if sys.platform != "linux":
        return None
    try:
        import ctypes  # not available in every subinterpreter

        function: Callable[[int], int] = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, ImportError):
        return None
    return function
