"""Live cards without a browser: a message of the front end, the action, and the state that the card then shows."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from liveinstall import errors
from liveinstall._frontends import progress, restart_trial
from liveinstall._frontends.detect import FrontEnd, assume, detect
from liveinstall._frontends.jupyter import card_actions, card_face, card_widget, live_card
from liveinstall._frontends.jupyter.card_face import buttons_of, face_of
from liveinstall._frontends.restart import restart
from liveinstall.results import Cancelled, Change, ImportTrial, Result, Timing

UP = Change("numpy", "1.26.4", "2.0.2", Timing.RESTART, "numpy is imported here")
NEW = Change("rich", None, "15.0")
STAGED = Result(staged=(UP,), transaction="t1")


class Shell:
    """The part of a kernel's shell that a card uses; `sent` are its outputs, `None` first for new ones."""

    def __init__(self):
        self.sent = []
        self.user_ns, self.user_ns_hidden = {}, {}
        self.parent_header = {"header": {"msg_id": "m1"}, "metadata": {"cellId": "c"}}
        self.display_pub = SimpleNamespace(publish=self.publish)
        session = SimpleNamespace(send=lambda *a, **k: self.sent.append(("update", a[2]["data"], a[2]["transient"])))
        self.kernel = SimpleNamespace(session=session, iopub_socket=None, _allow_stdin=True)

    def publish(self, data, metadata, transient, update):
        self.sent.append(("update" if update else "new", data, transient))


class Widget:
    def __init__(self, card, state, receive):
        self.card, self.state, self.receive, self.model_id = card, state, receive, "m"


@pytest.fixture
def shell(monkeypatch):
    made = Shell()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: made))
    monkeypatch.setattr(restart, "why_not", lambda _: "")
    monkeypatch.setattr(restart, "waiting", lambda: (UP,))
    monkeypatch.setattr("liveinstall._verbs.undo.transaction_ids", lambda: ["t1"])
    monkeypatch.setattr("liveinstall._frontends.restart.lost_variables.lost_message", lambda: "")
    monkeypatch.setattr(live_card, "_cards", {})
    monkeypatch.setattr(live_card, "_announced", {})
    monkeypatch.setattr(card_widget, "is_available", lambda: True)
    monkeypatch.setattr(
        card_widget, "create", lambda *a: made.__dict__.setdefault("widgets", []).append(Widget(*a)) or made.widgets[-1]
    )
    return made


def show(shell, result=STAGED):
    assert live_card.show_result(result)
    return shell.widgets[-1]


def labels(widget):
    return [button["label"] for button in widget.state["buttons"]]


def click(widget, action):
    widget.receive({"action": action, "generation": widget.state["generation"]})
    return widget.state["note"]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (STAGED, ["Restart", "Restart and keep variables", "Cancel"]),
        (Result(installed=(NEW,), transaction="t1"), ["Undo"]),
        (
            Result(staged=(UP,), conflicts=("x",), remedy=("a",)),
            ["Install versions that fit", "Restart", "Restart and keep variables", "Cancel"],
        ),
        (Result(staged=(UP,), dry_run=True), []),
        (Result(installed=(NEW,), parallel=True), []),
        (Result(), []),
    ],
)
def test_only_buttons_that_make_sense_are_there(result, expected):
    found = buttons_of(result, can_restart=True)
    assert [button.label for button in found] == expected
    assert not found or found[0].primary or expected == ["Undo"]


def test_no_restart_where_it_does_not_work_or_does_not_help(monkeypatch):
    assert [b.label for b in buttons_of(STAGED, can_restart=False)] == ["Cancel"]
    monkeypatch.setattr(
        card_face, "server_advice", lambda names: "restart JupyterLab itself" if "numpy" in names else ""
    )
    assert [b.label for b in buttons_of(STAGED, can_restart=True)] == ["Cancel"]


def test_the_card_is_one_output_with_static_html_that_a_file_keeps(shell):
    widget = show(shell)
    ((kind, data, transient),) = shell.sent
    assert kind == "new" and set(data) == {"text/plain", "text/html"}
    assert transient["display_id"] == widget.card and f'data-liveinstall="{widget.card}"' in data["text/html"]
    assert "liveinstall.restart()" in data["text/html"] and "liveinstall.restart()" not in widget.state["html"]


def test_vs_code_gets_a_view_of_the_widget_too(shell):
    with assume(FrontEnd.VSCODE):
        show(shell)
    assert set(shell.sent[0][1]) == {"text/plain", "text/html", card_widget.MIME_TYPE}


def test_marimo_gets_the_widget_itself_which_acts_in_place(shell, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)  # marimo runs cells without it
    monkeypatch.setattr(restart, "why_not", lambda _: "By its menu.")
    with assume(FrontEnd.MARIMO):
        widget = STAGED._display_()
    assert widget is shell.widgets[-1] and not shell.sent
    assert 'choose "Restart kernel" in the menu' in widget.state["html"].replace("&quot;", '"')
    monkeypatch.setattr("liveinstall._verbs.pending.cancel", lambda *names: Cancelled((UP,)))
    assert click(widget, "cancel") == "Nothing else was changed." and not shell.sent


