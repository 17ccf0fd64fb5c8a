"""Real Windows CPython, with real processes: `windows.sh run python -m pytest integration/platforms`.

On Linux that is Wine's Windows; on Windows run pytest itself.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.environments import SOURCE, make_environment

pytestmark = pytest.mark.skipif(os.name != "nt", reason="needs Windows; see integration/platforms/windows.sh")

READ_LINE = "print('ready', flush=True); sys.stdin.readline()"


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    """An environment with a space and non-ASCII letters in its path, and versions of two distributions to install."""
    made = make_environment(tmp_path_factory.mktemp("windows") / "Program Files" / "My \u00e4pp")
    for version in ("1.0", "2.0"):
        code = f"__version__ = {version!r}\n\n\ndef run():\n    print(__version__)\n"
        files = {"alpha/__init__.py": code, "alpha/late.py": f"V = {version!r}\n"}
        made.wheel("alpha", version, files, scripts={"alpha-run": "alpha:run"})
        made.wheel("beta", version)
    return made


def succeeded(done: subprocess.CompletedProcess) -> str:
    """The output of a process; it must succeed."""
    assert done.returncode == 0, done.stderr
    return done.stdout


def with_real_pip(env, code: str) -> subprocess.CompletedProcess:
    """Run code with liveinstall and the pip that belongs to this interpreter; the network is not used."""
    libraries = os.pathsep.join([str(SOURCE), str(Path(sys.prefix, "Lib/site-packages"))])
    variables = env.variables(PIP_NO_INDEX="1", PYTHONIOENCODING="utf-8", LIVEINSTALL_ENGINE="pip")
    command = [str(env.python), "-c", f"import sys, os\nimport liveinstall as li\n{code}"]
    variables["PYTHONPATH"] = libraries
    return subprocess.run(command, env=variables, capture_output=True, encoding="utf-8", timeout=300, check=False)


def test_a_path_with_a_drive_is_installed_from_in_every_form(env):
    wheel = env.wheels / "alpha-1.0-py3-none-any.whl"
    constraints = env.wheels / "c.txt"
    constraints.write_text("beta==1.0\n")
    for form in (str(wheel), wheel.as_posix(), wheel.as_uri(), f"{wheel} ; python_version > '3'"):
        code = f"print(li.install({form!r}, find_links={str(env.wheels)!r}, constraints={str(constraints)!r}))"
        assert "alpha" in succeeded(with_real_pip(env, code))
        assert env.versions() == {"alpha": "1.0"}
        assert "alpha" in succeeded(env.run("print(li.uninstall('alpha'))"))


def test_what_pip_prints_arrives_as_it_is(env):
    done = with_real_pip(env, "li.install('n\u00e4mlich-nicht', find_links='C:\\\\t\u00fc \u4e2d')")
    assert "RequirementError" in done.stderr and "n\u00e4mlich-nicht" in done.stderr
    done = with_real_pip(env, "li.install('nowhere', find_links='C:\\\\t\u00fc \u4e2d')")
    assert "t\u00fc \u4e2d" in done.stderr and "\ufffd" not in done.stderr


def test_an_upgrade_waits_for_a_program_under_hold_and_is_applied_afterwards(env):
    succeeded(env.run("li.install('alpha==1.0')"))
    code = f"import alpha, sys; {READ_LINE}; import alpha.late; print(alpha.late.V)"
    command = [str(env.python), "-m", "liveinstall", "hold", str(env.python), "-c", code]
    pipe = subprocess.PIPE
    held = subprocess.Popen(command, env=env.variables(), stdin=pipe, stdout=pipe, text=True)
    assert held.stdout.readline() == "ready\n"
    assert f"pid {held.pid}" in succeeded(env.run("print(li.install('alpha==2.0'))"))
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n"
    assert env.versions()["alpha"] == "1.0"
    assert held.communicate("\n")[0] == "1.0\n"
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n"
    assert env.versions()["alpha"] == "2.0" and os.listdir(env.site / ".liveinstall/holds") == []


def test_a_process_that_replaces_itself_gets_the_new_version_and_its_arguments(env):
    succeeded(env.run("li.install('alpha==1.0')"))
    code = """
        import alpha
        from liveinstall._environment.holders import replace_process
        li.install("alpha==2.0")
        new = "import alpha, sys; print(alpha.__version__, sys.argv[1]); sys.exit(5)"
        replace_process([sys.executable, "-c", new, "a b"])
    """
    done = env.run(code)
    assert (done.returncode, done.stdout) == (5, "2.0 a b\n"), done.stderr


def test_a_program_in_a_directory_with_spaces_starts_again_and_its_caller_waits_for_it(env):
    succeeded(env.run("li.install('alpha==1.0')"))
    program = env.root / "an app.py"
    program.write_text(
        "import sys, liveinstall as li, fake_engine\nfrom liveinstall.hosts import start_again\nimport alpha\n"
        "print(alpha.__version__, *sys.argv[1:], sep='|')\n"
        "if alpha.__version__ == '2.0':\n    sys.exit(3)\n"
        "li.install('alpha==2.0')\nstart_again()\n"
    )
    command = [str(env.python), str(program), "a b", 'say "x"', "C:\\d e\\"]
    done = subprocess.run(command, env=env.variables(), capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (3, "")
    words = '|a b|say "x"|C:\\d e\\\n'
    assert done.stdout == f"1.0{words}2.0{words}"


def test_a_trial_has_the_staged_version_its_scripts_and_the_removals_and_nothing_moves(env):
    succeeded(env.run("li.install('alpha==1.0', 'beta==1.0')"))
    code = """
        import alpha, beta, tempfile
        li.install("alpha==2.0")
        li.uninstall("beta")
        code = "import alpha, importlib.util as u; print(alpha.__version__, u.find_spec('beta'), alpha.__file__)"
        print(li.trial(code).stdout.split()[:2], li.trial(script="alpha-run").stdout.strip())
        print(li.trial(module="pip", arguments=["install", "x"]).returncode)
        print(alpha.__version__, [name for name in os.listdir(tempfile.gettempdir()) if "liveinstall-trial" in name])
    """
    assert succeeded(env.run(code)) == "['2.0', 'None'] 2.0\n1\n1.0 []\n"
    assert env.versions() == {"alpha": "1.0", "beta": "1.0"}


def test_a_home_is_created_used_and_removed(env, tmp_path):
    place = tmp_path / "a h\u00f6me"
    code = f"""
        from liveinstall import homes
        made = homes.create({str(place)!r}, "alpha==2.0", "beta")
        code = "import alpha, sys; print(alpha.__version__, sys.prefix)"
        print(homes.run(made.path, code).stdout.strip() == "2.0 " + made.path, made.distributions)
        print(homes.run(made.path, script="alpha-run").stdout.strip())
        open(os.path.join(made.path, "mine.txt"), "w").close()
        print(homes.remove(made.path), os.listdir(made.path))
    """
    said = "True (('alpha', '2.0'), ('beta', '2.0'))\n2.0\n('mine.txt',) ['mine.txt']\n"
    assert succeeded(env.run(code)) == said
    assert os.listdir(tmp_path) == [place.name]


@pytest.mark.skipif(not shutil.which("uv"), reason="needs uv for Windows")
def test_uv_for_windows_resolves_and_unpacks_what_is_staged_and_swapped(env):
    succeeded(env.run("li.uninstall('alpha')"))
    options = f"engine='uv', no_index=True, find_links={str(env.wheels)!r}"
    succeeded(
        with_real_pip(env, f"li.install('alpha==1.0', {options}); import alpha; assert alpha.__version__ == '1.0'")
    )
    said = succeeded(with_real_pip(env, f"import alpha; print(li.install('alpha==2.0', {options}).staged[0])"))
    assert "1.0 -> 2.0" in said
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n" and env.versions()["alpha"] == "2.0"


def pip(env, *words: str) -> str:
    """Run the real pip in the environment, as another tool would."""
    return succeeded(
        with_real_pip(
            env, f"import runpy; sys.argv = ['pip', *{words!r}]; runpy.run_module('pip', run_name='__main__')"
        )
    )


@pytest.mark.parametrize("first", ["", "li.install('alpha'); "])
def test_a_running_process_notices_what_pip_has_upgraded_or_removed_under_it(env, first):
    succeeded(env.run("li.install('alpha==1.0', 'beta==1.0')"))
    find_links = f"--find-links={env.wheels}"
    pip(env, "install", "-q", find_links, "--force-reinstall", "alpha==1.0", "beta==1.0")  # no longer ours
    code = f"import alpha, beta; {first}{READ_LINE}; print([(each.name, each.running) for each in li.check().stale])"
    running = env.start(code)
    assert running.stdout.readline() == "ready\n"
    pip(env, "install", "-q", find_links, "alpha==2.0")
    pip(env, "uninstall", "-q", "-y", "beta")
    out, err = running.communicate("\n", timeout=120)
    expected = [("alpha", "1.0"), ("beta", "1.0")] if first else [("alpha", "1.0")]
    assert out == f"{expected}\n", err


def test_what_pip_has_changed_is_not_swapped_over_and_no_remembered_answer_is_used(env):
    question = "from liveinstall._sidebyside.activation.answer_cache import Question\nprint(Question(['alpha']).path)"
    succeeded(env.run("li.install('alpha==1.0')"))
    before = succeeded(with_real_pip(env, question))
    succeeded(env.run("import alpha; li.install('alpha==2.0')"))
    code = f"import runpy, sys; sys.prefix = {str(env.root)!r}; sys.argv = ['pip', 'uninstall', '-q', '-y', 'alpha']\n"
    code += "runpy.run_module('pip', run_name='__main__')"
    libraries = os.pathsep.join([str(Path(sys.prefix, "Lib/site-packages")), str(env.site)])
    without_site = [str(env.python), "-S", "-c", code]  # a start would swap pending changes before pip begins
    subprocess.run(without_site, env=env.variables(PYTHONPATH=libraries), check=True, timeout=300)
    env.bare("pass")
    assert "alpha" not in env.versions()
    assert succeeded(with_real_pip(env, question)) != before


def test_what_a_killed_process_has_left_is_swept(env, tmp_path):
    for name in ("made-1", "made-2"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / ".liveinstall-made-by").touch()
        (tmp_path / name / "deep" / "file").touch()
    lock = "from _liveinstall_boot.locks import try_lock\n"
    lock += f"handle = try_lock({str(tmp_path / 'made-2' / '.liveinstall-made-by')!r})\n{READ_LINE}"
    living = env.start(lock)
    assert living.stdout.readline() == "ready\n"
    succeeded(env.run(f"from liveinstall._system.scratch import sweep; sweep({str(tmp_path)!r}, 'made-')"))
    assert os.listdir(tmp_path) == ["made-2"]
    living.communicate("\n", timeout=60)


def test_the_next_process_gets_the_remembered_answer_of_require(env):
    code = "from liveinstall._sidebyside.activation.answer_cache import Question\nprint(Question(['alpha']).site)"
    assert succeeded(env.run(code)).strip().lower() == os.path.realpath(env.site).lower()


def test_holds_of_dead_processes_do_not_count_in_concurrent_checks(env):
    holds = env.site / ".liveinstall/holds"
    holds.mkdir(parents=True, exist_ok=True)
    for number in range(200):
        (holds / f"{number}-dead").write_text("liveinstall-hold 1\n")
    code = f"from _liveinstall_boot import holds; print(len(holds.live_holds({str(env.site)!r})))"
    crowd = [env.start(code) for _ in range(3)]
    assert [each.communicate(timeout=120)[0] for each in crowd] == ["0\n"] * 3
    assert os.listdir(holds) == []


def test_three_writers_at_once_all_succeed(env):
    crowd = [env.start(f"li.install('{name}')") for name in ("alpha==1.0", "alpha==2.0", "beta==2.0")]
    for each in crowd:
        _, stderr = each.communicate(timeout=300)
        assert each.returncode == 0, stderr
    assert set(env.versions()) == {"alpha", "beta"}


def test_a_code_archive_is_made_again_while_it_is_in_use_and_its_code_is_found(env, tmp_path):
    package = tmp_path / "code" / "pack" / "sub"
    package.mkdir(parents=True)
    for directory in (package.parent, package):
        (directory / "__init__.py").write_text("V = 1\n")
    path = tmp_path / "x.archive"
    create = f"from liveinstall._sidebyside.imports import code_archive_writer as writer; writer.create({str(path)!r}, "
    create += f"{str(tmp_path / 'code')!r})"
    use = f"from liveinstall.owners import activate; activate({str(path)!r})\nimport pack.sub\n"
    use += "print(pack.sub.V, type(pack.sub.__loader__).__name__)"
    succeeded(env.run(create))
    using = env.start(f"{use}\n{READ_LINE}\nimport pack")
    assert using.stdout.readline() == "1 ArchivedLoader\n"
    (package / "__init__.py").write_text("V = 22\n")
    succeeded(env.run(create))
    assert succeeded(env.run(use)) == "22 ArchivedLoader\n"
    using.communicate("\n", timeout=60)
    assert using.returncode == 0
    succeeded(env.run(create))
    assert [name for name in os.listdir(tmp_path) if name != "code"] == ["x.archive"]


def _start_and_kill(env, after: float) -> None:
    """Start an interpreter, which swaps, and kill it during the swap or soon after."""
    variables = env.variables()
    del variables["PYTHONPATH"]
    starting = subprocess.Popen([str(env.python), "-c", "pass"], env=variables)
    transactions = env.site / ".liveinstall/transactions"
    end = time.monotonic() + 60
    while starting.poll() is None and time.monotonic() < end:
        if any("swapping" in name or "committed" in name for name in os.listdir(transactions)):
            time.sleep(after)
            break
    starting.kill()
    starting.wait()


def test_starts_that_are_killed_while_they_swap_leave_old_or_new(env, request):
    many = request.config.getoption("--full") or os.environ.get("LIVEINSTALL_ALL_CASES") == "1"
    numbers = random.Random(1)
    for version in ("1.0", "2.0"):
        files = {f"many/{group}/m{number}.py": f"V = {version!r}\n" for group in "ab" for number in range(30)}
        env.wheel("many", version, {"many/__init__.py": f"__version__ = {version!r}\n", **files})
    succeeded(env.run("li.install('many==1.0')"))
    before = env.leftovers()  # such as the part of a change that was set aside in another test
    for number in range(30 if many else 4):
        version = ("2.0", "1.0")[number % 2]
        succeeded(env.run(f"import many; li.install('many=={version}')"))
        _start_and_kill(env, numbers.choice((0, 0.005, 0.03, 0.2)))
        done = env.bare("import many; print(many.__version__)")
        assert (done.stdout, done.stderr) == (f"{version}\n", "")
        contents = {path.read_text() for path in (env.site / "many").rglob("m*.py")}
        assert contents == {f"V = {version!r}\n"}, f"round {number}"
        assert env.versions()["many"] == version and env.leftovers() == before
