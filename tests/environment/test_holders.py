from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest

from _liveinstall_boot.layout import HOLDS, LOCK, STATE, TRANSACTIONS
from _liveinstall_boot.locks import try_lock
from liveinstall._environment import holders
from liveinstall._environment.installed import in_directory
from liveinstall.results import Holder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
NOBODY = 2**22 + 1  # not the id of any process: in a container even 77 may be that of the tests


def test_a_hold_lives_as_long_as_its_process(env):
    holder = env.start("""
        from liveinstall._environment.holders import take_hold
        from liveinstall._environment.target import find_target
        path = take_hold(find_target().site)
        assert take_hold(find_target().site) == path == os.environ["LIVEINSTALL_HOLD"]
        print("held", flush=True); input()
    """)
    assert holder.stdout.readline() == "held\n"
    (found,) = holders.holders(str(env.site))
    assert (found.pid, found.mine) == (holder.pid, False) and "python" in found.command
    holder.kill()
    holder.communicate()
    assert holders.holders(str(env.site)) == ()
    assert os.listdir(env.site / STATE / HOLDS) == []


def test_a_forked_child_keeps_its_parents_hold(env):
    holder = env.start("""
        from liveinstall._environment.holders import take_hold
        from liveinstall._environment.target import find_target
        take_hold(find_target().site)
        if os.fork() == 0:
            print("child", flush=True); sys.stdin.read(); os._exit(0)
        os._exit(0)
    """)
    assert holder.stdout.readline() == "child\n"
    holder.wait()
    assert len(holders.holders(str(env.site))) == 1
    holder.communicate()
    assert holders.holders(str(env.site)) == ()


def test_a_check_of_a_hold_is_not_mistaken_for_its_holder(tmp_path):
    """Starts at the same moment all check; a dead process's hold must not keep them from swapping."""
    import fcntl

    path = tmp_path / STATE / HOLDS / f"{NOBODY}-x"
    path.parent.mkdir(parents=True)
    path.write_text("liveinstall-hold 1\n")
    with path.open() as another:
        fcntl.flock(another, fcntl.LOCK_SH | fcntl.LOCK_NB)
        assert holders.holders(str(tmp_path)) == ()
    assert not path.exists()


def test_a_hold_that_cannot_be_read_still_counts(tmp_path):
    import fcntl

    directory = tmp_path / STATE / HOLDS
    directory.mkdir(parents=True)
    with (directory / f"{NOBODY}-x").open("w") as stream:
        stream.write("garbage")
        stream.flush()
        fcntl.flock(stream, fcntl.LOCK_EX)
        (found,) = holders.holders(str(tmp_path))
    assert (found.pid, found.command, found.mine) == (NOBODY, "unknown", False)


LOOK = "import alpha, alpha.late; print(alpha.__version__, alpha.late.V)"
VIEWER = f"{LOOK}; sys.stdout.flush(); input(); import subprocess; subprocess.run([sys.executable, '-c', {LOOK!r}])"


@pytest.fixture
def staged(env):
    """Alpha 1.0 is installed and used by a running process; 2.0 is staged."""
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    stager = env.start("""
        import alpha, subprocess
        li.install("alpha>=2")
        print("staged", flush=True)
        for line in sys.stdin:
            exec(line)
            print(flush=True)
    """)
    assert stager.stdout.readline() == "staged\n"
    yield stager
    stager.kill()
    stager.communicate()


def tell(process, line):
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline().rstrip("\n")


def test_a_held_start_imports_nothing_that_swaps(env, staged):
    line = "import sys; print(sorted(m.partition('.')[2] for m in sys.modules if m.startswith('_liveinstall')))"
    modules = ["", "codec", "file_access", "holds", "layout", "process", "views", "watcher"]
    if sys.version_info >= (3, 15):  # there `site` has already read the installed version's startup files
        modules.append("startup_files")
    assert env.bare(line).stdout == f"{sorted(modules)}\n"


