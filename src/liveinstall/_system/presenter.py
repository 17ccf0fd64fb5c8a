"""The one way up: how values, progress, advice and errors are shown, which only the front ends know.

Lower rooms call `presenter()`, which imports the front ends' implementation by name when somebody first wants to see
something. It is the only import in the package that points up; `tests/test_house.py` lists it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")
_FRONT_ENDS = "liveinstall._frontends.presenter"


class Display(Protocol):
    """Shows progress. Exceptions that it raises are ignored."""

    def __call__(self, event: Any) -> None:
        """Show an event of `liveinstall.events`."""

    def close(self) -> None:
        """End: no more events come."""


class Presenter(Protocol):
    """What a front end does for the rooms below."""

    def text(self, value: object) -> str:
        """A value as text for a person."""
        ...

    def mime_bundle(self, value: object) -> dict[str, Any]:
        """A value in one form for each MIME type, for notebooks. Never raises."""
        ...

    def progress(self, quiet: bool | None) -> Display | None:
        """What shows the progress of a request here; None if nothing does. `quiet` as in `liveinstall.install()`."""
        ...

    def after_request(self, result: R, restart: str) -> R:
        """Restart Python if `restart` (never, ask, auto) and the result call for it; the result, with notes."""
        ...

    def after_staging(self) -> None:
        """Something is pending now: remind the person at the prompt, if there is one."""

    def restart_advice(self) -> str:
        """How to restart here, in a sentence."""
        ...

    def explain_errors(self) -> None:
        """From now on add notes to import errors that a pending or replaced version explains."""


class PlainPresenter:
    """Without front ends: values are shown by their repr, and nothing else happens."""

    def text(self, value: object) -> str:
        """See Presenter."""
        return repr(value)

    def mime_bundle(self, value: object) -> dict[str, Any]:
        """See Presenter."""
        return {"text/plain": repr(value)}

    def progress(self, quiet: bool | None) -> None:
        """See Presenter."""

    def after_request(self, result: R, restart: str) -> R:  # noqa: ARG002
        """See Presenter."""
        return result

    def after_staging(self) -> None:
        """See Presenter."""

    def restart_advice(self) -> str:
        """See Presenter."""
        return "Restart (in a notebook: restart the kernel) to switch."

    def explain_errors(self) -> None:
        """See Presenter."""


_presenter: Presenter | None = None


def presenter() -> Presenter:
    """The front ends' presenter, loaded at the first call; a plain one if it cannot be loaded, so no change fails."""
    global _presenter  # noqa: PLW0603  one for each process
    if _presenter is None:
        try:
            create = cast("Callable[[], Presenter]", import_module(_FRONT_ENDS).create)
            _presenter = create()
        except Exception:  # noqa: BLE001  whatever is wrong with a front end
            _presenter = PlainPresenter()
    return _presenter