@pytest.mark.parametrize("front_end", [FrontEnd.MARIMO_EXPORT, FrontEnd.MARIMO_APP])
def test_marimo_gets_html_where_no_kernel_answers_later(shell, front_end):
    with assume(front_end):
        kind, html = STAGED._display_()._mime_()
    assert kind == "text/html" and "numpy is imported here" in html and not hasattr(shell, "widgets")


def test_without_anywidget_or_in_another_front_end_it_is_the_plain_card(shell, monkeypatch):
    for front_end in (FrontEnd.RUNNER, FrontEnd.CONSOLE, FrontEnd.IPYTHON, FrontEnd.SCRIPT):
        with assume(front_end):
            assert not live_card.show_result(STAGED)
    with pytest.raises(NotImplementedError), assume(FrontEnd.RUNNER):
        STAGED._ipython_display_()
    monkeypatch.setattr(card_widget, "is_available", lambda: False)
    assert live_card.show_result(STAGED) and not hasattr(shell, "widgets")
    assert "data-liveinstall" not in shell.sent[0][1]["text/html"]


def test_the_progress_of_a_request_turns_into_its_card(shell):
    cell = progress.Cell(shell.publish)
    cell.draw(progress.Progression("Done", "7 s", result=STAGED), last=True)
    widget = show(shell)
    assert [kind for kind, *_ in shell.sent] == ["new", "update"]
    assert shell.sent[0][2] == shell.sent[1][2] == {"display_id": widget.card}
    show(shell)  # displayed again: it is a separate output
    assert shell.sent[-1][0] == "new"


def test_cancel(shell, monkeypatch):
    names = []
    monkeypatch.setattr("liveinstall._verbs.pending.cancel", lambda *n: names.extend(n) or Cancelled([UP]))
    widget = show(shell)
    assert click(widget, "cancel") == "Nothing else was changed."
    assert names == ["numpy"] and labels(widget) == [] and "Cancelled" in widget.state["html"]
    assert "Cancelled" in shell.sent[-1][1]["text/html"]  # a saved notebook, too
    widget.receive({"action": "cancel", "generation": 0})  # clicked twice
    assert names == ["numpy"]


@pytest.mark.parametrize("action", ["cancel", "restart", "keep"])
def test_a_card_of_an_older_state_says_what_is_the_case(shell, monkeypatch, action):
    widget = show(shell)
    monkeypatch.setattr(restart, "waiting", lambda: ())
    assert "applied already" in click(widget, action) and labels(widget) == ["Undo"]
    widget = show(shell)
    monkeypatch.setattr("liveinstall._verbs.undo.transaction_ids", list)
    assert "cancelled or replaced" in click(widget, action) and labels(widget) == []


def test_restart_asks_only_if_variables_would_be_lost(shell, monkeypatch):
    left = []
    monkeypatch.setattr(restart, "leave_with", lambda prepared, output: left.append((prepared, output.display_id)))
    widget = show(shell)
    assert click(widget, "restart").startswith("Restarting: numpy 1.26.4 -> 2.0.2") and widget.state["working"]
    assert left == [(None, widget.card)]
    monkeypatch.setattr(
        "liveinstall._frontends.restart.lost_variables.lost_message", lambda: "2 variables will be lost."
    )
    widget = show(shell)
    assert click(widget, "restart") == "2 variables will be lost." and len(left) == 1
    assert click(widget, "back") == "" and labels(widget)[0] == "Restart"
    click(widget, "restart")
    assert click(widget, "lose").startswith("Restarting") and len(left) == 2


def test_keeping_variables_asks_about_those_that_would_not_come_back(shell, monkeypatch):
    left, discarded = [], []
    prepared = SimpleNamespace(
        lost={"f": "it is an open file"},
        warning="f cannot be restored",
        sentence="Kept: x.",
        discard=lambda: discarded.append(1),
    )
    monkeypatch.setattr(restart, "preview", lambda keep, show: show(progress.Progression("Writing")) or prepared)
    monkeypatch.setattr(restart, "leave_with", lambda found, output: left.append(found))
    widget = show(shell)
    assert click(widget, "keep") == "f cannot be restored." and discarded and not left
    assert click(widget, "leave").endswith("Kept: x.") and left == [prepared]


def test_undo_and_installing_what_fits_show_their_result_in_place(shell, monkeypatch):
    monkeypatch.setattr(
        "liveinstall._verbs.undo.undo", lambda _: Result(removed=(Change("rich", "15.0", None),), transaction="t2")
    )
    widget = show(shell, Result(installed=(NEW,), transaction="t1"))
    assert click(widget, "undo") == "Undone." and labels(widget) == [] and "Removed" in widget.state["html"]
    asked = []
    monkeypatch.setattr("liveinstall._verbs.install.install", lambda *r, **_: asked.extend(r) or STAGED)
    widget = show(
        shell,
        Result(staged=(UP,), conflicts=("pandas requires numpy<2",), remedy=("numpy>=2", "pandas"), transaction="t0"),
    )
    assert click(widget, "fit") == "" and asked == ["numpy>=2", "pandas"] and labels(widget)[0] == "Restart"


