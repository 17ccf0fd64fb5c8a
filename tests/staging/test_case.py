"""Names that differ only in case: two files on a case-sensitive file system, refused with the reason elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers.environments import make_wheel
from helpers.imitated_file_systems import Folding
from helpers.in_process_site import Place

from liveinstall._model import Candidate
from liveinstall._staging.bytecode import BytecodeCompiler
from liveinstall._staging.part import stage
from liveinstall._system import letter_case
from liveinstall.errors import WheelRefusedError

TESTS = Path(__file__).parents[1]
TWINS = {"twin.py": "V = 'small'\n", "Twin.py": "V = 'large'\n"}


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(letter_case, "_answers", {})


@pytest.fixture
def counting(tmp_path):
    if letter_case.folds_case(str(tmp_path)):
        pytest.skip("the file system folds case")
    letter_case._answers.clear()


def fold(root, monkeypatch):
    folding = Folding(root)
    for name in ("stat", "lstat", "listdir"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda path=".", *a, real=real, **k: real(folding.real(path), *a, **k))


def stage_twins(tmp_path, files=TWINS, **more):
    place = Place(tmp_path / "root")
    (place.site / "here").touch()
    wheel = make_wheel(tmp_path, "good", "1.0", files, **more)
    candidate = Candidate("good", "1.0", (), requested=True, wheel=str(wheel))
    return stage(candidate, place.target, "id", compiler=BytecodeCompiler())


def test_the_file_system_is_observed_once_for_each_device(tmp_path, monkeypatch, counting):
    (tmp_path / "name").touch()
    assert letter_case.folds_case(str(tmp_path / "not" / "there")) is False
    monkeypatch.setattr(letter_case, "_observe", None)
    assert letter_case.folds_case(str(tmp_path)) is False


def test_a_folding_file_system_is_recognised(tmp_path, monkeypatch):
    (tmp_path / "name").touch()
    fold(tmp_path, monkeypatch)
    assert letter_case.folds_case(str(tmp_path)) is True
    assert letter_case.name_on_disk(str(tmp_path / "NAME"), str(tmp_path)) == str(tmp_path / "name")
    assert letter_case.name_on_disk(str(tmp_path / "other" / "X"), str(tmp_path)) == str(tmp_path / "other" / "X")


def test_an_empty_directory_is_recognised_by_its_own_name(tmp_path, counting):
    (tmp_path / "empty").mkdir()
    assert letter_case.folds_case(str(tmp_path / "empty")) is False


def test_two_links_to_one_file_are_two_names(tmp_path, counting):
    (tmp_path / "a").touch()
    os.link(tmp_path / "a", tmp_path / "A")
    assert letter_case.folds_case(str(tmp_path)) is False


def test_where_nothing_can_be_observed_names_count_as_folded(tmp_path, monkeypatch):
    monkeypatch.setattr(letter_case, "_observe", lambda directory: None)
    assert letter_case.folds_case(str(tmp_path)) is True and letter_case._answers == {}


def test_a_wheel_with_such_names_brings_two_files(tmp_path, counting):
    part = stage_twins(tmp_path)
    assert {"twin.py", "Twin.py"} <= {os.path.basename(path) for path in part.files}


@pytest.mark.parametrize("files", [TWINS, {"Sub/a.py": "", "sub/A.py": ""}, {"sub": "", "SUB/a.py": ""}])
def test_where_the_file_system_folds_case_it_is_refused_with_the_reason(tmp_path, monkeypatch, files):
    (tmp_path / "root").mkdir()
    fold(tmp_path / "root", monkeypatch)
    with pytest.raises(WheelRefusedError, match=r"is the same file as|is a file and also a directory"):
        stage_twins(tmp_path, files)


def test_so_are_two_commands_of_a_wheel(tmp_path, monkeypatch):
    (tmp_path / "root").mkdir()
    fold(tmp_path / "root", monkeypatch)
    with pytest.raises(WheelRefusedError, match="'Tool' is the same file as 'tool'"):
        stage_twins(tmp_path, {}, scripts={"tool": "good:go", "Tool": "good:go"})


def test_names_that_are_equal_after_normalisation_are_refused_everywhere(tmp_path, counting):
    with pytest.raises(WheelRefusedError, match="is the same file as"):
        stage_twins(tmp_path, {"\u00e9.py": "", "e\u0301.py": ""})


def write_twins(env):
    env.wheel("small", "1.0", {"twin.py": "V = 'small'\n"})
    env.wheel("large", "1.0", {"Twin.py": "V = 'large'\n"})


@pytest.mark.parametrize("calls", ["li.install('small', 'large')", "li.install('small'); li.install('large')"])
def test_two_distributions_with_such_names_are_installed_and_removed_one_by_one(env, counting, calls):
    write_twins(env)
    env.run(calls)
    assert env.run("import twin, Twin; print(twin.V, Twin.V)").stdout == "small large\n"
    env.run("li.uninstall('large')")
    assert (env.site / "twin.py").exists() and not (env.site / "Twin.py").exists()


FOLDING = f"""
import pathlib, sys
sys.path.insert(0, {str(TESTS)!r})
from helpers.imitated_file_systems import Folding
Folding(pathlib.Path(sys.prefix)).put_in_place()
"""


def test_where_the_file_system_folds_case_two_distributions_are_refused_with_the_reason(env):
    write_twins(env)
    refused = "try: li.install({})\nexcept li.errors.FileConflictError as error: print(error.owner, error)\n"
    both = env.run(FOLDING + refused.format("'small', 'large'"))
    assert "is the same file as" in both.stdout and "on this file system" in both.stdout, both.stderr
    assert not list(env.site.glob("*win.py")) and not list(env.site.glob("*.part"))
    env.run("li.install('small')")
    later = env.run(FOLDING + refused.format("'large'"))
    large, small = env.site / "Twin.py", env.site / "twin.py"
    expected = f"small large 1.0 would overwrite {large}, which is the same file as {small}"
    assert later.stdout.startswith(expected), later.stdout + later.stderr
    assert "belongs to small" in later.stdout and (env.site / "twin.py").read_text() == "V = 'small'\n"
