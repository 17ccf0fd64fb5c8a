"""The notes on errors that are caused by a pending version, or by one that another tool has installed."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

SINCE = r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
FOREIGN = """
import glob, shutil, zipfile
site = next(path for path in sys.path if path.endswith('site-packages'))
def put(version):
    for path in glob.glob(site + '/alpha*'):
        shutil.rmtree(path)
    zipfile.ZipFile(os.environ['WHEELS'] + f'/alpha-{version}-py3-none-any.whl').extractall(site)
"""


@pytest.fixture
def alpha(env):
    env.wheel("alpha", "1.0")
    env.wheel("beta", "1.0")
    new = {"alpha/__init__.py": "__version__ = '2.0'\nnew = 1\n", "alpha/fresh.py": "from alpha import new\n"}
    new["alpha/cross.py"] = "from json import nothing\n"
    env.wheel("alpha", "2.0", {**new, "alpha/deep/__init__.py": "", "alpha/deep/down.py": "", "alpha_more.py": ""})
    env.run("li.install('alpha==1.0')")
    return env


def last_lines(done):
    """The text below the frames of a plain traceback; progress messages may precede it."""
    assert done.returncode == 1 and "Traceback (most recent call last):\n" in done.stderr, done.stderr
    lines = done.stderr.splitlines()
    start = next(at for at in range(len(lines) - 1, 0, -1) if lines[at].startswith(" "))
    return "\n".join(lines[start + 1 :])


@pytest.mark.parametrize("module", ["alpha_more", "alpha.fresh", "alpha.deep", "alpha.deep.down"])
def test_a_module_that_only_the_staged_version_has_says_so(alpha, module):
    done = alpha.run(f"import alpha\nli.install('alpha==2.0')\nimport {module}")
    first = module if module != "alpha.deep.down" else "alpha.deep"
    assert re.fullmatch(
        rf"liveinstall.errors.StagedImportError: No module named '{first}' yet: alpha 2.0 is staged {SINCE} and "
        "pending until a restart of Python. To use the new version, start the program again.",
        last_lines(done),
    )


def test_a_module_that_no_version_has_is_a_plain_error(alpha):
    done = alpha.run("import alpha\nli.install('alpha==2.0')\nimport nothing")
    assert last_lines(done) == "ModuleNotFoundError: No module named 'nothing'"


@pytest.mark.parametrize("line", ["from alpha import new", "import alpha.nothing", "alpha.new"])
def test_names_missing_in_the_old_version_have_a_note_while_the_new_one_is_pending(alpha, line):
    done = alpha.run(f"import alpha\nli.install('alpha==2.0')\n{line}")
    error, note = last_lines(done).split("\n")
    assert error.startswith(("ImportError: ", "ModuleNotFoundError: ", "AttributeError: "))
    assert re.fullmatch(
        rf"running alpha 1.0; alpha 2.0 is staged {SINCE}. To use the new version, start the program again.", note
    )


def test_changes_staged_by_another_process_are_also_reported(alpha):
    code = "import alpha\nli.install('beta')\nprint('up', flush=True); input()\nimport alpha_more"
    with alpha.start(code) as holder:
        holder.stdout.readline()
        staged = alpha.run("print(len(li.install('alpha==2.0').staged))").stdout
        _, err = holder.communicate("\n", timeout=60)
    assert staged == "1\n"
    assert "ModuleNotFoundError: No module named 'alpha_more'\nrunning alpha 1.0; alpha 2.0 is staged" in err


@pytest.mark.parametrize(
    "line", ["import alpha.fresh", "from alpha import new", "import alpha.late2", "import alpha.cross"]
)
def test_a_late_import_from_what_another_tool_has_replaced_says_what_runs(alpha, line):
    done = alpha.run(f"import alpha\nli.install('beta')\n{FOREIGN}\nput('2.0')\n{line}")
    error, note = last_lines(done).split("\n")
    assert "StagedImportError" not in error
    assert note == "running alpha 1.0, installed 2.0. To use the new version, start the program again."


def test_an_error_that_has_nothing_to_do_with_it_has_no_note(alpha):
    done = alpha.run("import alpha\nli.install('alpha==2.0')\nimport json\njson.nothing")
    assert last_lines(done).count("\n") == 0


def test_a_hook_that_was_wrapped_later_is_called_with_the_noted_error(alpha):
    done = alpha.run(
        "import alpha\nli.install('alpha==2.0')\n"
        "noting = sys.excepthook\n"
        "def own(*words): noting(*words); print('mine', len(words[1].__notes__))\n"
        "sys.excepthook = own\nli.cancel()\nli.install('alpha==2.0')\nassert sys.excepthook is own\n"
        "from alpha import new"
    )
    assert done.stdout == "mine 1\n" and "; alpha 2.0 is staged" in done.stderr


@pytest.mark.parametrize(
    "before",
    [
        "sys.excepthook = own = lambda *words: sys.__excepthook__(*words)",
        "import code; own = sys.__excepthook__",
        "from liveinstall.hosts import Host; Host('app'); own = sys.__excepthook__",
        "sys.ps1 = '> '; own = sys.__excepthook__",  # a prompt within a program
    ],
)
def test_a_program_that_shows_errors_its_own_way_keeps_its_hook(alpha, before):
    change = "import alpha\nli.install('alpha==2.0')\nassert sys.excepthook is own"
    done = alpha.run(f"{before}\n{change}\nfrom alpha import new")
    assert last_lines(done).startswith("ImportError: ") and "staged" not in done.stderr


def test_an_application_gets_the_hook_back(alpha):
    done = alpha.run(
        "import alpha\nli.install('alpha==2.0')\nnoting = sys.excepthook\nassert noting is not sys.__excepthook__\n"
        "from liveinstall.hosts import Host; Host('app')\nassert sys.excepthook is sys.__excepthook__\n"
        "sys.excepthook = noting\nfrom alpha import new"
    )
    assert last_lines(done).startswith("ImportError: ") and "staged" not in done.stderr


@pytest.mark.parametrize("prompt", [["-i"], []])
def test_the_prompt_of_python_tells(alpha, prompt):
    lines = "import alpha\nimport liveinstall as li, fake_engine\nr = li.install('alpha==2.0')\nalpha.new\n"
    python = [str(alpha.python), *(prompt or ["-q", "-i", "-c", ""])]
    done = subprocess.run(
        python, input=lines, env=alpha.variables(), capture_output=True, text=True, timeout=60, check=False
    )
    assert "running alpha 1.0; alpha 2.0 is staged" in done.stderr


def test_a_hint_that_fails_hides_nothing(alpha):
    done = alpha.run(
        "import alpha\nli.install('alpha==2.0')\nfrom liveinstall._frontends import import_hints as hints\n"
        "def fail(_): raise OSError\nhints.notes_on = fail\nfrom alpha import new"
    )
    assert last_lines(done).startswith("ImportError: cannot import name 'new' from 'alpha'")


def test_imports_that_succeed_and_modules_that_are_asked_for_never_come_here(alpha):
    told = alpha.json(
        "import alpha, importlib.util\nli.install('alpha==2.0')\n"
        "from liveinstall._transactions import visibility as visible\n"
        "calls = []\nvisible._has_module = lambda *words: calls.append(words) or True\n"
        "import alpha.late, wave, xml.dom\nassert importlib.util.find_spec('alpha.fresh') is None\n"
        "assert __import__('alpha', fromlist=['fresh']) is alpha\n"
        "print(json.dumps([each[1] for each in calls]))"
    )
    assert told == ["alpha.fresh", "alpha.fresh"]


def test_at_a_prompt_the_traceback_of_an_error_of_ours_ends_at_the_line_that_was_typed():
    lines = "import liveinstall\nliveinstall.install()\nliveinstall.events.Reporter.nothing\n"
    done = subprocess.run([sys.executable, "-i"], input=lines, capture_output=True, text=True, check=True)
    frames = [line.strip() for line in done.stderr.splitlines() if line.startswith('  File "')]
    assert "RequirementError" in done.stderr and "AttributeError" in done.stderr
    assert len(frames) == 2 and all(frame.startswith('File "<stdin>"') for frame in frames)
