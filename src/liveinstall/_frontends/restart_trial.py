"""Showing the outcome of the background trial of the restart: in the cell, or before the next prompt."""

from __future__ import annotations

import os
from contextlib import suppress
from threading import RLock

from liveinstall._frontends.detect import FrontEnd, detect, ipython
from liveinstall._system.settings import PREVIEW, is_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from liveinstall.results import ImportTrial

    Show = Callable[[ImportTrial | None], object]


class _Following:
    """The displayed trials. `news`: the one for the next prompt. `output`: that of the cell that has staged changes."""

    news: ImportTrial | None = None
    output: _TrialOutput | None = None
    stop_listening: Callable[[], None] | None = None


def begin() -> None:
    """Begin a trial of the restart, where a user can read its outcome. Never raises: the staging has succeeded."""
    with suppress(Exception):
        from liveinstall._frontends.question import is_attended

        if not is_attended() or not is_on(PREVIEW, default=True):
            return
        from liveinstall._homes import background_trial

        front_end = detect()
        _Following.news = None
        _Following.output = (
            _TrialOutput(ipython()) if front_end.is_kernel and front_end is not FrontEnd.CONSOLE else None
        )
        if _Following.stop_listening is None:
            _Following.stop_listening = background_trial.listen(_hear)
        background_trial.begin()


def take_over(show: Show) -> bool:
    """Let a card of the running cell show the trial, instead of a separate output.

    Args:
        show: Called in the thread of the trial, with None if nothing was found.

    Returns:
        Whether there is a trial of changes that this cell has staged.
    """
    output = _Following.output
    return output is not None and output.take_over(show)


def said(trial: ImportTrial) -> None:
    """Note that the user has read what a trial has found."""
    if _Following.news == trial:
        _Following.news = None


def news() -> str:
    """Return the outcome of a finished trial, once; empty if there is nothing new."""
    trial, _Following.news = _Following.news, None
    if trial is None:
        return ""
    from liveinstall._homes.background_trial import latest

    return f"liveinstall: {trial}" if trial == latest() else ""  # it is None if the changes are no longer pending


def _hear(trial: ImportTrial | None) -> None:
    output = _Following.output
    if output is not None:
        output.show(trial)
    elif trial is None or not trial.is_running:
        _Following.news = trial


class _TrialOutput:
    """An output of the cell that has staged changes, below the result, which is updated when the trial has ended."""

    def __init__(self, shell: Any) -> None:
        header = {"header": shell.parent_header.get("header", {}), "metadata": {}, "content": {}}
        self._report = {"display_id": f"liveinstall-{os.urandom(8).hex()}", "parent": header}
        self._shell, self._lock, self._is_published = shell, RLock(), False
        self._trial: ImportTrial | None = None
        self._has_ended = False
        self._other: Show | None = None
        shell.events.register("post_run_cell", self._publish)

    def take_over(self, show: Show) -> bool:
        with self._lock:
            if self._is_published:
                return False
            self._other = show
            if self._trial:
                show(self._trial)
            return True

    def show(self, trial: ImportTrial | None) -> None:
        """Show the trial: in the output, or as soon as there is one."""
        with self._lock:
            self._trial, self._has_ended = trial, trial is None or not trial.is_running
            if self._other:
                self._other(trial)
            elif self._is_published:
                from liveinstall._frontends.restart.kernel import update

                update(self._shell.kernel, self._report, _bundle(trial))

    def _publish(self, *_: Any) -> None:
        """Create the output, after the result and before the cell ends: later a front end would not show it."""
        with suppress(Exception), self._lock:
            self._shell.events.unregister("post_run_cell", self._publish)
            if self._other or (self._has_ended and self._trial is None):
                return
            data = _bundle(self._trial) if self._trial else _card("Trying the restart in the background ...")
            publish = self._shell.display_pub.publish
            publish(data=data, metadata={}, transient={"display_id": self._report["display_id"]})
            self._is_published = True


def _bundle(trial: ImportTrial | None) -> dict[str, Any]:
    from liveinstall._frontends.jupyter.html import bundle

    return bundle(trial) if trial else {"text/plain": "", "text/html": ""}


def _card(text: str) -> dict[str, Any]:
    from liveinstall._frontends.jupyter.html import card

    return card("", text)
