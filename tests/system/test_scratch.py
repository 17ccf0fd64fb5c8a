"""Temporary directories: leftovers of dead processes are removed, but nothing that another user could have created."""

from __future__ import annotations

import os
import stat

import pytest
from helpers.capabilities import can_symlink, has_modes
from helpers.other_users import ATTACKER, VICTIM, as_user, needs_root, shared_directory

from _liveinstall_boot.locks import is_locked
from liveinstall._system import removal
from liveinstall._system import scratch as room
from liveinstall._system.scratch import MARK, private_directory, scratch_directory, sweep


def left(parent, name: str = "made-1"):
    (parent / name).mkdir()
    (parent / name / MARK).touch()
    (parent / name / "file").touch()
    return parent / name


def test_what_a_dead_maker_has_left_is_swept_and_what_is_locked_stays(tmp_path):
    dead = left(tmp_path)
    (tmp_path / "made-empty").mkdir()
    (tmp_path / "made-unknown").mkdir()
    (tmp_path / "made-unknown" / "file").touch()
    other = left(tmp_path, "other-1")
    with scratch_directory(str(tmp_path), "made-") as (directory, _):
        assert not dead.exists() and not (tmp_path / "made-empty").exists() and other.exists()
        sweep(str(tmp_path), "made-")
        assert os.path.exists(directory)
    assert sorted(os.listdir(tmp_path)) == ["made-unknown", "other-1"]


def test_where_an_open_file_cannot_be_removed_the_lock_is_closed_first(tmp_path, monkeypatch):
    dead, remove = left(tmp_path), removal.patient.unlink
    monkeypatch.setattr(removal, "BY_DESCRIPTOR", False)
    locked = []
    monkeypatch.setattr(
        removal.patient, "unlink", lambda path: (locked.append(is_locked(str(dead / MARK))), remove(path))
    )
    sweep(str(tmp_path), "made-")
    assert not dead.exists() and locked and not any(locked)


@can_symlink
def test_another_users_directory_is_not_swept_and_no_link_is_followed(tmp_path, monkeypatch):
    planted = left(tmp_path)
    (planted / MARK).unlink()
    (planted / MARK).symlink_to(tmp_path / "created")
    sweep(str(tmp_path), "made-")
    assert not (tmp_path / "created").exists() and (planted / "file").exists()
    theirs = left(tmp_path, "made-2")
    parent = os.stat(tmp_path).st_uid
    monkeypatch.setattr(room, "keeps_apart", lambda about: about.st_uid == parent)
    monkeypatch.setattr(room, "user", lambda: parent + 1)
    sweep(str(tmp_path), "made-")
    assert (theirs / "file").exists()


@has_modes
@pytest.mark.parametrize(("mode", "is_swept"), [(0o755, True), (0o1777, True), (0o777, False), (0o775, False)])
def test_nothing_is_removed_if_another_user_could_replace_it(tmp_path, monkeypatch, mode, is_swept):
    monkeypatch.setattr("liveinstall._system.privacy._is_alone_in", lambda _: False)  # the group has other members
    dead = left(tmp_path)
    tmp_path.chmod(mode)
    sweep(str(tmp_path), "made-")
    assert dead.exists() is not is_swept


@has_modes
def test_if_another_user_has_the_name_the_directory_is_in_the_temporary_one(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "_temporary", lambda: str(tmp_path))
    place = tmp_path / f"it-{os.geteuid()}"
    assert private_directory("it") == str(place)
    place.chmod(0o777)
    assert private_directory("it") == str(tmp_path)
    with scratch_directory(str(tmp_path), "made-") as (directory, _):
        assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700


@has_modes
def test_the_mode_follows_the_umask_which_is_not_touched(tmp_path, monkeypatch):
    before = os.umask(0o027)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, "umask", lambda _: pytest.fail("it is every thread's"))
            with scratch_directory(str(tmp_path), "made-", 0o777) as (directory, _):
                assert stat.S_IMODE(os.stat(directory).st_mode) == 0o750
    finally:
        os.umask(before)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can make others' files")
def test_what_another_user_has_really_made_is_left_alone(tmp_path):
    theirs = left(tmp_path)
    os.chown(theirs, 65534, 65534)
    sweep(str(tmp_path), "made-")
    assert (theirs / MARK).exists()


@needs_root
def test_what_another_user_has_put_at_the_name_of_a_private_directory_is_not_used(monkeypatch):
    with shared_directory() as place:
        monkeypatch.setattr(room, "_temporary", lambda: str(place))
        name = place / f"it-{VICTIM}"
        as_user(VICTIM, lambda: (place / "mine").mkdir(mode=0o700))
        for attack in (name.mkdir, lambda: name.symlink_to(place / "mine"), lambda: os.mkfifo(name)):
            as_user(ATTACKER, attack)
            assert as_user(VICTIM, lambda: private_directory("it")) == str(place)
            if name.is_dir() and not name.is_symlink():
                name.rmdir()
            else:
                name.unlink()
        assert as_user(VICTIM, lambda: private_directory("it")) == str(name)
