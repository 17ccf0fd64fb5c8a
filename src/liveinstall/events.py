"""Progress events of a request: the frozen values that an `on_event` callback receives."""

from __future__ import annotations

import warnings
from contextlib import suppress

from liveinstall._system.cancellation import check, too_late
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._system.presenter import Display, presenter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self, TypeAlias

    from liveinstall.results import Change, Plan, Result


@dataclass(frozen=True)
class Event:
    """The base class of all events."""


@dataclass(frozen=True)
class Planning(Event):
    """The engine is resolving the requirements.

    Attributes:
        requests: The requirements as the caller wrote them.
    """

    requests: tuple[str, ...]


@dataclass(frozen=True)
class Downloading(Event):
    """Part of a file was downloaded.

    Attributes:
        file: The file's name.
        done: The bytes received so far.
        total: The size of the file in bytes; None if the server does not report it.
    """

    file: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Retrying(Event):
    """A request to an index failed, and the engine tries it again.

    Attributes:
        url: The requested URL or host, without credentials.
        reason: Why it failed, in the engine's words; may be empty.
        remaining: The number of further tries; None if the engine does not report it.
    """

    url: str
    reason: str
    remaining: int | None = None


@dataclass(frozen=True)
class Planned(Event):
    """The changes are known: those that are applied now, and those that will be pending.

    Attributes:
        plan: The planned changes, each with its timing.
    """

    plan: Plan


@dataclass(frozen=True)
class Staging(Event):
    """Distributions are being unpacked and checked.

    Attributes:
        name: The distribution that was finished last; empty at the beginning.
        done: The number of finished distributions.
        total: The number of distributions to stage.
    """

    name: str
    done: int
    total: int


@dataclass(frozen=True)
class Committing(Event):
    """Everything is staged, and the commit begins. From here on the request cannot be cancelled.

    Attributes:
        changes: The changes of the request.
    """

    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Staged(Event):
    """Changes are pending until Python starts again.

    Attributes:
        changes: The pending changes of this request.
    """

    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Done(Event):
    """The request succeeded.

    Attributes:
        result: The return value of the verb.
    """

    result: Result


@dataclass(frozen=True)
class Failed(Event):
    """The request failed.

    Attributes:
        error: The exception that is raised next.
    """

    error: BaseException


OnEvent: TypeAlias = "Callable[[Event], None] | None"


def ignore_event(event: Event) -> None:
    """Discard an event: the default of parameters for callbacks."""


class Reporter:
    """Passes events to `on_event` and to the progress display, in the thread that executes the request.

    As a context manager it emits `Failed` when its block raises. An exception that `on_event` raises stops the request
    as Ctrl-C does, with nothing changed; after the commit has begun it becomes a RuntimeWarning.

    Args:
        on_event: The caller's callback. Default: none.
        quiet: False shows progress, None only in interactive sessions, True never; see `liveinstall.install()`.

    Attributes:
        asks: Whether the error that is being raised is a question to the user, who may decide to continue.
    """

    def __init__(self, on_event: OnEvent = None, *, quiet: bool | None = True) -> None:
        self._on_event = on_event
        self._display: Display | None = None
        if not quiet:
            with suppress(Exception):
                self._display = presenter().progress(quiet)
        self._can_cancel = True
        self.asks = False

    def tell(self, event: Event) -> None:
        """Report an event.

        Args:
            event: The event.

        Raises:
            RequestCancelledError: The request was cancelled, and its commit has not begun.
        """
        if self._can_cancel:
            check()
        if isinstance(event, Committing):
            self._can_cancel = False
            too_late()
        if self._display:
            with suppress(Exception):
                self._display(event)
        if self._on_event is None:
            return
        try:
            self._on_event(event)
        except Exception as error:
            if self._can_cancel:
                raise
            warnings.warn(f"on_event failed at {type(event).__name__}: {error!r}", RuntimeWarning, stacklevel=2)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Report the failure, if there is one that is not a question to the user."""
        try:
            if error is not None and not self.asks:
                self._can_cancel = False
                self.tell(Failed(error))
        finally:
            if self._display:
                with suppress(Exception):
                    self._display.close()
