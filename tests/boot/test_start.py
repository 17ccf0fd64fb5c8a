"""P4 and P5: a start is never hurt, and reads no file of ours when nothing waits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

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


def test_without_the_state_directory_a_companion_is_silent(staged):
    (staged.site / ".liveinstall").rename(staged.root / "elsewhere")
    done = staged.bare("import alpha; print(alpha.__version__)")
    assert (done.stdout, done.stderr) == ("1.0\n", "")


def test_a_companion_is_one_ascii_line(staged):
    text = (staged.site / "alpha-2.0.part.pth").read_bytes()
    assert text.isascii() and text.count(b"\n") == 1 and text.startswith(b"import ")


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
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
        from liveinstall.commit.lock import environment_lock
        from liveinstall.environment.target import find_target
        with environment_lock(find_target().site, who="x"):
            print("locked", flush=True); input()
    """)
    # The holder's own start has swapped already; what is staged from here on waits for its lock.
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
