"""The leftovers of a killed pip are found, reported and repaired."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from integration.lib.checks import complaints, tree
from integration.lib.environments import Environment, add_liveinstall, user_variables
from integration.lib.interpreters import CURRENT, find_python

# Kills itself before pip's n-th change of a file of rich, which pip calls ~ich while it removes it.
_KILLER = """
import os, runpy, sys
left = int(sys.argv.pop(1))
def hook(event, arguments):
    global left
    changes = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir") or (
        event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR))
    if changes and "ich" in str(arguments[0]).rpartition("site-packages")[2]:
        left -= 1
        if not left:
            os._exit(9)
sys.addaudithook(hook)
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__")
"""


def _command(environment: Environment, *words: str, status: int) -> list[dict[str, Any]]:
    done = environment.run("-m", "liveinstall", *words, "--json", env=user_variables())
    assert done.returncode == status, done.stdout + done.stderr
    return list(json.loads(done.stdout)["result"])


@pytest.fixture
def rich(tmp_path: Path, wheel: Path) -> Environment:
    """An environment with rich 13.7.0 and liveinstall."""
    base = find_python(CURRENT)
    assert base
    environment = Environment.make(tmp_path / "venv", base)
    add_liveinstall(environment, wheel)
    environment.add("rich==13.7.0", deps=True)
    assert _command(environment, "doctor", status=0) == []
    return environment


@pytest.mark.parametrize("at", [2, 5, 6, 8, 40, 90])  # in between it may be intact: that depends on the order
def test_leftovers_of_a_killed_pip_are_repaired(rich: Environment, at: int) -> None:
    arguments = ("install", "-q", "--disable-pip-version-check", "--no-deps", "rich==13.9.4")
    killed = rich.run("-c", _KILLER, str(at), *arguments, env=user_variables(PYTHONDONTWRITEBYTECODE="1"))
    assert killed.returncode == 9, killed.stdout + killed.stderr
    before = tree(rich.path)
    found = _command(rich, "repair", "--dry-run", status=4)
    assert found and tree(rich.path) == before
    mended = _command(rich, "repair", status=0)
    assert {finding["outcome"] for finding in mended if finding["mend"]} == {"repaired"}
    assert [finding for finding in _command(rich, "doctor", status=0) if finding["mend"]] == []
    rich.run("-c", "import rich, rich.console, rich.traceback, rich.markdown", check=True)
    assert not complaints(rich)
    assert not [path.name for path in rich.site.iterdir() if path.name.startswith("~")]
    rich.remove()


def test_removed_files_are_restored(rich: Environment) -> None:
    for name in ("table.py", "panel.py"):
        (rich.site / "rich" / name).unlink()
    (rich.site / "rich/rule.py").write_text("raise RuntimeError\n", encoding="utf-8")
    (finding,) = _command(rich, "doctor", "rich", status=4)
    assert (finding["kind"], finding["name"]) == ("missing", "rich")
    assert "rich/table.py" in finding["what"] and "rich/rule.py is changed" in finding["what"]
    (finding,) = _command(rich, "repair", "rich", status=0)
    assert finding["outcome"] == "repaired"
    rich.run("-c", "import rich.table, rich.panel, rich.rule", check=True)
    assert _command(rich, "doctor", status=0) == [] and not complaints(rich)
    rich.remove()
