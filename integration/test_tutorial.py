"""The tutorial and the README, as a reader runs them: in an empty directory, in a shell and at a real prompt."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from integration.lib.documents import blocks, pattern, steps
from integration.lib.environments import ROOT, user_variables
from integration.lib.terminals import Terminal, terminal

PAGE = ROOT / "docs" / "tutorial.md"
README = ROOT / "README.md"
_PROMPT = ">>> "
pytestmark = pytest.mark.skipif(os.name == "nt", reason="they are written for a POSIX shell")


@pytest.fixture
def variables(tmp_path: Path, wheel: Path) -> dict[str, str]:
    """The variables of a shell whose `python3` is this one, and whose pip finds liveinstall's wheel."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    return user_variables(PATH=path, PIP_FIND_LINKS=str(wheel.parent), PIP_DISABLE_PIP_VERSION_CHECK="1")


@pytest.mark.full  # `nox -s release` runs it
def test_the_lines_of_the_readme_work_in_their_order(tmp_path: Path, variables: dict[str, str]) -> None:
    commands = [text for _, text in blocks(README, "console")]
    install = commands[0].partition("#")[0].strip()
    make = f'python3 -m venv venv; PATH="$PWD/venv/bin:$PATH"; {install}; {install}[notebook] "pandas<3" "rich<14"'
    _shell(make.replace("pip install", "pip install -q"), tmp_path, variables)
    (tmp_path / "my_code.py").write_text("print('my code runs')\n", encoding="utf-8")
    lines = "".join(text for _, text in blocks(README, "python")).splitlines()
    with terminal(tmp_path, tmp_path / "venv/bin/python", "-q", PYTHON_BASIC_REPL="1") as prompt:
        prompt.until(_PROMPT)
        prompt.say("import pandas; before = pandas.__version__; mine = [1, 2]", _PROMPT)
        for line in filter(None, lines):
            answer = prompt.enter(line, _PROMPT, 180)
            assert "Error" not in answer, answer
        prompt.say("mine, pandas.__version__ == before", "([1, 2], False)")


def test_the_tutorial_shows_what_happens(tmp_path: Path, variables: dict[str, str]) -> None:
    shell = [text for _, text in blocks(PAGE, "console")]
    _shell(shell[0], tmp_path, variables)
    done = []
    with terminal(tmp_path, tmp_path / "tutorial/bin/python", "-q", PYTHON_BASIC_REPL="1", COLUMNS="120") as prompt:
        prompt.until(_PROMPT)
        for _, session in blocks(PAGE, "pycon"):
            for typed, shown in steps(session):
                _type(prompt, typed, shown)
                done.append(typed)
        prompt.type("exit()\r")
        os.waitid(os.P_PID, prompt.pid, os.WEXITED | os.WNOWAIT)
    _shell(shell[1], tmp_path, variables)
    assert len(done) > 10 and "liveinstall.undo()" in done


def _shell(commands: str, directory: Path, variables: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-euc", commands], cwd=directory, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _type(prompt: Terminal, typed: str, shown: list[str]) -> None:
    """Type a line; then the output in the page appears, line by line, and the prompt after it."""
    answer = prompt.enter(typed, f"\n{_PROMPT}" if shown else _PROMPT)
    for line in shown:
        found = pattern(line).search(answer)
        assert found, f"after {typed!r} the tutorial shows {line!r}, but this appeared:\n{answer}"
        answer = answer[found.end() :]
