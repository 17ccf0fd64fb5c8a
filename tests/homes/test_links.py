"""Trees of links: real directories only where they differ."""

from __future__ import annotations

import os

import pytest
from helpers.capabilities import has_links
from helpers.environments import tree as content

from liveinstall._homes.future import launcher
from liveinstall._homes.links import drop, lay, listed, make, opened


@pytest.fixture
def real(tmp_path):
    if not has_links():
        pytest.skip("symbolic links are not allowed here")
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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_files_are_written_and_scripts_are_executable(tmp_path):
    place = made({"run": b"#!/bin/sh\n", "sub": {"data": b"x"}}, tmp_path)
    assert os.access(place / "run", os.X_OK) and not os.access(place / "sub" / "data", os.X_OK)


def test_where_windows_allows_no_symbolic_links_a_tree_is_made_of_hard_links_and_on_another_volume_of_copies(
    tmp_path, monkeypatch
):
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "file").write_text("x")
    os.utime(source / "deep" / "file", (1, 1))
    for name in ("linked", "copied"):
        place = tmp_path / name
        place.mkdir()
        with monkeypatch.context() as patch:
            patch.setattr(os, "name", "nt")
            patch.setattr(os, "symlink", None)
            if name == "copied":
                patch.setattr(os, "link", refuse)
            make({"all": str(source), "one": str(source / "deep" / "file")}, str(place))
        for path in (place / "all" / "deep" / "file", place / "one"):
            assert not path.is_symlink() and path.read_text() == "x"
        if name == "copied":
            assert (place / "one").stat().st_nlink == 1 and (place / "one").stat().st_mtime == 1


def refuse(*_):
    raise OSError(17, "The system cannot move the file to a different disk drive")


def test_a_launcher_of_windows_starts_the_new_interpreter_and_one_that_cannot_be_adapted_is_left_out(tmp_path):
    old, new = os.path.join(os.sep, "env", "Scripts"), os.path.join(os.sep, "trial", "Scripts")
    python = os.path.join(old, "python.exe").encode()
    program = tmp_path / "tool.exe"
    for quote in (b"", b'"'):
        program.write_bytes(b"MZ\0#!" + quote + python + quote + b"\nPK\3\4")
        assert launcher(str(program), [old], new) == program.read_bytes().replace(old.encode(), new.encode())
    for other in (b"MZ\0" + python + b"\0UVUV", b"MZ\0" + python.decode().encode("utf-16-le")):
        program.write_bytes(other)
        assert launcher(str(program), [old], new) is None
    program.write_bytes(b"MZ\0a program of its own")
    assert launcher(str(program), [old], new) == str(program)
    program = program.rename(tmp_path / "pythonw.exe")
    assert launcher(str(program), [old], new) == program.read_bytes()
