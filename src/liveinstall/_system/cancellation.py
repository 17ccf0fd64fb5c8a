"""Cancellation of a request from another thread: its work is reverted, and its child processes are killed."""

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
    """Cancels the request of the context (PEP 567) in which it is set."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ends: list[Callable[[], None]] = []
        self.is_cancelled = False

    def set(self) -> None:
        """Make requests that begin in this context cancellable by this object."""
        _current.set(self)

    def cancel(self) -> None:
        """Cancel the request at its next step, and stop what it is waiting for. Thread-safe and idempotent."""
        with self._lock:
            self.is_cancelled = True
            ends, self._ends = self._ends, []
        for end in ends:
            end()

    def add(self, end: Callable[[], None]) -> None:
        """Call `end` when the request is cancelled, at once if it is cancelled already."""
        with self._lock:
            if not self.is_cancelled:
                self._ends.append(end)
                return
        end()

    def remove(self, end: Callable[[], None]) -> None:
        """Do not call `end` any more."""
        with self._lock:
            if end in self._ends:
                self._ends.remove(end)


def too_late() -> None:
    """Make this context's request uncancellable from now on."""
    _current.set(None)


def check() -> None:
    """Check whether this context's request was cancelled.

    Raises:
        RequestCancelledError: It was.
    """
    current = _current.get()
    if current is not None and current.is_cancelled:
        raise RequestCancelledError("the request was cancelled.")


@contextmanager
def ended_by(end: Callable[[], None]) -> Iterator[None]:
    """Call `end` if the request is cancelled during the block, in which the caller waits; then `check()`."""
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
