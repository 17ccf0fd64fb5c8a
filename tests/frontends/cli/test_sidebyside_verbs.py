"""run, versions, registry and store, as users type them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.capabilities import can_symlink, has_signals
from helpers.environments import make_environment

import liveinstall
from liveinstall._frontends.cli.parser import parse
from liveinstall._frontends.cli.sidebyside_verbs import split


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    env = make_environment(tmp_path_factory.mktemp("world") / "env")
    for version in ("1.0", "2.0"):
        env.wheel("alpha", version, {"alpha.py": f"V = {version!r}\n"})
    env.wheel("beta", "1.0", {"beta.py": "import alpha\nV = alpha.V\n"}, requires=("alpha<2",))
    env.wheel("gamma", "1.0", requires=("alpha>=2",))
    assert env.run("li.install('alpha==2.0')").returncode == 0
    env.put_liveinstall_in()  # other processes have it in site-packages
    return env


def command(world, *words, **more):
    code = "from liveinstall._frontends.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    process = [str(world.python), "-c", "import sys, fake_engine\n" + code, *map(str, words)]
    return subprocess.run(process, env=world.variables(**more), capture_output=True, text=True, timeout=100)


def told(world, *words, **more):
    done = command(world, *words, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def finding(world, directory):
    """The variables with which interpreters find the modules in a directory, too."""
    return {"PYTHONPATH": os.pathsep.join([world.variables()["PYTHONPATH"], str(directory)])}


def test_a_program_runs_with_another_version_and_the_environment_stays(world, tmp_path):
    script = tmp_path / "main.py"
    script.write_text(
        "import sys, alpha, beside\nprint(alpha.V, beside.V, sys.argv[1:], __name__, __file__)\nsys.exit(7)\n"
    )
    (tmp_path / "beside.py").write_text("V = 'beside'\n")
    done = command(world, "run", "--with", "alpha<2", script, "--with", "x", "-q")
    assert done.returncode == 7, done.stderr
    assert done.stdout.strip() == f"1.0 beside ['--with', 'x', '-q'] __main__ {script}"
    assert told(world, "run", "-c", "import sys, alpha; print(alpha.V, sys.argv)", "1") == "2.0 ['-c', '1']"
    plain = set(subprocess.check_output([sys.executable, "-Ic", "print(*dir())"], text=True).split())
    seen = told(world, "run", "--with=beta", "-c", "import beta; print(beta.V, *dir())").split()
    assert seen[0] == "1.0" and set(seen[1:]) == {*plain, "beta"}
    (tmp_path / "tool.py").write_text("import sys, alpha\nprint(alpha.V, sys.argv[1:], __name__)\n")
    more = finding(world, tmp_path)
    assert told(world, "run", "--with", "alpha==1.0", "-m", "tool", "-v", **more) == "1.0 ['-v'] __main__"
    assert "alpha" in world.versions() and world.versions()["alpha"] == "2.0"


def test_a_package_manager_is_run_by_its_own_arguments(world, tmp_path):
    code = "import os, sys\nfrom _liveinstall_boot.process import is_manager\nimport alpha\n"
    code += "print(alpha.V, is_manager(sys.orig_argv), os.environ.get('LIVEINSTALL_REGISTRY'))\n"
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip/__main__.py").write_text(code)
    (tmp_path / "pip3.py").write_text(code)
    more = {**finding(world, tmp_path), "LIVEINSTALL_REGISTRY": "any"}
    for program in (("-m", "pip", "list"), (tmp_path / "pip3.py",)):
        assert told(world, "run", "--with", "alpha<2", *program, **more) == "2.0 True None", program


def run_in(world, directory, *words, **more):
    code = "import sys, fake_engine\nfrom liveinstall._frontends.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    process = [str(world.python), *more.pop("flags", ()), "-c", code, "run", "--with", "alpha<2", *map(str, words)]
    done = subprocess.run(
        process, cwd=directory, env=world.variables(**more), capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@can_symlink
def test_a_program_that_is_a_link_finds_what_is_beside_the_real_one(world, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/main.py").write_text("import sys, alpha\nprint(alpha.V, sys.path[0])\n")
    (tmp_path / "main.py").symlink_to(tmp_path / "real/main.py")
    here = str(tmp_path / "real")
    assert run_in(world, tmp_path, "main.py") == f"1.0 {here}"
    assert here not in run_in(world, tmp_path, "main.py", flags=["-P"])


def test_a_program_finds_what_it_would_find_without_us(world, tmp_path):
    code = "import sys, alpha; print(alpha.V, '' in sys.path, sys.path[0])"
    assert run_in(world, tmp_path, "-c", code) == "1.0 True"
    assert run_in(world, tmp_path, "-c", code, flags=["-P"]).startswith(f"1.0 False {Path(sys.path[-1]).anchor}")
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed/__main__.py").write_text("import sys, alpha\nprint(alpha.V, sys.path[0], __name__)\n")
    assert run_in(world, tmp_path, "packed") == "1.0 packed __main__"


def test_nothing_of_the_working_directory_is_imported_before_the_program(world, tmp_path):
    for name in ("runpy", "marshal", "importlib", "liveinstall", "pkgutil"):
        (tmp_path / f"{name}.py").write_text(f"print('bad: {name}')\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/main.py").write_text("import alpha\nprint(alpha.V)\n")
    launcher = "import sys; sys.path.remove(''); from liveinstall._verbs.run import run; "
    launcher += "sys.exit(run(['sub/main.py'], ['alpha<2']))"
    process = [str(world.python), "-c", launcher]
    done = subprocess.run(process, cwd=tmp_path, env=world.variables(), capture_output=True, text=True, timeout=100)
    assert done.stdout.strip() == "1.0", done.stderr


AFTER_THE_END = """
import pickle, threading, time, atexit, alpha
class X: pass
def work():
    time.sleep(0.3)
    print(alpha.V, type(pickle.loads(pickle.dumps(X()))).__name__)
