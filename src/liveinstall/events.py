"""What happens during a request, told as it happens: frozen values for whoever shows progress."""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from liveinstall._system.cancellation import check, too_late
from liveinstall._system.presenter import Display, presenter

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from liveinstall.results import Change, Plan, Result


@dataclass(frozen=True)
class Event:
    """The root of all events."""


@dataclass(frozen=True)
class Planning(Event):
    """The engine resolves `requests`."""

    requests: tuple[str, ...]


@dataclass(frozen=True)
class Downloading(Event):
    """`done` bytes of `file` are here, of `total`, which is None when nobody knows it."""

    file: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Planned(Event):
    """It is decided what happens now and what waits."""

    plan: Plan


@dataclass(frozen=True)
class Staging(Event):
    """`done` of `total` distributions are unpacked and checked; `name` is the last of them, empty at the beginning."""

    name: str
    done: int
    total: int


@dataclass(frozen=True)
class Committing(Event):
    """Everything is staged. From here on the request is carried out to its end."""

    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Staged(Event):
    """These changes wait for the next start of Python."""

    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Done(Event):
    """The request has ended well."""

    result: Result


@dataclass(frozen=True)
class Failed(Event):
    """The request has ended with `error`, which is raised next."""

    error: BaseException


OnEvent: TypeAlias = "Callable[[Event], None] | None"


def ignore_event(event: Event) -> None:
    """Nobody is told."""


class Reporter:
    """Hands events to `on_event`, in the thread that carries the request out. As a context it also tells a failure.

    Unless `quiet` is True, the front end shows progress beside; see `quiet` of `liveinstall.install()`.

    An exception of `on_event` ends the request like Ctrl-C, nothing changed; once it is being committed, it is only a
    RuntimeWarning.
    """

    def __init__(self, on_event: OnEvent = None, *, quiet: bool | None = True) -> None:
        self._on_event = on_event
        self._display: Display | None = None
        if not quiet:
            with suppress(Exception):
                self._display = presenter().progress(quiet)
        self._can_end = True

    def tell(self, event: Event) -> None:
        """Tell of `event`; before the commit RequestCancelledError when the request was cancelled."""
        if self._can_end:
            check()
        if isinstance(event, Committing):
            self._can_end = False
            too_late()
        if self._display:
            with suppress(Exception):
                self._display(event)
        if self._on_event is None:
            return
        try:
            self._on_event(event)
        except Exception as error:
            if self._can_end:
                raise
            warnings.warn(f"on_event failed at {type(event).__name__}: {error!r}", RuntimeWarning, stacklevel=2)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell of the failure, if there is one."""
        try:
            if error is not None:
                self._can_end = False
                self.tell(Failed(error))
        finally:
            if self._display:
                with suppress(Exception):
                    self._display.close()
