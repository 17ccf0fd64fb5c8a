"""Files that only save time: missing, damaged and old ones are no failures."""

from __future__ import annotations

import os
import time

import pytest
from helpers.capabilities import has_modes
from helpers.environments import caches_in

from liveinstall._system.private_cache import PrivateCache


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The directory of the cache `things`, which does not exist yet."""
    monkeypatch.delenv("LIVEINSTALL_NO_CACHE")
    for name, value in caches_in(tmp_path / "user").items():
        monkeypatch.setenv(name, value)
    (tmp_path / "user").mkdir(mode=0o700)
    return tmp_path / "user" / "liveinstall" / "things"


def test_what_is_written_is_read_by_this_and_by_other_processes(place):
    cache = PrivateCache("things")
    assert cache.read("a") is None and not place.exists()
    cache.write("a", b"one")
    cache.write("empty", b"")
    for reader in (cache, PrivateCache("things")):
        assert (bytes(reader.read("a")), bytes(reader.read("empty")), reader.read("b")) == (b"one", b"", None)
    cache.write("a", b"two")
    assert bytes(cache.read("a")) == b"two"


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:5], lambda _: b"", lambda b: b"\0" * len(b)])
def test_a_damaged_file_is_like_a_missing_one(place, damage):
    cache = PrivateCache("things")
    cache.write("a", b"content")
    path = place / "a"
    path.write_bytes(damage(path.read_bytes()))
    assert cache.read("a") is None
    cache.write("a", b"content")
    assert bytes(cache.read("a")) == b"content"


def test_what_was_not_used_for_a_month_is_removed_at_most_once_a_day(place):
    cache = PrivateCache("things")
    for name in ("used", "unused", "a.draft-killed"):
        cache.write(name, b"x")
    month = time.time() - 31 * 86400
    for path in place.iterdir():
        os.utime(path, (month, month))
    assert cache.read("used") is not None  # which is a use
    cache.write("new", b"x")
    assert {path.name for path in place.iterdir()} == {"used", "new", "swept"}
    os.utime(place / "used", (month, month))
    cache.write("newer", b"x")
    assert {path.name for path in place.iterdir()} == {"used", "new", "newer", "swept"}


def test_a_file_where_the_directory_would_be_is_no_failure(place):
    place.parent.mkdir()
    place.write_text("a file")
    cache = PrivateCache("things")
    cache.write("a", b"x")
    assert cache.read("a") is None and place.read_text() == "a file"


@has_modes
def test_a_directory_that_others_can_write_to_is_not_used(place):
    cache = PrivateCache("things")
    cache.write("a", b"x")
    place.chmod(0o777)
    assert PrivateCache("things").read("a") is None
    before = sorted(os.listdir(place))
    PrivateCache("things").write("b", b"x")
    assert sorted(os.listdir(place)) == before


@has_modes
def test_a_file_that_others_can_write_to_is_not_read(place):
    cache = PrivateCache("things")
    cache.write("a", b"x")
    (place / "a").chmod(0o666)
    assert cache.read("a") is None


def test_nothing_is_read_or_written_while_it_is_switched_off(place, monkeypatch):
    PrivateCache("things").write("a", b"x")
    monkeypatch.setenv("LIVEINSTALL_NO_CACHE", "yes")
    cache = PrivateCache("things")
    cache.write("b", b"x")
    assert cache.read("a") is None and not (place / "b").exists()
    monkeypatch.setenv("LIVEINSTALL_NO_CACHE", "0")
    assert bytes(PrivateCache("things").read("a")) == b"x"
