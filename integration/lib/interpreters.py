"""Interpreters of this machine, by minor version; nothing is ever installed into them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CURRENT = f"{sys.version_info.major}.{sys.version_info.minor}"


@cache
def find_python(version: str) -> str | None:
    """The path of a Python `version` ("3.12") of this machine, not of a virtual environment; None without one."""
    return next((path for path in _candidates(version) if _base_of(path, version)), None)


def _candidates(version: str) -> Iterator[str]:
    if version == CURRENT:
        yield getattr(sys, "_base_executable", sys.executable)
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path
    versions = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    yield from (str(path) for path in sorted(versions.glob(f"{version}.*/bin/python")))
    uv = find_uv()
    if uv:
        found = subprocess.run(
            [uv, "python", "find", "--no-python-downloads", version], capture_output=True, text=True, check=False
        )
        yield from found.stdout.split("\n")[:1]


def _base_of(path: str, version: str) -> bool:
    """Ask the interpreter: a shim on PATH may be for a version that is not installed."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run([path, "-I", "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return answer.stdout.strip() == version


@cache
def find_uv() -> str | None:
    """uv, if the test environment or PATH has it; without it pip does everything, more slowly."""
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")
