"""Progress: the text of events, where it is shown, and that its errors are ignored."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from helpers.capabilities import has_terminals

from liveinstall import events
from liveinstall._frontends import progress
from liveinstall._frontends.progress import Cell, Line, Log, Progress, Progression, Story
from liveinstall._system import presenter
from liveinstall.errors import ConflictError
from liveinstall.events import Reporter
from liveinstall.results import Change, Plan, Result, Timing

UP = Change("numpy", "1", "2", Timing.RESTART, "numpy is imported here")
NEW = Change("rich", None, "15")
TOLD = [
    events.Planning(("rich", "numpy>=2")),
    events.Downloading("rich-15.0-py3-none-any.whl", 500_000, 2_000_000),
    events.Downloading("rich-15.0-py3-none-any.whl", 2_000_000, 2_000_000),
    events.Downloading("odd.zip", 1_000, None),
    events.Planned(Plan((NEW, UP))),
    events.Staging("rich", 1, 2),
    events.Committing((NEW, UP)),
    events.Done(Result((NEW,), (UP,))),
]


def slow_engine(kind="result", wait=0.9):
    """Code that makes the fake engine slow enough to be shown."""
    return f"""
import time
class Slow(fake_engine.FakeEngine):
    def resolve(self, *a, **k):
        time.sleep({wait})
        {"raise RuntimeError('x')" if kind == "error" else "return super().resolve(*a, **k)"}
