"""The filter of `list()`, `history()` and `status()`: names of distributions, and patterns of names."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def matcher(names: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that decides whether a normalized name is one of these.

    Args:
        names: Names of distributions in any spelling, or patterns such as "jupyter*" (`fnmatch`). None match all.
    """
    patterns = [re.sub("[-_.]+", "-", name).lower() for name in names]
    return lambda name: not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
