"""The lock of an environment, and waiting for a swap in progress.

The lock is a kernel lock on a file, so it ends with its process, however that ends.
"""

import errno
import os
import time
from os.path import join

from .layout import LOCK, OWNER, STATE, WAIT, list_transactions

try:
    import fcntl
except ImportError:
    fcntl = None
    import msvcrt

_own_swaps = []  # the transactions that this process itself is swapping


def try_lock(path, flags=0):
    """Lock a file without waiting; it is created if it is missing.

    Args:
        path: the file.
        flags: further flags for `os.open()`.

    Returns:
        The descriptor that has the lock until it is closed, or None if another process has the lock.

    Raises:
        OSError: the file cannot be locked at all (ENOLCK, EROFS, EACCES).
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | flags, 0o666)
    try:
        if fcntl:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        if os.path.samestat(os.fstat(handle), os.stat(path)):
            return handle
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES, errno.ENOENT, errno.EDEADLK):
            os.close(handle)
            raise
    os.close(handle)
    return None


def is_locked(path):
    """Return whether a process has a lock on a file now.

    Args:
        path: the file.
    """
    try:
        handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY | os.O_NONBLOCK)  # it may be a FIFO
    except OSError:
        return False
    try:
        if fcntl:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        else:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def lock_or_wait(site):
    """Take the environment's lock; wait only for a swap in progress, and at most `WAIT` seconds.

    Args:
        site: the site directory.

    Returns:
        The lock's descriptor or None, and whether this function waited for a swap.

    Raises:
        OSError: the file cannot be locked at all.
    """
    end = time.monotonic() + WAIT
    waited = False
    while True:
        handle = try_lock(join(site, STATE, LOCK))
        if handle is not None or not _is_swap_in_progress(site) or time.monotonic() > end:
            return handle, waited
        waited = True
        time.sleep(0.01)


def _is_swap_in_progress(site):
    """Whether the owner of the lock is swapping, or is a starting interpreter that is about to swap.

    A process that continued meanwhile would import from both versions.
    """
    states = {state for _, state, _ in list_transactions(site)}
    return "swapping" in states or ("pending" in states and not os.path.exists(join(site, STATE, OWNER)))


def begin_swap(transaction_id):
    """Record that this process is swapping a transaction, so that its own imports do not wait for the swap."""
    _own_swaps.append(transaction_id)


def end_swap(transaction_id):
    """Record that this process has finished swapping a transaction, or given up."""
    _own_swaps.remove(transaction_id)


def is_swapping():
    """Return whether this process itself is swapping."""
    return bool(_own_swaps)
