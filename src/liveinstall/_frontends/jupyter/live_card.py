"""Cards with buttons: a message of the front end becomes an action, and its outcome is shown in the card.

A card is one output of a cell. Each outcome replaces its static HTML, for the file, and the state of its widget, for
the page. Messages come when no cell runs; errors in them are not raised, because no user would see them there.
"""

from __future__ import annotations

import time
from contextlib import suppress
from threading import RLock, current_thread, main_thread

from liveinstall._frontends.detect import FrontEnd, assume, detect, ipython
from liveinstall._frontends.jupyter import card_widget
from liveinstall._frontends.jupyter.card_actions import ACTIONS
from liveinstall._frontends.jupyter.card_face import UNDO, Face, Tone, face_of
from liveinstall._frontends.jupyter.cell_output import CellOutput, HtmlOutput, WidgetOutput
from liveinstall._frontends.jupyter.html import bundle, note_line
from liveinstall.errors import LiveInstallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from liveinstall._frontends.jupyter.card_face import Button
    from liveinstall.results import ImportTrial, Result

_LIVE = (FrontEnd.NOTEBOOK, FrontEnd.VSCODE, FrontEnd.MARIMO)  # front ends that get buttons
_VIEWS = (FrontEnd.VSCODE,)  # front ends whose pages have only views of widgets
_AT_ONCE = ("cancel", "back", "details")  # actions that disturb no cell
_STEP = 0.1  # seconds between two looks
_announced: dict[str, tuple[str, Tone]] = {}
_cards: dict[str, LiveCard] = {}  # the last card of each transaction


class LiveCard:
    """A card with buttons.

    Attributes:
        face: Its content.
        output: Where it is.
        front_end: The front end that it is shown in.
        result: The result that it is about; None after a restart.
        transaction: The transaction that it is about.
        log: The events so far, with their times.
        given_up: The variables that may be lost, as the user has read.
        widget: The widget that shows it.
    """

    def __init__(self, face: Face, output: CellOutput, front_end: FrontEnd, transaction: str = "") -> None:
        self.face, self.output, self.front_end, self.transaction = face, output, front_end, transaction
        self.result: Result | None = None
        self.log: list[str] = []
        self.given_up: frozenset[str] = frozenset()
        self._details: list[tuple[str, list[str]]] | None = None
        self._is_working = False
        self._is_acted_on = False  # it shows a question or the outcome of an action
        self._lock = RLock()
        self._generation = self._serial = 0
        self._since = time.time()
        self.widget = card_widget.create(output.display_id, self._state(), self.receive)

    def show(self, *, update: bool) -> None:
        """Show the card.

        Args:
            update: Whether its output exists already.
        """
        (self.output.replace if update else self.output.show)(self._data())

    def update(
        self,
        face: Face | None = None,
        *,
        note: str | None = None,
        tone: Tone = "plain",
        buttons: Iterable[Button] | None = None,
        is_working: bool = False,
    ) -> None:
        """Show another state. Can be called in any thread.

        Args:
            face: The new content. Default: the current one.
            note: The sentence below the buttons. Default: that of `face`.
            tone: The kind of the note.
            buttons: The buttons. Default: those of `face`.
            is_working: Whether an action is running: the buttons are disabled, and the file keeps the last state.
        """
        with self._lock:
            face = face or self.face
            changed = face if note is None else face.noted(note, tone, buttons)
            self._generation += changed.buttons != self.face.buttons
            self.face, self._is_working, self._is_acted_on = changed, is_working, True
            self.widget.state = self._state()
            if not is_working:
                self.output.replace(self._data())

    def announce(self, note: str, tone: Tone) -> None:
        """Show a sentence about the result, unless the card shows a question or the outcome of an action."""
        with self._lock:
            if not self._is_acted_on:
                self.update(note=note, tone=tone)
                self._is_acted_on = False

    def rest(self) -> None:
        """Show the result with its own buttons, and what was announced about it."""
        if self.result is None:
            return
        with self._lock:
            self.update(face_of(self.result, self.front_end).noted(*_announcement(self.transaction)))
            self._is_acted_on = False

    def follow(self, result: Result) -> None:
        """Show the result of an action, with its own buttons."""
        has_details = self._details is not None
        self.result, self.transaction, self._details = result, result.transaction or "", None
        _cards[self.transaction] = self
        self.rest()
        if has_details:  # they are unfolded, and the page does not ask again
            ACTIONS["details"](self)

    def describe(self, details: list[tuple[str, list[str]]]) -> None:
        """Show the details: titles, each with its lines."""
        with self._lock:
            self._details = details
            self.widget.state = self._state()

    def receive(self, message: Mapping[str, Any]) -> None:
        """Execute a message of the front end, and show the outcome. Never raises."""
        name = str(message.get("action"))
        offered = name in ("details", *(button.action for button in self.face.buttons))
        if not offered or message.get("generation", self._generation) != self._generation:
            with self._lock:  # the page shows an older state, or it was clicked twice
                self.widget.state = self._state()
            return
        if name != "details":
            self.log.append(f"{time.strftime('%H:%M:%S')} {name}")
        with assume(self.front_end):
            self._do(name)

    def _do(self, name: str) -> None:
        try:
            if name not in _AT_ONCE:
                self._wait_for_cells()
            ACTIONS[name](self)
        except LiveInstallError as error:
            self.update(note=str(error), tone="bad")
        except KeyboardInterrupt:
            self.update(note="Stopped.", tone="bad")
        except Exception as error:  # noqa: BLE001  it does not belong in the kernel's log
            self.update(note=f"This failed: {type(error).__name__}: {error}", tone="bad")

    def _wait_for_cells(self) -> None:
        """Wait until no cell runs: a subshell of the kernel gets messages meanwhile."""
        from liveinstall._frontends.restart.kernel import is_busy

        if current_thread() is not main_thread() and is_busy(ipython()):
            text = "A cell is running. This is done when it has finished."
            self.update(note=text, tone="busy", is_working=True)
            while is_busy(ipython()):
                time.sleep(_STEP)

    def _state(self) -> dict[str, Any]:
        self._serial += 1
        details = None if self._details is None else [list(each) for each in self._details]
        return {
            **self.face.as_json(),
            "generation": self._generation,
            "working": self._is_working,
            "details": details,
            "since": self._since,
            "serial": self._serial,  # each state differs from the one before, so each is an answer
        }

    def _data(self) -> dict[str, Any]:
        """The card by MIME type, as a file keeps it."""
        face = self.face
        note = note_line(face.note, is_bad=face.tone == "bad") if face.note else ""
        data: dict[str, Any] = {
            "text/plain": f"{face.text}\n{face.note}".rstrip(),
            "text/html": f'<div data-liveinstall="{self.output.display_id}">{face.html}{note}</div>',
        }
        if self.front_end in _VIEWS:
            data[card_widget.MIME_TYPE] = {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self.widget.model_id,
            }
        return data