threading.Thread(target=work).start()
"""


def test_a_program_s_main_module_lives_as_long_as_its_threads(world, tmp_path):
    (tmp_path / "late.py").write_text(AFTER_THE_END)
    assert run_in(world, tmp_path, "late.py") == "1.0 X"
    assert run_in(world, tmp_path, "-m", "late") == "1.0 X"
    assert run_in(world, tmp_path, "-c", AFTER_THE_END) == "1.0 X"


def test_a_request_that_contradicts_itself_is_reported(world, tmp_path):
    told(world, "install", "--parallel", "-q", "alpha==1.0")
    done = command(world, "run", "--with", "alpha<2", "--with", "alpha>=2", "-c", "print('ran')", WHEELS=str(tmp_path))
    assert done.returncode == 1 and not done.stdout
    assert "alpha<2 was requested; alpha>=2 was requested" in done.stderr


def test_a_script_s_own_block_of_metadata_counts(world, tmp_path):
    script = tmp_path / "main.py"
    script.write_text("# /// script\n# dependencies = ['beta']\n# ///\nimport beta\nprint(beta.V)\n")
    assert told(world, "run", script) == "1.0"


def test_children_of_the_program_see_what_it_sees(world, tmp_path):
    script = tmp_path / "main.py"
    script.write_text(
        "import multiprocessing as m\nfrom concurrent.futures import ProcessPoolExecutor as P\n"
        "if __name__ == '__main__':\n with P(1, mp_context=m.get_context('spawn')) as pool:\n"
        "  print(pool.submit(eval, \"__import__('alpha').V\").result())\n"
    )
    assert told(world, "run", "--with", "alpha<2", script) == "1.0"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["run"], "program is missing"),
        (["run", "--with", "alpha<2"], "program is missing"),
        (["run", "nowhere.py"], "does not exist"),
        (["run", "-m"], "needs a module"),
        (["registry", "show"], "takes one NAME"),
        (["registry", "list", "x"], "takes no NAME"),
        (["registry", "merge", "x"], "takes a NAME and others"),
        (["registry", "create", "x"], "no requirement"),
        (["store", "remove"], "needs NAME or"),
        (["store", "remove", "alpha=="], "has no version"),
    ],
)
def test_a_command_that_makes_no_sense_is_misuse(world, words, why):
    done = command(world, *words)
    assert done.returncode == 2 and why in done.stderr


def test_a_conflict_is_reported_and_nothing_runs(world):
    world.run("li.install('gamma==1.0', parallel=True, deps=False)")
    done = command(world, "run", "--with", "beta", "--with", "gamma", "-c", "print('ran')")
    assert done.returncode == 1 and not done.stdout
    assert "beta 1.0 requires alpha<2" in done.stderr and "gamma 1.0 requires alpha>=2" in done.stderr


def test_all_versions_are_shown(world):
    told(world, "install", "--parallel", "-q", "alpha==1.0")
    assert told(world, "versions", "alpha").startswith("alpha:\n  default  2.0\n  stored   ")
    found = json.loads(told(world, "versions", "alpha", "--json"))["result"]
    assert "1.0" in found.pop("stored")
    assert found == {"name": "alpha", "default": "2.0", "pending": "", "active": "2.0"}


SEES = "import importlib.util, alpha; print(alpha.V, importlib.util.find_spec('beta') is not None)"


def start(world, code=SEES, **more):
    done = world.bare(code, **more)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.strip()


def test_a_registry_s_life(world):
    assert told(world, "registry", "list") == "No registries."
    shown = told(world, "registry", "create", "-q", "env1", "beta")
    assert "beta 1.0" in shown and "alpha 1.0" in shown and "imports beta, alpha" in shown
    told(world, "registry", "create", "-q", "env2", "--exclusive", "alpha==1.0")
    assert told(world, "registry", "show", "env1") == shown and "registries are not enabled" in shown
    assert "LIVEINSTALL_REGISTRY=env1, but registries are not" in told(world, "status", LIVEINSTALL_REGISTRY="env1")
    assert "env2" in told(world, "registry", "list") and told(world, "registry", "check", "env1") == shown
    assert start(world, LIVEINSTALL_REGISTRY="env1") == "2.0 False", "the line is not there yet"
    assert not [path for path in world.site.glob("*.pth") if "liveinstall" in path.name], "a start would read it"
    assert "Registries are enabled in" in told(world, "registry", "enable")
    assert start(world, LIVEINSTALL_REGISTRY="env1") == "1.0 True" and start(world) == "2.0 False"
    assert start(world, LIVEINSTALL_REGISTRY="env2") == "1.0 False"
    status = told(world, "status", LIVEINSTALL_REGISTRY="env1")
    assert "Active in this process, because of LIVEINSTALL_REGISTRY=env1:" in status and "beta 1.0" in status
    assert "look for" not in told(world, "registry", "show", "env1")
    told(world, "registry", "merge", "both", "env1", "env2")
    assert start(world, LIVEINSTALL_REGISTRY="both") == "1.0 True"
    paths = told(world, "registry", "export-pth", "env1").splitlines()
    assert len(paths) == 2 and start(world, f"import sys; sys.path[:0] = {paths}\n{SEES}") == "1.0 True"
    told(world, "registry", "remove", "both")
    assert "Registries are disabled in" in told(world, "registry", "disable")
    assert start(world, LIVEINSTALL_REGISTRY="env1") == "2.0 False"


def test_what_is_wrong_with_a_registry_is_found(world, tmp_path):
    told(world, "registry", "create", "-q", "fine", "beta")
    text = Path(json.loads(told(world, "registry", "show", "fine", "--json"))["result"]["path"]).read_text()
    cases = {
        "no longer there": text.replace("alpha -> alpha", "alpha -> gone-alpha"),
        "has beta 1.0": text.replace("beta==1.0", "beta==9.0"),
        "is in two places": text + "alpha -> elsewhere-1-py3-none-any\n",
        "has no module nothing": text + f"nothing -> {tmp_path}\n",
        "beta requires alpha<2, but alpha 2.0 is installed": "\n".join(
            line for line in text.splitlines() if not line.startswith("alpha")
        ),
    }
    for why, changed in cases.items():
        file = tmp_path / "changed.txt"
        file.write_text(changed + "\n")
        done = command(world, "registry", "check", file)
        assert done.returncode == 4 and (why in done.stdout or why == "no longer there"), (why, done)
        assert why != "no longer there" or "does not exist" in done.stdout


def test_a_registry_of_nothing_exports_nothing(world, tmp_path):
    (tmp_path / "none.txt").write_text("liveinstall-registry 1\n")
    assert told(world, "registry", "export-pth", tmp_path / "none.txt") == ""


@can_symlink
def test_an_entry_is_kept_for_a_registry_that_spells_its_path_otherwise(world, tmp_path):
    told(world, "install", "--parallel", "-q", "alpha==1.0")
    (tmp_path / "link").symlink_to(world.site / ".liveinstall/store")
    entry = tmp_path / "link" / "alpha-1.0-py3-none-any"
    home = world.site / ".liveinstall/registries"
    home.mkdir(exist_ok=True)
    (home / "a-linked.txt").write_text(f"liveinstall-registry 1\nalpha==1.0 -> {entry}\nalpha -> {entry}\n")
    done = command(world, "store", "remove", "alpha")
    (home / "a-linked.txt").unlink()
    assert done.returncode == 1 and "the registry a-linked lists" in done.stderr


def test_a_registry_elsewhere_needs_no_lock_of_the_environment(world, tmp_path):
    told(world, "install", "--parallel", "-q", "alpha==1.0")
    code = f"""
        from liveinstall._verbs import registry
        def never(*_, **__):
            raise AssertionError
        registry.environment_lock = never
        made = registry.create({str(tmp_path / "mine.txt")!r}, "alpha==1.0", quiet=True)
        print(json.dumps(made.path), registry.remove(made.path) and "")
    """
    assert world.json(code) == str(tmp_path / "mine.txt")
    assert not list(tmp_path.iterdir())


def test_stored_versions_are_listed_and_removed_unless_a_registry_lists_them(world):
    told(world, "registry", "create", "-q", "keeps", "alpha==1.0")
    assert "alpha 1.0" in told(world, "store", "list")
    done = command(world, "store", "remove", "alpha==1.0")
    assert done.returncode == 1 and "the registry" in done.stderr
    assert command(world, "store", "remove", "alpha==9").returncode == 1
    for name in json.loads(told(world, "registry", "list", "--json"))["result"]:
        told(world, "registry", "remove", name["name"])
    done = command(world, "store", "remove", "alpha==")
    assert done.returncode == 2 and "has no version" in done.stderr
    assert "alpha 1.0" in told(world, "store", "list")
    left = {line.split()[0] for line in told(world, "store", "list").splitlines()}
    told(world, "store", "remove", *left)
    assert told(world, "store", "list") == "Nothing is stored."


@pytest.mark.parametrize(
    ("words", "own", "program"),
    [
        ("run x.py -q", "run", "x.py -q"),
        ("run --with a -q -m x --with b", "run --with a -q", "-m x --with b"),
        ("run --with=a -- x.py", "run --with=a", "x.py"),
        ("run --json -c y", "run --json", "-c y"),
        ("run", "run", ""),
    ],
)
def test_the_program_s_options_are_its_own(words, own, program):
    assert split(words.split()) == (own.split(), program.split())


def test_options_of_an_engine_are_understood_where_a_registry_is_created():
    found = parse(["registry", "create", "env1", "-U", "numpy==1.26.4", "--no-index", "pyzmq"])
    assert found["requirements"] == ["env1", "numpy==1.26.4", "pyzmq"] and found["no_index"] and found["upgrade"]


def test_the_names_are_public():
    assert {"require", "versions", "Activation", "Versions"} <= set(liveinstall.__all__)


def test_a_package_manager_is_run_as_it_is(world, tmp_path):
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip/__main__.py").write_text("import sys, alpha\nprint(alpha.V, sys.orig_argv[1:])\n")
    more = finding(world, tmp_path)
    assert told(world, "run", "--with", "alpha<2", "-m", "pip", "list", **more) == "2.0 ['-m', 'pip', 'list']"


@has_signals
def test_a_program_is_asked_to_end_when_the_command_is(world, tmp_path):
    script = tmp_path / "main.py"
    handler = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))"
    script.write_text(f"import signal, sys, time\n{handler}\nprint(flush=True)\ntime.sleep(60)\n")
    code = "import sys, fake_engine\nfrom liveinstall._frontends.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    command = [str(world.python), "-c", code, "run", str(script)]
    with subprocess.Popen(command, env=world.variables(), stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.terminate()
        assert process.wait(timeout=30) == 9


def test_a_registry_may_be_a_file_of_one_s_own(world, tmp_path):
    told(world, "registry", "create", "-q", tmp_path / "mine.txt", "alpha==1.0")
    assert "alpha==1.0 -> " in (tmp_path / "mine.txt").read_text()
    (tmp_path / "none.txt").write_text("liveinstall-registry 1\n")
    assert told(world, "registry", "export-pth", tmp_path / "none.txt") == ""
    told(world, "registry", "remove", tmp_path / "mine.txt")
    assert not (tmp_path / "mine.txt").exists()
