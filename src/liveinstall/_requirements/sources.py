"""Where packages may come from: the part of a request that an engine can use before the rest is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Sources(NamedTuple):
    """Indexes and directories, as in `liveinstall.install()`, and which projects come as wheels or archives."""

    no_index: bool = False
    index_url: str | None = None
    extra_index_urls: Sequence[str] = ()
    find_links: Sequence[str] = ()
    only_binary: Sequence[str] = ()
    no_binary: Sequence[str] = ()
