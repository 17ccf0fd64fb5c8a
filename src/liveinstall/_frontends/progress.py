"""The progress of a request: derived from `liveinstall.events` alone, and displayed after half a second.

A kernel gets one output that is updated and ends as a sentence, because a saved notebook keeps the last state of an
output (widgets do not survive saving: tqdm freezes at 0 %, rich becomes "Output()"). A terminal gets one line that is
overwritten; any other stderr gets one line per step.
"""

from __future__ import annotations

import os
import sys
import time
from contextvars import copy_context
from threading import Lock, Timer

from liveinstall import events
from liveinstall._frontends.detect import FrontEnd, detect, ipython
from liveinstall._frontends.tables import terminal_columns
from liveinstall._model import ProgressState
from liveinstall._system.lean_dataclasses import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Protocol, TextIO

    from liveinstall.results import Result
else:
    Protocol = object  # a real protocol takes longer to create than the rest of this module

_DELAY = 0.5  # seconds; shorter requests need no progress
_PAUSE = 0.1  # seconds between two updates of the same step


@dataclass(frozen=True)
class Progression:
    """The current `step`, the part of its text that changes (`about`), and the `share` done, 0 to 1, if it is known.

    The last one of a request says that it has `ended`; of one that has succeeded it has the `result`.
    """

    step: str = "Starting"
    about: str = ""
    share: float | None = None
    result: Result | None = None
    ended: bool = False
    rows: tuple[tuple[str, ...], ...] = ()  # cells of a table below, in notebooks

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

    def hear(self, event: events.Event | Progression | ProgressState) -> Progression:
        """Return the state after `event`, which may be a state itself."""
        match event:
            case Progression():
                self.state = event
            case ProgressState():
                self.state = Progression(event.step, event.about, event.share, ended=event.ended, rows=event.rows)
            case events.Planning(requests):
                self.state = Progression("Resolving", ", ".join(requests))
            case events.Downloading(file, done, total):
                self._bytes[file] = done
                self.state = Progression(
                    f"Downloading {_short_name(file)}", amount(done, total), done / total if total else None
                )
            case events.Retrying(url, reason, remaining):
                tries = "" if remaining is None else f"; {remaining} more {'try' if remaining == 1 else 'tries'}"
                self.state = Progression(f"No answer from {url}", f"{reason or 'no reason given'}{tries}")
            case events.Planned(plan):
                self.state = Progression("Planned", _planned(len(plan.now), len(plan.waiting)))
            case events.Staging(name, done, total):
                about = f"{done} of {total}" + (f", {name}" if name else "")
                self.state = Progression("Unpacking", about, done / total if total else None)
            case events.Committing(changes):
                self.state = Progression("Installing", f"{len(changes)} {_distributions(len(changes))}")
            case events.Done(result):
                self.state = Progression(_summary(result), self._effort(), result=result, ended=True)
            case events.Failed(error):
                word = "Stopped" if isinstance(error, KeyboardInterrupt) else "Failed"
                self.state = Progression(f"{word} ({type(error).__name__})", self._effort(), ended=True)
        return self.state

    def _effort(self) -> str:
        total = sum(self._bytes.values())
        return f"{self._clock() - self._begin:.1f} s" + (f", {amount(total, None)} downloaded" if total else "")


def _summary(result: Result) -> str:
    parts = [f"{len(result.installed)} installed"] if result.installed else []
    parts += [f"{len(result.removed)} removed"] if result.removed else []
    pending = [change.name for change in result.staged]
    more = f" and {len(pending) - 3} more" if len(pending) > 4 else ""  # noqa: PLR2004  one name is as short as "1 more"
    if pending:
        names = ", ".join(pending[: 3 if more else 4]) + more
        parts.append(f"{names} {'are' if len(pending) > 1 else 'is'} pending until the next start of Python")
    return ("Planned only" if result.dry_run else "Done") + f", {'; '.join(parts) or 'nothing to do'}"


def _planned(now: int, later: int) -> str:
    parts = ((now, "now"), (later, "at the next start of Python"))
    return ", ".join(f"{count} {when}" for count, when in parts if count) or "no changes"


def _distributions(count: int) -> str:
    return "distribution" if count == 1 else "distributions"


