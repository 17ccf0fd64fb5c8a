"""The exclusive lock of an environment: filelock here, flock in the boot package, on the same permanent file."""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from _liveinstall_boot import patient
from _liveinstall_boot.file_access import read_bytes
from _liveinstall_boot.layout import LOCK, OWNER, STATE, TRANSACTIONS
from liveinstall._system.cancellation import check
from liveinstall._system.durability import write_atomically
from liveinstall._system.settings import check_permitted
from liveinstall.errors import LockTimeoutError, NotWritableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filelock import BaseFileLock

DEFAULT_TIMEOUT = 60.0  # seconds
_SLICE = 0.5  # seconds between the checks for a cancellation
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
    except Timeout:
        holder = _holder(state)
        raise LockTimeoutError(
            f"another process is changing this environment: {holder or 'unknown'} (waited {seconds:g} seconds).",
            todo="Try again when it has finished.",
            holder=holder,
        ) from None
    except (OSError, NotImplementedError) as error:
        raise NotWritableError(f"{state} cannot be locked: {error}.", site=site) from error
    owner = os.path.join(state, OWNER)
    try:
        with suppress(OSError):
            write_atomically(owner, json.dumps({"pid": os.getpid(), "command": who}), flush=False)
        yield
    finally:
        with suppress(OSError):
            patient.unlink(owner)
        lock.release()


def lock_file(path: str, seconds: float) -> BaseFileLock:
    """Lock a permanent, empty file. The caller releases the lock.

    Args:
        path: The absolute path of the file.
        seconds: How long to wait for the lock.

    Returns:
        The lock.

    Raises:
        Timeout: Another process has the lock.
        OSError: The file cannot be opened.
        RequestCancelledError: The request was cancelled while waiting.
    """
    lock = _file_lock(path)
    _acquire(lock, seconds)
    return lock


def _file_lock(path: str) -> BaseFileLock:
    """A lock on a file that is never removed; it contains no data, because older versions of filelock truncate it."""
    try:
        return FileLock(path, preserve_lock_file=True, fallback_to_soft=False)
    except (
        TypeError
    ):  # before version 4, which removes no lock file on POSIX; our requirement excludes the versions that do
        return FileLock(path)


def _acquire(lock: BaseFileLock, seconds: float) -> None:
    """Wait in short slices, because only newer versions of filelock can be cancelled."""
    deadline = time.monotonic() + seconds
    while True:
        check()
        remaining = deadline - time.monotonic()
        try:
            lock.acquire(timeout=max(min(remaining, _SLICE), 0))
        except Timeout:
            if remaining <= _SLICE:
                raise
        else:
            return


def _holder(state: str) -> str:
    try:
        owner = json.loads(read_bytes(os.path.join(state, OWNER)))
        return f"pid {int(owner['pid'])} ({str(owner['command'])[:_LONGEST]})"
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return ""
