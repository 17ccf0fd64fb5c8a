"""Work in the background of this process, which must end before the process is replaced by another program."""

from __future__ import annotations

from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_stops: list[Callable[[], None]] = []


def register(stop: Callable[[], None]) -> None:
    """Register a function that ends some work.

    Args:
        stop: Ends it and waits until it has ended. Registering it again has no effect.
    """
    if stop not in _stops:
        _stops.append(stop)


def stop_all() -> None:
    """End all work that is registered. Never raises."""
    for stop in _stops:
        with suppress(Exception):
            stop()
