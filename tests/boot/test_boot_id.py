"""Which parts are checked file by file at a start: those that a power loss may have damaged since they were staged."""

import os
import shutil

import pytest

from _liveinstall_boot import process
from _liveinstall_boot.codec import boot_of_manifest, decode_manifest, encode_manifest
from _liveinstall_boot.layout import MANIFEST, list_transactions

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/sys/kernel/random/boot_id"), reason="this system has no boot id: all parts are checked"
)
ROWS = [(0o644, 5, "ab" * 32, "a/b c.py")]


@pytest.fixture
def part(place):
    """A part of which a file is shorter than its manifest says."""
    place.install(place.candidate("alpha", "1.0"))
    place.stage(place.candidate("alpha", "2.0"))
    part = place.site / "alpha-2.0.part"
    os.truncate(part / "alpha" / "late.py", 0)
    return part


def states(place):
    assert place.start()[0] == 0
    return [state for _, state, _ in list_transactions(str(place.site))]


def test_a_part_of_this_boot_is_checked_by_its_directories(place, part):
    assert boot_of_manifest((part / MANIFEST).read_text()) == process.boot(part) != ""
    assert states(place) == []  # swapped


def test_a_part_of_this_boot_without_a_directory_is_set_aside(place, part):
    shutil.rmtree(part / "alpha")
    assert states(place) == ["failed"]


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(b"boot ", b"boot 0"),
        lambda line: b"boot ",
        lambda line: b"boot",
        lambda line: line.partition(b" ")[0] + b" - " + line.rpartition(b" ")[2],
        lambda line: line[:-1],
        lambda line: line + b" x",
        lambda line: b"unknown row",
        lambda line: b"replaces twice",
    ],
)
def test_a_part_of_another_boot_or_with_a_damaged_row_is_checked_file_by_file(place, part, change):
    lines = (part / MANIFEST).read_bytes().split(b"\n")
    (part / MANIFEST).write_bytes(b"\n".join(change(line) if line.startswith(b"boot ") else line for line in lines))
    assert states(place) == ["failed"]


def test_a_part_of_an_earlier_version_is_checked_file_by_file(place, part):
    lines = (part / MANIFEST).read_bytes().split(b"\n")
    (part / MANIFEST).write_bytes(b"\n".join(line for line in lines if not line.startswith(b"boot ")))
    assert states(place) == ["failed"]


def test_a_copy_is_checked_file_by_file(place, part, tmp_path):
    """For example one that was interrupted."""
    shutil.copytree(part, tmp_path / "copy", symlinks=True)
    part.rename(tmp_path / "original")
    (tmp_path / "copy").rename(part)
    assert states(place) == ["failed"]


@pytest.mark.parametrize("answer", [OSError, ""])
def test_without_a_boot_id_nothing_is_recorded_and_all_is_checked(place, monkeypatch, answer):
    def unknown():
        if answer is OSError:
            raise OSError
        return answer

    monkeypatch.setattr(process, "_boot_id", unknown)
    assert process.boot(place.site) == ""
    place.stage(place.candidate("alpha", "1.0"))
    part = place.site / "alpha-1.0.part"
    assert boot_of_manifest((part / MANIFEST).read_text()) == ""
    os.truncate(part / "alpha" / "late.py", 0)
    assert states(place) == ["failed"]


def test_the_row_is_part_of_the_head():
    text = encode_manifest(ROWS, "id", "ff", "x 1")
    assert (decode_manifest(text), boot_of_manifest(text)) == (ROWS, "x 1")
    assert boot_of_manifest(encode_manifest(ROWS, "id", "ff")) == ""
    assert boot_of_manifest(encode_manifest([(0o644, 5, "ab" * 32, "a\n\nboot y")])) == ""
