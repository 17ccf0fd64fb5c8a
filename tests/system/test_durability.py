"""The disk may begin to work before the flush that counts."""

import threading

import pytest

from liveinstall._system import durability


@pytest.fixture
def flushes(monkeypatch):
    """The threads in which file systems were flushed."""
    found = []
    monkeypatch.setattr(durability, "load_syncfs", lambda: lambda _: found.append(threading.current_thread()) or 0)
    return found


def test_the_early_flush_runs_in_the_background(flushes, tmp_path):
    before = set(threading.enumerate())
    durability.begin_flush(str(tmp_path))
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert len(flushes) == 1
    assert flushes[0] is not threading.current_thread()


def test_an_early_flush_that_fails_disturbs_nobody(flushes, tmp_path):
    before = set(threading.enumerate())
    durability.begin_flush(str(tmp_path / "missing"))
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert not flushes


def test_without_syncfs_nothing_is_flushed_early(monkeypatch, tmp_path):
    monkeypatch.setattr(durability, "load_syncfs", lambda: None)
    monkeypatch.setattr(durability, "flush_file_system", lambda _: pytest.fail("flushed"))
    durability.begin_flush(str(tmp_path))
