"""The sources of packages: the part of a request that an engine can use before the rest is parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Sources(NamedTuple):
    """The options of `liveinstall.install()` that say where packages come from, and in which format."""

    no_index: bool = False
    index_url: str | None = None
    extra_index_urls: Sequence[str] = ()
    find_links: Sequence[str] = ()
    only_binary: Sequence[str] = ()
    no_binary: Sequence[str] = ()
