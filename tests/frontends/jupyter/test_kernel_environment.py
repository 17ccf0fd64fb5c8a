"""The server's answers about a kernel's environment: the interpreter, the times of the calls, the texts."""

from __future__ import annotations

import json
import os
import sys
import time
from threading import Thread
from types import SimpleNamespace

import pytest

from liveinstall._frontends.jupyter import kernel_environment
from liveinstall._frontends.jupyter.kernel_environment import KernelEnvironments, KernelPython, ask, python_of
from liveinstall.errors import EngineError, TargetError, TrialError

_PROCESS = SimpleNamespace(pid=7)


def manager(*argv, language="python", env=None, process=_PROCESS):
    spec = SimpleNamespace(language=language, argv=list(argv), env=env or {})
    return SimpleNamespace(
        kernel_spec=spec, provisioner=SimpleNamespace(process=process), format_kernel_cmd=lambda: list(argv)
    )


def test_the_interpreter_is_that_of_the_kernelspec_with_its_variables(monkeypatch):
    monkeypatch.setenv("HERE", "/somewhere")
    found = python_of(manager(sys.executable, "-m", "ipykernel_launcher", env={"PYTHONPATH": "${HERE}/lib"}))
    assert (found.path, found.pid, found.variables) == (sys.executable, 7, {"PYTHONPATH": "/somewhere/lib"})


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in Linux' /proc")
def test_a_wrapper_is_looked_through_to_the_python_that_it_has_started():
    mine = SimpleNamespace(pid=os.getpid())
    found = python_of(manager("/usr/bin/env-wrapper", "run", process=mine))
    assert os.path.realpath(found.path) == os.path.realpath(sys.executable)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (manager("R", language="R"), "not a Python kernel"),
        (manager(sys.executable, process=None), "does not run on the machine"),
        (manager("no-python-here"), "started by no-python-here"),
    ],
    ids=["another language", "another machine", "unknown"],
)
def test_kernels_without_an_environment_here_say_why(made, words, monkeypatch):
    monkeypatch.setattr(kernel_environment, "_running_python", lambda pid: None)
    with pytest.raises(TargetError, match=words):
        python_of(made)


def test_the_answer_is_found_among_other_output(monkeypatch):
    output = 'a warning\n{"x": 1}\n{"liveinstall": 1, "command": "status", "ok": true, "result": {}}\n'
    calls = []
    monkeypatch.setattr(kernel_environment, "run_captured", lambda *given, **_: calls.append(given) or (0, output, ""))
    assert ask(KernelPython("/py", {"A": "1"}), "undo", "t1")["result"] == {}
    ((words, variables),) = calls
    assert words == ["/py", "-m", "liveinstall", "undo", "t1", "--json"]
    assert variables["A"] == "1" and variables["PYTHONSAFEPATH"] == "1"


@pytest.mark.parametrize(
    ("output", "error", "words"),
    [
        ("/py: No module named liveinstall\n", TargetError, "not installed in the environment of this kernel"),
        ("Fatal Python error\n", EngineError, "gave no answer"),
    ],
)
def test_no_answer_has_its_reason(monkeypatch, output, error, words):
    monkeypatch.setattr(kernel_environment, "run_captured", lambda *_, **__: (1, "", output))
    with pytest.raises(error, match=words):
        ask(KernelPython("/py"), "status")


def test_an_interpreter_that_does_not_answer_is_stopped(monkeypatch):
    def wait(*_, **__):
        raise TrialError("the program did not exit within 60 seconds and was stopped.", todo="Allow more time.")

    monkeypatch.setattr(kernel_environment, "run_captured", wait)
    with pytest.raises(EngineError, match="/py did not answer: the program did not exit") as caught:
        ask(KernelPython("/py"), "status")
    assert not caught.value.todo


@pytest.fixture
def site(tmp_path):
    (tmp_path / ".liveinstall" / "transactions").mkdir(parents=True)
    for place in (tmp_path / ".liveinstall" / "transactions", tmp_path / ".liveinstall", tmp_path):
        os.utime(place, (1, 1))  # it has not changed for a while
    return tmp_path


@pytest.fixture
def asked(monkeypatch, site):
    """The calls of `ask()`, which answers for an environment at `site` that this process and a server use."""
    calls = []

    def answer(python, *words):
        calls.append(words)
        mine = {"pid": 7, "command": "python -m ipykernel_launcher -f x.json", "since": 1.0, "notebook": "x.ipynb"}
        server = {"pid": 8, "command": "jupyter-lab", "since": 1.0}
        result = {"target": {"site": str(site)}, "holders": [mine, server], "pending": []}
        return {"liveinstall": 1, "ok": True, "result": result}

    monkeypatch.setattr(kernel_environment, "ask", answer)
    return calls


def test_an_environment_is_asked_again_only_after_a_change_on_disk(site, asked):
    environments, python = KernelEnvironments(), KernelPython("/py", pid=7)
    assert environments.status(python) is environments.status(python)
    assert len(asked) == 1
    (site / ".liveinstall" / "transactions" / "t1.pending").write_text("")
    os.utime(site / ".liveinstall" / "transactions", (5, 5))  # regardless of the resolution of the clock
    environments.status(python)
    assert len(asked) == 2
    environments.status(python, fresh=True)
    assert len(asked) == 3


def test_a_change_while_an_environment_is_asked_is_not_missed(site, asked, monkeypatch):
    answer = kernel_environment.ask

    def slow(*words):
        found = answer(*words)
        (site / ".liveinstall" / "transactions" / "t1.pending").write_text("")  # after the state was read
        return found

    monkeypatch.setattr(kernel_environment, "ask", slow)
    environments, python = KernelEnvironments(), KernelPython("/py", pid=7)
    environments.status(python)
    monkeypatch.setattr(kernel_environment, "ask", answer)
    environments.status(python)
    assert len(asked) == 2


def test_holders_are_named_as_their_user_knows_them(asked):
    answer = KernelEnvironments().status(KernelPython("/py", pid=7))
    mine, server = answer["result"]["holders"]
    assert mine["who"] == "this notebook" and server["who"].startswith("the Jupyter server (pid 8; restart")
    assert json.loads(json.dumps(answer)) == answer
    assert KernelEnvironments().status(KernelPython("/py", pid=9))["result"]["holders"][0]["who"] == (
        "the notebook x.ipynb"
    )


def test_several_pages_that_ask_at_once_start_one_process(asked, monkeypatch):
    slow = kernel_environment.ask
    monkeypatch.setattr(kernel_environment, "ask", lambda *words: time.sleep(0.05) or slow(*words))
    environments = KernelEnvironments()
    threads = [Thread(target=environments.status, args=(KernelPython("/py", pid=7),)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1


def test_an_environment_without_liveinstall_is_not_asked_at_each_look(monkeypatch):
    calls = []

    def fail(*words):
        calls.append(words)
        raise TargetError("liveinstall is not installed.", site="")

    monkeypatch.setattr(kernel_environment, "ask", fail)
    environments = KernelEnvironments()
    for fresh in (False, False, True):
        with pytest.raises(TargetError):
            environments.status(KernelPython("/py"), fresh=fresh)
    assert len(calls) == 2


def test_the_answers_of_many_kernels_are_not_all_kept(asked):
    environments = KernelEnvironments()
    for pid in range(100):
        environments.status(KernelPython("/py", pid=pid))
    assert len(environments._known) <= kernel_environment._MOST


def test_this_environment_answers_in_a_real_child():
    answer = ask(KernelPython(sys.executable), "status")
    assert answer["ok"] and answer["command"] == "status" and answer["result"]["target"]["site"]
