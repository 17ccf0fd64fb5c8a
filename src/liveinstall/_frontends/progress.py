"""The progress of a request: derived from `liveinstall.events` alone, and displayed after half a second.

A kernel gets one output that is updated and ends as a sentence, because a saved notebook keeps the last state of an
output (widgets do not survive saving: tqdm freezes at 0 %, rich becomes "Output()"). A terminal gets one line that is
overwritten; any other stderr gets one line per step.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextvars import copy_context
from dataclasses import dataclass
from threading import Lock, Timer
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from liveinstall import events
from liveinstall._frontends.detect import FrontEnd, detect, ipython

if TYPE_CHECKING:
    from collections.abc import Callable

    from liveinstall.results import Result

_DELAY = 0.5  # seconds; shorter requests need no progress
_PAUSE = 0.1  # seconds between two updates of the same step


@dataclass(frozen=True)
class Progression:
    """The current `step`, the part of its text that changes (`about`), and the `share` done, 0 to 1, if it is known."""

    step: str = "Starting"
    about: str = ""
    share: float | None = None

    def __str__(self) -> str:
        """`Downloading x.whl: 1.0 of 2.0 MB`, safe for a terminal."""
        text = f"{self.step}: {self.about}" if self.about else self.step
        return "".join(letter if letter.isprintable() else "?" for letter in text)


class Screen(Protocol):
    """A place where progress can be drawn."""

    def draw(self, state: Progression, *, last: bool) -> None:
        """Replace the displayed state.

        Args:
            state: The new state.
            last: Whether it is the final one.
        """


class Story:
    """Translates events into progress. Pure, except for the clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._begin = clock, clock()
        self._bytes: dict[str, int] = {}
        self.state = Progression()

    def hear(self, event: events.Event) -> Progression:
        """Return the state after `event`."""
        match event:
            case events.Planning(requests):
                self.state = Progression("Resolving", ", ".join(requests))
            case events.Downloading(file, done, total):
                self._bytes[file] = done
                self.state = Progression(
                    f"Downloading {_short_name(file)}", _amount(done, total), done / total if total else None
                )
            case events.Planned(plan):
                self.state = Progression(
                    "Planned", f"{len(plan.now)} now, {len(plan.waiting)} at the next start of Python"
                )
            case events.Staging(name, done, total):
                about = f"{done} of {total}" + (f", {name}" if name else "")
                self.state = Progression("Unpacking", about, done / total if total else None)
            case events.Committing(changes):
                self.state = Progression("Installing", f"{len(changes)} {_distributions(len(changes))}")
            case events.Done(result):
                self.state = Progression(_summary(result), self._effort())
            case events.Failed(error):
                word = "Stopped" if isinstance(error, KeyboardInterrupt) else "Failed"
                self.state = Progression(f"{word} ({type(error).__name__})", self._effort())
        return self.state

    def _effort(self) -> str:
        total = sum(self._bytes.values())
        return f"{self._clock() - self._begin:.1f} s" + (f", {_amount(total, None)} downloaded" if total else "")


def _summary(result: Result) -> str:
    parts = [f"{len(result.installed)} installed"] if result.installed else []
    parts += [f"{len(result.removed)} removed"] if result.removed else []
    pending = [change.name for change in result.staged]
    more = f" and {len(pending) - 3} more" if len(pending) > 4 else ""  # noqa: PLR2004  one name is as short as "1 more"
    if pending:
        names = ", ".join(pending[: 3 if more else 4]) + more
        parts.append(f"{names} {'are' if len(pending) > 1 else 'is'} pending until the next start of Python")
    return ("Planned only" if result.dry_run else "Done") + f", {'; '.join(parts) or 'nothing to do'}"


def _distributions(count: int) -> str:
    return "distribution" if count == 1 else "distributions"


def _short_name(file: str) -> str:
    """Shorten the file name of a wheel to `numpy 2.0.2`; other names are unchanged."""
    return " ".join(file.split("-")[:2]) if file.endswith(".whl") else file


def _amount(done: int, total: int | None) -> str:
    """Format byte counts, both in the unit of the larger."""
    most = max(done, total or 0)
    unit, size = next(((u, s) for u, s in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)) if most >= s), ("bytes", 1))
    if total and not done:
        done, total = total, None  # nothing was received yet: only the expected amount
    of = f" of {total / size:.{int(size > 1)}f}" if total else ""
    return f"{done / size:.{int(size > 1)}f}{of} {unit}"


