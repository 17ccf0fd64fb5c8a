"""Many contents in one file: none is wrong, whatever a power loss has made of the file."""

from __future__ import annotations

import os
import tracemalloc

import pytest
from helpers.environments import caches_in

from liveinstall._system.private_archive import PrivateArchive, write_archive
from liveinstall._system.private_cache import PrivateCache

CONTENTS = {"a": b"first", "b/c.py": b"", "ü": bytes(300)}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("LIVEINSTALL_NO_CACHE")
    for name, value in caches_in(tmp_path / "user").items():
        monkeypatch.setenv(name, value)
    (tmp_path / "user").mkdir(mode=0o700)
    return PrivateCache("archives")


def read(cache, key="key"):
    with PrivateArchive(cache, key) as archive:
        found = dict(archive.contents())
        return found if found or archive.is_whole else None


def test_contents_are_read_as_they_were_written(cache):
    assert read(cache) is None
    write_archive(cache, "key", iter(CONTENTS.items()))
    assert read(cache) == CONTENTS
    write_archive(cache, "key", [])
    assert read(cache) == {}


def test_nothing_is_read_or_written_if_caches_are_switched_off(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("LIVEINSTALL_NO_CACHE", "1")
    write_archive(cache, "key", CONTENTS.items())
    assert read(cache) is None and os.listdir(tmp_path / "user") == []


def test_an_archive_that_fails_while_it_is_written_leaves_the_old_one(cache):
    def contents():
        yield "a", b"new"
        raise OSError("the old one cannot be read any longer")

    write_archive(cache, "key", CONTENTS.items())
    write_archive(cache, "key", contents())
    assert read(cache) == CONTENTS
    assert {name for name in os.listdir(cache._path) if name != "swept"} == {"key"}


@pytest.mark.parametrize("change", [lambda byte: byte ^ 1, lambda _: 0, lambda _: 255])
def test_no_damaged_content_is_returned(cache, change):
    write_archive(cache, "key", CONTENTS.items())
    path = os.path.join(cache._path, "key")
    with open(path, "rb") as stream:
        whole = stream.read()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] = change(damaged[position])
        with open(path, "wb") as stream:
            stream.write(damaged)
        found = read(cache) or {}
        assert found.items() <= CONTENTS.items()


def test_a_shortened_archive_is_empty(cache):
    write_archive(cache, "key", CONTENTS.items())
    path = os.path.join(cache._path, "key")
    for length in range(os.path.getsize(path) - 1, -1, -1):
        os.truncate(path, length)
        assert read(cache) is None


def test_only_one_content_at_a_time_is_in_memory(cache):
    megabyte = 2**20
    tracemalloc.start()
    try:
        write_archive(cache, "key", ((str(number), bytes([number]) * megabyte) for number in range(30)))
        with PrivateArchive(cache, "key") as archive:
            assert sum(len(content) for _, content in archive.contents()) == 30 * megabyte
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * megabyte