fake_engine.ENGINES["pip"] = fake_engine.ENGINES["uv"] = Slow
"""


class Screen(list):
    def draw(self, state, *, last):
        self.append((str(state), last))


def test_events_become_words_with_bytes_packages_and_phase():
    story = Story(clock=iter([0.0, 4.25]).__next__)
    assert [str(story.hear(event)) for event in TOLD] == [
        "Resolving: rich, numpy>=2",
        "Downloading rich 15.0: 0.5 of 2.0 MB",
        "Downloading rich 15.0: 2.0 of 2.0 MB",
        "Downloading odd.zip: 1.0 kB",
        "Planned: 1 now, 1 at the next start of Python",
        "Unpacking: 1 of 2, rich",
        "Installing: 2 distributions",
        "Done, 1 installed; numpy is pending until the next start of Python: 4.2 s, 2.0 MB downloaded",
    ]
    assert story.hear(TOLD[1]).share == 0.25 and story.hear(TOLD[3]).share is None


def test_what_is_fast_shows_nothing():
    screen = Screen()
    shown = Progress(screen, delay=30)
    for event in TOLD:
        shown(event)
    shown.close()
    assert screen == []


def test_what_is_slow_is_shown_from_then_on_to_its_end():
    screen = Screen()
    shown = Progress(screen, delay=0)
    shown._timer.join(10)
    for event in TOLD:
        shown(event)
    shown.close()
    assert screen[0] == ("Starting", False) and screen[-1][0].startswith("Done, 1 installed") and screen[-1][1]
    assert [last for _, last in screen[:-1]] == [False] * (len(screen) - 1)
    assert len(screen) == len(TOLD) + 1  # a step is displayed again only after a pause, and the end is displayed twice


def test_a_screen_that_fails_fails_nothing_and_is_left_alone():
    calls = []

    class Dead:
        def draw(self, state, *, last):
            calls.append(state)
            raise BrokenPipeError

    shown = Progress(Dead(), delay=0)
    shown._timer.join(10)
    shown(TOLD[0])
    shown.close()
    assert len(calls) == 1


def test_a_display_that_cannot_be_made_or_fails_does_not_reach_the_request(monkeypatch):
    def broken(quiet):
        raise RuntimeError("no screen")

    heard = []
    monkeypatch.setattr(presenter, "_presenter", SimpleNamespace(progress=broken))
    with Reporter(heard.append, quiet=False) as reporter:
        reporter.tell(TOLD[0])

    class Bad:
        def __call__(self, event):
            raise RuntimeError("dead")

        def close(self):
            raise RuntimeError("dead")

    monkeypatch.setattr(presenter, "_presenter", SimpleNamespace(progress=lambda quiet: Bad()))
    with pytest.raises(KeyError), Reporter(heard.append, quiet=False) as reporter:
        reporter.tell(TOLD[0])
        raise KeyError
    assert [type(event).__name__ for event in heard] == ["Planning", "Planning", "Failed"]


@pytest.mark.parametrize("quiet", [None, False, True])
def test_a_script_shows_progress_only_if_it_is_asked_to(env, quiet):
    env.wheel("alpha", "1.0")
    done = env.run(f"{slow_engine()}li.install('alpha', quiet={quiet})")
    assert done.returncode == 0 and done.stdout == ""
    steps = [line for line in done.stderr.splitlines() if line != "Starting"]  # which only a slow machine shows
    assert steps == [] if quiet is not False else steps[0] == "Resolving: alpha", steps
    if quiet is False:
        assert steps[-1].startswith("Done, 1 installed: ") and "Unpacking: 0 of 1" in steps


def test_all_verbs_that_tell_events_can_show_them(env):
    env.wheel("alpha", "1.0")
    done = env.run(
        f"{slow_engine()}li.plan('alpha', quiet=False)\nli.ensure('alpha', quiet=False)\n"
        "from liveinstall._frontends.progress import Progress\n"
        "Progress.__init__.__defaults__ = (600,)  # what follows is fast, even on a slow machine\n"
        "li.uninstall('alpha', quiet=False)"
    )
    assert done.returncode == 0, done.stderr
    steps = [line.partition(":")[0] for line in done.stderr.splitlines()]
    assert [step for step in steps if step != "Starting"] == [
        *("Resolving", "Planned"),
        *("Resolving", "Planned", "Unpacking", "Installing", "Done, 1 installed"),
    ]


def test_a_failure_says_so_and_the_users_own_listener_hears_everything(env):
    env.wheel("alpha", "1.0")
    done = env.run(
        f"{slow_engine('error')}heard = []\n"
        "try:\n    li.install('alpha', quiet=False, on_event=heard.append)\n"
        "except RuntimeError:\n    print([type(event).__name__ for event in heard])"
    )
    assert done.stdout == "['Planning', 'Failed']\n", done.stdout + done.stderr
    assert done.stderr.splitlines()[-1].startswith("Failed (RuntimeError): ")


@has_terminals
def test_a_person_at_a_terminal_sees_one_line_that_is_written_over(env):
    import pty

    env.wheel("alpha", "1.0")
    code = f"import sys; sys.path.insert(0, {str(env.root / 'libraries')!r})\nimport liveinstall as li, fake_engine\n"
    code += f"{slow_engine()}li.install('alpha', quiet=False)\n"
    master, slave = pty.openpty()
    with subprocess.Popen([env.python, "-c", code], env=env.variables(), stdout=slave, stderr=slave) as process:
        os.close(slave)
        seen = read_all(master)
    assert process.returncode == 0, seen
    assert seen.count("\n") == 1 and seen.startswith("\rResolving: alpha") and "\rDone, 1 installed: " in seen


def read_all(handle):
    seen = b""
    try:
        while chunk := os.read(handle, 4096):
            seen += chunk
    except OSError:  # on Linux this means that the last writer has closed it
        pass
    os.close(handle)
    return seen.decode()


def test_a_line_that_gets_shorter_leaves_nothing_of_the_longer(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    stream = io.StringIO()
    line = Line(stream)
    line.draw(Progression("Downloading x.whl", "1.0 of 2.0 MB and more and more", 0.5), last=False)
    line.draw(Progression("Unpacking"), last=False)
    line.draw(Progression("Done"), last=True)
    first, second, third = stream.getvalue().split("\r")[1:]
    assert first == "[##########          ] Downlo" and second == f"{'Unpacking':<29}" and third == "Done     \n"


def test_a_log_has_one_line_a_step():
    stream = io.StringIO()
    log, story = Log(stream), Story()
    for event in TOLD[:3]:
        log.draw(story.hear(event), last=False)
    assert stream.getvalue() == "Resolving: rich, numpy>=2\nDownloading rich 15.0: 0.5 of 2.0 MB\n"


def test_a_cell_has_one_output_that_ends_as_a_sentence_without_a_bar():
    sent = []
    cell, story = Cell(lambda **message: sent.append(message)), Story()
    for event in TOLD:
        cell.draw(story.hear(event), last=isinstance(event, events.Done))
    assert [message["update"] for message in sent] == [False] + [True] * 7
    assert len({message["transient"]["display_id"] for message in sent}) == 1
    assert '<progress max="1" value="0.250"' in sent[1]["data"]["text/html"]
    assert '<progress max="1" style' in sent[0]["data"]["text/html"]  # the progress is unknown
    assert "<progress" not in sent[-1]["data"]["text/html"] and "numpy is pending" in sent[-1]["data"]["text/plain"]


@pytest.mark.parametrize("ending", [TOLD[-1], events.Failed(ConflictError("no.", conflicts=(), remedy=()))])
def test_a_request_that_goes_on_after_a_question_has_one_output(monkeypatch, ending):
    monkeypatch.setattr(Cell, "last", None)
    sent = []
    first = Progress(Cell(lambda **message: sent.append(message)), delay=0)
    first(events.Planning(("numpy",)))
    while not sent:
        time.sleep(0.01)
    first.close()
    Cell.last.interrupt()
    if isinstance(ending, events.Done):  # it is planned again, by another progress, however fast that is
        second = Progress(Cell(lambda **message: sent.append(message)), delay=60)
    else:
        second = first
    second(ending)
    second.close()
    assert len({message["transient"]["display_id"] for message in sent}) == 1
    assert [message["update"] for message in sent] == [False] + [True] * (len(sent) - 1)
    assert "<progress" not in sent[-1]["data"]["text/html"]
    assert sent[-1]["data"]["text/plain"].startswith(("Done", "Failed (ConflictError)"))
    another = Cell(lambda **message: sent.append(message))
    assert not another.continues, "the next request has its own output"


def test_a_plan_and_the_request_after_it_have_two_outputs(monkeypatch):
    monkeypatch.setattr(Cell, "last", None)
    cell = Cell(lambda **_message: None)
    cell.draw(Story().hear(TOLD[4]), last=True)
    assert not Cell(lambda **_message: None).continues


def test_hostile_names_of_files_neither_make_html_nor_move_the_cursor():
    sent = []
    state = Story().hear(events.Downloading("<script>\x1b[2J\n.zip", 1, 2))
    Cell(lambda **message: sent.append(message)).draw(state, last=False)
    assert "<script>" not in sent[0]["data"]["text/html"] and str(state).startswith("Downloading <script>?[2J?.zip")


@pytest.mark.parametrize(
    ("kernel", "stdin", "metadata", "quiet", "kind"),
    [
        (True, True, {"cellId": "x"}, None, Cell),
        (True, True, {"cellId": "x"}, True, None),
        (True, False, {}, None, None),  # nbclient, papermill: no user
        (True, False, {}, False, Cell),
        (True, True, {}, None, Log),  # jupyter console
        (False, None, None, None, None),
        (False, None, None, False, Log),
    ],
)
def test_where_it_is_shown(monkeypatch, kernel, stdin, metadata, quiet, kind):
    monkeypatch.delattr(sys, "ps1", raising=False)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    if kernel:
        shell = SimpleNamespace(
            kernel=SimpleNamespace(_allow_stdin=stdin),
            parent_header={"metadata": metadata},
            user_ns={},
            display_pub=SimpleNamespace(publish=print),
        )
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    made = progress.display(quiet)
    assert (type(made._screen) if made else None) is kind
    if made:
        made.close()


def test_nothing_stays_behind():
    before = threading.active_count()
    shown = [Progress(Screen(), delay=30) for _ in range(5)]
    for each in shown:
        each.close()
    end = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() <= before