def _short_name(file: str) -> str:
    """Shorten the file name of a wheel to `numpy 2.0.2`; other names are unchanged."""
    return " ".join(file.split("-")[:2]) if file.endswith(".whl") else file


def amount(done: int, total: int | None) -> str:
    """Format byte counts, both in the unit of the larger.

    Args:
        done: The bytes that are done.
        total: The bytes in all; None if they are not known.

    Returns:
        For example `1.0 of 2.0 MB`.
    """
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
        self._shows, self._drawn, self._at = getattr(screen, "continues", False), "", 0.0
        # With a copy of this context, in which a kernel finds the cell that output belongs to.
        self._timer = Timer(delay, copy_context().run, (self._begin,))
        self._timer.daemon = True
        self._timer.start()

    def __call__(self, event: events.Event | Progression | ProgressState) -> None:
        """Process an event, or show a state."""
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
            # After a question the request may still fail: in a cell that replaces the state that is displayed now.
            self._shows &= isinstance(self._screen, Cell) and not self._story.state.ended

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
    """An output of a notebook cell that is updated. `publish` is the method of IPython's display publisher.

    A request that is planned again after a question continues the output that it had before.
    """

    last: ClassVar[Cell | None] = None  # the one that was finished last, which a result may take over

    def __init__(self, publish: Callable[..., None]) -> None:
        self._publish = publish
        self._cell = _running_cell()
        self._final, self._is_asked = Progression(), False
        before = Cell.last.unfinished(self._cell) if Cell.last else ""
        self.continues = bool(before)
        self._id = {"display_id": before or f"liveinstall-{os.urandom(8).hex()}"}
        self._begun = self.continues

    def draw(self, state: Progression, *, last: bool) -> None:
        """Show or update the output; the final state has no bar, because a saved notebook would keep it."""
        from html import escape

        share = "" if state.share is None else f' value="{min(state.share, 1):.3f}"'
        bar = f'<progress max="1"{share} style="width: 16em; vertical-align: middle"></progress> '
        about = f": {escape(state.about)}" if state.about else ""
        lines = (f"<div style='padding-left: 2em'>{escape(': '.join(filter(None, row)))}</div>" for row in state.rows)
        table = "" if last else "".join(lines)
        html = f"<div>{'' if last else bar}<b>{escape(state.step)}</b>{about}{table}</div>"
        data = {"text/plain": str(state), "text/html": html}
        self._publish(data=data, metadata={}, transient=self._id, update=self._begun)
        self._begun = True
        if last:
            self._final, Cell.last = state, self

    def interrupt(self) -> None:
        """Note that the request is interrupted by a question, after which it has the same output."""
        self._is_asked = not self._final.ended

    def unfinished(self, cell: str) -> str:
        """Return the display id if the request was interrupted by a question in this cell, and empty text otherwise."""
        return self._id["display_id"] if self._is_asked and not self._final.ended and self._cell == cell else ""

    def belongs_to(self, result: Result) -> bool:
        """Return whether this is the progress of a result, which may have got notes since, in the cell that runs."""
        own = self._final.result
        return own is not None and replace(own, notes=result.notes) == result and self._cell == _running_cell()

    def hand_over(self) -> tuple[str, str]:
        """Return the display id, and the sentence that is shown; the caller owns the output from now on."""
        Cell.last = None
        return self._id["display_id"], str(self._final)


def _running_cell() -> str:
    """The id of the message that a kernel works on."""
    header = getattr(ipython(), "parent_header", None) or {}
    return str(header.get("header", {}).get("msg_id", ""))


def take_over(result: Result) -> tuple[str, str]:
    """Let a result take over the output of its progress, if it has one in the cell that runs.

    Args:
        result: The result.

    Returns:
        The output's display id and its sentence, or two empty strings.
    """
    cell = Cell.last
    return cell.hand_over() if cell is not None and cell.belongs_to(result) else ("", "")


class Line:
    """A terminal line that is overwritten."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._width = stream, 0

    def draw(self, state: Progression, *, last: bool) -> None:
        """Overwrite the line; the final state remains on a line of its own."""
        bar = "" if last or state.share is None else f"[{'#' * int(state.share * 20):<20}] "
        text = f"{bar}{state}"
        if not last:
            text = text[: terminal_columns() - 1]  # a line that wraps cannot be overwritten
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
