"""Removing a home that another process may change meanwhile: nothing outside of it is touched."""

from __future__ import annotations

import hashlib
import os

import pytest
from helpers.capabilities import can_symlink

from liveinstall._homes import record as records
from liveinstall._homes import remove as room
from liveinstall._homes.record import HomeRecord


@pytest.fixture
def home(tmp_path):
    place = tmp_path / "home"
    (place / "lib" / "deep").mkdir(parents=True)
    record = HomeRecord("3.11.7", "/usr/bin/python3")
    for path in ("lib/a.py", "lib/deep/b.py", "top.py"):
        (place / path).write_text(path)
        record.files[path] = hashlib.sha256(path.encode()).hexdigest()
    (place / "lib" / "__pycache__").mkdir()
    (place / "lib" / "__pycache__" / "a.cpython-311.pyc").touch()
    (place / records.NAME).write_text(records.encode(record))
    return place


def test_what_was_made_goes_and_nothing_is_left_open(home):
    is_known = os.name != "nt" and os.path.isdir("/proc/self/fd")  # Wine shows its own files there
    before = len(os.listdir("/proc/self/fd")) if is_known else 0
    assert room.remove(home) == () and not home.exists()
    assert not before or len(os.listdir("/proc/self/fd")) == before


@can_symlink
@pytest.mark.parametrize("exchanged", ["lib", "lib/deep"])
def test_a_directory_that_is_exchanged_for_a_link_between_check_and_removal_is_not_followed(
    home, tmp_path, monkeypatch, exchanged
):
    other = tmp_path / "other"
    (other / "deep").mkdir(parents=True)
    precious = [other / "a.py", other / "b.py", other / "deep" / "b.py"]
    for path in precious:
        path.write_text("precious")
    check = room._Inside.is_as_made

    def exchange(self, path, record):
        found = check(self, path, record)
        if path.startswith(exchanged) and not (home / exchanged).is_symlink():
            (home / exchanged).rename(tmp_path / "aside")
            (home / exchanged).symlink_to(other)
        return found

    monkeypatch.setattr(room._Inside, "is_as_made", exchange)
    assert exchanged in room.remove(home)
    assert [path.read_text() for path in precious] == ["precious"] * 3


@can_symlink
def test_a_link_in_the_place_of_the_home_is_not_followed(home, tmp_path):
    (tmp_path / "link").symlink_to(home)
    with pytest.raises(room.HomeError, match="removed"):
        room.remove(tmp_path / "link")
    assert (home / "lib" / "a.py").exists()
