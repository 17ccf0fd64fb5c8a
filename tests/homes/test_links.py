"""Trees of links: opened only where something differs."""

from __future__ import annotations

import os

import pytest
from helpers.environments import tree as content

from liveinstall._homes.links import drop, lay, listed, make, opened


@pytest.fixture
def real(tmp_path):
    for path in ("pkg/a.py", "pkg/sub/b.py", "ns/one/x.py", "top.py", "lib/libx.so.1"):
        (tmp_path / "real" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "real" / path).write_text(path)
    (tmp_path / "real" / "lib" / "libx.so").symlink_to("libx.so.1")
    return tmp_path / "real"


def made(tree, tmp_path):
    (tmp_path / "made").mkdir()
    make(tree, str(tmp_path / "made"))
    return tmp_path / "made"


def test_what_is_whole_is_one_link(real, tmp_path):
    place = made(listed(str(real)), tmp_path)
    assert all(path.is_symlink() for path in place.iterdir())
    assert (place / "pkg" / "sub" / "b.py").read_text() == "pkg/sub/b.py"


def test_what_is_dropped_opens_only_its_way_and_takes_empty_directories_with_it(real, tmp_path):
    tree = listed(str(real))
    drop(tree, "pkg/a.py")
    drop(tree, "ns/one/x.py")
    drop(tree, "not/there")
    drop(tree, "top.py/below")
    place = made(tree, tmp_path)
    assert "ns" not in tree and not (place / "pkg").is_symlink() and (place / "pkg" / "sub").is_symlink()
    assert sorted(os.listdir(place / "pkg")) == ["sub"] and (place / "top.py").exists()
    assert content(real).keys() > {"pkg/a.py", "ns/one/x.py"}


def test_what_is_laid_over_a_directory_is_merged_and_never_over_a_file(real, tmp_path):
    new = tmp_path / "new" / "ns"
    (new / "one").mkdir(parents=True)
    (new / "one" / "y.py").write_text("y")
    (new / "two").mkdir()
    tree = listed(str(real))
    lay(tree, "ns", str(new))
    with pytest.raises(FileExistsError):
        lay(tree, "top.py", str(new / "one" / "y.py"))
    place = made(tree, tmp_path)
    assert sorted(os.listdir(place / "ns" / "one")) == ["x.py", "y.py"] and (place / "ns" / "two").is_symlink()
    assert not (real / "ns" / "one" / "y.py").exists()


def test_links_within_a_directory_stay_as_they_are(real, tmp_path):
    tree = listed(str(real))
    opened(tree, "lib")
    assert os.readlink(made(tree, tmp_path) / "lib" / "libx.so") == "libx.so.1"


def test_files_are_written_and_scripts_are_executable(tmp_path):
    place = made({"run": b"#!/bin/sh\n", "sub": {"data": b"x"}}, tmp_path)
    assert os.access(place / "run", os.X_OK) and not os.access(place / "sub" / "data", os.X_OK)
