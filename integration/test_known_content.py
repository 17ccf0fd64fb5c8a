"""What was verified and compiled for one environment is known in the next, with the real pip and uv."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integration.lib.checks import left_overs, missing_files
from integration.lib.environments import Environment, add_liveinstall
from integration.lib.interpreters import CURRENT, find_python, find_uv
from integration.lib.wheels import write_wheel
from integration.test_engines import engine, live

__all__ = ["engine"]  # a fixture
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the directory of caches is not named by XDG_CACHE_HOME there")
_SETTLED = 2.1  # seconds, after which files count as unchanged
_FILES = {
    "kappa/__init__.py": "import kappa.core\n",
    "kappa/core.py": "def where():\n    import kappa.late\n    return where.__code__.co_filename\n",
    "kappa/late.py": "",
    "kappa/unused.py": "",
}


@pytest.fixture
def made(tmp_path: Path, wheel: Path) -> Callable[[str], Environment]:
    """Makes an environment with liveinstall."""

    def make(name: str) -> Environment:
        base = find_python(CURRENT)
        assert base
        environment = Environment.make(tmp_path / name, base)
        add_liveinstall(environment, wheel)
        return environment

    return make


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A wheelhouse with kappa 1.0."""
    write_wheel(tmp_path / "house", "kappa", "1.0", files=_FILES)
    return tmp_path / "house"


def install(environment: Environment, engine: str, house: Path, *codes: str, **more: str) -> list[Any]:
    """Install kappa with caches of its own, and evaluate `codes`."""
    caches = {"XDG_CACHE_HOME": str(house.parent / "user"), "UV_CACHE_DIR": str(house.parent / "uv")}
    return live(environment, engine, house, "install('kappa')", *codes, **caches, **more)


def compiled(environment: Environment) -> dict[str, int]:
    """The modules of kappa that have bytecode: name -> inode."""
    found = (environment.site / "kappa" / "__pycache__").glob("*.pyc")
    return {path.name.partition(".")[0]: path.stat().st_ino for path in found}


def test_the_next_environment_has_the_bytecode_of_what_the_first_has_imported(
    made: Callable[[str], Environment], engine: str, house: Path
) -> None:
    where = "__import__('kappa').core.where()"
    first, second = made("first"), made("second")
    assert install(first, engine, house, where)[1] == str(first.site / "kappa" / "core.py")
    (told,) = install(second, engine, house)
    assert told == {"installed": {"kappa": "1.0"}}
    restored = compiled(second)
    assert restored.keys() == {"__init__", "core", "late"}
    done = second.run("-c", "import kappa; print(kappa.core.where())", check=True)
    assert done.stdout.strip() == str(second.site / "kappa" / "core.py")
    assert compiled(second) == restored  # Python would replace bytecode that is not valid
    assert not left_overs(second.site) and not list(missing_files(second.site))


@pytest.mark.skipif(not find_uv(), reason="there is no uv")
@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_was_changed_in_the_cache_of_uv_is_found_even_if_it_was_verified_before(
    made: Callable[[str], Environment], house: Path, tmp_path: Path, known: bool
) -> None:
    more = {} if known else {"LIVEINSTALL_NO_CACHE": "1"}
    for name in ("first", "second"):
        install(made(name), "uv", house, **more)
        time.sleep(_SETTLED)
    verified = [path for path in (tmp_path / "user").rglob("verified/*") if path.name != "swept"]
    assert len(verified) == (1 if known else 0)
    (path,) = (tmp_path / "uv").rglob("kappa/unused.py")
    path.write_text("#")  # the file of each environment, too
    third = made("third")
    (told,) = install(third, "uv", house, **more)
    assert told["error"] == "WheelRefusedError" and "kappa/unused.py" in told["message"], told
    assert not (third.site / "kappa").exists() and not left_overs(third.site)


@pytest.mark.skipif(not find_uv(), reason="there is no uv")
def test_another_user_can_neither_be_fooled_nor_hindered_by_what_is_kept(
    made: Callable[[str], Environment], house: Path, tmp_path: Path
) -> None:
    install(made("first"), "uv", house)
    for directory in (tmp_path / "user" / "liveinstall").iterdir():
        directory.chmod(0o777)
    second = made("second")
    (told,) = install(second, "uv", house)
    assert told == {"installed": {"kappa": "1.0"}} and "core" in compiled(second)
