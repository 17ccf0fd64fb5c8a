"""The sources of packages: the part of a request that an engine can use before the rest is parsed."""

from __future__ import annotations

from liveinstall._redact import redact
from liveinstall._system.lean_dataclasses import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Sources(NamedTuple):
    """The options of `liveinstall.install()` that select the sources of packages and their format.

    Attributes:
        no_index: Whether to use no index.
        index_url: The URL of the index that replaces the configured one; None for the configured one.
        extra_index_urls: The URLs of additional indexes.
        find_links: Directories or URLs of pages with wheels and source distributions.
        only_binary: The names of projects that are never built; `:all:` for all.
        no_binary: The names of projects that are always built; `:all:` for all.
    """

    no_index: bool = False
    index_url: str | None = None
    extra_index_urls: Sequence[str] = ()
    find_links: Sequence[str] = ()
    only_binary: Sequence[str] = ()
    no_binary: Sequence[str] = ()

    def __repr__(self) -> str:
        """Without credentials: tracebacks with local variables show it."""
        return redact(f"Sources{tuple(self)!r}")
