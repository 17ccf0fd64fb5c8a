"""Cancellation of a request from another thread: its work is reverted, and its child processes are killed."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock

from liveinstall.errors import RequestCancelledError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_current: ContextVar[Cancellation | None] = ContextVar("liveinstall_cancellation", default=None)


class Cancellation:
    """Cancels the request of the context (PEP 567) in which it is set. All methods are thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._callbacks: list[Callable[[], None]] = []
        self.is_cancelled = False

    def set(self) -> None:
        """Make requests that begin in this context cancellable by this object."""
        _current.set(self)

    def cancel(self) -> None:
        """Cancel the request at its next step, and stop the child process that it waits for. Idempotent."""
        with self._lock:
            self.is_cancelled = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def add(self, end: Callable[[], None]) -> None:
        """Call `end` when the request is cancelled; immediately if it was cancelled already."""
        with self._lock:
            if not self.is_cancelled:
                self._callbacks.append(end)
                return
        end()

    def remove(self, end: Callable[[], None]) -> None:
        """Do not call `end` any longer."""
        with self._lock:
            if end in self._callbacks:
                self._callbacks.remove(end)


def too_late() -> None:
    """Make this context's request impossible to cancel from now on."""
    _current.set(None)


def check() -> None:
    """Check that this context's request was not cancelled.

    Raises:
        RequestCancelledError: It was cancelled.
    """
    current = _current.get()
    if current is not None and current.is_cancelled:
        raise RequestCancelledError("the request was cancelled.")


@contextmanager
def ended_by(end: Callable[[], None]) -> Iterator[None]:
    """Call a function if the request is cancelled during the block.

    Args:
        end: Ends the wait of the caller's block; called in the cancelling thread.

    Raises:
        RequestCancelledError: The request was cancelled; raised after the block.
    """
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
