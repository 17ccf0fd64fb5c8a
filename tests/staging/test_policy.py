"""Hostile wheels are refused by name before anything is unpacked, and leave nothing behind."""

from __future__ import annotations

import stat
import zipfile

import pytest
from places import Place
from support import make_wheel, record_row

from liveinstall.errors import LiveInstallError, WheelRefusedError
from liveinstall.model import Candidate
from liveinstall.staging.bytecode import BytecodeCompiler
from liveinstall.staging.part import stage
from liveinstall.staging.policy import check_wheel

INFO = "evil-1.0.dist-info"


def stage_evil(path, place):
    candidate = Candidate("evil", "1.0", (), requested=True, wheel=str(path))
    return stage(candidate, place.target, "id", compiler=BytecodeCompiler())


def rewrite(path, change):
    """Rewrite a wheel: `change(name -> content)` edits it; RECORD is made anew unless it was edited."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    record = content[f"{INFO}/RECORD"]
    change(content)
    if content.get(f"{INFO}/RECORD") == record:
        rows = [record_row(name, data) for name, data in content.items() if name != f"{INFO}/RECORD"]
        content[f"{INFO}/RECORD"] = ("".join(rows) + f"{INFO}/RECORD,,\n").encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def add(name, data=b"x"):
    return lambda content: content.update({name: data})


def edit(name, old, new):
    return lambda content: content.update({name: content[name].replace(old, new)})


EVIL = {
    "traversal": add("evil/../../out.py"),
    "absolute": add("/tmp/out.py"),
    "dot": add("evil/./a.py"),
    "backslash": add("evil\\out.py"),
    "control character": add("evil/a\x07.py"),
    "colon": add("evil/a:b.py"),
    "reserved name": add("evil/NUL.py"),
    "trailing dot": add("evil/a."),
    "case twin": add("EVIL/__init__.py"),
    "unicode twin": lambda c: c.update({"evil/\u00e9.py": b"", "evil/e\u0301.py": b""}),
    "a part of ours": add("evil-2.0.part/x.py"),
    "a companion of ours": add("evil-2.0.part.pth"),
    "our state": add(".liveinstall/lock"),
    "second dist-info": add("other-1.0.dist-info/METADATA"),
    "an egg-info": add("other.egg-info"),
    "foreign data": add("other-1.0.data/scripts/x"),
    "unknown scheme": add("evil-1.0.data/etc/x"),
    "an interpreter": add("evil-1.0.data/scripts/python3"),
    "a nested script": add("evil-1.0.data/scripts/a/b"),
    "an interpreter entry point": add(f"{INFO}/entry_points.txt", b"[console_scripts]\npython3.11 = evil:x\n"),
    "a path entry point": add(f"{INFO}/entry_points.txt", b"[console_scripts]\n../x = evil:x\n"),
    "other name": edit(f"{INFO}/METADATA", b"Name: evil", b"Name: good"),
    "other version": edit(f"{INFO}/METADATA", b"Version: 1.0\n", b"Version: 2.0\n"),
    "future wheel": edit(f"{INFO}/WHEEL", b"Wheel-Version: 1.0", b"Wheel-Version: 9.0"),
    "no metadata": lambda c: c.pop(f"{INFO}/METADATA"),
    "ghost row": edit(f"{INFO}/RECORD", b"evil/late.py", b"evil/other.py"),
    "twice in RECORD": lambda c: c.update({f"{INFO}/RECORD": c[f"{INFO}/RECORD"] + b"evil/late.py,sha256=x,1\n"}),
    "weak hash": edit(f"{INFO}/RECORD", b"sha256=", b"md5="),
    "no hash": edit(f"{INFO}/RECORD", b"evil/late.py,sha256=", b"evil/late.py,"),
    "wrong hash": edit(f"{INFO}/RECORD", b"evil/late.py,sha256=", b"evil/late.py,sha256=A"),
}


@pytest.mark.parametrize("kind", EVIL)
def test_a_hostile_wheel_is_refused_and_leaves_nothing(tmp_path, kind):
    place = Place(tmp_path / "root")
    path = make_wheel(tmp_path, "evil", "1.0")
    rewrite(path, EVIL[kind])
    before = place.state()
    with pytest.raises(WheelRefusedError) as caught:
        stage_evil(path, place)
    assert isinstance(caught.value, LiveInstallError) and caught.value.wheel == path.name
    assert place.state() == before and list(place.site.iterdir()) == []


def test_content_that_is_not_what_record_says_is_refused(tmp_path):
    place = Place(tmp_path / "root")
    path = make_wheel(tmp_path, "evil", "1.0")
    with zipfile.ZipFile(path) as archive:
        record = archive.read(f"{INFO}/RECORD")
    rewrite(
        path,
        lambda c: c.update(
            {"evil/late.py": b"V = '6.6'\n", f"{INFO}/RECORD": record + f"{INFO}/RECORD.jws,,\n".encode()}
        ),
    )
    with pytest.raises(WheelRefusedError, match="not what its RECORD says"):
        stage_evil(path, place)
    assert list(place.site.iterdir()) == []


@pytest.mark.parametrize("where", ["before", "after"])
def test_data_around_the_archive_is_refused(tmp_path, where):
    path = make_wheel(tmp_path, "evil", "1.0")
    data = path.read_bytes()
    path.write_bytes(b"MZ" * 50 + data if where == "before" else data + b"x" * 200)
    with zipfile.ZipFile(path) as archive, pytest.raises(WheelRefusedError):
        check_wheel(archive, path.name, size=path.stat().st_size)


def test_a_link_in_a_wheel_is_refused(tmp_path):
    path = make_wheel(tmp_path, "evil", "1.0")
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("evil/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with zipfile.ZipFile(path) as archive, pytest.raises(WheelRefusedError, match="link"):
        check_wheel(archive, path.name, size=path.stat().st_size)


def test_a_wheel_whose_name_says_something_else_is_refused(tmp_path):
    path = make_wheel(tmp_path, "evil", "1.0").rename(tmp_path / "good-1.0-py3-none-any.whl")
    with zipfile.ZipFile(path) as archive, pytest.raises(WheelRefusedError):
        check_wheel(archive, path.name, size=path.stat().st_size)


@pytest.mark.parametrize("cut", [10, 200])
def test_a_truncated_wheel_is_refused(tmp_path, cut):
    place = Place(tmp_path / "root")
    path = make_wheel(tmp_path, "evil", "1.0")
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(WheelRefusedError, match="not a whole wheel"):
        stage_evil(path, place)
    assert list(place.site.iterdir()) == []


def test_what_runs_at_every_start_is_shown(tmp_path):
    path = make_wheel(tmp_path, "Good", "1.0", {"good.pth": "import os\n", "sitecustomize.py": "", "good/x.pth": ""})
    with zipfile.ZipFile(path) as archive:
        notes = check_wheel(archive, path.name, size=path.stat().st_size).notes
    assert [note.split()[1] for note in notes] == ["good.pth", "sitecustomize.py"]
