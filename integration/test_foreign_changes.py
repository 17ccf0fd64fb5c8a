"""pip and uv change what is staged, between staging and the start: the stale part is set aside and reported."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.checks import left_overs
from integration.environments import Environment, add_liveinstall, user_variables
from integration.interpreters import CURRENT, find_python, find_uv

_STAGE = "import idna, liveinstall; print(len(liveinstall.install('idna==3.10').staged))"


@pytest.fixture
def real(tmp_path: Path, wheel: Path) -> Environment:
    base = find_python(CURRENT)
    assert base
    made = Environment.make(tmp_path / "venv", base)
    add_liveinstall(made, wheel)
    made.add("idna==3.6")
    staged = made.run("-c", _STAGE, check=True)
    assert staged.stdout == "1\n"
    return made


def pip_upgrades(real: Environment) -> None:
    real.run("-S", "-c", _pip(real, "install", "-q", "idna==3.7"), check=True)


def pip_removes(real: Environment) -> None:
    real.run("-S", "-c", _pip(real, "uninstall", "-q", "-y", "idna"), check=True)


def _pip(real: Environment, *words: str) -> str:
    """pip, in an interpreter that does not run site: a start would swap what waits before pip begins."""
    return (
        f"import sys, runpy; sys.path.append({str(real.site)!r}); sys.argv = ['pip', *{words!r}]; "
        f"sys.prefix = sys.exec_prefix = {str(real.path)!r}; runpy.run_module('pip', run_name='__main__')"
    )


def uv_upgrades(real: Environment) -> None:
    uv = find_uv()
    if not uv:
        pytest.skip("uv is not here")
    # uv asks the interpreter where it installs, and that start swaps: so the companion steps aside meanwhile.
    companions = list(real.site.glob("*.part.pth"))
    for path in companions:
        path.rename(real.path / path.name)
    command = [uv, "pip", "install", "-q", "--python", str(real.python), "idna==3.7"]
    subprocess.run(command, check=True, env=user_variables())
    for path in companions:
        (real.path / path.name).rename(path)


def half_removed(real: Environment) -> None:
    (real.site / "idna-3.6.dist-info" / "RECORD").unlink()
    (real.site / "idna" / "core.py").unlink()


@pytest.mark.parametrize("change", [pip_upgrades, pip_removes, uv_upgrades, half_removed])
def test_a_stale_part_is_set_aside_and_reported(real: Environment, change: Callable[[Environment], None]) -> None:
    change(real)
    version = {pip_upgrades: "3.7", uv_upgrades: "3.7", half_removed: "3.6"}.get(change)
    look = "from importlib.metadata import distributions as d; print([x.version for x in d(name='idna')])"
    done = real.run("-c", look)
    assert (done.returncode, done.stdout) == (0, f"{[version] if version else []}\n")
    assert done.stderr.count("\n") == 1 and "idna 3.6 was changed by something else" in done.stderr
    assert real.run("-c", look).stderr == ""  # told once
    shown = real.run("-m", "liveinstall", "status", check=True).stdout
    assert "Set aside" in shown and "idna 3.6 was changed by something else" in shown
    assert left_overs(real.site) == ["idna-3.10.part"]  # kept until it is asked for, or taken back
    real.run("-m", "liveinstall", "cancel", "idna", check=True)
    assert left_overs(real.site) == []
    real.remove()
