"""Environments made of links: to run in, for hosts that embed Python, and for trying what is staged."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from liveinstall._homes.create import create
    from liveinstall._homes.remove import remove
    from liveinstall._homes.run import look, run

__all__ = ["create", "look", "remove", "run"]

_PLACES = {"create": "making", "look": "leaving", "remove": "leaving", "run": "leaving"}


def __getattr__(name: str) -> Any:
    """Load a function when it is first used, as `liveinstall` does."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
