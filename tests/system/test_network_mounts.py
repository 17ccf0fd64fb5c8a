"""Network file systems whose locks are local to a machine, recognised by the text of /proc/self/mountinfo."""

from __future__ import annotations

import os

import pytest

from liveinstall._system import network_mounts
from liveinstall._system.network_mounts import local_locks, local_locks_in

ROOT = "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw"
OPTIONS = "rw,vers=3,rsize=1048576,hard,proto=tcp,timeo=600,sec=sys,mountaddr=10.0.0.1"


def nfs(options, place="/home", kind="nfs"):
    return f"{ROOT}\n37 22 0:42 / {place} rw,relatime shared:9 master:3 - {kind} server:/export {OPTIONS},{options}\n"


@pytest.mark.parametrize(
    ("mounts", "reason"),
    [
        (ROOT, ""),
        ("", ""),
        (nfs("local_lock=none"), ""),
        (nfs("local_lock=posix"), ""),
        (nfs("nolock,local_lock=all"), "nfs with local_lock=all, nolock"),
        (nfs("local_lock=flock"), "nfs with local_lock=flock"),
        (nfs("local_lock=flock", kind="nfs4"), "nfs4 with local_lock=flock"),
        (nfs("nolock", place="/"), "nfs with nolock"),
        (nfs("nolock", place="/homes"), ""),
        (nfs("nolock", place="/home/me/other"), ""),
        (nfs("nolock", kind="ext4"), ""),
        (nfs("flock", kind="lustre"), ""),
        (nfs("localflock", kind="lustre"), "lustre with localflock"),
        (nfs("nobrl", kind="cifs"), "cifs with nobrl"),
        (nfs("x", kind="fuse.sshfs"), "fuse.sshfs"),
        (nfs("nolock") + nfs("local_lock=none"), ""),
        (nfs("local_lock=none") + nfs("nolock"), "nfs with nolock"),
        (nfs("nolock") + "40 37 0:50 / /home/me rw - tmpfs none rw", ""),
        ("damaged\n\n1 2 3 - nfs\n" + nfs("nolock"), "nfs with nolock"),
    ],
)
def test_the_mount_of_a_directory_decides(mounts, reason):
    assert local_locks_in(mounts, "/home/me/venv") == reason


def test_places_with_spaces_are_understood():
    assert local_locks_in(nfs("nolock", place="/my\\040home"), "/my home/venv") == "nfs with nolock"


def test_this_machine_can_be_asked(tmp_path):
    assert local_locks(str(tmp_path)) == ""


@pytest.mark.skipif(os.name == "nt", reason="a list of mounts has no paths with drives")
def test_the_list_of_mounts_is_read(tmp_path, monkeypatch):
    (tmp_path / "mounts").write_text(nfs("nolock", place="/"))
    monkeypatch.setattr(network_mounts, "MOUNTS", str(tmp_path / "mounts"))
    assert local_locks(str(tmp_path)) == "nfs with nolock"
    monkeypatch.setattr(network_mounts, "MOUNTS", str(tmp_path / "nothing"))
    assert local_locks(str(tmp_path)) == ""
