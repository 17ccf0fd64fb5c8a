"""Compatibility of builds with this interpreter, by the tags in their names (PEP 425)."""

from __future__ import annotations

import sys
from functools import cache

from liveinstall._system.caller import module_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def is_for_all(tag: str) -> bool:
    """Return whether any Python 3 can use a tag; this needs no list of the tags of this interpreter."""
    return tag.endswith("py3-none-any")


@cache
def ranks() -> dict[str, int]:
    """Return the rank of each tag that this interpreter supports; 0 is the best."""
    was_loaded = "packaging" in sys.modules
    from packaging.tags import sys_tags  # slow to load, and unnecessary for most builds

    tags = {str(tag): rank for rank, tag in enumerate(sys_tags())}
    if not was_loaded:  # at start-up the program may be about to activate another version of it
        for name in [name for name in module_names() if name.partition(".")[0] == "packaging"]:
            del sys.modules[name]
    return tags


def rank_of(tag: str, known: Mapping[str, int]) -> int:
    """Return the rank of a tag for this interpreter.

    Args:
        tag: The tag, possibly compressed (`py2.py3-none-any`), with or without a build before it.
        known: The result of `ranks()`.

    Returns:
        0 for the best tag; sys.maxsize if the interpreter cannot use it.
    """
    if is_for_all(tag):
        return known.get("py3-none-any", sys.maxsize - 1)
    interpreters, abis, platforms = (part.split(".") for part in tag.split("-")[-3:])
    return min(
        (known.get(f"{i}-{a}-{p}", sys.maxsize) for i in interpreters for a in abis for p in platforms),
        default=sys.maxsize,
    )


def is_usable(tag: str) -> bool:
    """Return whether this interpreter can use a tag, which may be compressed."""
    return is_for_all(tag) or rank_of(tag, ranks()) < sys.maxsize


def build_of(tag: str) -> tuple[int, str]:
    """Return a sort key for the build number before a tag: the highest first, no build number last."""
    build = tag.rpartition("-")[0].rpartition("-")[0].rpartition("-")[0]
    digits = build[: len(build) - len(build.lstrip("0123456789"))]
    return -int(digits or -1), build
