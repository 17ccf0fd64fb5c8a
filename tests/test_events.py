"""The events of a request, and how it is cancelled from outside: nothing is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.capabilities import has_signals
from helpers.environments import SOURCE, tree

from liveinstall._engines.pip.output import Listener
from liveinstall._system.cancellation import Cancellation, check, ended_by
from liveinstall._system.child_process import Child, run
from liveinstall.errors import EngineError, EngineTimeoutError, RequestCancelledError
from liveinstall.events import Downloading, Reporter

HEAR = """
heard = []
def hear(event):
    heard.append(event)
def kinds():
    return [type(event).__name__ for event in heard]
"""

SLOW_ENGINE = """
from liveinstall._system import child_process
class Slow(fake_engine.FakeEngine):
    def resolve(self, *a, **k):
        code = "import os, subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'"
        code += "]); time.sleep(99)"
        open(os.environ["BEGUN"], "w").close()
        child_process.run([sys.executable, "-c", code + " # " + os.environ["MARK"]], timeout=k.get("timeout"))
fake_engine.ENGINES["slow"] = Slow
"""

ASYNC = (
    "import asyncio, threading, time\nasync def begun():\n    while not os.path.exists(os.environ['BEGUN']):\n        "
)
ASYNC += "await asyncio.sleep(0.02)\n    await asyncio.sleep(0.2)\n"


def running(mark: str) -> list[str]:
    """The live processes of this test's session that have `mark` in their command line."""
    if not shutil.which("ps"):
        pytest.skip("needs ps, to see whether processes have ended")
    listed = subprocess.run(["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if mark in line and " ps " not in line]


def wait_until(condition) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@pytest.fixture
def slow(env, tmp_path):
    """Variables for an engine that never finishes, in a child with a child; both can be found by MARK."""
    env.wheel("alpha", "1.0")
    return {"BEGUN": str(tmp_path / "begun"), "MARK": f"mark-{tmp_path.name}-{os.getpid()}"}


def test_a_fresh_install_tells_each_step(env):
    env.wheel("alpha", "1.0", requires=("beta",))
    env.wheel("beta", "1.0")
    seen = env.json(
        HEAR + "r = li.install('alpha', on_event=hear)\n"
        "staging = [(e.done, e.total) for e in heard if isinstance(e, li.events.Staging)]\n"
        "assert heard[-1].result == r and heard[0].requests == ('alpha',)\n"
        "print(json.dumps([kinds(), staging, [str(c) for c in heard[-2].changes]]))"
    )
    assert seen == [
        ["Planning", "Planned", "Staging", "Staging", "Staging", "Committing", "Done"],
        [[0, 2], [1, 2], [2, 2]],
        ["alpha 1.0", "beta 1.0"],
    ]


def test_pending_changes_are_reported_as_staged(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    seen = env.json(
        HEAR + "import alpha\nli.install('alpha>=2', on_event=hear)\n"
        "print(json.dumps([kinds()[-3:], [str(c) for c in heard[-2].changes]]))"
    )
    assert seen == [["Committing", "Staged", "Done"], ["alpha 1.0 -> 2.0"]]


@pytest.mark.parametrize("call", ["li.plan('no', on_event=hear)", "li.install('no', on_event=hear)"])
def test_a_failure_is_the_last_event(env, call):
    seen = env.json(HEAR + f"try:\n    {call}\nexcept li.LiveInstallError as e:\n    assert heard[-1].error is e\n"
                    "print(json.dumps(kinds()))")  # fmt: skip
    assert seen == ["Planning", "Failed"]


def test_a_removal_has_events_too(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    seen = env.json(HEAR + "li.uninstall('alpha', on_event=hear)\nprint(json.dumps(kinds()))")
    assert seen == ["Planned", "Staging", "Committing", "Done"]


@pytest.mark.parametrize("kind", ["Planning", "Planned", "Staging", "Committing"])
@pytest.mark.parametrize("error", ["KeyboardInterrupt", "ValueError", "BrokenPipeError"])
def test_a_callback_can_cancel_it_until_the_commit(env, kind, error):
    env.wheel("alpha", "1.0")
    before = tree(env.root / "lib")
    done = env.run(
        "def hear(event):\n"
        f"    if type(event).__name__ == '{kind}' and getattr(event, 'done', 1): raise {error}('enough')\n"
        "li.install('alpha', on_event=hear)"
    )
    if kind == "Committing" and error != "KeyboardInterrupt":
        assert done.returncode == 0 and "RuntimeWarning: on_event failed at Committing" in done.stderr
    else:
        assert done.returncode != 0 and error in done.stderr.strip().splitlines()[-1]
        assert tree(env.root / "lib") == before and env.leftovers() == []


def test_ainstall_installs_and_tells_in_the_loop(env):
    env.wheel("alpha", "1.0")
    seen = env.json(
        "import asyncio, threading\nhere = set()\n"
        "async def main():\n"
        "    r = await li.ainstall('alpha', on_event=lambda e: here.add(threading.current_thread().name))\n"
        "    import alpha\n    return [str(c) for c in r.installed]\n"
        "print(json.dumps([asyncio.run(main()), sorted(here)]))"
    )
    assert seen == [["alpha 1.0"], ["MainThread"]]


@pytest.mark.parametrize(
    "end",
    [
        "t.cancel(); await asyncio.wait([t]); assert t.cancelled()",
        "try: await asyncio.wait_for(t, 0.1)\n    except asyncio.TimeoutError: pass",
        "t.cancel(); await asyncio.sleep(0); t.cancel(); await asyncio.wait([t]); assert t.cancelled()",
    ],
    ids=["cancel", "timeout", "twice"],
)
def test_a_cancelled_task_leaves_nothing_behind_and_no_process(env, slow, end):
    before = tree(env.root / "lib")
    done = env.run(
        ASYNC + SLOW_ENGINE + "async def main():\n"
        "    t = asyncio.ensure_future(li.ainstall('alpha', engine='slow'))\n    await begun()\n"
        f"    {end}\n    assert not any(th.name.startswith('asyncio') and th.daemon for th in threading.enumerate())\n"
        "    return (await li.ainstall('alpha')).changed\n"
        "print(asyncio.run(main()))",
        **slow,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
    assert wait_until(lambda: running(slow["MARK"]) == []), running(slow["MARK"])
    env.run("li.undo(); li.prune()")
    assert {path: what for path, what in tree(env.root / "lib").items() if "alpha" not in path} == before


def test_a_task_that_waits_for_the_lock_is_cancelled(env, slow):
    holder = env.start(SLOW_ENGINE + "li.install('alpha', engine='slow')", **slow)
    try:
        assert wait_until(lambda: Path(slow["BEGUN"]).exists())
        done = env.run(
            "import asyncio, time\nasync def main():\n    begin = time.monotonic()\n"
            "    try: await asyncio.wait_for(li.ainstall('alpha'), 0.3)\n    except asyncio.TimeoutError: pass\n"
            "    assert time.monotonic() - begin < 10\nasyncio.run(main())",
            **slow,
        )
    finally:
        holder.kill()
        holder.communicate()
    assert (done.returncode, done.stderr) == (0, "")


def test_a_commit_is_completed_even_if_its_task_is_cancelled(env):
    """Even if the commit waits for something that could be stopped."""
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    (env.site / "line.pth").write_text("import sys\n")  # so that the imports of a start are already cached
    env.wheel("alpha", "2.0")
    env.wheel("beta", "1.0")
    done = env.run(
        "import alpha, asyncio, threading\nfrom liveinstall._transactions import transaction as t\n"
        "applied, go = threading.Event(), threading.Event()\nreal = t.apply\n"
        "def apply(*a, **k):\n    real(*a, **k); applied.set(); go.wait(20)\n"
        "t.apply = apply\n"
        "async def main():\n    task = asyncio.ensure_future(li.ainstall('alpha==2.0', 'beta'))\n"
        "    await asyncio.to_thread(applied.wait, 20)\n    task.cancel()\n    await asyncio.sleep(0.1)\n    go.set()\n"
        "    await asyncio.wait([task])\n    return task.cancelled()\n"
        "assert asyncio.run(main())\nimport beta\nprint([str(c) for p in li.pending() for c in p.changes])"
    )
    assert (done.stdout, done.stderr) == ("['alpha 1.0 -> 2.0']\n", "")


def test_a_timeout_may_be_endless_and_a_program_that_is_none_is_an_engine_error(tmp_path):
    status, output = run([sys.executable, "-c", "print(1)"], timeout=float("inf"))
    assert (status, output.splitlines()) == (0, ["1"])
    with pytest.raises(EngineError, match="could not be started"):
        run([str(tmp_path)], timeout=1)


@pytest.mark.skipif(not hasattr(os, "setsid"), reason="needs sessions")
def test_a_process_outside_the_session_that_has_the_pipe_is_not_waited_for(tmp_path):
    code = "import os, subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(8)'], "
    code += "start_new_session=True)\nprint('said', flush=True)\n"
    begin = time.monotonic()
    assert run([sys.executable, "-c", code], timeout=None) == (0, "said\n")
    with pytest.raises(EngineTimeoutError):
        run([sys.executable, "-c", code + "time.sleep(99)"], timeout=1.5)
    assert time.monotonic() - begin < 7


@pytest.fixture
def ctrl_c():
    """The usual handler of Ctrl-C, which a job in the background of a shell does not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_a_child_process_is_being_started_ends_it(monkeypatch, ctrl_c):
    started = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("liveinstall._system.child_process.subprocess.Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        Child([sys.executable, "-c", "import time; time.sleep(99)"])
    (process,) = started
    with process:
        assert process.wait(20) != 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@has_signals
def test_ctrl_c_ends_the_engine_and_what_it_has_started(env, slow):
    before = tree(env.root / "lib")
    process = env.start("import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n" + SLOW_ENGINE
                        + "li.install('alpha', engine='slow')", **slow)  # fmt: skip
    assert wait_until(lambda: len(running(slow["MARK"])) == 1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in err
    assert wait_until(lambda: running(slow["MARK"]) == []), running(slow["MARK"])
    assert tree(env.root / "lib") == before and env.leftovers() == []


def test_a_timeout_ends_what_the_engine_has_started(tmp_path):
    mark = f"mark-{tmp_path.name}-{os.getpid()}"
    grandchild = f"import time; time.sleep(99) # {mark}"
    code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {grandchild!r}]); time.sleep(99)"
    with pytest.raises(Exception, match="did not finish"):
        run([sys.executable, "-c", code], timeout=2)
    assert wait_until(lambda: running(mark) == [])


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs sessions")
def test_pips_child_ends_with_the_process_that_asked(tmp_path):
    """It is killed, so it cannot end its children itself."""
    mark = f"mark-{tmp_path.name}-{os.getpid()}"
    fake = tmp_path / "pip"
    fake.mkdir()
    for package in (fake, fake / "_internal", fake / "_internal" / "cli"):
        package.mkdir(exist_ok=True)
        (package / "__init__.py").write_text("__version__ = '26.0'\n")
    (fake / "_internal" / "cli" / "req_command.py").write_text("class RequirementCommand: get_requirements = None\n")
    (fake / "__main__.py").write_text(
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99) # {mark}'])\ntime.sleep(99)\n"
    )
    request = tmp_path / "request"
    request.write_text(
        '{"parts": [], "hidden": [], "offline": "", "resolve": ["install"], "variables": {}, "wanted": true}'
    )
    child = SOURCE / "liveinstall" / "_engines" / "pip" / "_pip_child.py"
    asker = (
        "import sys; from liveinstall._system.child_process import Child; "
        f"child = Child([sys.executable, '-P', {str(child)!r}, {str(tmp_path)!r}, {mark!r}]); "
        f"child.ask({str(request)!r}, timeout=None)"
    )
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(SOURCE), *sys.path[1:]])}
    with subprocess.Popen([sys.executable, "-c", asker], env=variables) as process:
        try:
            assert wait_until(lambda: len(running(mark)) == 3), running(mark)
        finally:
            process.kill()
    assert wait_until(lambda: running(mark) == []), running(mark)


def test_a_child_that_has_already_exited_is_not_an_error():
    child = Child([sys.executable, "-c", "print('last words')"])
    time.sleep(0.3)
    status, output = child.ask("question", timeout=20)
    assert (status, output.splitlines()) == (0, ["last words"])


def test_downloads_are_reported_in_bytes():
    heard = []
    listener = Listener(heard.append)
    for line in (
        "Collecting a\n",
        "  Downloading https://u:p@h/x/a-1.0-py3-none-any.whl.metadata (62 kB)\n",
        "Progress 5 of 62\n",
        "  Downloading a-1.0-py3-none-any.whl (9 kB)\n",
        "Progress 10 of 90\n",
        "Progress 90 of 0\n",
        "Progress of the work\n",
    ):
        listener.hear(line)
    assert heard == [Downloading("a-1.0-py3-none-any.whl", 10, 90), Downloading("a-1.0-py3-none-any.whl", 90, None)]


def test_what_is_waited_for_ends_on_cancelling_even_if_that_came_first():
    ended = []
    cancellation = Cancellation()

    def work():
        cancellation.set()
        cancellation.cancel()
        with pytest.raises(RequestCancelledError), ended_by(lambda: ended.append(1)):
            pass
        with pytest.raises(RequestCancelledError):
            check()
        with pytest.raises(RequestCancelledError):
            Reporter().tell(Downloading("", 0, None))

    from contextvars import copy_context

    copy_context().run(work)
    assert ended == [1]
    check()
