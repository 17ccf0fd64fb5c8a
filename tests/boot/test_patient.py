"""Files that a scanner of Windows has open for a moment are renamed and removed a little later."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace

import pytest

from _liveinstall_boot import patient


class Refusing:
    """The `os` of a system with a function that fails a few times."""

    def __init__(self, name, times):
        self.name, self.times, self.calls, self.writable = name, times, 0, []

    def unlink(self, *paths):
        self.calls += 1
        if self.calls <= self.times:
            raise PermissionError(errno.EACCES, "winerror 32", *paths)

    rename = replace = rmdir = unlink

    def lstat(self, path):
        return SimpleNamespace(st_mode=0o444)

    def chmod(self, path, mode):
        self.writable.append(path)


@pytest.fixture
def slept(monkeypatch):
    pauses = []
    monkeypatch.setattr(patient.time, "sleep", pauses.append)
    return pauses


@pytest.mark.parametrize("name", ["rename", "replace", "unlink", "rmdir"])
def test_windows_is_asked_again_for_a_second_and_others_never(name, slept, monkeypatch):
    paths = ("a", "b")[: 2 if name.startswith("re") else 1]
    for system, refusals, calls in (("nt", 2, 3), ("nt", 99, 5), ("posix", 1, 1)):
        slept.clear()
        refusing = Refusing(system, refusals)
        monkeypatch.setattr(patient, "os", refusing)
        if calls > refusals:
            getattr(patient, name)(*paths)
        else:
            with pytest.raises(PermissionError):
                getattr(patient, name)(*paths)
        assert (refusing.calls, len(slept)) == (calls, calls - 1) and sum(slept) < 1.1


def test_windows_removes_a_read_only_file_only_when_it_is_one_no_more(slept, monkeypatch):
    refusing = Refusing("nt", 1)
    monkeypatch.setattr(patient, "os", refusing)
    patient.unlink("a")
    assert refusing.writable == ["a"]
    patient.rename("a", "b")
    assert refusing.writable == ["a"]


def test_another_error_is_raised_at_once(tmp_path, slept):
    with pytest.raises(FileNotFoundError):
        patient.unlink(str(tmp_path / "missing"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(OSError) as caught:
        patient.rmdir(os.fspath(tmp_path / "full"))
    assert caught.value.errno == errno.ENOTEMPTY
    assert slept == []
