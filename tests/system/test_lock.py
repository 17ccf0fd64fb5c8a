from __future__ import annotations

import os
import sys

import pytest

import _liveinstall_boot as boot
from _liveinstall_boot.layout import LOCK, STATE
from _liveinstall_boot.locks import try_lock
from liveinstall._system.lock import environment_lock
from liveinstall.errors import LockTimeoutError, NotWritableError


def test_filelock_and_the_boot_module_exclude_each_other(tmp_path):
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
