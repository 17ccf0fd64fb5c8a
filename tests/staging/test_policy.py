"""Wheels that the policy accepts, and that no damaged wheel is accepted. The hostile kinds are in test_hostile.py."""

from __future__ import annotations

import random
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest
from helpers.environments import make_wheel, record_row
from helpers.in_process_site import Place
from hypothesis import given
from hypothesis import strategies as st

from _liveinstall_boot.layout import MANIFEST
from liveinstall._model import Candidate
from liveinstall._staging.bytecode import BytecodeCompiler
from liveinstall._staging.part import stage
from liveinstall._staging.policy import check_wheel, read_head
from liveinstall.errors import LiveInstallError, WheelRefusedError

INFO = "good-1.0.dist-info"


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "root")


def stage_good(path, place, name="good"):
    candidate = Candidate(name, "1.0", (), requested=True, wheel=str(path))
    return stage(candidate, place.target, "id", compiler=BytecodeCompiler())


def rewrite(path, change):
    """Rewrite a wheel: `change(name -> content)` edits it; RECORD is generated again unless it was edited."""
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
    def change(content):
        assert old in content[name]
        content[name] = content[name].replace(old, new)

    return change


FINE = {
    "blank rows in RECORD": edit(f"{INFO}/RECORD", b"\n", b"\r\n\r\n"),
    "padded hashes": edit(f"{INFO}/RECORD", b",22\n", b"=,22\n"),
    "no sizes": edit(f"{INFO}/RECORD", b",22\n", b",\n"),
    "a signature without a row": lambda c: c.update(
        {f"{INFO}/RECORD.jws": b"x", f"{INFO}/RECORD": c[f"{INFO}/RECORD"]}
    ),
    "entry points of others": add(
        f"{INFO}/entry_points.txt", b"[x.y]\na b = c.d\n[console_scripts]\ngo = good:go [x]\n"
    ),
    "a part deep inside": add("good/videos/one.part"),
    "a vendored dist-info": add("good/_vendor/other-1.0.dist-info/METADATA"),
    "names of other languages": add("good/\u4f60\u597d.txt"),
    "data at ordinary places": add("good-1.0.data/data/etc/good/good.conf"),
    "empty directories with odd names, of which none is made": lambda c: c.update(
        {"good/odd./": b"", "good/nul/": b"", "good/a:b/": b"", f"{INFO}/RECORD": c[f"{INFO}/RECORD"] + b"\n"}
    ),
    "the root and a directory itself as directories": lambda c: c.update(
        {"./": b"", "good/./": b"", f"{INFO}/RECORD": c[f"{INFO}/RECORD"] + b"\n"}
    ),
    "backslashes in RECORD": edit(f"{INFO}/RECORD", b"/", b"\\"),
    "an old format": edit(f"{INFO}/WHEEL", b"Wheel-Version: 1.0", b"Wheel-Version: 0.1"),
    "a format of one number": edit(f"{INFO}/WHEEL", b"Wheel-Version: 1.0", b"Wheel-Version: 1"),
    "an unusual spelling of Root-Is-Purelib": edit(f"{INFO}/WHEEL", b"true", b"True"),
}


@pytest.mark.parametrize("kind", FINE)
def test_what_is_unusual_but_harmless_passes(tmp_path, place, kind):
    path = make_wheel(
        tmp_path, "good", "1.0", {"good/__init__.py": "x = 1\n", "good/late.py": "V = 1  # of 22 bytes.\n"}
    )
    rewrite(path, FINE[kind])
    part = stage_good(path, place)
    assert any(Path(file).as_posix().endswith("good/late.py") for file in part.files)


@pytest.mark.parametrize("name", ["../", "good/../../x/", "/x/", "./../x/", ".//x/"])
def test_a_directory_outside_is_refused_even_if_it_is_empty(tmp_path, place, name):
    path = make_wheel(tmp_path, "good", "1.0")
    rewrite(path, lambda c: c.update({name: b"", f"{INFO}/RECORD": c[f"{INFO}/RECORD"] + b"\n"}))
    with pytest.raises(WheelRefusedError, match="outside of its directory"):
        stage_good(path, place)


@pytest.mark.parametrize("version", ["2.0", "1.x", "10.0", ""])
def test_an_unknown_format_is_refused(tmp_path, place, version):
    path = make_wheel(tmp_path, "good", "1.0")
    rewrite(path, edit(f"{INFO}/WHEEL", b"Wheel-Version: 1.0", b"Wheel-Version: " + version.encode()))
    with pytest.raises(WheelRefusedError, match="unknown version"):
        stage_good(path, place)


