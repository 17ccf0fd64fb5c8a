"""The filter of `list()`, `history()` and `status()`: names of distributions, and patterns of names."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection


def matcher(names: Collection[str]) -> Callable[[str], bool]:
    """Return a function that decides whether a normalized name is one of these.

    Args:
        names: Names of distributions in any spelling, or patterns such as "jupyter*" (`fnmatch`). None match all.
    """
    if not names:
        return lambda _: True
    import re  # most calls are about all distributions
    from fnmatch import fnmatchcase

    patterns = [re.sub("[-_.]+", "-", name).lower() for name in names]
    return lambda name: any(fnmatchcase(name, pattern) for pattern in patterns)
