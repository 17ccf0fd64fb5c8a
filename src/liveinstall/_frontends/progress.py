"""How far a request is, for a person who waits: told by `liveinstall.events` alone, and shown after half a second.

A kernel gets one output that is updated and ends as a sentence, because a saved notebook keeps what was there last
(widgets do not survive that: tqdm freezes at 0 %, rich becomes "Output()"). A terminal gets one line that is written
over; whatever else reads stderr gets one line a step.
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

_DELAY = 0.5  # seconds; what takes less needs no progress
_PAUSE = 0.1  # seconds between two looks at the same step


@dataclass(frozen=True)
class Progression:
    """What is being done: a `step`, what changes `about` it, and the `share` of it, 0 to 1, where it is known."""

    step: str = "Starting"
    about: str = ""
    share: float | None = None

    def __str__(self) -> str:
        """`Downloading x.whl: 1.0 of 2.0 MB`, safe for a terminal."""
        text = f"{self.step}: {self.about}" if self.about else self.step
        return "".join(letter if letter.isprintable() else "?" for letter in text)


class Screen(Protocol):
    """Where progress is drawn. `last`: nothing comes after it."""

    def draw(self, state: Progression, *, last: bool) -> None:
        """Show `state` in place of what is there."""


class Story:
    """What events mean for somebody who waits. Pure, but for the clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._begin = clock, clock()
        self._bytes: dict[str, int] = {}
        self.state = Progression()

    def hear(self, event: events.Event) -> Progression:
        """The state after `event`."""
        match event:
            case events.Planning(requests):
                self.state = Progression("Resolving", ", ".join(requests))
            case events.Downloading(file, done, total):
                self._bytes[file] = done
                self.state = Progression(
                    f"Downloading {_what(file)}", _amount(done, total), done / total if total else None
                )
            case events.Planned(plan):
                self.state = Progression(
                    "Decided", f"{len(plan.now)} now, {len(plan.waiting)} at the next start of Python"
                )
            case events.Staging(name, done, total):
                about = f"{done} of {total}" + (f", {name}" if name else "")
                self.state = Progression("Unpacking", about, done / total if total else None)
            case events.Committing(changes):
                self.state = Progression("Putting in place", f"{len(changes)} {_distributions(len(changes))}")
            case events.Done(result):
                self.state = Progression(_did(result), self._effort())
            case events.Failed(error):
                word = "Stopped" if isinstance(error, KeyboardInterrupt) else "Failed"
                self.state = Progression(f"{word} ({type(error).__name__})", self._effort())
        return self.state

    def _effort(self) -> str:
        total = sum(self._bytes.values())
        return f"{self._clock() - self._begin:.1f} s" + (f", {_amount(total, None)} downloaded" if total else "")


def _did(result: Result) -> str:
    did = [f"{len(result.installed)} installed"] if result.installed else []
    did += [f"{len(result.removed)} removed"] if result.removed else []
    waits = [change.name for change in result.staged]
    more = f" and {len(waits) - 3} more" if len(waits) > 4 else ""  # noqa: PLR2004  one name is as short as "1 more"
    if waits:
        names = ", ".join(waits[: 3 if more else 4]) + more
        did.append(f"{names} {'wait' if len(waits) > 1 else 'waits'} for the next start of Python")
    return ("Decided only" if result.dry_run else "Done") + f", {'; '.join(did) or 'nothing to do'}"


def _distributions(count: int) -> str:
    return "distribution" if count == 1 else "distributions"


def _what(file: str) -> str:
    """`numpy 2.0.2` of its wheel's long name; other files as they are."""
    return " ".join(file.split("-")[:2]) if file.endswith(".whl") else file


def _amount(done: int, total: int | None) -> str:
    """Bytes for people, in the unit of the larger."""
    most = max(done, total or 0)
    unit, size = next(((u, s) for u, s in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)) if most >= s), ("bytes", 1))
    if total and not done:
        done, total = total, None  # nothing is here yet: how much will be
    of = f" of {total / size:.{int(size > 1)}f}" if total else ""
    return f"{done / size:.{int(size > 1)}f}{of} {unit}"


