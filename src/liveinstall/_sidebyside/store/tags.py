"""Which builds this interpreter can use, by the tags in their names."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

from liveinstall._system.caller import module_names

if TYPE_CHECKING:
    from collections.abc import Mapping


def is_for_all(tag: str) -> bool:
    """Whether any Python 3 can use it, which needs no look at the tags of this one."""
    return tag.endswith("py3-none-any")


@cache
def ranks() -> dict[str, int]:
    """The tags of this interpreter, the best with 0."""
    is_here = "packaging" in sys.modules
    from packaging.tags import sys_tags  # takes long to load, and most of what there is needs no look at it

    found = {str(tag): rank for rank, tag in enumerate(sys_tags())}
    if not is_here:  # a program that starts may be about to get another version of it
        for name in [name for name in module_names() if name.partition(".")[0] == "packaging"]:
            del sys.modules[name]
    return found


def rank_of(tag: str, known: Mapping[str, int]) -> int:
    """How well a (compressed) tag fits this interpreter: 0 is best, sys.maxsize is not at all."""
    if is_for_all(tag):
        return known.get("py3-none-any", sys.maxsize - 1)
    interpreters, abis, platforms = (part.split(".") for part in tag.split("-")[-3:])
    return min(
        (known.get(f"{i}-{a}-{p}", sys.maxsize) for i in interpreters for a in abis for p in platforms),
        default=sys.maxsize,
    )


def is_usable(tag: str) -> bool:
    """Whether this interpreter can use a (compressed) tag."""
    return is_for_all(tag) or rank_of(tag, ranks()) < sys.maxsize


def build_of(tag: str) -> tuple[int, str]:
    """The build number before a tag, to sort by: the highest first, and what has none last."""
    build = tag.rpartition("-")[0].rpartition("-")[0].rpartition("-")[0]
    digits = build[: len(build) - len(build.lstrip("0123456789"))]
    return -int(digits or -1), build
