"""Homes (linked environments): virtual environments of links to a shared store, for embedding hosts."""

from __future__ import annotations

from liveinstall._system.lazy_names import lazy_getattr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from liveinstall._homes.create import create
    from liveinstall._homes.remove import remove
    from liveinstall._homes.run import look, run

__all__ = ["create", "look", "remove", "run"]

__getattr__ = lazy_getattr(
    __name__,
    {
        "create": "liveinstall._homes.create",
        "look": "liveinstall._homes.run",
        "remove": "liveinstall._homes.remove",
        "run": "liveinstall._homes.run",
    },
)
