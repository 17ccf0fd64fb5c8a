"""A request that another thread may end: what it has begun is taken back, and its child processes end."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING

from liveinstall.errors import RequestCancelledError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_current: ContextVar[Cancellation | None] = ContextVar("liveinstall_cancellation", default=None)


class Cancellation:
    """Ends the request of the context that it is set in."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ends: list[Callable[[], None]] = []
        self.is_cancelled = False

    def set(self) -> None:
        """Let it end what this context begins from now on."""
        _current.set(self)

    def cancel(self) -> None:
        """End the request at its next step, and at once what it waits for. Safe from any thread, also twice."""
        with self._lock:
            self.is_cancelled = True
            ends, self._ends = self._ends, []
        for end in ends:
            end()

    def add(self, end: Callable[[], None]) -> None:
        """Call `end` on cancelling, which may have happened already."""
        with self._lock:
            if not self.is_cancelled:
                self._ends.append(end)
                return
        end()

    def remove(self, end: Callable[[], None]) -> None:
        """Forget `end`."""
        with self._lock:
            if end in self._ends:
                self._ends.remove(end)


def too_late() -> None:
    """From here on nothing ends this context's request."""
    _current.set(None)


def check() -> None:
    """RequestCancelledError if this context's request was cancelled."""
    current = _current.get()
    if current is not None and current.is_cancelled:
        raise RequestCancelledError("the request was cancelled.")


@contextmanager
def ended_by(end: Callable[[], None]) -> Iterator[None]:
    """Wait inside for something that `end` ends, also from another thread; then `check()`."""
    current = _current.get()
    if current is None:
        yield
        return
    current.add(end)
    try:
        yield
    finally:
        current.remove(end)
    check()
