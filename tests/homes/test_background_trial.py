"""The background trial of the restart: its outcome, and that it does not block requests."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from helpers.capabilities import has_links

pytestmark = pytest.mark.skipif(os.name != "nt" and not has_links(), reason="a trial needs symbolic links")

# An interactive session: the trial begins when a change is staged.
_SESSION = """
import time
from liveinstall._frontends import question
question.is_attended = lambda: True
os.environ["LIVEINSTALL_CONFLICTS"] = "allow"
import alpha
def finished():
    from liveinstall._homes import background_trial
    while background_trial._State.work.thread.is_alive():
        time.sleep(0.02)
    return background_trial.latest()
"""


@pytest.fixture
def staged(env):
    """alpha 1.0 and beta 1.0, which uses it, are installed; alpha 2.0 lacks a name that beta imports."""
    env.wheel("alpha", "1.0")
    env.wheel("beta", "1.0", {"beta.py": "from alpha.late import V\n"}, requires=("alpha",))
    env.run("li.install('alpha', 'beta')")
    env.wheel("alpha", "2.0", {"alpha/__init__.py": "__version__ = '2.0'\n"})
    env.wheel("alpha", "3.0")
    return env


def found(env, code):
    return env.json(_SESSION + code)


def test_what_is_loaded_and_depends_on_a_change_is_tried_and_a_failure_is_named(staged):
    code = """
import beta
li.install("alpha==2.0")
trial = finished()
print(json.dumps([trial.modules, trial.failures, trial.is_running, str(trial), str(li.status()).count(str(trial))]))
"""
    modules, failures, is_running, text, in_status = found(staged, code)
    assert (modules, is_running, in_status) == (["alpha", "beta"], False, 1)
    assert failures == {"beta": "ModuleNotFoundError: No module named 'alpha.late'"}
    assert text == "After the restart, `import beta` fails: ModuleNotFoundError: No module named 'alpha.late'"


def test_imports_that_work_are_called_so_and_the_result_is_of_the_pending_changes_only(staged):
    code = """
import beta
li.install("alpha==3.0")
text = str(finished())
li.cancel()
print(json.dumps([text, li.status().trial]))
"""
    text, later = found(staged, code)
    assert text.startswith("The restart was tried: alpha, beta can be imported (") and later is None


def test_what_would_break_is_tried_even_if_it_is_not_loaded(staged):
    staged.wheel("gamma", "1.0", {"gamma.py": "import alpha.late\n"}, requires=("alpha<2",))
    staged.run("li.install('gamma')")
    assert found(staged, "li.install('alpha==2.0')\nprint(json.dumps(list(finished().failures)))") == ["gamma"]


def test_a_script_tries_nothing_and_loads_nothing_for_it(staged):
    loaded = "print(json.dumps('liveinstall._homes.background_trial' in sys.modules))"
    assert staged.json(f"import alpha\nli.install('alpha==2.0')\n{loaded}") is False
    code = f"os.environ['LIVEINSTALL_PREVIEW'] = 'no'\nli.install('alpha==3.0')\n{loaded}"
    assert found(staged, code) is False


_SLOW = {
    "alpha/__init__.py": "import os, time\nopen(os.environ['PIDS'], 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
}
_BEGUN = """
li.install("alpha==4.0")
while not (os.path.exists(os.environ["PIDS"]) and open(os.environ["PIDS"]).read()):
    time.sleep(0.02)
"""


def pid_of(env) -> int:
    return int((env.root / "pids").read_text())


def is_alive_on_windows(pid: int) -> bool:
    import ctypes

    status, kernel = ctypes.c_ulong(), ctypes.windll.kernel32
    handle = kernel.OpenProcess(0x1000, 0, pid)
    try:
        return bool(handle and kernel.GetExitCodeProcess(handle, ctypes.byref(status)) and status.value == 259)
    finally:
        kernel.CloseHandle(handle)


def ends(pid: int) -> bool:
    """Whether a process exits within a few seconds."""
    for _ in range(250):
        if os.name == "nt":
            if not is_alive_on_windows(pid):
                return True
            time.sleep(0.02)
            continue
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def slow(staged, monkeypatch):
    """The import of alpha 4.0 takes a minute, and writes its process id."""
    staged.wheel("alpha", "4.0", _SLOW)
    monkeypatch.setenv("PIDS", str(staged.root / "pids"))
    return staged


def test_the_next_request_stops_a_trial_and_its_processes(slow):
    slow.wheel("delta", "1.0")
    code = """
begin = time.monotonic()
result = li.install("delta")
again = __import__("liveinstall._homes.background_trial")._homes.background_trial._State.work.thread.is_alive()
print(json.dumps([time.monotonic() - begin < 10, [str(change) for change in result.installed], again]))
"""
    assert found(slow, _BEGUN + code) == [True, ["delta 1.0"], True]
    assert ends(pid_of(slow))


@pytest.mark.parametrize(
    "end", ["sys.exit()", "os.execv(sys.executable, [sys.executable, '-c', 'pass'])", "os._exit(0)"]
)
def test_it_ends_with_the_process_however_that_ends(slow, end):
    done = slow.run(_SESSION + _BEGUN + end)
    assert (done.returncode, done.stderr) == (0, "")
    assert ends(pid_of(slow))
    if end == "sys.exit()":
        assert not list(Path("/dev/shm").glob(f"liveinstall-trials-*/liveinstall-trial-*/{slow.site.name}"))
