"""Reminders at the prompt: once for new pending changes, around the user's own prompt, and removed again."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

import liveinstall
from liveinstall._frontends import prompt as repl
from liveinstall._frontends import restart_trial
from liveinstall._frontends.detect import FrontEnd
from liveinstall._frontends.presenter import create
from liveinstall.results import Change, ImportTrial, Timing

CHANGE = Change("alpha", "1.0", "2.0", Timing.RESTART, "alpha is imported here")


@pytest.fixture(autouse=True)
def nothing_in_place(monkeypatch):
    monkeypatch.setattr(repl._Reminder, "restore", None)
    monkeypatch.setattr(repl._Reminder, "refused", False)
    monkeypatch.setattr(repl._Reminder, "reported", set())
    monkeypatch.delenv("LIVEINSTALL_REPL", raising=False)
    monkeypatch.setattr(sys, "ps1", "mine> ", raising=False)


@pytest.fixture
def at(monkeypatch):
    return lambda place: monkeypatch.setattr(repl, "detect", lambda: place)


@pytest.fixture
def said(monkeypatch):
    """The reminders that were shown; each time there is news."""
    found = []
    monkeypatch.setattr(repl, "remind", lambda: found.append(1))
    return found


@pytest.mark.parametrize("place", [FrontEnd.SCRIPT, FrontEnd.RUNNER, FrontEnd.NOTEBOOK, FrontEnd.IDLE])
def test_never_in_scripts_nor_notebooks(at, place):
    at(place)
    assert liveinstall.repl() is False
    repl.begin()
    assert sys.ps1 == "mine> " and repl._Reminder.restore is None


def test_a_users_own_prompt_is_shown_and_put_back(at, said):
    own = sys.ps1 = SimpleNamespace()
    type(own)  # an object with a repr: shown unchanged
    at(FrontEnd.REPL)
    assert liveinstall.repl() and liveinstall.repl()
    assert str(sys.ps1) == f"{sys.ps1}" == str(own) and len(said) == 2
    assert sys.ps1.find("\x01", 0) == -1 and len(said) == 3  # as Python 3.13 does without colours
    assert liveinstall.repl(False) is False
    assert sys.ps1 is own


@pytest.fixture
def before_prompt(at, monkeypatch):
    """A script runs, and a prompt follows; the calls of the user's own hook."""
    done = []
    monkeypatch.delattr(sys, "ps1")
    monkeypatch.setattr(sys, "__interactivehook__", lambda: done.append(1), raising=False)
    at(FrontEnd.INSPECT)
    return done


def test_while_a_script_runs_there_is_no_prompt_and_afterwards_there_is_one(before_prompt, said):
    own = sys.__interactivehook__
    assert liveinstall.repl() and not hasattr(sys, "ps1")
    sys.__interactivehook__()  # as Python does before its first prompt
    assert before_prompt == [1] and str(sys.ps1) == ">>> " and said == [1]
    liveinstall.repl(False)
    assert sys.ps1 == ">>> " and type(sys.ps1) is str  # Python would not set it again
    assert sys.__interactivehook__ is own


def test_before_the_prompt_it_can_be_ended_without_a_trace(before_prompt):
    own = sys.__interactivehook__
    liveinstall.repl()
    liveinstall.repl(False)
    assert sys.__interactivehook__ is own and not hasattr(sys, "ps1")


def test_a_prompt_that_was_set_since_stays(at):
    at(FrontEnd.REPL)
    liveinstall.repl()
    sys.ps1 = "newer> "
    liveinstall.repl(False)
    assert sys.ps1 == "newer> "


def test_ipython_is_asked_after_each_cell(at, said, monkeypatch):
    hooks = []
    events = SimpleNamespace(register=lambda _, f: hooks.append(f), unregister=lambda _, f: hooks.remove(f))
    monkeypatch.setattr(repl, "ipython", lambda: SimpleNamespace(events=events))
    at(FrontEnd.IPYTHON)
    liveinstall.repl()
    hooks[0]("result")
    assert said == [1]
    liveinstall.repl(False)
    assert not hooks


