"""Prompts in real terminals: a restart keeps the history and has the new version; a reminder comes once."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from integration.lib.environments import ROOT, Environment, add_liveinstall
from integration.lib.interpreters import find_python
from integration.lib.terminals import UP, terminal
from integration.lib.wheels import write_wheel

_STAGE = (
    'import alpha, liveinstall; r = liveinstall.install("alpha", upgrade=True, no_index=True, find_links={wheels!r})'
)
_REMINDER = "alpha 1.0 -> 2.0 pending until a restart: liveinstall.restart()"
_SCRIPT = "import os\nprint('script in', os.getpid())\n"
# What is started (in the environment's scripts, or a module), and its Python.
PROMPTS = {
    "python 3.11": ("3.11", ["python"]),
    "python 3.12": ("3.12", ["python"]),
    "python 3.13": ("3.13", ["python"]),
    "python 3.13 classic": ("3.13", ["python"]),
    "python -i 3.11": ("3.11", ["python", "-i", "script.py"]),
    "python -i 3.13": ("3.13", ["python", "-i", "script.py"]),
    "ipython": ("3.11", ["ipython", "--no-banner"]),
    "ptpython": ("3.11", ["ptpython"]),
    "ipython 3.13": ("3.13", ["ipython", "--no-banner"]),
    "ptpython 3.13": ("3.13", ["ptpython"]),
    "python -i 3.14": ("3.14", ["python", "-i", "script.py"]),
    "python 3.15": ("3.15", ["python"]),
    "python 3.15 classic": ("3.15", ["python"]),
    "python -i 3.15": ("3.15", ["python", "-i", "script.py"]),
    "ipython 3.15": ("3.15", ["ipython", "--no-banner"]),
    "ptpython 3.15": ("3.15", ["ptpython"]),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Callable[[str], Environment]:
    """Makes, once, an environment of a Python with liveinstall; with IPython and ptpython, except on 3.12 and 3.14."""
    made: dict[str, Environment] = {}

    def place(version: str) -> Environment:
        if version not in made:
            base = find_python(version)
            if not base:
                pytest.skip(f"Python {version} is not here")
            made[version] = Environment.make(tmp_path_factory.mktemp("terminals") / "venv", base)
            groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
            prompts = [text for text in groups["notebooks"] if text.startswith(("ipython", "ptpython"))]
            if version not in ("3.12", "3.14"):
                made[version].add(*prompts, deps=True)
            add_liveinstall(made[version], wheel)
        return made[version]

    return place


def _prompts(*names: str, full: Collection[str] = ()) -> pytest.MarkDecorator:
    """Parametrize with these prompts; those in `full` only in long runs."""
    each = [pytest.param(name, marks=[pytest.mark.full] if name in full else []) for name in names]
    return pytest.mark.parametrize("prompt", each)


@_prompts(*PROMPTS, full=("python 3.12", "python -i 3.11", "ipython", "ptpython", "ipython 3.15"))
def test_a_restart_keeps_the_history_and_has_the_new_version(places, wheels, tmp_path, prompt):
    version, words = PROMPTS[prompt]
    place = places(version)
    place.run("-m", "liveinstall", "cancel")
    place.add(wheels / "alpha-1.0-py3-none-any.whl")
    (tmp_path / "script.py").write_text(_SCRIPT)
    more = {"PYTHON_BASIC_REPL": "1"} if "classic" in prompt else {}
    with terminal(tmp_path, place.scripts / words[0], *words[1:], **more) as it:
        it.until_any((">>>", "In [1]:"))
        it.say("import os; print('p' + 'id', os.getpid())", f"pid {it.pid}")
        it.say(f"{_STAGE.format(wheels=str(wheels))}; print('sta' + 'ged', r.staged[0])", "staged alpha 1.0 -> 2.0")
        it.until(_REMINDER)
        it.say("kept = 'his' + 'tory'; print(kept)", "history")
        it.forget()
        it.type("liveinstall.restart()\r")
        it.until("Restarting Python: alpha 1.0 -> 2.0.")
        it.until("will be lost")
        if "-i" in words:
            it.until(f"script in {it.pid}")
        it.until_any((">>>", "In [1]:"))
        it.say("import alpha; print('al' + 'pha', alpha.VERSION, 'kept' in dir())", "alpha 2.0 False")
        it.forget()
        it.type(f"{UP}{UP}{UP}\r")
        it.until("history")
        it.say("import os; print('p' + 'id', os.getpid())", f"pid {it.pid}")
        assert it.all.count(_REMINDER) == 1
        assert f"{_REMINDER}\r".encode() in it.raw  # otherwise the prompt would begin in the middle of the line
    assert not list(place.site.glob("*.part"))


@_prompts(
    "python 3.11", "python 3.13", "ipython", "ptpython 3.13", "python 3.15", "ipython 3.15", full=("python 3.11",)
)
def test_a_restart_keeps_variables_and_runs_the_users_startup_file(places, wheels, tmp_path, prompt):
    version, words = PROMPTS[prompt]
    place = places(version)
    place.run("-m", "liveinstall", "cancel")
    place.add(wheels / "alpha-1.0-py3-none-any.whl")
    own = tmp_path / "own.py"
    own.write_text("started = 'own'\n")
    with terminal(tmp_path, place.scripts / words[0], *words[1:], PYTHONSTARTUP=str(own)) as it:
        it.until_any((">>>", "In [1]:"))
        it.say(f"{_STAGE.format(wheels=str(wheels))}; print('sta' + 'ged', r.staged[0])", "staged alpha 1.0 -> 2.0")
        it.say("rows = [1, 2]; same = {'rows': rows}; print('do' + 'ne')", "done")
        it.forget()
        it.type("liveinstall.restart(keep=['rows', 'same'])\r")
        it.until("Kept: rows, same")
        it.until("Restored: rows, same.")
        it.until_any((">>>", "In [1]:"))
        it.say("import alpha; print('al' + 'pha', alpha.VERSION, same['rows'] is rows, rows)", "alpha 2.0 True [1, 2]")
        it.say("import os; print('own' == started, os.environ['PYTHONSTARTUP'][-6:])", "True own.py")
        it.say("started = 'mine'; print('set')", "set")  # and again: what came back is not less kept than new variables
        it.forget()
        it.type("import liveinstall; liveinstall.restart(keep='all')\r")
        it.until("Restored: ")
        it.until_any((">>>", "In ["))
        it.say("print(same['rows'] is rows, rows, started)", "True [1, 2] mine")


_OWN = "import sys; sys.ps1 = type('P', (), {'__str__': lambda self: 'mine> '})(); own = sys.ps1"


@_prompts("python 3.11", "python 3.13", "python 3.13 without colours", "python 3.15")
def test_a_users_own_prompt_is_wrapped_and_put_back_and_nothing_begins_when_it_is_switched_off(
    places, wheels, tmp_path, prompt
):
    version, words = PROMPTS.get(prompt, PROMPTS["python 3.13"])
    place = places(version)
    place.run("-m", "liveinstall", "cancel")
    place.add(wheels / "alpha-1.0-py3-none-any.whl")
    stage = _STAGE.format(wheels=str(wheels))
    more = {"NO_COLOR": "1"} if "without" in prompt else {}
    with terminal(tmp_path, place.scripts / words[0], LIVEINSTALL_REPL="0", **more) as it:
        it.until(">>>")
        if version == "3.11":  # the new prompt cannot show an object without colours, with us or without
            it.say(_OWN, "mine> ")
        else:
            it.say("import sys; sys.ps1 = own = 'mine> '", "mine> ")
        it.say(f"{stage}; print('sta' + 'ged')", "staged")
        it.say("print('no' + 'thing')", "nothing")
        assert _REMINDER not in it.all
        it.say("print('be' + 'gun', liveinstall.repl())", "begun True")
        it.until(_REMINDER)
        it.until("mine> ")
        it.say("print('off', liveinstall.repl(False), sys.ps1 is own)", "off False True")
        it.say("print('one ' + 'more')", "one more")
        assert it.all.count(_REMINDER) == 1


@_prompts("python 3.11", "python 3.13", "ipython", "ptpython", "python 3.15")
def test_every_prompt_shows_values_as_text_for_people(places, wheels, tmp_path, prompt):
    version, words = PROMPTS[prompt]
    place = places(version)
    place.run("-m", "liveinstall", "cancel")
    place.add(wheels / "alpha-1.0-py3-none-any.whl")
    with terminal(tmp_path, place.scripts / words[0], *words[1:]) as it:
        it.until_any((">>>", "In [1]:"))
        it.say("import liveinstall; print('im' + 'ported')", "imported")
        it.say("liveinstall.Result(transaction='x')", "Nothing to do.")
        it.say("liveinstall.list()", "installed")
        it.until("alpha")
        it.say(
            "liveinstall.install('alpha', when='restart', reinstall=True, no_index=True, "
            f"find_links={str(wheels)!r}, upgrade=True)",
            "alpha 1.0 -> 2.0",
        )
        it.until("deferred as requested")
        it.say("liveinstall.cancel()", "Cancelled:")
        it.until("alpha 1.0 -> 2.0")
        assert not any(f"{kind}(name=" in it.all for kind in ("Change", "Listed")), it.all


@_prompts("python 3.11", "python 3.13", "ipython", "ptpython 3.13", full=("python 3.11", "ipython", "ptpython 3.13"))
def test_a_conflict_is_asked_about_and_what_a_restart_has_broken_names_the_way_back(places, tmp_path, prompt):
    version, words = PROMPTS[prompt]
    place = places(version)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for alpha in ("1.0", "2.0"):
        write_wheel(wheels, "alpha", alpha)
        about = {"zeta/core.py": f"import alpha\nassert alpha.VERSION == {alpha!r}, 'built for ' + {alpha!r}\n"}
        write_wheel(wheels, "zeta", alpha, headers=[f"Requires-Dist: alpha=={alpha}"], files=about)
    place.run("-m", "liveinstall", "cancel")
    place.add(wheels / "alpha-1.0-py3-none-any.whl", wheels / "zeta-1.0-py3-none-any.whl")
    more = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    with terminal(tmp_path, place.scripts / words[0], *words[1:], **more) as it:
        it.until_any((">>>", "In [1]:"))
        it.say("import alpha, zeta, liveinstall as li; print('im' + 'ported')", "imported")
        for answer, then in (("n", "ConflictError"), ("f", "zeta 1.0 -> 2.0")):
            it.forget()
            it.type("li.install('alpha>=2')\r")
            question = "Install versions that fit: alpha>=2, zeta (f), install anyway (a), or nothing (n)? [f/a/N]"
            it.until(question)
            assert it.shown.count("Conflict: zeta 1.0 requires alpha==1.0, but alpha will be 2.0.") == 1, it.shown
            it.type(f"{answer}\r")
            it.until(then)
        it.say("li.cancel()", "Cancelled:")
        assert "_verbs" not in it.all, it.all  # an error of ours ends at the line that was typed
        it.say("li.install('alpha>=2', conflicts='allow')", "restart Python: liveinstall.restart()")
        it.say("print('no ' + 'reminder of what was just shown')", "no reminder of what was just shown")
        assert "pending until a restart:" not in it.all
        it.forget()
        it.type("li.restart()\r")
        it.until("Restarting Python: alpha 1.0 -> 2.0.")
        it.until_any((">>> ", "In [1]:"))
        it.say("import zeta.core", "alpha was changed just now (1.0 -> 2.0); go back with liveinstall.undo()")
    place.run("-m", "liveinstall", "uninstall", "zeta")
