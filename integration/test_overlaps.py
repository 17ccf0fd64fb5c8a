"""Real distributions that contain the same files, with both engines, compared with pip: the same files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from integration.lib.environments import Environment, add_liveinstall
from integration.lib.interpreters import CURRENT, find_python

_CUDA = ("nvidia-nvtx-cu12==12.8.90", "nvidia-cuda-runtime-cu12==12.8.90")
_BACKPORTS = ("backports.tempfile==1.0", "backports.functools-lru-cache==1.6.4")
_PRELUDE = "import json, os, sys, liveinstall as li\n"


@pytest.fixture
def place(tmp_path: Path, wheel: Path) -> Environment:
    """An environment with liveinstall and its dependencies only."""
    base = find_python(CURRENT)
    assert base
    made = Environment.make(tmp_path / "venv", base)
    add_liveinstall(made, wheel)
    return made


@pytest.fixture
def beside(tmp_path: Path) -> Environment:
    """One without liveinstall, for pip."""
    base = find_python(CURRENT)
    assert base
    return Environment.make(tmp_path / "pip", base)


def run(place: Environment, code: str) -> list[object]:
    """The JSON that the code printed."""
    done = place.run("-c", _PRELUDE + code)
    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout.splitlines()[-1])
    return found


def pip(place: Environment, *words: str) -> None:
    """Run pip in the environment."""
    command = [sys.executable, "-m", "pip", "--python", str(place.python), "-q", *words]
    subprocess.run(command, check=True, capture_output=True)


def files(place: Environment, *tops: str) -> dict[str, bytes]:
    """The files below these names, without bytecode."""
    found = [path for top in tops for path in (place.site / top).rglob("*") if path.is_file()]
    return {str(path.relative_to(place.site)): path.read_bytes() for path in found if path.suffix != ".pyc"}


@pytest.mark.parametrize("engine", ["pip", "uv"])
@pytest.mark.parametrize(("pair", "top", "different"), [(_CUDA, "nvidia", 0), (_BACKPORTS, "backports", 1)])
def test_families_that_share_a_file_are_installed_and_removed_one_by_one(
    place: Environment, beside: Environment, engine: str, pair: tuple[str, str], top: str, different: int
) -> None:
    """With pip the remaining one lacks the shared file; here the file stays as long as one RECORD lists it."""
    asked = f"li.install(*{pair!r}, engine={engine!r}, deps=False)"
    told = run(place, f"done = {asked}; print(json.dumps([len(done.installed), len(done.overlaps)]))")
    assert told == [2, different]
    pip(beside, "install", "--no-deps", *pair)
    assert files(place, top) == files(beside, top) != {}
    both = files(place, top)
    for gone, left in (pair, pair[::-1]):
        name = gone.partition("==")[0]
        told = run(place, f"li.uninstall({name!r}); print(json.dumps([len(li.check().damaged), len(li.doctor())]))")
        assert told == [0, 0], f"{left} is damaged without {gone}"
        run(place, "li.undo(); print('[]')")
        assert files(place, top) == both
    run(place, f"li.uninstall(*{[each.partition('==')[0] for each in pair]!r}); print('[]')")
    assert files(place, top) == {}


@pytest.mark.parametrize("tool", ["pip", "liveinstall"])
def test_what_pip_has_installed_both_of_or_one_of_is_shared_too(place: Environment, tool: str) -> None:
    """The other one was installed by liveinstall, or also by pip."""
    pip(place, "install", "--no-deps", _BACKPORTS[0])
    if tool == "pip":
        pip(place, "install", "--no-deps", _BACKPORTS[1])
    else:
        run(place, f"li.install({_BACKPORTS[1]!r}, deps=False); print('[]')")
    both = files(place, "backports")
    run(place, "li.uninstall('backports.functools-lru-cache'); print('[]')")
    assert "backports/__init__.py" in files(place, "backports")
    lost = ["changed"] if tool == "pip" else []  # pip has overwritten it, and the two differ
    assert run(place, "print(json.dumps([each.kind for each in li.doctor()]))") == lost
    run(place, "li.undo(); print('[]')")
    assert files(place, "backports") == both
    run(place, "li.install('backports.functools-lru-cache==1.6.6', deps=False); print('[]')")
    assert "backports/__init__.py" in files(place, "backports")  # 1.6.6 has none; that of the other one exists


@pytest.mark.parametrize("engine", ["pip", "uv"])
def test_code_that_moves_to_a_new_distribution_is_pending_with_the_loaded_one(place: Environment, engine: str) -> None:
    """Typer 0.12.0 moved its code to typer-slim."""
    told = run(
        place,
        f"""
li.install("typer==0.11.1", engine={engine!r})
import typer
done = li.install("typer==0.12.0", engine={engine!r})
import typer.testing, typer.completion
print(json.dumps([typer.__version__, sorted(change.name for change in done.staged), len(li.pending())]))
""",
    )
    assert told[0] == "0.11.1" and {"typer", "typer-slim"} <= set(told[1]) and told[2] == 1
    told = run(place, "import typer, typer.testing; print(json.dumps([typer.__version__, len(li.doctor())]))")
    assert told == ["0.12.0", 0]
    run(place, "li.undo(); print('[]')")
    assert run(place, "import typer, typer.testing; print(json.dumps(typer.__version__))") == "0.11.1"


def test_another_version_of_the_same_module_has_the_files_and_gives_them_back(place: Environment) -> None:
    """Typer 0.11.1 and typer-slim 0.12.0 contain the same package: the last one wins, as with pip."""
    told = run(
        place,
        """
li.install("typer==0.11.1")
before = open(li.list()[0].place + "/typer/__init__.py").read()
done = li.install("typer-slim==0.12.0", deps=False)
init = next(each for each in done.overlaps if each.path.endswith("typer/__init__.py"))
print(json.dumps([init.owner, init.others, init.kept, len(done.overlaps) > 0, li.check().ok]))
""",
    )
    assert told == ["typer-slim", ["typer"], ["typer"], True, True]
    assert run(place, "import typer; print(json.dumps(typer.__version__))") == "0.12.0"
    run(place, "li.uninstall('typer-slim'); print('[]')")
    assert run(place, "import typer; print(json.dumps([typer.__version__, len(li.doctor())]))") == ["0.11.1", 0]


def test_a_linked_environment_takes_distributions_that_share_files(place: Environment, tmp_path: Path) -> None:
    told = run(
        place,
        f"""
home = li.homes.create({str(tmp_path / "linked")!r}, *{_BACKPORTS!r})
(overlap,) = home.overlaps
try:
    li.homes.create({str(tmp_path / "strict")!r}, *{_BACKPORTS!r}, overlap="refuse")
except li.errors.FileConflictError as error:
    print(json.dumps([os.path.basename(overlap.path), overlap.path.startswith(home.path), os.path.exists(home.python)]))
""",
    )
    assert told == ["__init__.py", True, True]
    code = "import backports.tempfile, backports.functools_lru_cache; print('both')"
    assert subprocess.check_output([tmp_path / "linked/bin/python", "-c", code], text=True) == "both\n"
    assert not (tmp_path / "strict").exists()
