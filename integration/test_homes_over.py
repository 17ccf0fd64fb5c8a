"""Homes over a base environment, with a real pip, which changes only the home, and a real upgrade of the base."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from integration.lib.environments import Environment, user_variables
from liveinstall import homes

_HELD = """
import alpha, sys
print(alpha.VERSION, flush=True)
sys.stdin.readline()
from alpha import late
print(late.VERSION, flush=True)
"""


@pytest.fixture
def home(environment: Environment, tmp_path: Path, wheels: Path) -> Environment:
    """A home over it, by the command line."""
    words = ["-m", "liveinstall", "home", "create", str(tmp_path / "home"), "beta", "--over", str(environment.path)]
    done = environment.run(*words, "--no-index", "--find-links", str(wheels), "--json", check=True)
    assert "alpha" not in dict(json.loads(done.stdout)["result"]["distributions"])
    return Environment.at(tmp_path / "home")


def _versions(python: Environment) -> str:
    return python.run("-c", "import alpha, alpha.late; print(alpha.VERSION, alpha.late.VERSION)").stdout.strip()


def test_pip_in_a_home_changes_only_the_home(home: Environment, environment: Environment, wheels: Path) -> None:
    environment.add("pip")
    before = sorted(path.name for path in environment.site.iterdir())
    done = home.run("-m", "pip", "install", "--no-index", "--find-links", wheels, "-q", "alpha==2.0", check=True)
    assert (_versions(home), _versions(environment)) == ("2.0 2.0", "1.0 1.0"), done.stderr
    assert sorted(path.name for path in environment.site.iterdir()) == before
    assert homes.look(home.path).base_changes == ()


def test_an_upgrade_of_a_guarded_base_waits_for_the_processes_of_its_homes(
    home: Environment, environment: Environment, wheels: Path
) -> None:
    environment.run("-m", "liveinstall", "guard", "on", check=True)
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [home.python, "-c", _HELD], stdin=pipe, stdout=pipe, text=True, env=user_variables(), bufsize=1
    ) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline() == "1.0\n"
        words = ["install", "alpha==2.0", "--no-index", "--find-links", str(wheels), "--json"]
        done = environment.run("-m", "liveinstall", *words, check=True)
        assert json.loads(done.stdout)["result"]["staged"], done.stdout
        assert _versions(home) == "2.0 2.0"  # a new process runs from the part
        process.stdin.write("\n")
        assert process.stdout.readline() == "1.0\n"
    assert (_versions(home), _versions(environment)) == ("2.0 2.0", "2.0 2.0")
    (change,) = homes.look(home.path).base_changes
    assert str(change) == "alpha 1.0 -> 2.0"
