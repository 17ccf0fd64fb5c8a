"""Completion, as the shells' scripts request it from argcomplete."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("argcomplete")


@pytest.fixture
def offered(tmp_path):
    """The completions of a line with the cursor at its end."""

    def ask(line):
        answer = tmp_path / "answer"
        variables = {
            **os.environ,
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_SHELL": "bash",
            "_ARGCOMPLETE_IFS": "\n",
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
            "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        }
        command = [sys.executable, "-c", "from liveinstall._frontends.cli.main import main; main()"]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.stderr == "" and done.returncode == 0
        return {word.strip() for word in answer.read_text().splitlines()}

    return ask


def test_commands_and_their_aliases_are_completed(offered):
    assert offered("liveinstall u") == {"undo", "uninstall", "upgrade"}
    assert offered("liveinstall a") == {"add", "archive"}
    assert {"install", "remove", "help", "-V", "--version"} <= offered("liveinstall ") | offered("liveinstall -")
    assert offered("liveinstall help fin") == {"finalize"}


def test_options_of_an_alias_and_names_are_completed(offered):
    assert {"--index-url", "--pre", "--dry-run"} <= offered("liveinstall add --")
    assert "argcomplete" in offered("liveinstall remove arg")
    assert "argcomplete" in offered("liveinstall upgrade arg")
    assert offered("liveinstall prune --") >= {"--all", "--keep", "--days", "--bytes", "--json"}
    assert offered("liveinstall completion ") >= {"bash", "zsh", "fish", "powershell"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_each_shell_gets_its_code(shell):
    from liveinstall._frontends.cli.completion import script

    assert "liveinstall" in script(shell) and "_ARGCOMPLETE" in script(shell)
