"""The demo of README.md: two versions of a real package that the index has for this Python."""

from __future__ import annotations

import re
from pathlib import Path

from integration.lib.environments import ROOT, Environment, add_liveinstall, user_variables
from integration.lib.interpreters import CURRENT, find_python


def test_the_demo_upgrades_a_package_under_itself_without_any_compiler(tmp_path: Path, wheel: Path) -> None:
    base = find_python(CURRENT)
    assert base
    environment = Environment.make(tmp_path / "an environment", base)
    add_liveinstall(environment, wheel)
    done = environment.run(ROOT / "examples" / "demo.py", env=user_variables(PATH=str(environment.scripts)))
    assert done.returncode == 0, done.stdout + done.stderr
    old, new = re.search(r"pygments (\S+) -> (\S+)  pygments is imported here", done.stdout).groups()
    assert re.findall(r"pygments (\S+) (?:imports|is imported and)", done.stdout) == [old, old, new]
    assert f"a child process imports pygments {old}\n" in done.stdout and "No pending changes." in done.stdout
