"""A part has the final content: schemes, shebangs, modes, RECORD, manifest."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.capabilities import has_modes
from helpers.in_process_site import Place

from _liveinstall_boot.codec import decode_manifest
from liveinstall._model import Candidate
from liveinstall._staging import file_copy
from liveinstall._staging import part as staging
from liveinstall._staging.bytecode import BytecodeCompiler
from liveinstall._staging.stage import check_conflicts, stage_all
from liveinstall.errors import FileConflictError, StagingError

NONE = BytecodeCompiler()  # never started
FILES = {
    "alpha/__init__.py": "def run(): print('ran')\n",
    "alpha-1.0.data/scripts/tool": "#!python\nprint('tool')\n",
    "alpha-1.0.data/scripts/binary": b"\x7fELF" + b"\0" * 300_000,
    "alpha-1.0.data/data/share/alpha/x.txt": "data",
    "alpha-1.0.data/headers/alpha.h": "int x;",
    "alpha-1.0.data/purelib/alpha/late.py": "",
    "alpha/odd,name.txt": "x",
}


@pytest.fixture
def installed(place):
    place.install(place.candidate("alpha", "1.0", FILES, scripts={"alpha-run": "alpha:run"}))
    return place


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "root")


def test_every_scheme_goes_where_it_belongs(installed):
    root = installed.root
    assert (root / "share/alpha/x.txt").read_text() == "data"
    assert (root / "include/alpha/alpha.h").read_text() == "int x;"
    assert (installed.site / "alpha/late.py").exists()
    assert os.access(root / "bin/binary", os.X_OK)
    assert not list(installed.site.glob("*.data"))


def test_scripts_run_with_the_interpreter_of_the_environment(installed):
    assert (installed.root / "bin/tool").read_text().startswith(f"#!{sys.executable}\n")
    done = subprocess.run(
        [installed.root / "bin/alpha-run"], env={"PYTHONPATH": str(installed.site)}, capture_output=True, text=True
    )
    assert done.stdout == "ran\n", done.stderr


def test_record_is_right_at_the_final_place(installed):
    import csv
    import hashlib
    from base64 import urlsafe_b64encode

    rows = list(csv.reader((installed.site / "alpha-1.0.dist-info/RECORD").read_text().splitlines()))
    named = set()
    for path, hashed, size in rows:
        full = installed.site / path
        named.add(full.resolve())
        if hashed:
            data = full.read_bytes()
            digest = urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            assert (hashed, int(size)) == (f"sha256={digest}", len(data)), path
    files = {p.resolve() for p in installed.root.rglob("*") if p.is_file() and ".liveinstall" not in p.parts}
    assert named == files


@has_modes
def test_the_manifest_names_every_file_with_mode_size_and_hash(place):
    candidate = place.candidate("alpha", "1.0", FILES, scripts={"alpha-run": "alpha:run"})
    part = staging.stage(candidate, place.target, "id", replaces="ff", compiler=NONE)
    text = Path(part.path, ".manifest").read_text()
    assert "transaction id\nreplaces ff\n" in text
    rows = decode_manifest(text)
    below = [path for path in Path(part.path).rglob("*") if path.is_file()]
    on_disk = {path.relative_to(part.path).as_posix() for path in below}
    assert {row[3] for row in rows} == on_disk - {".manifest"}
    for mode, size, _, path in rows:
        status = os.stat(os.path.join(part.path, path))
        assert (status.st_mode & 0o777, status.st_size) == (mode, size)


def test_installer_requested_and_direct_url_are_written(place):
    candidate = place.candidate("alpha", "1.0")
    direct = {"url": "file:///x", "archive_info": {}}
    place.install(Candidate("alpha", "1.0", (), requested=True, wheel=candidate.wheel, direct_url=direct))
    info = place.site / "alpha-1.0.dist-info"
    assert (info / "INSTALLER").read_text() == "liveinstall\n"
    assert (info / "REQUESTED").exists() and "file:///x" in (info / "direct_url.json").read_text()


@has_modes
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_modes_follow_the_umask(place, umask):
    before = os.umask(umask)
    try:
        place.install(place.candidate("alpha", "1.0", FILES))
    finally:
        os.umask(before)
    assert (place.site / "alpha/__init__.py").stat().st_mode & 0o777 == 0o666 & ~umask
    assert (place.root / "bin/tool").stat().st_mode & 0o777 == 0o777 & ~umask


def test_the_same_version_can_be_staged_twice(place):
    first = staging.stage(place.candidate("alpha", "1.0"), place.target, "id", compiler=NONE)
    second = staging.stage(place.candidate("alpha", "1.0"), place.target, "id", compiler=NONE)
    assert [os.path.basename(part.path) for part in (first, second)] == ["alpha-1.0.part", "alpha-1.0-1.part"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_disk_that_refuses_leaves_nothing_behind(place, monkeypatch, code):
    def refuse(out, chunk):
        raise OSError(code, os.strerror(code))

    candidates = [place.candidate("alpha", "1.0"), place.candidate("beta", "1.0")]
    monkeypatch.setattr(file_copy, "_write_all", refuse)
    with pytest.raises(StagingError, match="Nothing was changed"):
        stage_all(candidates, place.target, lambda name: ("id", ""), NONE)
    assert list(place.site.iterdir()) == []


def test_a_large_file_is_whole_or_an_error(place, monkeypatch):
    content = os.urandom(3 * file_copy.LARGE + 17)
    candidate = place.candidate("alpha", "1.0", {"alpha/__init__.py": "", "alpha/data.bin": content})
    part = staging.stage(candidate, place.target, "id", compiler=NONE)
    assert (Path(part.path) / "alpha/data.bin").read_bytes() == content
    written, write = [], file_copy._write_all

    def refuse(out, chunk):
        written.append(len(chunk))
        if len(written) > 3:  # the first pieces of the large file are there
            raise OSError(errno.ENOSPC, "full")
        write(out, chunk)

    monkeypatch.setattr(file_copy, "_write_all", refuse)
    with pytest.raises(StagingError, match="full"):
        staging.stage(candidate, place.target, "id", compiler=NONE)
    assert max(written) == file_copy.LARGE and [path.name for path in place.site.iterdir()] == ["alpha-1.0.part"]


@pytest.mark.parametrize("system_flushes", [True, False])
def test_a_very_large_file_is_flushed_while_it_is_written_and_a_failure_is_an_error(place, monkeypatch, system_flushes):
    content = os.urandom(6 * file_copy.LARGE + 17)
    candidate = place.candidate("alpha", "1.0", {"alpha/__init__.py": "", "alpha/data.bin": content})
    sizes = []

    def fail(handle):
        sizes.append(os.fstat(handle).st_size)
        raise OSError(errno.EIO, "defective")

    monkeypatch.setattr(file_copy, "FLUSHED", 2 * file_copy.LARGE)
    monkeypatch.setattr(os, "fdatasync", lambda handle: sizes.append(os.fstat(handle).st_size), raising=False)
    if not system_flushes:
        monkeypatch.delattr(os, "fdatasync")
    part = staging.stage(candidate, place.target, "id", compiler=NONE)
    assert (Path(part.path) / "alpha/data.bin").read_bytes() == content
    assert (sizes == []) is not system_flushes and all(size >= file_copy.FLUSHED for size in sizes)
    if system_flushes:
        monkeypatch.setattr(os, "fdatasync", fail)
        with pytest.raises(StagingError, match="defective"):
            staging.stage(candidate, place.target, "id", compiler=NONE)


def test_an_unowned_file_or_one_of_another_distribution_is_a_conflict(place):
    (place.site / "alpha").mkdir()
    (place.site / "alpha" / "__init__.py").write_text("mine")
    part = staging.stage(place.candidate("alpha", "1.0"), place.target, "id", compiler=NONE)
    with pytest.raises(FileConflictError) as caught:
        check_conflicts([([part], set())], lambda path: "omega")
    assert caught.value.owner == "omega" and caught.value.path.endswith("__init__.py")
    check_conflicts([([part], set(part.files))], lambda path: "")
    with pytest.raises(FileConflictError):
        check_conflicts([([], set(part.files)), ([part], set())], lambda path: "omega")


def test_two_parts_may_not_bring_the_same_file(place):
    parts = stage_all(
        [place.candidate("alpha", "1.0", {"tests/x.py": ""}), place.candidate("beta", "1.0", {"tests/x.py": ""})],
        place.target,
        lambda name: ("id", ""),
        NONE,
    )
    with pytest.raises(FileConflictError):
        check_conflicts([(parts.values(), set())], lambda path: "")


def test_pip_keeps_its_script_with_the_version_of_python(place):
    place.install(
        place.candidate("pip", "1.0", {"pip/__init__.py": ""}, scripts={"pip": "alpha:run", "pip3": "alpha:run"})
    )
    place.install(place.candidate("alpha", "1.0", {"a.py": ""}, scripts={"a": "a:run"}))
    alias = f"pip{sys.version_info[0]}.{sys.version_info[1]}"
    scripts = Path(place.target.scripts)
    assert {path.name.removesuffix(".exe") for path in scripts.iterdir()} >= {"a", "pip", "pip3", alias}
    record = (Path(place.target.site) / "pip-1.0.dist-info" / "RECORD").read_text()
    assert re.search(rf"/{alias}(\.exe)?,sha256=", record)
