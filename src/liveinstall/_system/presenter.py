"""The port to the front ends: display of values, progress, advice and errors.

Lower packages call `presenter()`, which imports the front ends' implementation by name when something is displayed for
the first time. It is the only import that points up; `tests/test_house.py` lists it.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeVar

    R = TypeVar("R")
else:
    Protocol = object  # a real protocol takes longer to create than the rest of this module

_FRONT_ENDS = "liveinstall._frontends.presenter"


class Display(Protocol):
    """Shows progress. Exceptions that it raises are ignored."""

    def __call__(self, event: Any) -> None:
        """Show an event of `liveinstall.events`."""

    def close(self) -> None:
        """Close the display after the last event."""


class Presenter(Protocol):
    """The services of the front ends for the other packages."""

    def text(self, value: object) -> str:
        """Format a value as text for people."""

    def mime_bundle(self, value: object) -> dict[str, Any]:
        """Format a value for notebooks: one form for each MIME type. Never raises."""

    def show(self, value: object) -> bool:
        """Show a value in a notebook without the forms of `mime_bundle()`; False if that is not possible."""

    def view(self, value: object) -> object:
        """Return an object that marimo can display, for a value."""

    def progress(self, quiet: bool | None) -> Display | None:
        """Create a progress display for a request; None if none is shown. `quiet` is as in `liveinstall.install()`."""

    def is_attended(self) -> bool:
        """Whether a person follows and decides: at a prompt or in a notebook, not in scripts."""

    def consent(self, error: Any) -> tuple[str, ...] | None:
        """Ask the user how to handle a ConflictError.

        Args:
            error: The error.

        Returns:
            The requirements to install instead; empty to install the request anyway; None for nothing, also
            where no user can answer.
        """

    def after_request(self, result: R, restart: str) -> R:
        """Finish a request: restart Python if the option and the result require it.

        Args:
            result: The result of the request.
            restart: "never", "ask" or "auto".

        Returns:
            The result, with additional notes.
        """

    def after_staging(self) -> None:
        """Start the reminders of an interactive session, if this is one, because changes are pending now."""

    def restart_advice(self, *names: str) -> str:
        """Return a sentence that says how to restart the current front end, to apply the changes of `names`."""

    def explain_errors(self) -> None:
        """Add notes from now on to import errors that are explained by a pending or replaced version."""


def dump(value: object) -> str:
    """Describe a value by its type and fields, without the front ends."""
    if isinstance(value, tuple):
        return f"{type(value).__name__}{tuple.__repr__(value)}"
    return f"{type(value).__name__}({', '.join(f'{name}={field!r}' for name, field in vars(value).items())})"


class PlainPresenter:
    """The presenter without front ends: values are described by their fields, and nothing else happens."""

    def text(self, value: object) -> str:
        """See Presenter."""
        return dump(value)

    def mime_bundle(self, value: object) -> dict[str, Any]:
        """See Presenter."""
        return {"text/plain": dump(value)}

    def show(self, value: object) -> bool:  # noqa: ARG002
        """See Presenter."""
        return False

    def view(self, value: object) -> str:
        """See Presenter."""
        return dump(value)

    def progress(self, quiet: bool | None) -> None:
        """See Presenter."""

    def is_attended(self) -> bool:
        """See Presenter."""
        return False

    def consent(self, error: Any) -> None:
        """See Presenter."""

    def after_request(self, result: R, restart: str) -> R:  # noqa: ARG002
        """See Presenter."""
        return result

    def after_staging(self) -> None:
        """See Presenter."""

    def restart_advice(self, *names: str) -> str:  # noqa: ARG002
        """See Presenter."""
        return "To use the new version, restart Python (in a notebook: restart the kernel)."

    def explain_errors(self) -> None:
        """See Presenter."""


_presenter: Presenter | None = None


def presenter() -> Presenter:
    """Return the front ends' presenter, loaded at the first call; PlainPresenter if that fails, so no change fails."""
    global _presenter  # noqa: PLW0603  one for each process
    if _presenter is None:
        try:
            create: Callable[[], Presenter] = import_module(_FRONT_ENDS).create
            _presenter = create()
        except Exception:  # noqa: BLE001  no error of a front end may make a change fail
            _presenter = PlainPresenter()
    return _presenter