class Progress:
    """Displays a request's events on a screen if it takes longer than `delay` seconds; stops if the screen raises."""

    def __init__(self, screen: Screen, delay: float = _DELAY) -> None:
        self._screen, self._story, self._lock = screen, Story(), Lock()
        self._shows, self._drawn, self._at = False, "", 0.0
        # With a copy of this context, in which a kernel finds the cell that output belongs to.
        self._timer = Timer(delay, copy_context().run, (self._begin,))
        self._timer.daemon = True
        self._timer.start()

    def __call__(self, event: events.Event) -> None:
        """Process an event."""
        with self._lock:
            state = self._story.hear(event)
            if self._shows and (state.step != self._drawn or time.monotonic() - self._at >= _PAUSE):
                self._draw(state)

    def close(self) -> None:
        """End the display: the final state remains, if anything was displayed."""
        self._timer.cancel()
        with self._lock:
            if self._shows:
                self._draw(self._story.state, last=True)
            self._shows = False

    def _begin(self) -> None:
        with self._lock:
            if not self._timer.finished.is_set():  # otherwise it was closed just now
                self._shows = True
                self._draw(self._story.state)

    def _draw(self, state: Progression, *, last: bool = False) -> None:
        self._drawn, self._at = state.step, time.monotonic()
        try:
            self._screen.draw(state, last=last)
        except Exception:  # noqa: BLE001  the display may not fail a request, and a broken screen is not used again
            self._shows = False


class Cell:
    """An output of a notebook cell that is updated. `publish` is the method of IPython's display publisher."""

    def __init__(self, publish: Callable[..., None]) -> None:
        self._publish = publish
        self._id = {"display_id": f"liveinstall-{os.urandom(8).hex()}"}
        self._begun = False

    def draw(self, state: Progression, *, last: bool) -> None:
        """Show or update the output; the final state has no bar, because a saved notebook would keep it."""
        from html import escape

        share = "" if state.share is None else f' value="{min(state.share, 1):.3f}"'
        bar = f'<progress max="1"{share} style="width: 16em; vertical-align: middle"></progress> '
        about = f": {escape(state.about)}" if state.about else ""
        html = f"<div>{'' if last else bar}<b>{escape(state.step)}</b>{about}</div>"
        data = {"text/plain": str(state), "text/html": html}
        self._publish(data=data, metadata={}, transient=self._id, update=self._begun)
        self._begun = True


class Line:
    """A terminal line that is overwritten."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._width = stream, 0

    def draw(self, state: Progression, *, last: bool) -> None:
        """Overwrite the line; the final state remains on a line of its own."""
        bar = "" if last or state.share is None else f"[{'#' * int(state.share * 20):<20}] "
        text = f"{bar}{state}"
        if not last:
            text = text[: shutil.get_terminal_size().columns - 1]  # a line that wraps cannot be overwritten
        self._stream.write(f"\r{text:<{self._width}}" + ("\n" if last else ""))
        self._stream.flush()
        self._width = len(text)


class Log:
    """One line per step, for streams that are not a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._steps: set[str] = set()
        self._last = Progression()

    def draw(self, state: Progression, *, last: bool) -> None:
        """Write a line for each new step and for the final state."""
        if state.step not in self._steps or (last and state != self._last):
            self._stream.write(f"{state}\n")
            self._stream.flush()
            self._steps.add(state.step)
            self._last = state


def display(quiet: bool | None) -> Progress | None:
    """Create the progress display of a request for the current front end.

    Args:
        quiet: True for no progress; None for progress only in interactive front ends.

    Returns:
        The display; None if no progress is shown.
    """
    front_end = detect()
    if quiet or (quiet is None and not front_end.is_interactive):
        return None
    screen = _screen(front_end)
    return Progress(screen) if screen else None


def _screen(front_end: FrontEnd) -> Screen | None:
    shell: Any = ipython()
    if front_end.is_kernel and front_end is not FrontEnd.CONSOLE:  # a console does not print updates
        return Cell(shell.display_pub.publish)
    stream: TextIO | None = sys.stderr
    if stream is None:
        return None
    # IDLE claims to be a terminal, but cannot overwrite a line.
    return Line(stream) if stream.isatty() and front_end is not FrontEnd.IDLE else Log(stream)
