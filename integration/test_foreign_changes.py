"""pip, uv and conda change a staged distribution before the start: the stale part is set aside and reported.

conda itself is not run: what it does to the files is imitated.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.lib.checks import left_overs, tree
from integration.lib.conda import Conda
from integration.lib.environments import Environment, add_liveinstall, user_variables
from integration.lib.interpreters import CURRENT, find_python, find_uv
from integration.lib.refusals import refuse

_STAGE = "import idna, liveinstall; print(len(liveinstall.install('idna==3.10').staged))"


@pytest.fixture
def empty(tmp_path: Path, wheel: Path) -> Environment:
    base = find_python(CURRENT)
    assert base
    made = Environment.make(tmp_path / "venv", base)
    add_liveinstall(made, wheel)
    return made


@pytest.fixture
def real(empty: Environment) -> Environment:
    empty.add("idna==3.6")
    _stage(empty)
    return empty


@pytest.fixture
def conda(empty: Environment, tmp_path: Path) -> Conda:
    return Conda(empty, tmp_path / "pkgs")


def _stage(environment: Environment) -> None:
    assert environment.run("-c", _STAGE, check=True).stdout == "1\n"


def pip_upgrades(real: Environment) -> None:
    real.run("-S", "-c", _pip(real, "install", "-q", "idna==3.7"), check=True)


def pip_removes(real: Environment) -> None:
    real.run("-S", "-c", _pip(real, "uninstall", "-q", "-y", "idna"), check=True)


def _pip(real: Environment, *words: str) -> str:
    """pip, in an interpreter without site: a start would swap the pending changes before pip begins."""
    return (
        f"import sys, runpy; sys.path.append({str(real.site)!r}); sys.argv = ['pip', *{words!r}]; "
        f"sys.prefix = sys.exec_prefix = {str(real.path)!r}; runpy.run_module('pip', run_name='__main__')"
    )


def uv_upgrades(real: Environment) -> None:
    uv = find_uv()
    if not uv:
        pytest.skip("uv is not here")
    # uv starts the interpreter to find its paths, and that start swaps: so the companion is hidden meanwhile.
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
    _assert_set_aside(real, {pip_upgrades: "3.7", uv_upgrades: "3.7", half_removed: "3.6"}.get(change))


def conda_upgrades(conda: Conda) -> str:
    conda.link("idna", "3.7")
    return "3.7"


def conda_upgrades_to_what_has_no_record(conda: Conda) -> str:
    conda.link("idna", "3.7", record=False)
    return "3.7"


def conda_links_the_same_again_without_record(conda: Conda) -> str:
    conda.link("idna", "3.6", record=False)
    return "3.6"


def conda_removes(conda: Conda) -> None:
    conda.unlink("idna")


@pytest.mark.parametrize(
    "change",
    [
        conda_upgrades,
        conda_upgrades_to_what_has_no_record,
        conda_links_the_same_again_without_record,
        conda_removes,
    ],
)
def test_what_conda_changed_is_left_to_it(conda: Conda, change: Callable[[Conda], str | None]) -> None:
    conda.link("idna", "3.6")
    _stage(conda.environment)
    version = change(conda)
    before = _idna(conda.environment)
    _assert_set_aside(conda.environment, version, whole=before)


def test_what_conda_linked_without_a_record_is_not_replaced(conda: Conda) -> None:
    conda.link("idna", "3.6", record=False)
    error = refuse(conda.environment, "DamagedError", "idna==3.10")
    assert "idna 3.6 has no RECORD" in error["message"]
    assert conda.environment.run("-c", "import idna; print(idna.__version__)").stdout == "3.6\n"


def test_an_upgrade_of_what_conda_linked_with_a_record_leaves_the_cache_as_it_was(conda: Conda) -> None:
    """Its files are hard links: a write in place in site-packages would change every environment."""
    conda.link("idna", "3.6")
    before = tree(conda.cache)
    _stage(conda.environment)
    assert conda.environment.run("-c", "import idna; print(idna.__version__)").stdout == "3.10\n"
    conda.environment.run("-m", "liveinstall", "undo", check=True)
    assert conda.environment.run("-c", "import idna; print(idna.__version__)").stdout == "3.6\n"
    assert tree(conda.cache) == before


@pytest.mark.parametrize("added", [False, True])
def test_what_is_planned_to_be_removed_is_not_what_others_add_later(empty: Environment, added: bool) -> None:
    empty.add("idna==3.6")
    empty.run("-c", "import idna", check=True)  # it writes bytecode
    time.sleep(3.1)  # what was changed more recently has no plan
    _stage(empty)
    (record,) = empty.site.glob(".liveinstall/transactions/*.pending")
    assert ("\nretire\tidna\t" in record.read_text()) is sys.platform.startswith("linux")
    if added:
        (empty.site / "idna" / "mine.txt").write_text("mine")
    assert empty.run("-c", "import idna; print(idna.__version__)", check=True).stdout == "3.10\n"
    assert (empty.site / "idna" / "mine.txt").exists() is added
    assert left_overs(empty.site) == [] and not list(empty.site.glob("idna-3.6*"))
    assert empty.run("-m", "liveinstall", "check", check=True).returncode == 0
    empty.remove()


def _idna(environment: Environment) -> dict[str, str]:
    found = tree(environment.site).items()
    return {
        path: what for path, what in found if path.split("/")[0] in ("idna", "idna-3.6.dist-info", "idna-3.7.dist-info")
    }


def _assert_set_aside(real: Environment, version: str | None, whole: dict[str, str] | None = None) -> None:
    look = "from importlib.metadata import distributions as d; print([x.version for x in d(name='idna')])"
    done = real.run("-c", look)
    assert (done.returncode, done.stdout) == (0, f"{[version] if version else []}\n")
    assert done.stderr.count("\n") == 1 and "idna 3.6 was changed by something else" in done.stderr
    assert real.run("-c", look).stderr == ""  # reported once
    shown = real.run("-m", "liveinstall", "status", check=True).stdout
    assert "Set aside" in shown and "idna 3.6 was changed by something else" in shown
    assert left_overs(real.site) == ["idna-3.10.part"]  # kept until it is applied or cancelled
    real.run("-m", "liveinstall", "cancel", "idna", check=True)
    assert left_overs(real.site) == []
    assert whole is None or _idna(real) == whole
    real.remove()