def show_result(result: Result) -> bool:
    """Show a result in the output of its progress, or in a new one, with buttons where the front end supports them.

    Args:
        result: The result.

    Returns:
        Whether it was shown. In other front ends it is displayed like any value.
    """
    front_end = detect()
    if not front_end.is_kernel or not front_end.is_interactive or front_end is FrontEnd.CONSOLE:
        return False
    from liveinstall._frontends.progress import take_over

    display_id, sentence = take_over(result)
    output = CellOutput.of_this_cell(display_id)
    with suppress(Exception):
        card = _card(result, output, front_end)
        if card:
            card.log += [sentence] if sentence else []
            card.show(update=bool(display_id))
            return True
    (output.replace if display_id else output.show)(bundle(result))
    return True


def view(result: Result) -> object:
    """Return what marimo displays for a result: in its editor the widget of a card, else HTML.

    Args:
        result: The result.
    """
    with suppress(Exception):
        card = _card(result, WidgetOutput.new(), detect())
        if card:
            return card.widget
    return HtmlOutput(bundle(result)["text/html"])


def _card(result: Result, output: CellOutput, front_end: FrontEnd) -> LiveCard | None:
    face = face_of(result, front_end)
    if front_end not in _LIVE or not face.buttons or not card_widget.is_available():
        return None
    transaction = result.transaction or ""
    card = LiveCard(face.noted(*_announcement(transaction)), output, front_end, transaction)
    card.result = result
    _cards[transaction] = card
    from liveinstall._frontends.restart_trial import take_over

    take_over(lambda trial: _announce_trial(transaction, trial))
    return card


def _announce_trial(transaction: str, trial: ImportTrial | None) -> None:
    if trial:
        announce(transaction, str(trial), "bad" if trial.failures else "busy" if trial.is_running else "good")


def announce(transaction: str, note: str, tone: Tone = "plain") -> None:
    """Show a sentence in the card of a transaction, now and when the card is shown. Can be called in any thread.

    Args:
        transaction: The id of the transaction.
        note: The sentence.
        tone: The kind of the sentence.
    """
    _announced[transaction] = note, tone
    if transaction in _cards:
        with suppress(Exception):
            _cards[transaction].announce(note, tone)


def _announcement(transaction: str) -> tuple[str, Tone]:
    return _announced.get(transaction, ("", "plain"))


def reopen(report: Mapping[str, Any], data: Mapping[str, str]) -> None:
    """Give the card of a restart its buttons again, in the process that was started.

    Args:
        report: The report of the former process: the output's `display_id` and `parent`, the `transaction`, and whether
            it had `subshells` that could not be created again: messages of widgets that are sent there get lost.
        data: The card without buttons, by MIME type.
    """
    from liveinstall._verbs.undo import transaction_ids

    transaction = report.get("transaction", "")
    if not transaction or report.get("subshells") or not card_widget.is_available():
        return
    buttons = (UNDO,) if transaction in transaction_ids() else ()
    face = Face(data["text/html"], data["text/html"], data["text/plain"], buttons)
    card = LiveCard(face, CellOutput(report["display_id"], report["parent"]), FrontEnd.NOTEBOOK, transaction)
    card.show(update=True)
