"""Whether names that differ only in case are one file: observed on the file system, never derived from the platform."""

from __future__ import annotations

import os
from contextlib import suppress

_answers: dict[int, bool] = {}  # device -> whether it folds case


def folds_case(directory: str) -> bool:
    """Return whether names that differ only in case are one file in a directory.

    It is remembered for each device. Nothing is written: an entry is looked up under its name in the other case.

    Args:
        directory: The directory, absolute; it need not exist.

    Returns:
        The observation; True if nothing can be observed, because refusing a file is safer than losing one.
    """
    while not os.path.isdir(directory) and os.path.dirname(directory) != directory:
        directory = os.path.dirname(directory)
    try:
        device = os.stat(directory).st_dev
    except OSError:
        return True
    if device not in _answers:
        seen = _observe(directory)
        if seen is None:
            return True
        _answers[device] = seen
    return _answers[device]


def name_on_disk(path: str, below: str) -> str:
    """Return the path as its names are written on disk, for a path that exists, perhaps under another case.

    Args:
        path: The path, absolute.
        below: A directory that contains it; its own names are left as they are.
    """
    found = below
    for part in os.path.relpath(path, below).split(os.sep):
        names = []
        with suppress(OSError):
            names = os.listdir(found)
        same = (name for name in names if name.casefold() == part.casefold())
        found = os.path.join(found, part if part in names else next(same, part))
    return found


def _observe(directory: str) -> bool | None:
    """Whether the directory folds case; None if neither its entries nor its own name can show that."""
    device = os.stat(directory).st_dev
    while os.stat(directory).st_dev == device:
        with suppress(OSError):
            names = set(os.listdir(directory))
            for name in sorted(names):
                other = name.swapcase()
                if name.isascii() and other != name:
                    paths = (os.path.join(directory, each) for each in (name, other))
                    return other not in names and _is_same(*paths)
        if os.path.dirname(directory) == directory:
            break
        directory = os.path.dirname(directory)
    return None


def _is_same(path: str, other: str) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.lstat(path), os.lstat(other))
    return False
