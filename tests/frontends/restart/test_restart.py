"""Restarts: where they are refused, the effect of consent, and the hold. (Real ones: integration.)"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import sys
import threading
from types import SimpleNamespace

import pytest
from helpers.capabilities import can_fork, has_exec

from liveinstall._frontends.detect import FrontEnd
from liveinstall._frontends.presenter import create
from liveinstall._frontends.restart import kernel, kernel_report, restart, server_restart
from liveinstall.errors import CannotRestartError
from liveinstall.results import Change, Result, Timing

STAGED = Result(staged=(Change("alpha", "1.0", "2.0", Timing.RESTART),))


@pytest.fixture
def at(monkeypatch):
    """Pretend to be in a front end, in a terminal."""

    def place(where, *, terminal=True, file=None):
        monkeypatch.setattr(restart, "detect", lambda: where)
        monkeypatch.setattr(restart, "_is_terminal", lambda: terminal)
        monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__file__=file))

    return place


@pytest.mark.parametrize(
    "place",
    [
        place
        for place in FrontEnd
        if place not in (FrontEnd.REPL, FrontEnd.INSPECT, FrontEnd.IPYTHON, FrontEnd.PTPYTHON)
    ],
)
def test_where_a_restart_is_not_possible_the_error_has_advice(at, place):
    at(place)
    with pytest.raises(CannotRestartError) as caught:
        restart.restart()
    assert caught.value.place == place and caught.value.todo.endswith(".")
    assert "Nothing was changed." in str(caught.value)


@pytest.mark.parametrize("place", [FrontEnd.REPL, FrontEnd.INSPECT])
def test_a_prompt_in_a_terminal_can(at, place):
    at(place, file="script.py" if place is FrontEnd.INSPECT else None)
    assert not restart.why_not(place)


def test_no_prompt_without_a_terminal_or_inside_a_program(at):
    at(FrontEnd.REPL, terminal=False)
    assert restart.why_not(FrontEnd.REPL) == "Exit Python and start it again."
    at(FrontEnd.REPL, file="application.py")
    assert restart.why_not(FrontEnd.REPL) == "Start the program again."
    at(FrontEnd.REPL, file="/lib/python3.13/_pyrepl/__main__.py")
    assert not restart.why_not(FrontEnd.REPL)
    at(FrontEnd.PTPYTHON)
    assert restart.why_not(FrontEnd.PTPYTHON) == "Start the program again."


_LAUNCHED = ["python", "-m", "ipykernel_launcher", "-f", "kernel.json"]


def test_on_windows_a_prompt_can_and_a_kernel_only_through_its_server(at, monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", _LAUNCHED)
    monkeypatch.setattr(kernel, "is_replaceable", lambda: False)
    at(FrontEnd.REPL)
    assert not restart.why_not(FrontEnd.REPL)
    for found in (None, server_restart.Kernel("a1", "http://127.0.0.1:1/", "t")):
        monkeypatch.setattr(server_restart, "kernel_of_server", lambda found=found: found)
        assert bool(restart.why_not(FrontEnd.NOTEBOOK)) == (found is None)


def test_only_a_kernel_that_ipykernel_has_launched_is_replaced(monkeypatch):
    monkeypatch.setattr(kernel, "is_replaceable", lambda: True)
    monkeypatch.setattr(sys, "orig_argv", _LAUNCHED)
    assert kernel.can_leave()
    for words in (["python", "application.py"], ["python", "-m", "spyder_kernels.console"], ["python"]):
        monkeypatch.setattr(sys, "orig_argv", words)
        assert not kernel.can_leave()


def test_without_consent_or_anything_staged_nothing_follows(monkeypatch):
    monkeypatch.setattr(restart, "restart", lambda: pytest.fail("restarted"))
    assert create().after_request(STAGED, "never") is STAGED
    assert create().after_request(Result(), "auto") == Result()
    rehearsed = Result(staged=STAGED.staged, dry_run=True)
    assert create().after_request(rehearsed, "auto") is rehearsed


def test_consent_where_a_restart_is_not_possible_becomes_a_note(at):
    at(FrontEnd.RUNNER)
    for consent in ("auto", "ask"):
        (note,) = create().after_request(STAGED, consent).notes
        assert note.startswith("not restarted, because") and "Run the notebook again" in note


def test_an_explicit_restart_says_that_what_the_server_uses_stays_pending(at, monkeypatch):
    at(FrontEnd.REPL)
    told = []
    monkeypatch.setattr(restart, "waiting", lambda: STAGED.staged)
    monkeypatch.setattr(restart, "lost_message", lambda: "2 variables will be lost.")
    monkeypatch.setattr(restart, "_leave_terminal", lambda _, message, *__: told.append(message) or bool)
    for server in ("restart JupyterLab itself", ""):
        monkeypatch.setattr(restart, "server_advice", lambda names, server=server: server if "alpha" in names else "")
        restart.restart()
    pending = "The changes stay pending: to apply them, restart JupyterLab itself. 2 variables will be lost."
    assert told == [pending, "2 variables will be lost."]


@pytest.mark.parametrize("consent", ["auto", "ask"])
def test_a_kernel_is_not_restarted_for_what_the_server_uses_since_variables_would_be_lost_for_nothing(
    at, monkeypatch, consent
):
    at(FrontEnd.NOTEBOOK)
    monkeypatch.setattr(restart, "restart", lambda: pytest.fail("restarted"))
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("asked"))
    monkeypatch.setattr(restart, "server_advice", lambda _: "restart JupyterLab itself")
    (note,) = create().after_request(STAGED, consent).notes
    assert note.startswith("not restarted, because") and note.endswith("; restart JupyterLab itself")


@pytest.mark.parametrize(("answer", "restarts"), [("y", True), (" YES ", True), ("", False), ("n", False)])
def test_asking_takes_only_a_yes(at, monkeypatch, answer, restarts):
    at(FrontEnd.REPL)
    done = []
    monkeypatch.setattr(restart, "restart", lambda: done.append(1))
    monkeypatch.setattr("builtins.input", lambda question: answer if "alpha 1.0 -> 2.0" in question else None)
    result = create().after_request(STAGED, "ask")
    assert bool(done) is restarts and bool(result.notes) is not restarts


def test_asking_without_an_answer_is_a_no(at, monkeypatch):
    at(FrontEnd.REPL)
    monkeypatch.setattr(restart, "restart", lambda: pytest.fail("restarted"))

    def closed(_):
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)
    assert create().after_request(STAGED, "ask").notes == ("not restarted; to restart, call liveinstall.restart()",)


def test_a_script_is_started_by_its_full_path_from_another_directory(at, monkeypatch, tmp_path):
    script = tmp_path / "script.py"
    script.touch()
    monkeypatch.chdir("/")
    at(FrontEnd.INSPECT, file=str(script))
    monkeypatch.setattr(sys, "argv", ["script.py", "-x"])
    monkeypatch.setattr(sys, "orig_argv", ["python", "-i", "script.py", "-x"])
    assert restart._command() == [sys.executable, "-i", str(script), "-x"]


def test_a_wrong_consent_is_refused_before_any_work(env):
    code = "try: li.install('x', restart='maybe')\nexcept li.LiveInstallError as error: print(json.dumps(str(error)))"
    assert "restart must be never, ask or auto, not 'maybe'" in env.json(code)


def test_the_new_kernel_says_what_is_in_place_and_what_is_not(monkeypatch):
    here = {"alpha": "2.0", "beta": "1.0"}
    monkeypatch.setattr(kernel_report, "version_of", here.get)
    assert kernel_report.outcome([])["text/plain"] == "Restarted."
    done = kernel_report.outcome([("alpha", "2.0"), ("gone", None)])
    assert done["text/plain"] == "Restarted, alpha 2.0 is installed; gone is removed."
    monkeypatch.setattr(kernel_report, "_why", lambda: "It was set aside.")
    failed = kernel_report.outcome([("alpha", "2.0"), ("beta", "2.0 <b>")])
    assert failed["text/plain"] == "Restarted, but beta is still 1.0. It was set aside."


def test_the_new_kernel_says_in_a_sentence_who_is_waited_for(monkeypatch):
    server = "the exit of the Jupyter server (pid 7; restart JupyterLab itself), then the next start of Python"
    items = [
        SimpleNamespace(state="pending", waits_for=server),
        SimpleNamespace(state="failed", waits_for="the disk refused"),
    ]
    monkeypatch.setattr("liveinstall._verbs.pending.pending", lambda: items)
    monkeypatch.setattr(kernel_report, "version_of", {"alpha": "1.0"}.get)
    text = kernel_report.outcome([("alpha", "2.0")])["text/plain"]
    assert text == f"Restarted, but alpha is still 1.0. Waiting for: {server}. Set aside: the disk refused."


@pytest.mark.parametrize("damage", ["METADATA", "", None])
def test_a_distribution_without_readable_metadata_has_no_version(tmp_path, monkeypatch, damage):
    """Each version of Python raises another error for it; `None` is the metadata without a version."""
    info = tmp_path / "alpha-1.0.dist-info"
    info.mkdir()
    if damage is None:
        (info / "METADATA").write_text("Name: alpha\n")
    elif damage:
        (info / damage).mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert kernel_report.version_of("alpha") is None


_EXEC = """
    import time
    from liveinstall._environment.holders import variables_for_exec
    import alpha
    li.install("alpha", upgrade=True)
    child = 1
    if "FORK" in os.environ:
        child = os.fork()
        if not child:
            time.sleep(60)
            os._exit(0)
    new = "import alpha, json, os; print(json.dumps([alpha.__version__, os.getpid()]))"
    print(json.dumps([os.getpid(), child]), flush=True)
    with variables_for_exec() as variables:
        os.execve(sys.executable, [sys.executable, "-c", new], variables)
