"""The presenter: how values, progress, advice and errors are shown to the user of this process.

It is created when a lower package first calls `liveinstall._system.presenter.presenter()`. Modules that a script never
needs are imported only when something is displayed.
"""

from __future__ import annotations

import os

from liveinstall._frontends.detect import detect
from liveinstall._frontends.import_hints import watch
from liveinstall._system.user_cache import user_cache
from liveinstall.results import Result, Rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from liveinstall._system.presenter import Display, Presenter, R
    from liveinstall.errors import ConflictError


class FrontEndPresenter:
    """Implements `liveinstall._system.presenter.Presenter`, which documents the purpose of each method."""

    def text(self, value: object) -> str:
        """Render a value as the command line and prompts show it."""
        from liveinstall._frontends.rendering import show
        from liveinstall._frontends.tables import fitted

        _note_as_said(value)
        return show(value) if isinstance(value, Rows) else fitted(show(value))  # those are tables, or lines to copy

    def mime_bundle(self, value: object) -> dict[str, Any]:
        """Render a value by MIME type: as a card for notebooks, and as text."""
        from liveinstall._frontends.jupyter.html import bundle

        _note_as_said(value)
        return bundle(value)

    def show(self, value: object) -> bool:
        """Show a result in a kernel's front end, in the output of its progress."""
        if not isinstance(value, Result):
            return False
        from liveinstall._frontends.jupyter.live_card import show_result

        return show_result(value)

    def view(self, value: object) -> object:
        """Return the widget of a result in marimo's editor; its card without buttons everywhere else."""
        from liveinstall._frontends.jupyter.live_card import view

        return view(value)  # type: ignore[arg-type]

    def progress(self, quiet: bool | None) -> Display | None:
        """Create the progress display for the current front end: a terminal line, a cell output or a log."""
        if quiet or (quiet is None and not detect().is_interactive):
            return None
        from liveinstall._frontends.progress import display

        return display(quiet)

    def is_attended(self) -> bool:
        """Return whether a person is at a prompt in a terminal, or in a notebook."""
        from liveinstall._frontends.question import is_attended

        return is_attended()

    def consent(self, error: ConflictError) -> tuple[str, ...] | None:
        """Ask in the cell or at the prompt."""
        from liveinstall._frontends.progress import Cell
        from liveinstall._frontends.question import about_conflict

        if Cell.last:
            Cell.last.interrupt()
        return about_conflict(error)

    def after_request(self, result: R, restart: str) -> R:
        """Restart Python according to `restart`, but only if this request staged something."""
        if not isinstance(result, Result) or not result.staged or result.dry_run or restart == "never":
            return result
        from liveinstall._frontends.restart.restart import follow_consent

        return follow_consent(result, restart)  # type: ignore[return-value]

    def after_staging(self) -> None:
        """Enable reminders at the prompt, and try the restart in the background."""
        from liveinstall._frontends import prompt, restart_trial

        prompt.begin()
        restart_trial.begin()

    def restart_advice(self, *names: str) -> str:
        """Return how to restart: the keys to press, the function to call, or the server that uses `names`."""
        from liveinstall._frontends.rendering import restart_advice

        return restart_advice(names)

    def explain_errors(self) -> None:
        """Add notes to uncaught errors when IPython or Python's hook displays them."""
        watch()


def _note_as_said(value: object) -> None:
    """A result and a status at a prompt say which changes are pending: a reminder after it would repeat that."""
    from liveinstall.reports import Status

    is_said = isinstance(value, Status) or (isinstance(value, Result) and value.staged and not value.dry_run)
    if is_said:
        from liveinstall._frontends import prompt, restart_trial

        prompt.said()
        if isinstance(value, Status) and value.trial:
            restart_trial.said(value.trial)


def create() -> Presenter:
    """Create the presenter of the front ends. It is the first use of liveinstall that a session shows."""
    # A restart has kept some before, and somebody can be told.
    if detect().is_interactive and os.path.isdir(os.path.join(user_cache(), "variables")):
        from liveinstall._frontends.restart.recovery import offer

        offer()
    return FrontEndPresenter()
