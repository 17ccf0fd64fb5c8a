"""For subinterpreters only: access to the hold that the process already has."""

import os

from .watcher import clear_of_streams


def copy_of_descriptor(path):
    """Open a descriptor that shares the lock of this process on a hold.

    Args:
        path: the absolute path of the hold.

    Raises:
        OSError: the hold cannot be opened.
    """
    wanted = os.stat(path)
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        numbers = range(3, 1024)
    for number in numbers:
        try:
            if os.path.samestat(os.fstat(number), wanted):
                return clear_of_streams(os.dup(number))
        except OSError:
            pass
    if os.name == "nt":
        from .file_access import open_shared

        return clear_of_streams(open_shared(path, os.O_WRONLY | os.O_APPEND))
    return clear_of_streams(os.open(path, os.O_WRONLY | os.O_APPEND))
