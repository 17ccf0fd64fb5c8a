"""liveinstall changes its own dependencies and itself, and the next start uses the new versions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from integration.lib.checks import left_overs, missing_files
from integration.lib.environments import ROOT, Environment, add_liveinstall, user_variables
from integration.lib.interpreters import CURRENT, find_python

VERSION = version("liveinstall")
OLD_PIP = "25.0" if sys.version_info < (3, 15) else "26.1"  # older ones use names that 3.15 has removed from typing
_LIVE = """
import json, sys
import liveinstall
result = liveinstall.install(*sys.argv[1:])
again = liveinstall.install("six")  # what it runs on is as it was
import six
print(json.dumps({"now": [c.name for c in result.installed], "staged": [c.name for c in result.staged],
                  "version": liveinstall.__version__}))
"""


def newer_self(directory: Path) -> Path:
    """A wheel of liveinstall 99.0, from this source tree."""
    copy = directory / "newer"
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    door = copy / "src/liveinstall/_system/package.py"
    text = door.read_text(encoding="utf-8")
    assert '__version__ = "' in text
    door.write_text(text.replace('__version__ = "', '__version__ = "99.', 1), encoding="utf-8")
    arguments = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(directory), str(copy)]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True, env=user_variables())
    assert done.returncode == 0, done.stderr
    return next(directory.glob("liveinstall-99*.whl"))


def test_everything_that_it_runs_on_is_replaced_and_works_after_a_restart(tmp_path: Path, wheel: Path) -> None:
    base = find_python(CURRENT)
    assert base
    environment = Environment.make(tmp_path / "venv", base)
    add_liveinstall(environment, wheel, {"pip": OLD_PIP, "packaging": "24.2", "installer": "0.7.0"})
    environment.add("setuptools==75.0.0")
    wanted = [
        f"pip>{OLD_PIP}",
        "setuptools>75",
        "packaging>=25",
        "installer>=1",
        str(newer_self(tmp_path)),
    ]
    done = environment.run("-c", _LIVE, *wanted)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert {"packaging", "liveinstall"} <= set(told["staged"])
    assert {"pip", "setuptools"} <= set(told["now"]) | set(told["staged"])
    after = environment.run("-c", "import liveinstall; print(liveinstall.__version__)")
    assert after.stdout.startswith("99."), after.stderr
    assert after.stderr == ""
    assert left_overs(environment.site) == []
    assert list(missing_files(environment.site)) == []
    # The new version works with the new libraries, and can read its predecessor's history.
    again = environment.run("-c", "import liveinstall; print(liveinstall.install('idna').installed[0].name)")
    assert again.stdout == "idna\n", again.stderr
    assert environment.run("-m", "pip", "check").returncode == 0
    _check_the_script_that_replaces_itself(environment)


def _check_the_script_that_replaces_itself(environment: Environment) -> None:
    """Back to the old version by its own script, which the next start replaces under the same name."""

    def script(*words: str) -> subprocess.CompletedProcess[str]:
        command = [environment.scripts / "liveinstall", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=user_variables())

    assert script("--version").stdout.startswith("liveinstall 99.")
    past = json.loads(script("history", "--json").stdout)["result"]
    self_change = next(p["transaction"] for p in past if "liveinstall" in [c["name"] for c in p["changes"]])
    undone = script("undo", self_change)
    assert (undone.returncode, "Staged" in undone.stdout) == (0, True), undone.stdout + undone.stderr
    assert script("--version").stdout == f"liveinstall {VERSION}\n"
    assert script("status").returncode == 0
    assert left_overs(environment.site) == []


def test_source_distributions_are_built_by_pip(environment: Environment) -> None:
    done = environment.run("-c", "import liveinstall; print(liveinstall.install('docopt==0.6.2')); import docopt")
    assert done.returncode == 0, done.stderr
    assert "docopt 0.6.2" in done.stdout