def test_children_of_the_holder_see_what_it_sees_at_any_remove(env, staged):
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {LOOK!r}])"
    line = f"print(subprocess.run([sys.executable, '-c', {child!r}], capture_output=True, text=True).stdout, end='')"
    assert tell(staged, line) == "1.0 1.0"


def test_children_of_a_user_of_the_part_use_it_and_files_move_when_neither_version_is_in_use(env, staged):
    viewer = env.start(
        f"{LOOK}; sys.stdout.flush(); input(); import subprocess; subprocess.run([sys.executable, '-c', {LOOK!r}])"
    )
    assert viewer.stdout.readline() == "2.0 2.0\n"
    staged.kill()
    staged.communicate()
    assert env.bare(LOOK).stdout == "2.0 2.0\n"
    assert env.versions() == {"alpha": "1.0"}  # the part is in use
    assert viewer.communicate("\n")[0] == "2.0 2.0\n"
    assert env.bare(LOOK).stdout == "2.0 2.0\n"
    assert env.versions() == {"alpha": "2.0"} and env.leftovers() == []


def test_a_part_in_use_is_kept_when_it_is_cancelled(env, staged):
    viewer = env.start(
        f"{LOOK}; sys.stdout.flush(); input(); import subprocess; subprocess.run([sys.executable, '-c', {LOOK!r}])"
    )
    assert viewer.stdout.readline() == "2.0 2.0\n"
    assert tell(staged, "li.cancel('alpha')") == ""
    assert env.bare(LOOK).stdout == "1.0 1.0\n"
    assert viewer.communicate("\n")[0] == "2.0 2.0\n"
    assert env.bare(LOOK).stdout == "1.0 1.0\n"
    env.run("li.status(); li.install('alpha')")
    assert env.leftovers() == []


def test_a_part_in_use_is_kept_when_it_is_replaced(env, staged):
    viewer = env.start(f"{LOOK}; sys.stdout.flush(); input(); {LOOK}; import alpha as a; print(a.__file__)")
    assert viewer.stdout.readline() == "2.0 2.0\n"
    env.wheel("alpha", "3.0")
    assert tell(staged, "li.install('alpha>=3')") == ""
    assert env.bare(LOOK).stdout == "3.0 3.0\n"
    assert viewer.communicate("\n")[0].startswith("2.0 2.0\n")
    staged.kill()
    staged.communicate()
    assert env.bare(LOOK).stdout == "3.0 3.0\n"
    assert env.versions() == {"alpha": "3.0"}


