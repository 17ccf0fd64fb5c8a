"""An unpacked wheel is checked by the rules of wheels and linked, never changed."""

from __future__ import annotations

import os
import sys
import zipfile
from contextlib import nullcontext
from pathlib import Path

import pytest
from helpers.capabilities import can_symlink, has_fifos, has_modes
from helpers.environments import make_wheel, tree

from integration.lib.hostile import KINDS, build
from liveinstall._model import Candidate
from liveinstall._staging.bytecode import BytecodeCompiler
from liveinstall._staging.part import stage
from liveinstall._staging.policy import start_notes
from liveinstall.errors import StagingError, WheelRefusedError
from liveinstall.results import Target

SCRIPTS = {"big-run": "big:main"}
FILES = {
    "big/__init__.py": "def main(): pass\n",
    "big/data.bin": b"\0" * 5000,
    "big-1.0.data/scripts/tool": "#!python\nprint()\n",
    "big-1.0.data/scripts/plain.sh": "#!/bin/sh\n",
    "big-1.0.data/data/share/x": "x",
}


@pytest.fixture
def target(tmp_path):
    env = tmp_path / "env"
    site = env / "lib" / "site-packages"
    site.mkdir(parents=True)
    places = {"scripts": str(env / "bin"), "headers": str(env / "include"), "data": str(env)}
    return Target(python=sys.executable, kind="venv", site=str(site), platlib=str(site), **places)


def unpack(wheel, directory):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory)
    return directory


def staged(root, target, name="big", *, shared=True):
    with nullcontext(BytecodeCompiler()) as compiler:
        candidate = Candidate(name, "1.0", (), requested=True, unpacked=str(root), shared=shared)
        return stage(candidate, target, "t1", compiler=compiler)


@pytest.fixture
def cache(tmp_path):
    """big 1.0 in a cache, with scripts and data."""
    return unpack(make_wheel(tmp_path / "wheels", "big", "1.0", FILES, scripts=SCRIPTS), tmp_path / "cache" / "x1")


def test_the_part_is_the_same_as_from_the_wheel(tmp_path, cache, target):
    wheel = tmp_path / "wheels" / "big-1.0-py3-none-any.whl"
    of_tree = staged(cache, target)
    os.rename(of_tree.path, tmp_path / "first")
    of_wheel = stage(
        Candidate("big", "1.0", (), requested=True, wheel=str(wheel)), target, "t1", compiler=BytecodeCompiler()
    )
    assert sorted(of_tree.files) == sorted(of_wheel.files)
    first, second = tree(tmp_path / "first"), tree(tmp_path / of_wheel.path)
    for unordered in ("big-1.0.dist-info/RECORD", ".manifest"):
        texts = [(tmp_path / root / unordered).read_text().splitlines() for root in ("first", of_wheel.path)]
        one, other = (sorted(each for each in rows if "/RECORD" not in each and each[:5] != "boot ") for rows in texts)
        assert one == other
        del first[unordered], second[unordered]
    assert first == second


@pytest.mark.skipif(os.name == "nt", reason="on Windows files are copied, because loaded libraries cannot be removed")
def test_files_are_links_except_the_rewritten_ones(cache, target):
    before = {str(path): (path.stat().st_mode, path.read_bytes()) for path in cache.rglob("*") if path.is_file()}
    part = staged(cache, target)
    links = {
        os.path.relpath(os.path.join(directory, name), part.path): os.stat(os.path.join(directory, name)).st_nlink
        for directory, _, names in os.walk(part.path)
        for name in names
    }
    alone = {path for path, count in links.items() if count == 1}
    scripts = {f"big-1.0.data/scripts/{name}" for name in ("tool", "plain.sh", "big-run")}
    written = {f"big-1.0.dist-info/{name}" for name in ("RECORD", "INSTALLER", "REQUESTED")}
    assert links["big-1.0.data/data/share/x"] == links["big/data.bin"] == 2
    assert alone == scripts | written | {".manifest"}
    assert {
        str(path): (path.stat().st_mode, path.read_bytes()) for path in cache.rglob("*") if path.is_file()
    } == before