def test_ptpython_is_asked_before_each_line(at, said, monkeypatch):
    class Prompt:
        def read(self):
            return "1 + 1"

    prompt = Prompt()
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(get_ptpython=lambda: prompt))
    at(FrontEnd.PTPYTHON)
    liveinstall.repl()
    assert prompt.read() == "1 + 1" and said == [1]
    liveinstall.repl(False)
    assert "read" not in vars(prompt)


@pytest.mark.parametrize("off", ["variable", "call", ""])
def test_it_begins_by_itself_after_a_staging_unless_it_was_switched_off(at, monkeypatch, off):
    at(FrontEnd.REPL)
    if off == "variable":
        monkeypatch.setenv("LIVEINSTALL_REPL", "0")
    elif off:
        liveinstall.repl(False)
    create().after_staging()
    assert (repl._Reminder.restore is not None) is (not off)


def test_each_transaction_is_reported_once_and_again_when_it_has_changed(env):
    env.wheel("alpha", "1.0")
    env.wheel("beta", "1.0")
    assert env.run("li.install('alpha', 'beta')").returncode == 0
    env.wheel("alpha", "2.0")
    env.wheel("beta", "2.0")
    code = """
        import alpha, beta
        from liveinstall._frontends.prompt import news
        told = [news()]
        li.install("alpha", upgrade=True)
        told += [news(), news()]
        li.install("beta", upgrade=True)
        told += [news(), news()]
        li.cancel()
        told += [news()]
        print(json.dumps(told))
    """
    one, both = "alpha 1.0 -> 2.0", "alpha 1.0 -> 2.0; beta 1.0 -> 2.0"
    line = "liveinstall: {} pending until a restart: liveinstall.restart()"
    assert env.json(code) == ["", line.format(one), "", line.format(both), "", ""]


def test_a_prompt_appears_after_any_failure(at, monkeypatch, capsys):
    monkeypatch.setattr(repl, "news", lambda: 1 / 0)
    at(FrontEnd.REPL)
    liveinstall.repl()
    assert str(sys.ps1) == "mine> "
    liveinstall.repl(False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("form", ["text", "mime_bundle"])
def test_what_a_displayed_result_has_said_is_not_repeated(at, monkeypatch, form):
    at(FrontEnd.IPYTHON)
    monkeypatch.setattr(repl, "_stamps", lambda _: {"one 1"})
    monkeypatch.setattr("liveinstall._frontends.restart.restart.waiting", lambda: (CHANGE,))
    getattr(create(), form)(liveinstall.Result(transaction="one", staged=(CHANGE,), dry_run=True))
    assert "alpha 1.0 -> 2.0 pending" in repl.news()
    repl._Reminder.reported.clear()
    getattr(create(), form)(liveinstall.Result(transaction="one", staged=(CHANGE,)))
    assert repl.news() == ""


def test_what_was_tried_is_not_told_after_it_was_cancelled(monkeypatch):
    trial = ImportTrial("one", ("alpha",), is_running=False)
    for latest, told in ((trial, "liveinstall: The restart was tried"), (None, "")):
        monkeypatch.setattr(restart_trial._Following, "news", trial)
        monkeypatch.setattr("liveinstall._homes.background_trial.latest", lambda latest=latest: latest)
        assert restart_trial.news().startswith(told) and (told or restart_trial.news() == "")


def test_a_status_that_shows_the_trial_leaves_no_news_of_it(at, monkeypatch):
    at(FrontEnd.REPL)
    trial = ImportTrial("one", ("alpha",), is_running=False)
    monkeypatch.setattr(restart_trial._Following, "news", trial)
    target = liveinstall.results.Target(*["/python", "venv", *["/site"] * 5])
    create().text(liveinstall.Status(target, (), (), 1, trial=trial))
    assert restart_trial._Following.news is None
