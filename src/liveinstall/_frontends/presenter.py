"""The presenter: how values, progress, advice and errors are shown to whoever uses this process.

It is created when a lower room first asks `liveinstall._system.presenter.presenter()` for it. What a script never needs
is imported only when it is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from liveinstall._frontends.import_hints import watch
from liveinstall.results import Result

if TYPE_CHECKING:
    from liveinstall._system.presenter import Display, Presenter, R


class FrontEndPresenter:
    """See `liveinstall._system.presenter.Presenter`, which says what each method is for."""

    def text(self, value: object) -> str:
        """As the command line and prompts show it."""
        from liveinstall._frontends.rendering import show

        return show(value)

    def mime_bundle(self, value: object) -> dict[str, Any]:
        """As a card in a notebook, and as text."""
        from liveinstall._frontends.jupyter.html import bundle

        return bundle(value)

    def progress(self, quiet: bool | None) -> Display | None:
        """A line, a cell or a log, whichever fits."""
        from liveinstall._frontends.progress import display

        return display(quiet)

    def after_request(self, result: R, restart: str) -> R:
        """Restart only for what this request has staged."""
        if not isinstance(result, Result) or not result.staged or result.dry_run or restart == "never":
            return result
        from liveinstall._frontends.restart.restart import follow_consent

        return cast("R", follow_consent(result, restart))

    def after_staging(self) -> None:
        """Remind at the prompt."""
        from liveinstall._frontends.prompt import begin

        begin()

    def restart_advice(self) -> str:
        """The keys to press, or the call to make."""
        from liveinstall._frontends.rendering import restart_advice

        return restart_advice()

    def explain_errors(self) -> None:
        """Where they are shown, by IPython or by Python's hook."""
        watch()


def create() -> Presenter:
    """The front ends' presenter."""
    return FrontEndPresenter()
