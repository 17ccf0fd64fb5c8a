"""The presenter: how values, progress, advice and errors are shown to the user of this process.

It is created when a lower room first calls `liveinstall._system.presenter.presenter()`. Modules that a script never
needs are imported only when something is displayed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from liveinstall._frontends.import_hints import watch
from liveinstall.results import Result

if TYPE_CHECKING:
    from liveinstall._system.presenter import Display, Presenter, R


class FrontEndPresenter:
    """Implements `liveinstall._system.presenter.Presenter`, which documents the purpose of each method."""

    def text(self, value: object) -> str:
        """Render a value as the command line and prompts show it."""
        from liveinstall._frontends.rendering import show

        return show(value)

    def mime_bundle(self, value: object) -> dict[str, Any]:
        """Render a value by MIME type: as a card for notebooks, and as text."""
        from liveinstall._frontends.jupyter.html import bundle

        return bundle(value)

    def progress(self, quiet: bool | None) -> Display | None:
        """Create the progress display for the current front end: a terminal line, a cell output or a log."""
        from liveinstall._frontends.progress import display

        return display(quiet)

    def after_request(self, result: R, restart: str) -> R:
        """Restart Python according to `restart`, but only if this request staged something."""
        if not isinstance(result, Result) or not result.staged or result.dry_run or restart == "never":
            return result
        from liveinstall._frontends.restart.restart import follow_consent

        return cast("R", follow_consent(result, restart))

    def after_staging(self) -> None:
        """Enable reminders at the prompt."""
        from liveinstall._frontends.prompt import begin

        begin()

    def restart_advice(self) -> str:
        """Return how to restart: the keys to press, or the function to call."""
        from liveinstall._frontends.rendering import restart_advice

        return restart_advice()

    def explain_errors(self) -> None:
        """Add notes to uncaught errors when IPython or Python's hook displays them."""
        watch()


def create() -> Presenter:
    """Create the presenter of the front ends."""
    return FrontEndPresenter()
