"""A trial has the environment after the restart; the session and the disk are unchanged."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from helpers.capabilities import has_shell
from helpers.environments import tree

from _liveinstall_boot.trial import changes_packages
from liveinstall import homes
from liveinstall._sidebyside.store.store import Store

_PROBE = """
import importlib.metadata as m, importlib.util as u, json, os, sys
def version(name):
    try: return __import__(name, fromlist=["V"]).V
    except ImportError: return None
bin = os.path.dirname(sys.executable)
json.dump({
    "modules": {n: version(n) for n in ("alpha", "gone", "beta", "ns.a", "ns.b", "ns.old", "ns.added", "fresh")},
    "found": [u.find_spec(n) is not None for n in ("alpha.only", "gone", "beta", "ns")],
    "distributions": sorted((d.name, d.version) for d in m.distributions() if d._path.parent.name == "site-packages"),
    "scripts": {p: "" if p.endswith(".exe") else open(f"{bin}/{p}").read().replace(bin, "")
                for p in sorted(os.listdir(bin)) if "run" in p},
    "entries": sorted(e.name for e in m.entry_points(group="console_scripts")),
    "data": open(sys.prefix + "/share/a.txt").read(),
    "files": sorted(os.listdir(next(p for p in sys.path if p.endswith("site-packages")))),
    "tops": sorted(n for n in os.listdir(sys.prefix) if not n.startswith(".")),
}, sys.stdout)
"""


def stage(env) -> None:
    """An upgrade that drops a module, changes scripts, data and a shared namespace; a removal; a fresh install."""
    old = {"alpha/__init__.py": "V = 1\n", "alpha/only.py": "", "gone.py": "V = 1\n"}
    new = {"alpha/__init__.py": "V = 2\ndef run():\n    print('two')\n"}
    env.wheel("alpha", "1.0", {**old, "alpha-1.0.data/data/share/a.txt": "old"}, scripts={"run-1": "alpha:run"})
    env.wheel("alpha", "2.0", {**new, "alpha-2.0.data/data/share/a.txt": "new"}, scripts={"run-2": "alpha:run"})
    env.wheel("ns-a", "1.0", {"ns/a.py": "V = 1\n", "ns/old.py": "V = 1\n"})
    env.wheel("ns-a", "2.0", {"ns/a.py": "V = 2\n", "ns/added.py": "V = 2\n"})
    env.wheel("ns-b", "1.0", {"ns/b.py": "V = 1\n"})
    env.wheel("beta", "1.0", {"beta.py": "V = 1\n"}, scripts={"run-beta": "beta:V"})
    env.wheel("fresh", "1.0", {"fresh.py": "V = 1\n"}, requires=("alpha>=2",))
    env.json("li.install('alpha==1.0', 'ns-a==1.0', 'ns-b', 'beta'); print('{}')")


_STAGED = """
import alpha, beta, ns.a
assert li.install("alpha", "ns-a", "fresh", upgrade=True).staged and li.uninstall("beta").staged
"""


def test_a_trial_sees_what_the_restarted_python_sees(env):
    stage(env)
    before = tree(env.root)
    code = f"{_STAGED}\nhere = sorted(os.listdir({str(env.site)!r}))\nt = li.trial({_PROBE!r})\n"
    tried = env.json(
        code + f"assert here == sorted(os.listdir({str(env.site)!r})) and alpha.V == 1\n"
        "print(json.dumps([t.returncode, t.stdout, t.stderr, [str(c) for c in t.changes], t.notes]))"
    )
    assert (tried[0], tried[2], tried[4]) == (0, "", [])
    assert sorted(tried[3]) == ["alpha 1.0 -> 2.0", "beta 1.0 removed", "fresh 1.0", "ns-a 1.0 -> 2.0"]
    assert {path: text for path, text in tree(env.root).items() if ".part" not in path} == before
    restarted = env.json(_PROBE)
    told = env.json(f"print({tried[1]!r})")
    assert restarted["modules"]["alpha"] == 2 and restarted["modules"]["beta"] is None  # it was swapped
    ours = {"!liveinstall-trial.pth"}
    told["files"] = [name for name in told["files"] if name not in ours and name != "__pycache__"]
    restarted["files"] = [name for name in restarted["files"] if name not in ("__pycache__", ".liveinstall")]
    if os.name == "nt" and sys.version_info < (3, 12):  # the start that swaps has its companion still open
        restarted["files"].remove("alpha-2.0.part.pth")
    assert told == restarted


def test_without_pending_changes_it_is_the_current_environment(env):
    stage(env)
    done = env.json(
        "t = li.trial('import alpha, sys; print(alpha.V, sys.argv)', arguments=['x'])\n"
        "print(json.dumps([t.stdout, t.ok, t.changes]))"
    )
    assert done == ["1 ['-c', 'x']\n", True, []]


def test_children_of_a_trial_see_what_it_sees(env, tmp_path):
    stage(env)
    script = tmp_path / "spawns.py"
    script.write_text(
        "import multiprocessing, subprocess, sys\n"
        "def version():\n    import alpha\n    return alpha.V\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n        print(pool.apply(version))\n"
        "    for flags in ((), ('-I',), ('-E',)):\n"
        "        print(subprocess.run([sys.executable, *flags, '-c', 'import alpha; print(alpha.V)'],"
        " capture_output=True, text=True).stdout.strip())\n"
        "    print(subprocess.run(['run-2'], capture_output=True, text=True).stdout.strip())\n"
    )
    done = env.json(
        f"{_STAGED}\nt = li.trial(script={str(script)!r})\nprint(json.dumps([t.stdout, t.stderr]))",
        PATH=f"{env.python.parent}{os.pathsep}{os.environ['PATH']}",
    )
    assert done == ["2\n2\n2\n2\ntwo\n", ""]


def test_scripts_of_the_environment_as_it_will_be_run_by_name(env):
    stage(env)
    done = env.json(
        f"{_STAGED}\nprint(json.dumps([li.trial(script=n).stdout or li.trial(script=n).returncode"
        " for n in ('run-2', 'run-1', 'run-beta')]))"
    )
    assert done == ["two\n", 2, 2]


@has_shell
def test_an_executable_runs_itself_unless_it_changes_packages(env):
    data = {f"tool-1.0.data/scripts/{name}": "#!/bin/sh\necho $0 $1\n" for name in ("shell", "uv")}
    env.wheel("tool", "1.0", data)
    done = env.json(
        "li.install('tool')\nfound = []\n"
        "for words in (['shell', 'install'], ['uv', 'list'], ['uv', 'sync']):\n"
        "    try: found.append(li.trial(script=words[0], arguments=words[1:]).stdout.rpartition('/')[2])\n"
        "    except li.errors.TrialError as error: found.append(str(error))\n"
        "print(json.dumps(found))"
    )
    assert done[:2] == ["shell install\n", "uv list\n"] and "cannot run in a trial" in done[2]


def test_a_full_disk_is_a_typed_error(env):
    # The private directory for trials may exist from an earlier trial; then only creating files in it can fail.
    for place, reasons in (
        ("aside.os.mkdir", ("directory for temporary", "could not be created")),
        ("trial.scratch_directory", ("could not be created",)),
    ):
        done = env.json(
            "import liveinstall._homes.trial as trial, liveinstall._system.scratch as aside\n"
            "def full(*_, **__): raise OSError(28, 'No space left on device')\n"
            f"trial.scratch_directory, {place} = trial.scratch_directory, full\n"
            "try: li.trial('pass')\nexcept li.errors.TrialError as error: print(json.dumps(str(error)))"
        )
        assert any(reason in done for reason in reasons) and "No space left" in done


def test_a_trial_holds_what_it_runs_from_and_changes_nothing(env):
    stage(env)
    code = (
        "import os, sys, alpha\nprint(open(os.environ['LIVEINSTALL_HOLD']).read())\n"
        "import liveinstall\ntry: liveinstall.install('beta')\nexcept liveinstall.errors.DisabledError as e: print(e)\n"
    )
    done = env.json(f"{_STAGED}\nt = li.trial({code!r})\nprint(json.dumps([t.stdout, t.stderr]))")
    assert "sees alpha-2.0.part" in done[0] and "uses alpha" in done[0] and "this is a trial" in done[0], done


def test_changes_that_the_start_would_set_aside_are_not_applied_and_are_reported(env):
    stage(env)
    done = env.json(
        f"{_STAGED}\nopen({str(env.site)!r} + '/ns/added.py', 'w').write('V = 0')\n"
        f"t = li.trial('import alpha, beta; print(alpha.V)')\nprint(json.dumps([t.stdout, t.changes, t.notes]))"
    )
    assert done[:2] == ["1\n", []] and "would be set aside" in done[2][0] and f"ns{os.sep}added.py" in done[2][0]


def test_a_trial_that_does_not_end_is_stopped_with_what_it_has_started(env):
    code = "import subprocess, sys, time; print(1, flush=True); subprocess.run([sys.executable, '-c', 'input()'])"
    done = env.json(
        f"try: li.trial({code!r} + '; time.sleep(60)', timeout=4, env={{'A': 'b'}})\n"
        "except li.errors.TrialError as error: print(json.dumps([str(error), error.stdout]))\n"
        "else: print('[]')"
    )
    assert "within 4 seconds" in done[0] and done[1] == "1\n"


def test_where_a_change_was_interrupted_there_is_no_trial(env):
    stage(env)
    done = env.json(
        f"{_STAGED}\nimport glob\nold = glob.glob({str(env.site)!r} + '/.liveinstall/transactions/*.pending')[0]\n"
        "os.rename(old, old.replace('.pending', '.swapping'))\n"
        "try: li.trial('pass')\nexcept li.errors.TrialError as error: print(json.dumps(str(error)))"
    )
    assert "was interrupted" in done and "finalize" in done


def test_exactly_one_thing_runs(env):
    done = env.json(
        "found = []\nfor options in ({}, {'code': '', 'module': 'x'}):\n"
        "    try: li.trial(**options)\n    except li.errors.RequirementError as e: found.append(str(e))\n"
        "print(json.dumps(found))"
    )
    assert len(done) == 2


@pytest.mark.skipif(not shutil.which("pgrep"), reason="needs pgrep")
def test_a_trial_whose_maker_was_killed_is_swept_by_the_next(env, tmp_path):
    with env.start("li.trial('import time; time.sleep(600)')", TMPDIR=str(tmp_path)) as process:
        deadline = time.monotonic() + 20
        while not (left := [*tmp_path.glob("liveinstall-trials-*/*/bin/python")]) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        pids = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
        process.kill()
    assert left
    env.json("li.trial('pass'); print('{}')", TMPDIR=str(tmp_path))
    assert left[0].exists(), "it is still in use: its program lives"
    for pid in pids.stdout.split():
        os.kill(int(pid), signal.SIGKILL)
    time.sleep(0.2)
    env.json("li.trial('pass'); print('{}')", TMPDIR=str(tmp_path))
    assert [*tmp_path.glob("liveinstall-trials-*/*")] == []


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("python -m pip install x", True),
        ("python -mpip uninstall x", True),
        ("python /t/bin/pip3 install x", True),
        ("python -m pip --cache-dir X/cache install x", True),
        ("python -W ignore -Xdev -m pip -q install list", True),
        ("python -I -m uv pip install x", True),
        ("python -m uv pip list", False),
        ("python -c pass pip install", False),
        ("python -m pip list", False),
        ("python -m pip --version", False),
        ("python -m pip check", False),
        ("python -m pip --cache-dir /x/cache install y", True),
        ("python -m pip --cache-dir cache install y", True),
        ("python -m pip install y -V", True),
        ("python -m pip --log list uninstall y", True),
        ("python -m pip install liveinstall", True),
        ("python --check-hash-based-pycs always -m pip install y", True),
        ("python -m uv pip install y", True),
        ("python -m uv pip sync list", True),
        ("python -m uv pip list", False),
        ("python -m ensurepip", True),
        ("python -m pipx inject x y", True),
        ("python -m hatch build", False),
        ("python -m liveinstall install x", False),
        ("python -m mine install", False),
        ("python", False),
    ],
)
def test_package_managers_may_only_be_asked(line, refused):
    assert changes_packages(line.split()) is refused


def test_code_that_imports_what_changes_packages_is_refused_and_what_asks_is_not(env):
    """As `from pip._internal.cli.main import main` does, and a pip that is run from an archive."""
    names = ("install", "list", "uninstall")
    env.wheel("pip", "1.0", {f"pip/_internal/commands/{name}.py": "print('loaded')\n" for name in names})
    env.json("li.install('pip'); print('{}')")
    code = "import importlib\nimportlib.import_module('pip._internal.commands.%s')"
    done = env.json(
        f"tried = [li.trial({code!r} % name) for name in {names}]\n"
        "print(json.dumps([[t.stdout, t.stderr.splitlines()[-1:]] for t in tried]))"
    )
    refused = ["", ["ImportError: a trial of liveinstall changes no packages"]]
    assert done == [refused, ["loaded\n", []], refused]


def test_no_bytecode_is_written_through_the_links_by_any_child(env):
    env.wheel("alpha", "1.0", {"alpha/__init__.py": "V = 1\n"})
    env.json("li.install('alpha'); print('{}')")
    before = tree(env.root, ignore=())
    code = (
        "import subprocess, sys\n"
        "for flag in ('-I', '-E'): subprocess.run([sys.executable, flag, '-O', '-c', 'import alpha'], check=True)"
    )
    assert env.json(f"t = li.trial({code!r})\nprint(json.dumps([t.returncode, t.stderr]))") == [0, ""]
    new = tree(env.root, ignore=()).keys() - before.keys()
    assert not [path for path in new if "alpha" in path]


def test_the_command_line_gives_the_program_its_streams_and_its_status(env, tmp_path):
    stage(env)
    (tmp_path / "script.py").write_text("import alpha, sys\nprint(alpha.V, sys.argv[1:])\nsys.exit(7)\n")
    with env.start(f"{_STAGED}\nprint('ready', flush=True)\ninput()") as holder:
        assert holder.stdout.readline() == "ready\n", holder.stderr.read()

        def cli(*words: str, stdin: str = ""):
            command = [str(env.python), "-m", "liveinstall", *words]
            return subprocess.run(
                command, env=env.variables(), input=stdin, capture_output=True, text=True, timeout=60, check=False
            )

        done = cli("try", "-c", "import alpha; print(alpha.V)")
        assert (done.stdout, done.stderr, done.returncode) == ("2\n", "", 0)
        done = cli("try", str(tmp_path / "script.py"), "--json", "-v")
        assert (done.stdout, done.returncode) == ("2 ['--json', '-v']\n", 7)
        done = cli("try", stdin="import alpha\nprint(alpha.V)\n")
        assert (done.stdout, done.returncode) == ("2\n", 0)
        done = cli("--json", "try", "-m", "fresh", "x")
        assert done.returncode == 0 and json.loads(done.stdout)["result"]["returncode"] == 0
        assert cli("try", "-c", "import os; os.kill(os.getpid(), 9)").returncode == (9 if os.name == "nt" else 128 + 9)
        assert cli("--json", "try").returncode == 2
        holder.communicate("\n")


def compiled(directory, name: str, code: str, *words: str) -> bytes:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        pytest.skip("needs a C compiler")
    directory.mkdir(exist_ok=True)
    (directory / f"{name}.c").write_text(code)
    target = directory / f"lib{name}.so"
    subprocess.run([compiler, "-shared", "-fPIC", f"{name}.c", "-o", target.name, *words], cwd=directory, check=True)
    return target.read_bytes()


@pytest.mark.parametrize("both", [True, False])
def test_shared_libraries_find_those_of_other_distributions_as_they_will(env, tmp_path, both):
    """By relative paths, as torch finds those of nvidia, and PySide6 those of shiboken6."""
    for version in ("1", "2"):
        code = f"int version(void) {{ return {version}; }}"
        base = compiled(tmp_path / "c", "base", code, "-Wl,-soname,libbase.so")
        env.wheel("base", f"{version}.0", {"base/__init__.py": f"V = {version}\n", "base/lib/libbase.so": base})
        words = ("-L.", "-lbase", "-Wl,-rpath,$ORIGIN/../../base/lib")
        user = compiled(tmp_path / "c", "user", "int version(void); int answer(void) { return version(); }", *words)
        load = (
            "import ctypes, os\nimport base\nV = ctypes.CDLL(os.path.dirname(__file__) + '/lib/libuser.so').answer()\n"
        )
        files = {"user/__init__.py": load, "user/lib/libuser.so": user}
        env.wheel("user", f"{version}.0", files, requires=("base",))
    env.json("li.install('user==1.0', 'base==1.0'); print('{}')")
    asked = "'user', 'base'" if both else "'base'"
    done = env.json(
        f"import user\nassert user.V == 1\nassert li.install({asked}, upgrade=True, verify=True).staged\n"
        "t = li.trial('import user; print(user.V)')\nprint(json.dumps([t.stdout, t.stderr]))"
    )
    assert done == ["2\n", ""]
    assert env.run("import user; print(user.V)").stdout == "2\n"


@pytest.mark.skipif(os.name == "nt", reason="a home of Windows cannot be the PYTHONHOME")
def test_a_python_outside_a_virtual_environment_can_be_tried_too(env, tmp_path):
    """Its own site-packages after the restart, the other directories unchanged."""
    store = Store.at(tmp_path / "store")
    store.add(env.wheel("alpha", "1.0", {"alpha.py": "V = 1\n"}, scripts={"alpha-run": "alpha:V"}))
    env.wheel("alpha", "2.0", {"alpha.py": "V = 2\n"})
    home = homes.create(tmp_path / "home", "alpha==1.0", store=store.path)
    os.unlink(os.path.join(home.path, "pyvenv.cfg"))
    code = (
        "import json, sys, fake_engine, liveinstall as li, alpha\n"
        "assert sys.prefix == sys.base_prefix and li.install('alpha', upgrade=True).staged\n"
        "t = li.trial('import alpha, sys; print(alpha.V, sys.prefix != sys.base_prefix)')\n"
        "print(json.dumps([t.stdout, t.stderr]))"
    )
    done = subprocess.run(
        [sys._base_executable, "-s", "-c", code],
        env=env.variables(PYTHONHOME=home.path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ('["2 True\\n", ""]\n', "")


def test_what_a_trial_uses_is_not_changed_under_it(env):
    """Its imported packages are not replaced; a part that it runs from is kept after it was cancelled."""
    stage(env)
    env.wheel("ns-b", "2.0", {"ns/b.py": "V = 2\n"})
    env.wheel("beta", "2.0", {"beta.py": "V = 2\n"})
    code = (
        "import alpha, beta; print(alpha.V, beta.V, flush=True); input(); "
        "import importlib; importlib.reload(alpha); importlib.reload(beta); print(alpha.V, beta.V)"
    )
    with env.start(
        "import alpha, threading\nli.install('alpha', upgrade=True)\n"
        "from liveinstall._verbs.trial import try_program\n"
        f"sys.exit(try_program(['-c', {code!r}]))"
    ) as live:
        assert live.stdout.readline() == "2 1\n", live.stderr.read()
        other = env.json(
            "r = li.install('beta', upgrade=True)\ndropped = li.cancel('alpha')\n"
            "print(json.dumps([[c.reason for c in r.staged], [c.name for c in dropped]]))"
        )
        assert "uses beta" in other[0][0] and "-c import alpha" in other[0][0] and other[1] == ["alpha"]
        out, err = live.communicate("\n", timeout=60)
        assert (out, err) == ("2 1\n", "")
    assert env.run("import alpha, beta; print(alpha.V, beta.V)").stdout == "1 2\n"


def test_registries_and_the_store_are_in_a_trial_as_they_are(env):
    env.wheel("alpha", "1.0")
    env.wheel("alpha", "2.0")
    env.wheel("beta", "1.0")
    env.json("li.install('alpha==1.0', 'beta')\nli.install('alpha==2.0', parallel=True)\nprint('{}')")
    done = env.json(
        "import beta\nassert li.uninstall('beta').staged\n"
        "t = li.trial('''import liveinstall as li, importlib.util as u\n"
        'li.require("alpha==2.0")\nimport alpha\nprint(alpha.__version__, u.find_spec("beta"))\'\'\')\n'
        "print(json.dumps([t.stdout, t.stderr]))"
    )
    assert done == ["2.0 None\n", ""]


@pytest.mark.parametrize("timeout", [4, None])
def test_what_a_program_leaves_running_delays_no_answer(env, timeout):
    code = (
        "import subprocess, sys, time\nprint('said', flush=True)\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(40)'], start_new_session=True)\n"
        + ("time.sleep(60)" if timeout else "")
    )
    done = env.json(
        f"import time\nbegin = time.monotonic()\ntry: said = li.trial({code!r}, timeout={timeout}).stdout\n"
        "except li.errors.TrialError as error: said = error.stdout\n"
        "print(json.dumps([said, time.monotonic() - begin < 35]))"
    )
    assert done == ["said\n", True]
