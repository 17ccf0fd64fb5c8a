"""P4 and P5: a start never fails, and reads no file of liveinstall without pending changes."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.capabilities import has_signals

import _liveinstall_boot as boot

OPENED = """
import sys
opened = []
def hook(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and arguments and isinstance(arguments[0], (str, bytes)):
        opened.append(str(arguments[0]))
sys.addaudithook(hook)
import site
site.main()
print([path for path in opened if "liveinstall" in path or ".part" in path])
"""


def test_nothing_pending_opens_no_file_of_ours(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    assert (env.site / ".liveinstall").is_dir()
    assert env.bare(OPENED, "-S", "-I").stdout == "[]\n"


def test_something_pending_is_seen_by_the_same_hook(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha', when='restart')")
    code = OPENED.replace("site.main()", f"site.addsitedir({str(env.site)!r})")
    assert "alpha-1.0.part.pth" in env.bare(code, "-S", "-I").stdout


@pytest.fixture
def staged(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    env.run("import alpha; li.install('alpha>=2')")
    return env


@pytest.mark.parametrize("status", [0, 3])
def test_a_start_exits_with_its_own_status_and_prints_nothing(staged, status):
    done = staged.bare(f"import sys; sys.exit({status})")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")
    assert staged.versions() == {"alpha": "2.0"}


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_harm_no_start(staged, closed):
    command = f"exec '{staged.python}' -c 'import alpha, sys; sys.exit(alpha.__version__ != \"2.0\")' {closed}"
    assert subprocess.run(["/bin/sh", "-c", command], env=staged.variables(), check=False).returncode == 0


def test_the_c_locale_harms_no_start(staged):
    done = staged.bare("import alpha; print(alpha.__version__)", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (done.stdout, done.stderr) == ("2.0\n", "")


def test_a_corrupt_finalizer_harms_no_start(staged):
    for path in staged.site.glob(".liveinstall/_liveinstall_finalizer_*/__init__.py"):
        path.write_text("this is not python")
    done = staged.bare("import alpha; print(alpha.__version__)")
    assert (done.stdout, done.stderr) == ("1.0\n", "")


def test_a_start_loads_the_copy_from_its_bundles(staged):
    loaded = [line for line in staged.bare("pass", "-X", "importtime").stderr.splitlines() if "finalizer" in line]
    assert len(loaded) == 1, loaded  # the package itself
    assert staged.versions() == {"alpha": "2.0"}


def test_the_guard_reads_its_bundle_once_though_a_virtual_environment_runs_its_line_twice(env):
    assert env.run("li.guard('on')").returncode == 0
    again = f"site.addsitedir({str(env.site)!r})"
    opened = ast.literal_eval(env.bare(OPENED.replace("site.main()", f"{again}; {again}"), "-S", "-I").stdout)
    assert len([path for path in opened if path.endswith(".bundle")]) == 1
    assert len([path for path in opened if path.endswith("_liveinstall_guard.pth")]) == 2


@pytest.mark.parametrize("damaged", [b"", b"not bytecode", None], ids=["empty", "other", "one byte"])
def test_without_a_sound_bundle_the_modules_are_loaded_one_by_one(staged, damaged):
    bundles = list(staged.site.glob(".liveinstall/*/__pycache__/*.bundle"))
    assert len(bundles) == 3
    for path in bundles:
        content = path.read_bytes()
        path.write_bytes(content[:999] + bytes([content[999] ^ 1]) + content[1000:] if damaged is None else damaged)
    loaded = [line for line in staged.bare("pass", "-X", "importtime").stderr.splitlines() if "finalizer" in line]
    assert len(loaded) > 10
    assert staged.versions() == {"alpha": "2.0"}


def test_bundles_list_modules_after_those_that_they_import():
    before = set()
    for name in (*boot.FOR_HOLDS, *boot.FOR_VIEWS, *boot.FOR_SWAPS):
        tree = ast.parse(Path(boot.__file__).with_name(f"{name}.py").read_text(encoding="utf-8"))
        needed = {node.module for node in tree.body if isinstance(node, ast.ImportFrom) and node.level}
        assert needed <= before, name
        before.add(name)


def test_without_the_state_directory_a_companion_is_silent(staged):
    (staged.site / ".liveinstall").rename(staged.root / "elsewhere")
    done = staged.bare("import alpha; print(alpha.__version__)")
    assert (done.stdout, done.stderr) == ("1.0\n", "")


def test_a_companion_is_one_ascii_line(staged):
    text = (staged.site / "alpha-2.0.part.pth").read_bytes()
    assert text.isascii() and text.count(b"\n") == 1 and text.startswith(b"import ")


@has_signals
def test_ctrl_c_during_a_start_is_not_lost_and_harms_no_swap(staged):
    for _ in range(5):
        process = subprocess.Popen(
            [staged.python, "-c", "import time; time.sleep(5)"],
            env=staged.variables(),
            stderr=subprocess.DEVNULL,
            # A test run in the background ignores Ctrl-C, and its children would too.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        process.send_signal(signal.SIGINT)
        assert process.wait(10) != 0
    assert staged.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n"


def test_a_start_waits_for_a_swap_in_progress_and_not_for_a_lock(staged):
    holder = staged.start("""
        from liveinstall._system.lock import environment_lock
        from liveinstall._environment.target import find_target
        with environment_lock(find_target().site, who="x"):
            print("locked", flush=True); input()
    """)
    # The holder's own start has already swapped; changes that are staged from here on wait for its lock.
    assert holder.stdout.readline() == "locked\n"
    assert staged.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n"
    holder.kill()
    holder.communicate()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can be in another user's environment")
def test_root_in_a_users_environment_changes_nothing_at_a_start(staged):
    os.chown(staged.site, 65534, -1)
    assert staged.bare("import alpha; print(alpha.__version__)").stdout == "1.0\n"
    os.chown(staged.site, 0, -1)
    assert staged.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n"


def damage(path, how):
    """Damage a file or directory of liveinstall."""
    if path.is_dir() and how != "vanished":
        path = min(path.rglob("*.py"), default=path / "nothing.py")
    if how == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if path.exists() else b"")
    elif how == "garbage":
        path.write_bytes(b"\x00\xff\tgarbage\n" * 9)
    elif how == "future":
        path.write_text("liveinstall-transaction 99\nliveinstall-manifest 99\nid\tx\nend\n")
    elif how == "foreign":
        path.unlink(missing_ok=True)
        path.mkdir()
    elif path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def ours(site):
    """The files on disk with pending changes, by kind."""
    state = site / ".liveinstall"
    return {
        "record": next(state.glob("transactions/*.pending")),
        "manifest": site / "alpha-2.0.part" / ".manifest",
        "part": site / "alpha-2.0.part",
        "lock": state / "lock",
        "hold": next(state.glob("holds/*"), state / "holds" / "1-ff"),
        "companion's copy": next(state.glob("_liveinstall_finalizer_*")),
        "transactions": state / "transactions",
        "state": state,
    }


@pytest.mark.parametrize("how", ["truncated", "garbage", "future", "foreign", "vanished"])
def test_no_start_fails_because_of_damaged_files(staged, how):
    """Status 0, no other output on stdout, at most one line on stderr, and one version, old or new."""
    site, kept = staged.site, staged.root / "kept"
    shutil.copytree(site, kept, symlinks=True)
    for what in ours(site):
        damage(ours(site)[what], how)
        for _ in range(2):
            done = staged.bare("import alpha, alpha.late; print(alpha.__version__, alpha.late.V)")
            assert done.returncode == 0, f"{what}: {done.stderr}"
            assert done.stdout in ("1.0 1.0\n", "2.0 2.0\n"), what
            assert done.stderr.count("\n") <= 1, f"{what}: {done.stderr}"
        shutil.rmtree(site)
        shutil.copytree(kept, site, symlinks=True)


def test_a_change_that_failed_three_times_is_reported_once_and_retried_only_on_request(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0", {"alpha/__init__.py": "__version__ = '2.0'", "in_the_way.py": ""})
    env.run("import alpha; li.install('alpha>=2')")
    mine = env.site / "in_the_way.py"
    mine.write_text("mine")
    said = [env.bare("import alpha; print(alpha.__version__)") for _ in range(5)]
    assert {(done.returncode, done.stdout) for done in said} == {(0, "1.0\n")}
    assert [bool(done.stderr) for done in said] == [False, False, True, False, False]
    assert said[2].stderr.count("\n") == 1 and "set aside" in said[2].stderr
    mine.unlink()
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "1.0\n"
    assert env.json("print(json.dumps([str(c) for c in li.finalize().installed]))") == ["alpha 1.0 -> 2.0"]
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n"


def test_a_second_run_of_site_in_one_start_changes_nothing(staged):
    done = staged.bare("import site; site.main(); site.main(); import alpha; print(alpha.__version__)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "2.0\n", "")


def test_interpreters_that_start_within_a_start_end_in_time(staged):
    """Other .pth files may start Python before and after the companion; these processes start Python, and so on."""
    code = "import os, sys, subprocess; n = int(os.environ.get('DEEP', 0)); n < 2 and subprocess.run("
    code += "[sys.executable, '-c', 'pass'], env={**os.environ, 'DEEP': str(n + 1)})\n"
    for name in ("aaa.pth", "zzz.pth"):
        (staged.site / name).write_text(code)
    done = staged.bare("import alpha; print(alpha.__version__)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "2.0\n", "")


@pytest.fixture
def half_swapped(env):
    """A swap that was killed when it had moved alpha's dist-info and its .pth file out."""
    for version in ("1.0", "2.0"):
        files = {
            "alpha.py": f"V = {version!r}",
            "alpha.pth": "alpha_extra\n",
            "alpha_extra/more.py": f"V = {version!r}",
        }
        env.wheel("alpha", version, files)
        env.run("import alpha; li.install('alpha>=2')" if version == "2.0" else "li.install('alpha')")
    record = next(env.site.glob(".liveinstall/transactions/*.pending"))
    retired = env.site / ".liveinstall" / "retired" / record.stem / "alpha-1.0.part"
    retired.mkdir(parents=True)
    for name in ("alpha-1.0.dist-info", "alpha.pth"):
        (env.site / name).rename(retired / name)
    record.rename(record.with_suffix(".swapping"))
    return env


def test_a_start_that_listed_in_the_middle_of_a_swap_runs_what_it_missed(half_swapped):
    # A virtual environment's site.py would list twice, up to 3.14.
    code = f"import site; site.addsitedir({str(half_swapped.site)!r}); import more; print(more.V)"
    done = half_swapped.bare(code, "-S")
    assert (done.stdout, done.stderr) == ("2.0\n", "")


def test_a_start_waits_for_another_start_and_not_for_a_running_process(staged):
    """The holder of the lock, with pending changes: a start swaps in a moment, a running process may take long."""
    code = "import alpha; print(alpha.__version__)"
    fcntl = pytest.importorskip("fcntl")
    with open(staged.site / ".liveinstall" / "lock", "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        owner = staged.site / ".liveinstall" / "owner"
        owner.write_text("{}")
        assert staged.bare(code).stdout == "1.0\n"
        owner.unlink()
        command = [staged.python, "-c", code]
        waiting = subprocess.Popen(command, env=staged.variables(), stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.5)
    assert waiting.communicate(timeout=20)[0] == "2.0\n"


@pytest.mark.parametrize("handler", [None, "theirs"])
def test_windows_puts_back_the_handler_of_ctrl_c_and_leaves_one_that_is_not_pythons(monkeypatch, handler):
    from types import SimpleNamespace

    import _liveinstall_boot as boot

    def signal(number, new):
        if new is None:
            raise TypeError("signal handler must be callable")
        before, handlers[0] = handlers[0], new
        return before

    handlers = [handler]
    fake = SimpleNamespace(SIGINT=2, SIG_IGN=1, signal=signal, getsignal=lambda _: handlers[0])
    monkeypatch.setitem(sys.modules, "_signal", fake)
    unblock = boot._block_sigint()
    assert handlers == [1 if handler else None]
    unblock()
    assert handlers == [handler]