class Progress:
    """Shows a request's events on a screen, if it takes longer than `delay` seconds. What the screen raises ends it."""

    def __init__(self, screen: Screen, delay: float = _DELAY) -> None:
        self._screen, self._story, self._lock = screen, Story(), Lock()
        self._shows, self._drawn, self._at = False, "", 0.0
        # In this context, because a kernel finds the cell that output belongs to in it.
        self._timer = Timer(delay, copy_context().run, (self._begin,))
        self._timer.daemon = True
        self._timer.start()

    def __call__(self, event: events.Event) -> None:
        """Hear of an event."""
        with self._lock:
            state = self._story.hear(event)
            if self._shows and (state.step != self._drawn or time.monotonic() - self._at >= _PAUSE):
                self._draw(state)

    def close(self) -> None:
        """The request has ended: leave its end standing, if anything was shown."""
        self._timer.cancel()
        with self._lock:
            if self._shows:
                self._draw(self._story.state, last=True)
            self._shows = False

    def _begin(self) -> None:
        with self._lock:
            if not self._timer.finished.is_set():  # closed in this moment
                self._shows = True
                self._draw(self._story.state)

    def _draw(self, state: Progression, *, last: bool = False) -> None:
        self._drawn, self._at = state.step, time.monotonic()
        try:
            self._screen.draw(state, last=last)
        except Exception:  # noqa: BLE001  nothing that is only shown may fail a request, or be told on a dead screen
            self._shows = False


class Cell:
    """One output of a notebook's cell, updated. `publish` is that of IPython's display publisher."""

    def __init__(self, publish: Callable[..., None]) -> None:
        self._publish = publish
        self._id = {"display_id": f"liveinstall-{os.urandom(8).hex()}"}
        self._begun = False

    def draw(self, state: Progression, *, last: bool) -> None:
        """Show or update the output; at its end it has no bar, which a saved notebook would keep for ever."""
        from html import escape

        share = "" if state.share is None else f' value="{min(state.share, 1):.3f}"'
        bar = f'<progress max="1"{share} style="width: 16em; vertical-align: middle"></progress> '
        about = f": {escape(state.about)}" if state.about else ""
        html = f"<div>{'' if last else bar}<b>{escape(state.step)}</b>{about}</div>"
        data = {"text/plain": str(state), "text/html": html}
        self._publish(data=data, metadata={}, transient=self._id, update=self._begun)
        self._begun = True


class Line:
    """One line of a terminal, written over."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._width = stream, 0

    def draw(self, state: Progression, *, last: bool) -> None:
        """Write over what is there; the end stays and has a line of its own."""
        bar = "" if last or state.share is None else f"[{'#' * int(state.share * 20):<20}] "
        text = f"{bar}{state}"
        if not last:
            text = text[: shutil.get_terminal_size().columns - 1]  # a line that wraps cannot be written over
        self._stream.write(f"\r{text:<{self._width}}" + ("\n" if last else ""))
        self._stream.flush()
        self._width = len(text)


class Log:
    """One line a step, for whatever is not a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._steps: set[str] = set()
        self._told = Progression()

    def draw(self, state: Progression, *, last: bool) -> None:
        """Tell of a step that is new, and of the end."""
        if state.step not in self._steps or (last and state != self._told):
            self._stream.write(f"{state}\n")
            self._stream.flush()
            self._steps.add(state.step)
            self._told = state


def display(quiet: bool | None) -> Progress | None:
    """What shows a request's progress here: nothing if `quiet`, or if it is None and nobody is at a prompt."""
    place = detect()
    if quiet or (quiet is None and not place.is_interactive):
        return None
    screen = _screen(place)
    return Progress(screen) if screen else None


def _screen(place: FrontEnd) -> Screen | None:
    shell: Any = ipython()
    if place.is_kernel and place is not FrontEnd.CONSOLE:  # which prints updates not at all
        return Cell(shell.display_pub.publish)
    stream: TextIO | None = sys.stderr
    if stream is None:
        return None
    # IDLE says that it is a terminal, and writes nothing over.
    return Line(stream) if stream.isatty() and place is not FrontEnd.IDLE else Log(stream)