@pytest.mark.parametrize("call", [["-m", "pip"], ["-Im", "pip"], ["pip3.11"]])
def test_package_managers_are_shown_the_disk(env, staged, call):
    tool = "import sys; import alpha; print(alpha.__version__)"
    (env.site / "pip.py").write_text(tool)
    (env.root / "pip3.11").write_text(tool)
    command = [str(env.python), *(str(env.root / word) if word.startswith("pip3") else word for word in call)]
    variables = {k: v for k, v in env.variables().items() if k != "PYTHONPATH"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("1.0\n", "")
    assert len(holders.holders(str(env.site))) == 1


def test_status_names_the_packages_of_each_holder_and_what_changes_wait_for(env, staged):
    seen = env.run("print(li.status())").stdout
    assert re.search(rf"waiting for: the exit of .*another Python \(pid {staged.pid}: ", seen)
    assert re.search(rf"In use by:\n(?:.*\n)*  another Python \(pid {staged.pid}: .*\)  since 20.*  uses alpha", seen)


def test_a_context_holds_as_long_as_it_lasts(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    holder = env.start("""
        with li.hold():
            import alpha
            print("held", flush=True); input()
        assert "LIVEINSTALL_HOLD" not in os.environ
        print("released", flush=True); input()
    """)
    assert holder.stdout.readline() == "held\n"
    asked = "print(len(li.install('alpha>=2', dry_run=True).staged))"
    assert env.run(asked).stdout == "1\n"
    holder.stdin.write("\n")
    holder.stdin.flush()
    assert holder.stdout.readline() == "released\n"
    assert env.run(asked).stdout == "0\n"
    holder.communicate("\n")


def test_a_guarded_environment_protects_processes_that_know_nothing_of_it(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    assert env.run("print(li.guard('on').guarded, li.status().guarded)").stdout == "True True\n"
    variables = {k: v for k, v in env.variables().items() if k != "PYTHONPATH"}
    code = "import alpha; print(alpha.__version__, flush=True); input(); import alpha.late; print(alpha.late.V)"
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [str(env.python), "-c", code], env=variables, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
    assert process.stdout.readline() == "1.0\n"
    reason = env.run("print(li.install('alpha>=2').staged[0].reason)").stdout
    assert f"another Python (pid {process.pid}: " in reason
    assert env.bare(LOOK).stdout == "2.0 2.0\n"
    assert process.communicate("\n") == ("1.0\n", "")
    assert env.bare(LOOK).stdout == "2.0 2.0\n"
    assert env.versions() == {"alpha": "2.0"}
    env.run("li.guard('off')")
    assert not [path.name for path in env.site.iterdir() if "guard" in path.name]
    env.run("li.install('alpha')")
    assert env.bare("import sys; print([m for m in sys.modules if 'liveinstall' in m])").stdout == "[]\n"


def test_a_guarded_child_sees_what_its_parent_sees_and_what_that_does_not_use_is_the_newest(env):
    env.wheel("beta", "1.0")
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha', 'beta'); li.guard('on')")
    env.wheel("alpha", "2.0")
    env.wheel("beta", "2.0")
    look = "import alpha, beta; print(alpha.__version__, beta.__version__)"
    child = f"import subprocess; subprocess.run([sys.executable, '-c', {look!r}])"
    parent = env.start(f"import alpha; print('up', flush=True); input(); {child}; sys.stdout.flush(); input(); {child}")
    assert parent.stdout.readline() == "up\n"
    user = env.start("import beta; print('up', flush=True); input()")
    assert user.stdout.readline() == "up\n"
    assert env.run("print(len(li.install('beta>=2').staged))").stdout == "1\n"
    parent.stdin.write("\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == "1.0 2.0\n"
    user.communicate("\n")
    assert env.run("print(len(li.install('alpha>=2').staged))").stdout == "1\n"
    assert parent.communicate("\n") == ("1.0 2.0\n", "")
    assert env.bare(look).stdout == "2.0 2.0\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is mapped")
def test_a_process_that_has_a_library_mapped_counts_though_it_never_heard_of_us(env):
    library = "alpha/_fast.so"
    env.wheel("alpha", "1.0", {"alpha/__init__.py": "__version__ = '1.0'\n", library: "x" * 5000})
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    code = f"""
import mmap, sys
with open({str(env.site / library)!r}, "rb") as stream:
    kept = mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ)
print("mapped", flush=True); input()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "mapped\n"
    reason = env.run("print(li.install('alpha>=2').staged[0].reason)").stdout
    assert f"another Python (pid {process.pid}: " in reason and reason.endswith(" uses alpha\n")
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n"
    assert env.versions() == {"alpha": "1.0"}
    shown = env.run("print(li.status())").stdout
    assert re.search(rf"waiting for: the exit of .*another Python \(pid {process.pid}: ", shown)
    process.communicate("\n")
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n"
    assert env.versions() == {"alpha": "2.0"}


def test_an_import_in_a_holder_waits_for_the_swap_that_did_not_see_it(tmp_path):
    import threading
    import time

    from _liveinstall_boot import holds as boot_holds

    site = str(tmp_path)
    transactions = tmp_path / STATE / TRANSACTIONS
    transactions.mkdir(parents=True)
    boot_holds.take_hold(site, "test")
    try:
        watcher = boot_holds.own_hold(site)
        assert watcher.find_spec("alpha") is None
        (hold,) = boot_holds.live_holds(site)
        assert "alpha" in hold.uses and "os" not in hold.uses
        swapping = transactions / "1.swapping"
        swapping.touch()
        lock = try_lock(str(tmp_path / STATE / LOCK))
        begin = time.monotonic()
        threading.Timer(0.2, swapping.unlink).start()
        watcher.find_spec("beta")
        assert time.monotonic() - begin > 0.15
        os.close(lock)
    finally:
        boot_holds.release(site)
    assert boot_holds.live_holds(site) == [] and watcher not in sys.meta_path


def test_a_hold_that_can_no_longer_be_written_may_use_anything(tmp_path, monkeypatch):
    import errno

    from _liveinstall_boot import codec
    from _liveinstall_boot import holds as boot_holds

    site = str(tmp_path)
    boot_holds.take_hold(site, "python https://user:secret@host/x")
    try:
        watcher = boot_holds.own_hold(site)

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(boot_holds.os, "write", full)
        assert watcher.find_spec("alpha") is None
        monkeypatch.undo()
        (hold,) = boot_holds.live_holds(site)
        record = codec.TransactionRecord(
            "1", [codec.SwapChange("beta", "1", "2", "beta-1.dist-info", "", "beta-2.part")], {}
        )
        assert (hold.uses, hold.pid, hold.blocks(record)) == (None, os.getpid(), ["beta"])
        (holder,) = holders.holders(site)
        assert holder.mine and "secret" not in holder.command
    finally:
        boot_holds.release(site)
    assert os.listdir(tmp_path / STATE / HOLDS) == []


def test_a_hold_that_can_neither_be_written_nor_renamed_is_emptied_and_may_use_anything(tmp_path, monkeypatch):
    """Windows refuses to rename an open file."""
    from _liveinstall_boot import holds as boot_holds
    from _liveinstall_boot import watcher as boot_watcher

    site = str(tmp_path)

    def refuse(*_):
        raise PermissionError(13, "winerror 32")

    boot_holds.take_hold(site, "test")
    try:
        monkeypatch.setattr(boot_watcher, "rename", refuse)
        boot_holds.own_hold(site).mark_unknown()
        (hold,) = boot_holds.live_holds(site)
        assert (hold.uses, hold.pid) == (None, os.getpid())
        boot_holds.own_hold(site).note(["alpha"])
        (hold,) = boot_holds.live_holds(site)
        assert hold.uses is None
    finally:
        boot_holds.release(site)


@pytest.mark.parametrize(("refusals", "is_alive"), [(0, False), (2, False), (99, True)])
def test_on_windows_a_check_of_another_process_is_not_taken_for_the_holder(tmp_path, monkeypatch, refusals, is_alive):
    """There a check takes an exclusive lock, for microseconds."""
    from types import SimpleNamespace

    from _liveinstall_boot import holds as boot_holds

    def locking(*_):
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            raise PermissionError(13, "Permission denied")

    hold = tmp_path / "1-x"
    hold.touch()
    monkeypatch.setattr(boot_holds, "fcntl", None)
    monkeypatch.setattr(boot_holds, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2), raising=False)
    monkeypatch.setattr(boot_holds, "open_shared", os.open, raising=False)
    assert boot_holds.is_alive(str(hold)) == is_alive == hold.exists()


def test_no_check_finds_a_hold_before_it_is_locked(tmp_path, monkeypatch):
    from _liveinstall_boot import holds as boot_holds

    lock, seen = boot_holds._lock, []

    def locking(handle):
        seen.append(boot_holds.live_holds(str(tmp_path)))
        lock(handle)

    monkeypatch.setattr(boot_holds, "_lock", locking)
    boot_holds.take_hold(str(tmp_path), "test")
    boot_holds.release(str(tmp_path))
    assert seen == [[]]


def test_a_file_that_is_not_a_hold_blocks_nothing(tmp_path):
    directory = tmp_path / STATE / HOLDS
    directory.mkdir(parents=True)
    (directory / ".nfs0001").touch()
    assert holders.holders(str(tmp_path)) == ()


def test_what_cannot_be_held_is_a_typed_error(env):
    (env.site / ".liveinstall").write_text("in the way")
    done = env.run("li.hold()")
    assert "NotWritableError" in done.stderr and "cannot be protected" in done.stderr


@pytest.mark.parametrize("suffix", ["", "!"])
def test_a_hold_loses_its_id_for_an_exec_but_not_that_it_may_use_anything_and_is_back_when_that_fails(tmp_path, suffix):
    from _liveinstall_boot import holds as boot_holds

    site = str(tmp_path)
    boot_holds.take_hold(site, "test")
    try:
        if suffix:
            boot_holds.own_hold(site).mark_unknown()
        (before,) = os.listdir(tmp_path / STATE / HOLDS)
        with pytest.raises(OSError, match="no memory"), holders.variables_for_exec():
            (hold,) = boot_holds.live_holds(site)
            assert (hold.pid, hold.uses is None) == (0, bool(suffix))
            raise OSError("no memory")
        assert os.listdir(tmp_path / STATE / HOLDS) == [before]
    finally:
        boot_holds.release(site)


def guarded(env, code):
    """Run code in a process with the guard only."""
    return subprocess.run([str(env.python), "-c", code], env=env.variables(), capture_output=True, text=True)


def test_a_guarded_process_leaves_no_hold_behind_and_the_dead_are_swept_some_at_a_time(env):
    env.run("li.guard('on')")
    directory = env.site / STATE / HOLDS
    for _ in range(3):
        assert guarded(env, "pass").returncode == 0
    assert os.listdir(directory) == []
    for number in range(20):
        (directory / f"{number}-{'0' * 8}").touch()
    assert guarded(env, "import os; os._exit(0)").returncode == 0  # after which no handler runs
    left = len(os.listdir(directory))
    assert 0 < left < 20
    for _ in range(3):
        assert guarded(env, "pass").returncode == 0
    assert os.listdir(directory) == []


def test_an_exit_keeps_the_hold_that_a_forked_child_shares_and_that_of_a_daemon_thread(env):
    env.run("li.guard('on')")
    directory = env.site / STATE / HOLDS
    parent = env.start("import os, sys\nif os.fork() == 0:\n    print('child', flush=True); sys.stdin.read()\n")
    assert parent.stdout.readline() == "child\n"
    parent.wait()
    assert len(holders.holders(str(env.site))) == 1
    parent.communicate()
    assert holders.holders(str(env.site)) == () and os.listdir(directory) == []
    thread = "import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
    guarded(env, thread)
    assert len(os.listdir(directory)) == 1


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_a_program_that_opens_closed_standard_streams_again_keeps_its_hold(env, tmp_path):
    from _liveinstall_boot.holds import is_alive

    env.run("li.guard('on')")
    for name in ("early", "late"):
        (env.site / f"{name}.py").write_text("")
    os.mkfifo(tmp_path / "fifo")
    code = f"""
import os, early
for number in range(3):
    os.dup2(os.open(os.devnull, os.O_RDWR), number)
import late
open({str(tmp_path / "fifo")!r}).read()
"""
    command = ["/bin/sh", "-c", f"exec '{env.python}' -c \"$CODE\" <&- >&- 2>&-"]
    with subprocess.Popen(command, env=env.variables(CODE=code)), open(tmp_path / "fifo", "w"):  # both are imported
        (hold,) = (env.site / STATE / HOLDS).iterdir()
        assert is_alive(str(hold))
        assert {"uses early", "uses late"} <= set(hold.read_text().splitlines())


def test_no_import_waits_for_a_swap_that_was_killed(tmp_path):
    import time

    from _liveinstall_boot import holds as boot_holds

    site = str(tmp_path)
    (tmp_path / STATE / TRANSACTIONS).mkdir(parents=True)
    (tmp_path / STATE / LOCK).touch()
    boot_holds.take_hold(site, "test")
    try:
        (tmp_path / STATE / TRANSACTIONS / "1.swapping").touch()
        begin = time.monotonic()
        for name in ("alpha", "beta"):
            boot_holds.own_hold(site).find_spec(name)
        assert time.monotonic() - begin < 1
    finally:
        boot_holds.release(site)


@pytest.mark.parametrize("since", ["nan", "inf", "-inf", "1e300", "-5", "x", ""])
def test_a_point_in_time_that_no_calendar_has_is_none(tmp_path, since):
    from _liveinstall_boot.holds import Hold

    hold = Hold(str(tmp_path / f"{NOBODY}-x"), f"liveinstall-hold 1\nsince {since}\nuses alpha\n")
    assert (hold.since, hold.uses) == (0.0, {"alpha"})


def test_odd_things_among_the_holds_are_none_and_stay(tmp_path):
    directory = tmp_path / STATE / HOLDS
    directory.mkdir(parents=True)
    (directory / "1-d").mkdir()
    os.mkfifo(directory / "2-f")
    (directory / "3-l").symlink_to(tmp_path)
    assert holders.holders(str(tmp_path)) == ()
    assert len(os.listdir(directory)) == 3


def test_a_hold_without_end_may_use_anything(tmp_path):
    import fcntl

    from _liveinstall_boot.holds import LIMIT

    directory = tmp_path / STATE / HOLDS
    directory.mkdir(parents=True)
    with (directory / f"{NOBODY}-x").open("w") as stream:
        stream.write("liveinstall-hold 1\n" + "uses alpha\n" * (LIMIT // 11))
        stream.flush()
        fcntl.flock(stream, fcntl.LOCK_EX)
        (found,) = holders.holders(str(tmp_path))
    assert found.uses is None


FINDER = """
import importlib.machinery as machinery
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return machinery.PathFinder.find_spec(name, path)
"""
OWN_LOADER = """
import importlib.machinery as machinery
class Loader:
    def create_module(self, spec): return None
    def exec_module(self, module): exec(open(SITE + "/solo.py").read(), module.__dict__)
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return machinery.ModuleSpec(name, Loader()) if name == "solo" else None
sys.meta_path.insert(0, Finder)
"""
FROM_FILE = """
import importlib.util as util
spec = util.spec_from_file_location(NAME, SITE + "/solo.py")
module = util.module_from_spec(spec)
"""
WAYS = {
    "a plain import": "import solo",
    "a finder before ours": FINDER + "sys.meta_path.insert(0, Finder); import solo",
    "a finder before ours with a loader of its own": OWN_LOADER + "import solo",
    "meta_path restored": "sys.meta_path[:] = [one for one in sys.meta_path if 'Watcher' not in str(one)]; import solo",
    "meta_path replaced": "import _frozen_importlib_external as e; sys.meta_path = [e.PathFinder]; import solo",
    "from a file": f"NAME = 'solo'{FROM_FILE}sys.modules['solo'] = module; spec.loader.exec_module(module)",
    "from a file, under another name": f"NAME = 'x.other'{FROM_FILE}spec.loader.exec_module(module)",
    "by a loader": "import importlib.machinery as m; m.SourceFileLoader('other', SITE + '/solo.py').load_module()",
    "lazily": f"NAME = 'solo'{FROM_FILE.replace('module =', 'spec.loader = util.LazyLoader(spec.loader); module =')}"
    "sys.modules['solo'] = module; spec.loader.exec_module(module)",
    "by import_module": "import importlib; importlib.import_module('solo')",
    "by __import__ in a thread": "import threading; t = threading.Thread(target=__import__, args=('solo',));"
    " t.start(); t.join()",
    "by runpy": FINDER + "sys.meta_path.insert(0, Finder); import runpy; runpy.run_module('pack.sub')",
    "by hand, before any other module": "import types; sys.modules['solo'] = types.ModuleType('solo')\n"
    "exec(open(SITE + '/solo.py').read(), sys.modules['solo'].__dict__)\nimport wave",
    "a spec from before the hold": "import importlib.util as u; EARLY.loader.exec_module(u.module_from_spec(EARLY))",
    "by a finder of files": "import importlib.machinery as m, importlib.util as u\n"
    "spec = m.FileFinder(SITE, (m.SourceFileLoader, ['.py'])).find_spec('solo')\n"
    "spec.loader.exec_module(u.module_from_spec(spec))",
    "by the bootstrap's own function": "import _frozen_importlib as b, importlib.machinery as m\n"
    "b._load(m.PathFinder.find_spec('solo', [SITE]))",
    "without any finder": "import importlib.machinery as m, importlib.util as u; sys.meta_path = []\n"
    "spec = m.PathFinder.find_spec('solo', [SITE]); spec.loader.exec_module(u.module_from_spec(spec))",
    "as a reload": "import importlib, types; module = sys.modules['solo'] = types.ModuleType('solo')\n"
    "import importlib.machinery as m; module.__spec__ = m.PathFinder.find_spec('solo', [SITE])\n"
    "importlib.reload(module)",
    "by pickle": FINDER + "sys.meta_path.insert(0, Finder); import pickle; pickle.loads(b'csolo\\nV\\n.')",
}
if sys.version_info >= (3, 15):  # it no longer has load_module()
    del WAYS["by a loader"]


if hasattr(os, "fork"):
    WAYS["in a forked child"] = """
import atexit, time
done, told = os.pipe()
child = os.fork()
if not child:
    import solo
    os.write(told, b"x")
    time.sleep(60)
    os._exit(0)
atexit.register(os.kill, child, 9)
os.read(done, 1)
"""


@pytest.mark.parametrize("way", WAYS)
def test_no_way_of_loading_a_module_escapes_the_hold(env, way):
    (env.site / "solo.py").write_text("V = 1\n")
    (env.site / "pack").mkdir()
    (env.site / "pack" / "__init__.py").touch()
    (env.site / "pack" / "sub.py").touch()
    process = env.start(
        f"import importlib.util, warnings; warnings.simplefilter('ignore'); SITE = {str(env.site)!r}\n"
        "EARLY = importlib.util.spec_from_file_location('early', SITE + '/solo.py')\n"
        "held = li.hold(); print('held', flush=True); sys.stdin.readline()\n"
        f"{WAYS[way]}\nprint('loaded', flush=True); sys.stdin.readline()"
    )
    assert process.stdout.readline() == "held\n"
    (holder,) = holders.holders(str(env.site))
    assert not {"solo", "pack"} & set(holder.uses)
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "loaded\n"
    (holder,) = holders.holders(str(env.site))
    assert holder.uses is not None and {"solo", "pack"} & set(holder.uses)
    process.communicate("\n")


def test_a_hold_of_the_whole_environment_covers_code_that_no_import_tells_of(env):
    (env.site / "solo.py").write_text("V = 1\n")
    process = env.start("held = li.hold(); held.all(); print('held', flush=True); sys.stdin.readline()")
    assert process.stdout.readline() == "held\n"
    (holder,) = holders.holders(str(env.site))
    assert holder.uses is None
    process.communicate("\n")


def test_where_the_loading_of_modules_cannot_be_watched_a_holder_may_use_anything(tmp_path, monkeypatch):
    import _frozen_importlib

    from _liveinstall_boot import holds as boot_holds
    from _liveinstall_boot import process  # noqa: F401  nothing can be imported without the function

    monkeypatch.delattr(_frozen_importlib, "_init_module_attrs")
    site = str(tmp_path)
    boot_holds.take_hold(site, "test")
    monkeypatch.undo()
    (hold,) = boot_holds.live_holds(site)
    boot_holds.release(site)
    assert hold.uses is None


KERNEL = "python -m ipykernel_launcher -f /run/jupyter/kernel-1.json"


@pytest.mark.parametrize(
    ("holder", "description"),
    [
        (Holder(7, KERNEL, 1.0, mine=True, notebook="a.ipynb"), "this notebook"),
        (Holder(7, KERNEL, 1.0, notebook="a.ipynb"), "the notebook a.ipynb"),
        (Holder(7, KERNEL, 1.0), "another notebook (pid 7)"),
        (Holder(7, "python x.py", 1.0, mine=True), "this process"),
        (
            Holder(7, "python3 /v/bin/jupyter-lab --port=1", 1.0),
            "the Jupyter server (pid 7; restart JupyterLab itself)",
        ),
        (Holder(7, "jupyter-lab", 1.0, mine=True), "the Jupyter server (pid 7; restart JupyterLab itself)"),
        (Holder(7, "python -m jupyter lab", 1.0), "the Jupyter server (pid 7; restart JupyterLab itself)"),
        (Holder(7, "python /v/bin/jupyter-notebook", 1.0), "the Jupyter server (pid 7; restart Jupyter itself)"),
        (
            Holder(7, "python /v/bin/jupyterhub-singleuser", 1.0),
            "the Jupyter server (pid 7; restart the server in the control panel of JupyterHub)",
        ),
        (
            Holder(7, "python /home/me/jupyter-lab/x.py", 0.0),
            "another Python (pid 7: python /home/me/jupyter-lab/x.py)",
        ),
        (Holder(7, "python -m pip install ipykernel", 0.0), "another Python (pid 7: python -m pip install ipykernel)"),
        (Holder(7, "streamlit run x.py", 0.0), "another process (pid 7: streamlit run x.py)"),
        (Holder(7, "unknown", 0.0), "another Python (pid 7)"),
    ],
)
def test_a_holder_is_described_in_the_users_terms(holder, description):
    assert holders.describe(holder) == description


def test_a_description_says_since_when_by_the_clock_today_and_by_the_date_before():
    now = time.time()
    clock = time.strftime("%H:%M", time.localtime(now))
    assert holders.describe(Holder(7, "python x.py", now)) == f"another Python (pid 7: python x.py, since {clock})"
    assert re.search(r", since \d{4}-\d\d-\d\d \d\d:\d\d\)$", holders.describe(Holder(7, "python", now - 2e5)))
    assert "since" not in holders.describe(Holder(7, "python x.py", now), since=False)


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        ("/v/bin/jupyter-lab", "restart JupyterLab itself"),
        ("x.py", ""),
        ("-m ipykernel_launcher -f jupyter-lab.json", ""),
    ],
)
def test_only_a_server_that_uses_what_changes_leads_to_advice_about_it(env, command, advice):
    for name in ("alpha", "beta"):
        env.wheel(name, "1.0")
    env.run("li.install('alpha', 'beta')")
    code = f"import _liveinstall_boot.holds as holds, alpha\nholds.take_hold({str(env.site)!r}, {command!r})\ninput()"
    changes = {each.name: each for each in in_directory(str(env.site))}
    with env.start(code) as server:
        deadline = time.monotonic() + 30
        while not any("alpha" in (each.uses or ()) for each in holders.holders(str(env.site))):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        alpha, beta = ({name: changes[name]} for name in ("alpha", "beta"))
        assert holders.restart_of_server(alpha, str(env.site)) == advice
        assert holders.restart_of_server(beta, str(env.site)) == holders.restart_of_server({}, str(env.site)) == ""
        server.communicate("\n")


def test_the_kernel_of_a_notebook_is_known_by_its_name_and_its_children_are_not(env):
    script = env.root / "ipykernel_launcher.py"
    code = (
        "import _liveinstall_boot.holds as holds, sys, os\nholds.take_hold(sys.argv[1], ' '.join(sys.argv))\ninput()\n"
    )
    script.write_text(code)
    other = env.root / "other.py"
    other.write_text(code)
    pipe = subprocess.PIPE
    variables = env.variables(JPY_SESSION_NAME="/home/me/work/a.ipynb\nuses everything")
    started = [
        subprocess.Popen([env.python, path, env.site], env=variables, stdin=pipe, stdout=pipe)
        for path in (script, other)
    ]
    deadline = time.monotonic() + 30
    while len(holders.holders(str(env.site))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    found = {holder.pid: holder for holder in holders.holders(str(env.site))}
    assert [found[process.pid].notebook for process in started] == ["a.ipynb", ""]
    assert "everything" not in (found[started[0].pid].uses or ())
    for process in started:
        process.communicate(b"\n")
