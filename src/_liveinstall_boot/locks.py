"""The lock of an environment, and waiting for a swap in progress."""

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


def try_lock(path, flags=0):
    """Lock the file at `path` without waiting: its descriptor, or None when somebody else has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o666)
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


def lock_or_wait(site):
    """The lock's descriptor, or None, and whether it was waited for: only for a swap, and never longer than WAIT."""
    end = time.monotonic() + WAIT
    waited = False
    while True:
        handle = try_lock(join(site, STATE, LOCK))
        if handle is not None or not is_swap_due(site) or time.monotonic() > end:
            return handle, waited
        waited = True
        time.sleep(0.01)


def is_swap_due(site):
    """Whether who has the lock swaps, or is a start that is about to: whoever went on then would see both versions."""
    states = {state for _, state, _ in list_transactions(site)}
    return "swapping" in states or ("pending" in states and not os.path.exists(join(site, STATE, OWNER)))
