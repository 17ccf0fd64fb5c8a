"""The exclusive lock of an environment: the lock of the boot package, with a wait that can be cancelled."""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager, suppress

from _liveinstall_boot import patient
from _liveinstall_boot.file_access import read_bytes
from _liveinstall_boot.layout import LOCK, OWNER, STATE, TRANSACTIONS
from _liveinstall_boot.locks import try_lock
from liveinstall._system.cancellation import check
from liveinstall._system.durability import write_atomically
from liveinstall._system.settings import check_permitted
from liveinstall.errors import LockTimeoutError, NotWritableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import ClassVar

DEFAULT_TIMEOUT = 60.0  # seconds
_PAUSE = 0.05  # seconds between two tries
_LONGEST = 1000  # characters of another process's description in an error


@contextmanager
def environment_lock(site: str, *, who: str, timeout: float | None = None) -> Iterator[None]:
    """Hold the environment's lock during a block. Every change takes it, so it also checks LIVEINSTALL_DISABLE.

    Args:
        site: The site-packages directory, absolute.
        who: The description of this process for the errors of other processes.
        timeout: How long to wait for the lock, in seconds. Default: 60.

    Raises:
        LockTimeoutError: Another process has the lock.
        NotWritableError: The lock file cannot be written.
        RequestCancelledError: The request was cancelled while waiting.
        DisabledError: Changes are disabled.
    """
    check_permitted()
    state = os.path.join(site, STATE)
    seconds = DEFAULT_TIMEOUT if timeout is None else timeout
    try:
        os.makedirs(os.path.join(state, TRANSACTIONS), exist_ok=True)
        lock = lock_file(os.path.join(state, LOCK), seconds)
    except TimeoutError:
        holder = _holder(state)
        raise LockTimeoutError(
            f"another process is changing this environment: {holder or 'unknown'} (waited {seconds:g} seconds).",
            todo="Try again when it has finished.",
            holder=holder,
        ) from None
    except OSError as error:
        raise NotWritableError(f"{state} cannot be locked: {error}.", site=site) from None
    owner = os.path.join(state, OWNER)
    try:
        with suppress(OSError):
            write_atomically(owner, json.dumps({"pid": os.getpid(), "command": who}), flush=False)
        yield
    finally:
        with suppress(OSError):
            patient.unlink(owner)
        lock.release()


class FileLock:
    """A lock that this process has. A forked child does not: it closes its descriptor, which would keep the lock."""

    _held: ClassVar[set[FileLock]] = set()

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._held.add(self)

    def release(self) -> None:
        """Release the lock. Idempotent."""
        if self in self._held:
            self._held.discard(self)
            os.close(self._handle)

    @classmethod
    def forget(cls) -> None:
        """Close the descriptors of all locks in a forked child."""
        for lock in tuple(cls._held):
            lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=FileLock.forget)


def lock_file(path: str, seconds: float) -> FileLock:
    """Lock a permanent, empty file. The caller releases the lock.

    Args:
        path: The absolute path of the file.
        seconds: How long to wait for the lock.

    Returns:
        The lock.

    Raises:
        TimeoutError: Another process has the lock.
        OSError: The file cannot be opened or locked.
        RequestCancelledError: The request was cancelled while waiting.
    """
    deadline = time.monotonic() + seconds
    while True:
        check()
        handle = try_lock(path)
        if handle is not None:
            return FileLock(handle)
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError(f"{path} is locked")
        time.sleep(min(_PAUSE, remaining))


def _holder(state: str) -> str:
    try:
        owner = json.loads(read_bytes(os.path.join(state, OWNER)))
        return f"pid {int(owner['pid'])} ({str(owner['command'])[:_LONGEST]})"
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return ""