@pytest.mark.skipif(os.name == "nt", reason="on Windows `installer` writes all files")
def test_data_files_and_scripts_need_no_installer(cache, target, monkeypatch):
    monkeypatch.setitem(sys.modules, "liveinstall._staging.installer_adapter", None)
    scripts = Path(staged(cache, target).path, "big-1.0.data", "scripts")
    assert (scripts / "tool").read_text() == f"#!{sys.executable}\nprint()\n"
    assert {path.stat().st_mode & 0o111 for path in scripts.iterdir()} == {0o111}


@pytest.mark.skipif(os.name == "nt", reason="on Windows `installer` writes all files")
def test_a_changed_script_is_refused(cache, target):
    (cache / "big-1.0.data" / "scripts" / "tool").write_text("#!python\nprunt()\n")
    with pytest.raises(WheelRefusedError, match="does not match its RECORD"):
        staged(cache, target)
    assert os.listdir(target.site) == []


@pytest.mark.parametrize(
    "why", ["asked", "refused", pytest.param("owner", marks=has_modes), pytest.param("set-id", marks=has_modes)]
)
def test_what_cannot_be_shared_is_copied(cache, target, monkeypatch, why):
    def refuse(*_, **__):
        raise OSError(18, "Invalid cross-device link")

    if why == "refused":
        monkeypatch.setattr("liveinstall._staging.unpacked_wheel.os.link", refuse)
    if why == "owner":
        monkeypatch.setattr("liveinstall._staging.unpacked_wheel.os.geteuid", lambda: 4711)
    if why == "set-id":
        (cache / "big" / "data.bin").chmod(0o4755)
    part = staged(cache, target, shared=why != "asked")
    copy = os.stat(os.path.join(part.path, "big", "data.bin"))
    assert (copy.st_nlink, copy.st_size, copy.st_mode & 0o7000) == (1, 5000, 0)


def spoil_content(root):
    (root / "big" / "data.bin").write_bytes(b"\1" * 5000)


def spoil_with_more(root):
    (root / "big" / "more.py").write_text("")


def spoil_with_less(root):
    (root / "big" / "data.bin").unlink()


def spoil_with_a_link(root):
    (root / "big" / "data.bin").unlink()
    (root / "big" / "data.bin").symlink_to("/etc/passwd")


def spoil_with_a_pipe(root):
    os.mkfifo(root / "big" / "pipe")


def spoil_identity(root):
    os.rename(root / "big-1.0.dist-info", root / "big-2.0.dist-info")


SPOILERS = [
    *(spoil_content, spoil_with_more, spoil_with_less, spoil_identity),
    pytest.param(spoil_with_a_link, marks=can_symlink),
    pytest.param(spoil_with_a_pipe, marks=has_fifos),
]


@pytest.mark.parametrize("spoil", SPOILERS)
def test_a_tree_that_is_not_what_its_record_says_is_refused(cache, target, spoil):
    spoil(cache)
    with pytest.raises(WheelRefusedError):
        staged(cache, target)
    assert os.listdir(target.site) == []


def test_a_plan_tells_what_of_a_tree_runs_at_start(tmp_path):
    (tmp_path / "x" / "evil-1.0.data" / "purelib").mkdir(parents=True)
    (tmp_path / "x" / "evil-1.0.data" / "purelib" / "evil.pth").touch()
    (note,) = start_notes("evil", str(tmp_path / "x"))
    assert (
        note == "evil: evil-1.0.data/purelib/evil.pth runs at every start of Python" and start_notes("evil", "") == ()
    )


def test_a_missing_tree_leaves_nothing(tmp_path, target):
    with pytest.raises(StagingError):
        staged(tmp_path / "gone", target)
    assert os.listdir(target.site) == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].expected == "refused"])
def test_what_a_hostile_tree_still_shows_is_refused(kind, tmp_path, target):
    """Unpacked by zipfile, with any result: refused, or none of its files is written elsewhere."""
    wheel = build(kind, tmp_path / "wheels", outside=tmp_path / "outside")
    try:
        root = unpack(wheel, tmp_path / "cache")
    except Exception:
        return  # it cannot be unpacked
    try:
        part = staged(root, target, kind.replace("_", "-"))
    except (WheelRefusedError, StagingError):
        assert os.listdir(target.site) == []
    else:
        assert all(os.path.commonpath([path, target.data]) == target.data for path in part.files)
