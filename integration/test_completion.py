"""Completion in a real bash, set up as in docs/command-line.md: the line after the Tab key, the list of completions."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.lib.environments import Environment, add_liveinstall, user_variables
from integration.lib.interpreters import CURRENT, find_python

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
_ASK = """
eval "$(liveinstall completion bash)"
COMP_LINE="$1" COMP_POINT=${#1} COMP_TYPE=9 COMP_WORDS=($1) COMP_CWORD=1
_python_argcomplete liveinstall
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, wheel: Path, wheels: Path) -> Iterator[Environment]:
    """An environment with liveinstall, argcomplete and two small distributions; alpha was upgraded in it."""
    base = find_python(CURRENT)
    assert base
    made = Environment.make(tmp_path_factory.mktemp("completion") / "venv", base)
    add_liveinstall(made, wheel)
    made.add("argcomplete", wheels / "alpha-1.0-py3-none-any.whl", wheels / "beta-1.0-py3-none-any.whl")
    made.run("-m", "liveinstall", "install", "--no-index", "-f", wheels, "alpha==2.0", check=True)
    yield made
    made.remove()


@pytest.fixture
def offered(place: Environment, tmp_path: Path) -> Callable[[str], set[str]]:
    """The completions of bash for a line with the cursor at its end."""
    variables = user_variables(PATH=f"{place.scripts}{os.pathsep}{os.environ['PATH']}")

    def ask(line: str) -> set[str]:
        command = ["bash", "--norc", "-c", _ASK, "bash", line]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True, cwd=tmp_path)
        assert done.stderr == ""
        return set(done.stdout.replace("\v", "\n").replace(" ", "").split())

    return ask


def test_verbs_options_names_and_ids_are_completed(offered: Callable[[str], set[str]], tmp_path: Path) -> None:
    assert offered("liveinstall un") == {"uninstall", "undo"}
    assert {"--index-url", "--no-index"} <= offered("liveinstall install --")
    assert offered("liveinstall install --when ") == {"auto", "now", "restart"}
    assert offered("liveinstall uninstall al") == {"alpha"}
    assert {"alpha", "beta", "argcomplete", "liveinstall"} <= offered("liveinstall install -U ")
    assert offered("liveinstall install -U alpha be") == {"beta"}
    (tmp_path / "requirements.txt").touch()
    assert offered("liveinstall install ./requ") == {"./requirements.txt"}
    (id,) = (word for word in offered("liveinstall undo ") if not word.startswith("-"))
    assert id.startswith("20")


def test_the_tab_key_completes_in_a_terminal(place: Environment) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    variables = user_variables(PATH=f"{place.scripts}{os.pathsep}{os.environ['PATH']}", PS1="$ ", TERM="xterm")
    options = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "env": variables, "start_new_session": True}
    with subprocess.Popen(["bash", "--norc", "--noprofile", "-i"], **options) as shell:  # type: ignore[call-overload]
        os.write(ours, b'eval "$(liveinstall completion bash)"; echo rea""dy\n')
        assert "ready" in _until(ours, "ready")
        os.write(ours, b"liveinstall uninst\t")
        assert "uninstall " in _until(ours, "uninstall ")
        os.write(ours, b"bet\t")
        assert "beta " in _until(ours, "beta ")
        os.write(ours, b"--dry-run; exit\n")
        assert "Would be removed now:" in _until(ours, "beta 1.0")
        shell.wait(30)
    for end in (ours, theirs):
        os.close(end)


def _until(terminal: int, wanted: str, seconds: float = 30) -> str:
    """The output of the terminal until it shows `wanted`, or a timeout."""
    seen, end = "", time.monotonic() + seconds
    while wanted not in seen and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 65536).decode(errors="replace")
    return seen


def test_without_argcomplete_it_says_how_to_get_it(place: Environment, tmp_path: Path) -> None:
    (tmp_path / "argcomplete.py").write_text("raise ImportError\n")
    variables = user_variables(PYTHONPATH=str(tmp_path))
    done = place.run("-m", "liveinstall", "completion", "bash", env=variables)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("Nothing was changed. Install it: liveinstall install argcomplete.\n")
