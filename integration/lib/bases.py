"""A separate Python installation that tests may change: a copy of one of this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from integration.lib.environments import Environment, user_variables

_ASK = """
import json, sys, sysconfig
wanted = ("stdlib", "platstdlib")
print(json.dumps({**{name: sysconfig.get_path(name) for name in wanted}, "executable": sys.executable,
    "libraries": sysconfig.get_config_var("LIBDIR"), "library": sysconfig.get_config_var("LDLIBRARY")}))
"""
_LEFT_OUT = shutil.ignore_patterns(
    *("site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "config-*", "__pycache__"),
    "EXTERNALLY-MANAGED",
)
NOBODY = 65534


@dataclass(frozen=True)
class Base:
    """A complete installation; with `variables` all users can run it, wherever the original is."""

    environment: Environment
    variables: dict[str, str]

    @property
    def stdlib(self) -> Path:
        """The directory of EXTERNALLY-MANAGED."""
        return self.environment.site.parent

    def venv(self, path: Path, *options: str) -> Environment:
        """A virtual environment that belongs to this installation."""
        self.environment.run("-m", "venv", "--without-pip", *options, path, check=True, env=self.variables)
        return Environment.at(path)


def copy_base(path: Path, original: str) -> Base:
    """Copy an installation to `path`; a layout for which this cannot be done is skipped."""
    answer = subprocess.run([original, "-Ic", _ASK], capture_output=True, text=True, check=True).stdout
    about = json.loads(answer)
    stdlib = Path(about["stdlib"])
    target = path / "lib" / stdlib.name
    shutil.copytree(stdlib, target, ignore=_LEFT_OUT)
    (target / "site-packages").mkdir()
    python = path / "bin" / f"python{stdlib.name.removeprefix('python')}"
    python.parent.mkdir()
    shutil.copy2(Path(about["executable"]).resolve(), python)
    for library in Path(about["libraries"]).glob(f"{about['library']}*"):
        shutil.copy2(library, path / "lib" / library.name)
    made = Base(Environment(path, python), user_variables(LD_LIBRARY_PATH=str(path / "lib")))
    prefix = made.environment.run("-c", "import sys; print(sys.prefix)", env=made.variables).stdout.strip()
    if not prefix or not Path(prefix).samefile(path):
        pytest.skip(f"a copy of this Python does not stand on its own: its prefix is {prefix!r}")
    return made
