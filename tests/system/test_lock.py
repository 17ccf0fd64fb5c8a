from __future__ import annotations

import os
import sys
from threading import Timer

import pytest

import _liveinstall_boot as boot
from _liveinstall_boot.layout import LOCK, STATE
from _liveinstall_boot.locks import try_lock
from liveinstall._system.lock import environment_lock, lock_file
from liveinstall.errors import LockTimeoutError, NotWritableError


def test_a_change_and_a_start_exclude_each_other(tmp_path):
    path = str(tmp_path / STATE / LOCK)
    with environment_lock(str(tmp_path), who="me"):
        assert try_lock(path) is None
        with pytest.raises(LockTimeoutError) as caught, environment_lock(str(tmp_path), who="you", timeout=0.05):
            pass
        assert caught.value.holder == f"pid {os.getpid()} (me)"
    handle = try_lock(path)
    with pytest.raises(LockTimeoutError), environment_lock(str(tmp_path), who="you", timeout=0.05):
        pass
    os.close(handle)
    assert os.path.exists(path) and os.path.getsize(path) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_keep_the_lock_of_its_parent(tmp_path):
    read, write = os.pipe()
    with environment_lock(str(tmp_path), who="me"):
        child = os.fork()
        if not child:
            os.close(write)
            os.read(read, 1)  # alive until the parent has checked
            os._exit(0)
        assert try_lock(str(tmp_path / STATE / LOCK)) is None  # the child has closed its copy of the lock, not ended it
    with environment_lock(str(tmp_path), who="me", timeout=0.05):
        pass
    os.close(write)
    os.close(read)
    assert os.waitpid(child, 0)[1] == 0


def test_a_wait_for_the_lock_ends_when_it_is_released(tmp_path):
    path = str(tmp_path / "lock")
    first = lock_file(path, 0)
    timer = Timer(0.1, first.release)
    timer.start()
    second = lock_file(path, 60)
    timer.join()
    first.release()  # a second time: it does not close the descriptor of another file
    assert try_lock(path) is None
    second.release()


def test_a_lock_whose_file_was_replaced_meanwhile_is_not_taken(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    real = os.stat

    def replaced(name, *args, **options):
        if str(name) == str(path):
            path.unlink()
            path.write_text("")
        return real(name, *args, **options)

    monkeypatch.setattr(boot.os, "stat", replaced)
    assert try_lock(str(path)) is None


@pytest.mark.skipif(
    sys.platform == "win32" or (os.geteuid() == 0 and not os.path.exists("/proc")), reason="needs /proc"
)
def test_a_place_that_cannot_have_a_lock_is_a_typed_error():
    with pytest.raises(NotWritableError), environment_lock("/proc/self", who="me"):
        pass