def test_sizes_after_the_data_are_understood(tmp_path, place):
    """As in an archive that was written to a pipe."""
    path = make_wheel(tmp_path, "good", "1.0")
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}

    class Pipe:
        def __init__(self):
            self.data = b""

        def write(self, data):
            self.data += data
            return len(data)

        def flush(self):
            pass

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    path.write_bytes(pipe.data)
    assert len(stage_good(path, place).files) > len(content)


def test_a_wheel_whose_names_are_spelled_differently_goes_where_it_should(tmp_path, place):
    files = {"Good-1.0.data/scripts/tool": "#!python\n", "Good-1.0.data/purelib/good.py": ""}
    made = make_wheel(tmp_path, "Good", "1.0", files)
    part = stage_good(made.rename(tmp_path / "good-1.0-py3-none-any.whl"), place)
    assert {str(place.root / "bin/tool"), str(place.site / "good.py")} <= set(part.files)


def test_a_wheel_that_is_not_what_was_chosen_is_refused(tmp_path, place):
    with pytest.raises(WheelRefusedError, match="is not other 1.0"):
        stage_good(make_wheel(tmp_path, "good", "1.0"), place, name="other")


def test_content_that_is_not_what_record_says_is_refused(tmp_path, place):
    path = make_wheel(tmp_path, "good", "1.0")
    with zipfile.ZipFile(path) as archive:
        record = archive.read(f"{INFO}/RECORD")
    rewrite(path, lambda c: c.update({"good/late.py": c["good/late.py"][::-1], f"{INFO}/RECORD": record + b"\n"}))
    with pytest.raises(WheelRefusedError, match="does not match its RECORD") as caught:
        stage_good(path, place)
    assert caught.value.entry == "good/late.py" and list(place.site.iterdir()) == []


def content(place: Place) -> dict[str, str]:
    """All files but the manifest, whose modes a changed byte of the wheel may change, too."""
    return {path: what for path, what in place.state().items() if not path.endswith(MANIFEST)}


def test_no_damaged_byte_gets_through(tmp_path, place, monkeypatch):
    """A wheel with one changed byte is refused, or its content is unchanged."""
    monkeypatch.setattr("liveinstall._staging.part.boot", lambda _: "")  # it names the part's inode
    path = make_wheel(tmp_path, "good", "1.0", scripts={"good": "good:go"})
    data = path.read_bytes()
    stage_good(path, place)
    good, refused = content(place), 0
    path.write_bytes(data)
    chance = random.Random(5)
    for position in sorted(chance.sample(range(len(data)), 400)):
        place = Place(tmp_path / f"root{position}")
        path.write_bytes(data[:position] + bytes([data[position] ^ 1 << chance.randrange(8)]) + data[position + 1 :])
        try:
            stage_good(path, place)
        except LiveInstallError:
            refused += 1
            assert list(place.site.iterdir()) == [], position
        else:
            assert content(place) == good, position
    assert refused > 300


def test_what_runs_at_every_start_is_shown(tmp_path):
    path = make_wheel(tmp_path, "Good", "1.0", {"good.pth": "import os\n", "sitecustomize.py": "", "good/x.pth": ""})
    with zipfile.ZipFile(path) as archive:
        notes = check_wheel(archive, path.name, size=path.stat().st_size).notes
    assert [note.split()[1] for note in notes] == ["good.pth", "sitecustomize.py"]


_PIECES = [
    "Name: a",
    "Name : b",
    "Name:",
    "Name:   c  ",
    "name:d",
    "Version: 1",
    "From x",
    ":",
    "x",
    "-",
    " ",
    "\t",
    "\n x",
]
_PIECES += ["\n", "\r\n", "\r", "\n\n", "\n\n ", "\x0b", "\x85", "\u2028", "\x1c", "a description: of it"]


@given(st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=5))))
def test_headers_are_read_as_email_reads_them(pieces):
    text = "".join(pieces)
    expected = {}
    for name, value in HeaderParser().parsestr(text).items():
        expected.setdefault(name.lower(), []).append(value)
    assert read_head(text) == expected


def test_headers_of_spaces_are_read_in_time():
    assert len(read_head("a:   \n" * 100_000 + "bad\n")["a"]) == 100_000
