"""Directories that are made aside: what the dead have left is swept, and nothing else."""

from __future__ import annotations

import os

import pytest

from liveinstall.homes.aside import MARK, aside, sweep


def test_what_nobody_has_locked_is_swept_and_what_somebody_has_stays(tmp_path):
    (tmp_path / "x-dead").mkdir()
    (tmp_path / "x-dead" / MARK).touch()
    (tmp_path / "x-empty").mkdir()
    (tmp_path / "x-unknown").mkdir()
    (tmp_path / "x-unknown" / "file").touch()
    with aside(str(tmp_path), "x-") as (directory, _):
        sweep(str(tmp_path), "x-")
        assert sorted(os.listdir(tmp_path)) == sorted([os.path.basename(directory), "x-unknown"])
        assert os.stat(directory).st_mode & 0o777 == 0o777 & ~current_umask()
    assert os.listdir(tmp_path) == ["x-unknown"]


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_planted_link_is_no_mark(tmp_path):
    (tmp_path / "x-trap").mkdir()
    (tmp_path / "x-trap" / MARK).symlink_to(tmp_path / "made-by-the-trap")
    sweep(str(tmp_path), "x-")
    assert sorted(os.listdir(tmp_path)) == ["x-trap"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can make others' files")
def test_what_another_user_has_made_is_left_alone(tmp_path):
    (tmp_path / "x-theirs").mkdir()
    (tmp_path / "x-theirs" / MARK).touch()
    os.chown(tmp_path / "x-theirs", 65534, 65534)
    sweep(str(tmp_path), "x-")
    assert (tmp_path / "x-theirs" / MARK).exists()