"""


@has_exec
def test_a_process_that_replaces_itself_has_no_hold_and_gets_the_new_version(env):
    env.wheel("alpha", "1.0")
    assert env.run("li.install('alpha')").returncode == 0
    env.wheel("alpha", "2.0")
    done = env.run(_EXEC)
    before, after = map(json.loads, done.stdout.splitlines())
    assert after == ["2.0", before[0]], done.stderr
    assert env.versions()["alpha"] == "2.0" and not env.leftovers()


class Exited(BaseException):
    """Raised instead of `os._exit()`."""


def test_on_windows_a_child_in_the_same_console_is_waited_for_without_a_hold(tmp_path, monkeypatch):
    """Its arguments arrive unchanged: `exec` of Windows would split `C:\\Program Files`."""
    from _liveinstall_boot import holds as boot
    from liveinstall._environment import holders

    def leave(status):
        raise Exited(status, boot.held_sites())

    windows = SimpleNamespace(name="nt", path=os.path, environ=os.environ, getpid=os.getpid, _exit=leave)
    monkeypatch.setattr(holders, "os", windows)
    told = tmp_path / "Program Files" / "a b"
    told.parent.mkdir()
    code = "import os, sys; open(sys.argv[1], 'w').write(os.environ['MORE']); sys.exit(7)"
    boot.take_hold(str(tmp_path), "test")
    try:
        with pytest.raises(Exited) as exited:
            holders.replace_process([sys.executable, "-c", code, str(told)], {"MORE": "x"})
        assert exited.value.args == (7, []) and told.read_text() == "x"
        boot.take_hold(str(tmp_path), "test")
        with pytest.raises(FileNotFoundError):
            holders.replace_process([str(tmp_path / "missing")])
        assert boot.held_sites() == [str(tmp_path)] and len(boot.live_holds(str(tmp_path))) == 1
    finally:
        boot.release(str(tmp_path))


@can_fork
def test_a_forked_child_that_lives_on_keeps_its_files(env):
    env.wheel("alpha", "1.0")
    assert env.run("li.install('alpha')").returncode == 0
    env.wheel("alpha", "2.0")
    process = env.start(_EXEC, FORK="1")
    before, after = (json.loads(process.stdout.readline()) for _ in range(2))
    try:
        assert after == ["2.0", before[0]]  # from its part
        assert env.versions()["alpha"] == "1.0"
    finally:
        os.kill(before[1], signal.SIGKILL)
        process.communicate(timeout=60)
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n"
    assert env.versions()["alpha"] == "2.0"


def test_a_new_process_inherits_from_the_ancestor_of_the_old_one(tmp_path, monkeypatch):
    from _liveinstall_boot import holds as boot
    from liveinstall._environment.holders import variables_for_exec

    ancestor = str(tmp_path / ".liveinstall" / "holds" / "1-aa")
    monkeypatch.setenv(boot.VARIABLE, ancestor)
    boot.take_hold(str(tmp_path), "test")
    try:
        assert os.environ[boot.VARIABLE] != ancestor
        with variables_for_exec() as variables:
            assert variables[boot.VARIABLE] == ancestor
    finally:
        boot.release(str(tmp_path))


@pytest.fixture
def unstartable(monkeypatch):
    """No interpreter can be started, neither by exec nor, as on Windows, as a child process."""
    from liveinstall._system import programs

    def fail(*_):
        raise OSError(errno.E2BIG, "Argument list too long")

    monkeypatch.setattr(os, "execve", fail)
    monkeypatch.setattr(programs, "start_in_foreground", fail)


def test_a_prompt_that_cannot_be_replaced_says_so_and_continues(at, monkeypatch, unstartable):
    at(FrontEnd.REPL)
    monkeypatch.setattr(restart, "atexit", SimpleNamespace(_run_exitfuncs=lambda: None))
    with pytest.raises(CannotRestartError, match="too long") as caught:
        restart.restart()
    assert caught.value.todo == "Exit Python and start it again."


class Kernel:
    """The part of a kernel and its shell that a restart uses; `sent`: its messages."""

    def __init__(self):
        self.sent = []
        self.kernel = self.session = self.history_manager = self
        self.parent_header, self.iopub_socket, self.starting_dir = {}, None, "/"

    def send(self, _, kind, content, parent):
        self.sent.append((kind, content["data"]["text/plain"], content["transient"]["display_id"]))

    def end_session(self):
        pass


@pytest.mark.parametrize(("is_replaceable", "why"), [(True, "too long"), (False, "server does not accept")])
def test_a_kernel_that_cannot_be_replaced_says_so_on_its_card_and_is_where_it_was(
    monkeypatch, unstartable, tmp_path, is_replaceable, why
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kernel, "_DELAY", 0.0)
    monkeypatch.setattr(kernel, "is_replaceable", lambda: is_replaceable)
    monkeypatch.setattr(server_restart, "kernel_of_server", lambda: None)
    shell = Kernel()
    kernel._replace_when_idle(shell, {"display_id": "1", "parent": {}})
    ((kind, text, card),) = shell.sent
    assert (kind, card) == ("update_display_data", "1") and text.startswith("Not restarted. ")
    assert why in text and os.getcwd() == str(tmp_path)


def test_a_kernel_is_replaced_when_no_cell_has_run_for_a_while(monkeypatch):
    looks = iter([True, False, True, False, False])
    monkeypatch.setattr(kernel, "is_replaceable", lambda: True)
    monkeypatch.setattr(kernel, "_DELAY", 0.02)
    monkeypatch.setattr(kernel, "_STEP", 0.01)
    monkeypatch.setattr(kernel, "is_busy", lambda _: next(looks))
    done = []
    monkeypatch.setattr(kernel, "_replace", lambda *_: done.append(list(looks)))
    kernel._replace_when_idle(Kernel(), {})
    assert done == [[]]


def test_a_cell_that_runs_or_awaits_is_detected():
    shell = Kernel()

    def run_cell():
        return kernel.is_busy(shell)

    async def run_cell_async():
        await asyncio.sleep(60)

    async def running_kernel():
        shell.io_loop = SimpleNamespace(asyncio_loop=asyncio.get_running_loop())
        before = kernel.is_busy(shell)
        cell = asyncio.ensure_future(run_cell_async())
        await asyncio.sleep(0)
        during = kernel.is_busy(shell)
        cell.cancel()
        return before, during

    assert run_cell() and not kernel.is_busy(shell)
    assert asyncio.run(running_kernel()) == (False, True)


def test_a_process_is_replaced_with_the_output_that_it_was_given(monkeypatch, capfd):
    read, pipe = os.pipe()
    given, output = os.dup(1), 1
    os.dup2(pipe, output)  # as ipykernel does
    os.close(pipe)
    try:
        stream = SimpleNamespace(flush=lambda: None, _original_stdstream_copy=given, _original_stdstream_fd=output)
        monkeypatch.setattr(sys, "stdout", stream)
        with kernel._original_streams():
            os.write(output, b"outside ")
        os.write(output, b"inside")
        assert os.read(read, 100) == b"inside"
    finally:
        monkeypatch.undo()
        os.dup2(given, output)
        os.close(given)
        os.close(read)
    assert capfd.readouterr().out == "outside "


class _Manager:
    """The part of ipykernel's manager of subshells that is used."""

    def __init__(self, fails=False):
        self._cache, self._lock_cache, self._fails = {}, threading.Lock(), fails

    def _create_subshell(self):
        if self._fails:
            raise RuntimeError
        self._cache[f"new{len(self._cache)}"] = object()
        return list(self._cache)[-1]

    def list_subshell(self):
        return list(self._cache)


@pytest.mark.parametrize("fails", [False, True])
def test_the_subshells_of_the_former_process_are_there_again_under_their_ids(fails):
    manager = _Manager(fails)
    loop = SimpleNamespace(add_callback=lambda call: threading.Thread(target=call).start())
    application = SimpleNamespace(shell_channel_thread=SimpleNamespace(manager=manager, io_loop=loop))
    assert kernel_report.missing_subshells(application, ["a", "b"]) == (["a", "b"] if fails else [])
    assert fails or manager._cache["a"] is not manager._cache["b"]
    assert kernel_report.missing_subshells(SimpleNamespace(), ["a"]) == ["a"]  # an ipykernel without subshells