@pytest.mark.parametrize("error", [errors.LockTimeoutError("It is locked."), ValueError("odd"), KeyboardInterrupt()])
def test_a_failure_is_shown_in_the_card_and_not_raised(shell, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr("liveinstall._verbs.pending.cancel", fail)
    widget = show(shell)
    assert click(widget, "cancel") and widget.state["tone"] == "bad" and not widget.state["working"]
    for message in ({}, {"action": "nonsense"}, {"action": None, "generation": "x"}):
        widget.receive(message)


def test_a_sentence_can_be_announced_before_and_after_the_card_is_shown(shell):
    live_card.announce("t1", "numpy imports fine.", "good")
    widget = show(shell)
    assert widget.state["note"] == "numpy imports fine." and "imports fine" in shell.sent[0][1]["text/html"]
    live_card.announce("t1", "<b>pandas</b> fails.", "bad")
    assert widget.state["note"] == "<b>pandas</b> fails." and "&lt;b&gt;" in shell.sent[-1][1]["text/html"]
    assert labels(widget) == ["Restart", "Restart and keep variables", "Cancel"]


def test_what_is_announced_late_replaces_neither_a_question_nor_an_outcome(shell, monkeypatch):
    monkeypatch.setattr("liveinstall._frontends.restart.lost_variables.lost_message", lambda: "x will be lost.")
    monkeypatch.setattr("liveinstall._verbs.pending.cancel", lambda *_: Cancelled([UP]))
    widget = show(shell)
    assert click(widget, "restart") == "x will be lost."
    live_card.announce("t1", "numpy imports fine.", "good")
    assert widget.state["note"] == "x will be lost." and labels(widget)[-1] == "Not now"
    assert click(widget, "back") == "numpy imports fine." and labels(widget)[0] == "Restart"
    live_card.announce("t1", "pandas fails.", "bad")
    assert widget.state["note"] == "pandas fails."
    assert click(widget, "cancel") == "Nothing else was changed."
    live_card.announce("t1", "numpy imports fine.", "good")
    assert widget.state["note"] == "Nothing else was changed."


def test_what_is_announced_while_an_action_runs_enables_no_buttons(shell, monkeypatch):
    seen = []

    def slow(*_):
        live_card.announce("t1", "numpy imports fine.", "good")
        seen.append((shell.widgets[-1].state["note"], shell.widgets[-1].state["working"]))
        return Cancelled([UP])

    monkeypatch.setattr("liveinstall._verbs.pending.cancel", slow)
    click(show(shell), "cancel")
    assert seen == [("Cancelling\N{HORIZONTAL ELLIPSIS}", True)]


def test_the_trial_in_the_background_is_shown_in_the_card(shell, monkeypatch):
    shows = []
    monkeypatch.setattr(restart_trial, "take_over", shows.append)
    widget = show(shell)
    shows[0](ImportTrial("t1", ("numpy",)))
    assert "importing numpy" in widget.state["note"]
    shows[0](ImportTrial("t1", ("numpy",), {"pandas": "ImportError: no"}, is_running=False))
    assert "`import pandas` fails" in widget.state["note"] and "import pandas" in shell.sent[-1][1]["text/html"]
    shows[0](None)
    assert "`import pandas` fails" in widget.state["note"]


def test_details_have_titles_and_lines(shell, monkeypatch):
    monkeypatch.setattr(card_actions, "_holders", lambda: ["this notebook"])
    monkeypatch.setattr(card_actions, "_files", lambda _: [])
    widget = show(shell)
    click(widget, "details")
    assert [title for title, _ in widget.state["details"]] == ["Reasons", "In use by", "Log"]


@pytest.mark.parametrize("unfolded", [True, False])
def test_unfolded_details_are_those_of_the_result_that_is_shown(shell, monkeypatch, unfolded):
    monkeypatch.setattr(card_actions, "_holders", list)
    monkeypatch.setattr(card_actions, "_files", lambda _: [])
    monkeypatch.setattr(
        "liveinstall._verbs.undo.undo", lambda _: Result(removed=(Change("rich", "15.0", None),), transaction="t2")
    )
    widget = show(shell, Result(installed=(NEW,), transaction="t1"))
    if unfolded:
        click(widget, "details")
    click(widget, "undo")
    assert ("Transaction: t2" in str(widget.state["details"])) is unfolded


def test_an_assumed_front_end_is_forgotten():
    before = detect()
    with assume(FrontEnd.COLAB):
        assert detect() is FrontEnd.COLAB
    assert detect() is before
    assert face_of(Cancelled(), FrontEnd.NOTEBOOK).buttons == ()
