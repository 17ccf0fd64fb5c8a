"""Virtual environments made for one test, as a real user would have them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from integration.lib.interpreters import find_uv

ROOT = Path(__file__).parents[2]
_OURS = re.compile(r"^(PYTHON(?!UNBUFFERED)|LIVEINSTALL_|VIRTUAL_ENV|COVERAGE_|PYTEST_)")
_NOT_OFFERED = re.compile(
    r"no matching distribution|no solution found|not found in the package registry", re.IGNORECASE
)


class NotOfferedError(Exception):
    """The index no longer has a pinned version, or not for this Python; the message is the installer's."""


def user_variables(**more: str) -> dict[str, str]:
    """The environment variables of a user: without those of a test run or a virtual environment."""
    return {**{name: value for name, value in os.environ.items() if not _OURS.match(name)}, **more}


@dataclass(frozen=True)
class Environment:
    """An environment: `path` is its directory, `python` its interpreter."""

    path: Path
    python: Path

    @classmethod
    def make(cls, path: Path, base: str) -> Environment:
        """A fresh virtual environment for the interpreter `base`, with nothing in it."""
        uv = find_uv()
        tool = [uv, "venv", "-q", "--python", base] if uv else [base, "-m", "venv", "--without-pip"]
        subprocess.run([*tool, str(path)], check=True, env=user_variables(), capture_output=True)
        _forget_uv(path / "pyvenv.cfg")
        return cls.at(path)

    @classmethod
    def at(cls, path: Path) -> Environment:
        """The virtual environment at `path`."""
        return cls(path, path / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))

    @property
    def scripts(self) -> Path:
        """The directory of console scripts."""
        return self.python.parent

    @cached_property
    def site(self) -> Path:
        """Its site-packages, found without starting its interpreter, which could finalize pending changes."""
        pattern = "Lib/site-packages" if os.name == "nt" else "lib/python3*/site-packages"
        return next(self.path.glob(pattern))

    def run(self, *arguments: str | Path, check: bool = False, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run its interpreter to the end, with a user's variables unless `env` has others."""
        options = {"env": user_variables(), "capture_output": True, "text": True, "timeout": 600, **options}
        done = subprocess.run([self.python, *arguments], check=False, **options)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def add(self, *requirements: str | Path, deps: bool = False) -> None:
        """Install exactly `requirements`, with dependencies only if `deps`; or NotOfferedError."""
        uv = find_uv()
        to = [uv, "pip", "install", "-q", "--python"] if uv else [sys.executable, "-m", "pip", "-q", "--python"]
        rest = ["--link-mode", "copy"] if uv else ["install", "--disable-pip-version-check"]
        arguments = [*to, str(self.python), *rest, *([] if deps else ["--no-deps"]), *map(str, requirements)]
        done = subprocess.run(arguments, check=False, capture_output=True, text=True, env=user_variables())
        if done.returncode and not_offered(done.stderr):
            raise NotOfferedError(" ".join(done.stderr.split()))
        assert done.returncode == 0, done.stderr

    def remove(self) -> None:
        """Free the disk; a failed test keeps its environment for inspection."""
        shutil.rmtree(self.path)


_RENEW = """\
import sys, liveinstall
if liveinstall.pending():
    liveinstall.cancel()
done = [liveinstall.uninstall('beta'), liveinstall.install('alpha==1.0', no_index=True, find_links=sys.argv[1])]
assert not any(result.staged for result in done), (done, liveinstall.status())
"""


def renew(environment: Environment, wheels: Path) -> None:
    """Leave alpha 1.0, and neither beta nor a pending change; it fails while a process uses another alpha."""
    environment.run("-c", _RENEW, wheels, check=True)


def not_offered(words: str) -> bool:
    """Whether an installer's message says that the index has no such version."""
    return bool(_NOT_OFFERED.search(words))


def _forget_uv(config: Path) -> None:
    """The tool that created it determines the engine; these environments must have none."""
    lines = config.read_text(encoding="utf-8").splitlines(keepends=True)
    config.write_text("".join(line for line in lines if not line.startswith("uv ")), encoding="utf-8")


def add_liveinstall(environment: Environment, wheel: Path, pins: Mapping[str, str] | None = None) -> None:
    """Install `pins` (name -> version), liveinstall, and its other dependencies."""
    pins = pins or {}
    needed = [str(needs) for name, needs in dependencies().items() if name not in pins]
    environment.add(*(f"{name}=={version}" for name, version in pins.items()), wheel, *needed)


def dependencies() -> dict[str, Requirement]:
    """What liveinstall requires, from its project file, by canonical name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {canonicalize_name(needs.name): needs for needs in map(Requirement, project["dependencies"])}


def group(name: str) -> list[str]:
    """A dependency group of the project file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return list(project["dependency-groups"][name])


def build_wheel(directory: Path, source: Path = ROOT) -> Path:
    """liveinstall's wheel, from this source tree or from another."""
    arguments = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(directory), str(source)]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True, env=user_variables())
    assert done.returncode == 0, done.stdout + done.stderr
    return next(directory.glob("liveinstall-*.whl"))
