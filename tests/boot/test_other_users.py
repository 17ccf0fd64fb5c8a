"""An environment of root that other users run: their holds and mapped files count, and they cannot do harm."""

from __future__ import annotations

import mmap
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from _liveinstall_boot import holds, views
from _liveinstall_boot.codec import SwapChange, TransactionRecord
from _liveinstall_boot.layout import HOLDS, STATE, TRANSACTIONS

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0, reason="becomes another user, which only root can"
)

RECORD = TransactionRecord("1", [SwapChange("alpha", "1", "2", "alpha-1.dist-info", "", "alpha-2.part")], {})
RECORD.tops, RECORD.libraries = {"alpha": ["alpha"]}, {"alpha": ["alpha/"]}


@pytest.fixture
def site():
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    (directory / STATE / TRANSACTIONS).mkdir(parents=True)
    (directory / "alpha").mkdir()
    (directory / "alpha" / "_fast.so").write_bytes(b"x" * 5000)
    yield directory
    shutil.rmtree(directory)


class User:
    """A forked process of another user, which does something, reports it, and runs until it is closed."""

    def __init__(self, action, uid=65534):
        told, tell = os.pipe()
        wait, self.end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = b"?"
            try:
                os.close(self.end)
                os.umask(0o077)
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
                kept = action()  # noqa: F841  a mapping ends when nobody has it
                status = b"y"
            except BaseException as error:
                status = type(error).__name__.encode()
            os.write(tell, status)
            os.read(wait, 1)
            os._exit(0)
        os.close(tell)
        os.close(wait)
        self.said = os.read(told, 100).decode()
        os.close(told)

    def close(self):
        os.close(self.end)
        os.waitpid(self.pid, 0)


def hold_alpha(site):
    def action():
        holds.take_hold(str(site), "theirs")
        holds.own_hold(str(site)).find_spec("alpha")

    return action


def test_other_users_can_hold_only_in_a_shared_directory_and_then_root_waits_for_them(site):
    (site / STATE / HOLDS).mkdir()
    user = User(hold_alpha(site))
    user.close()
    assert user.said == "PermissionError"
    holds.share(str(site))
    user = User(hold_alpha(site))
    assert user.said == "y"
    assert views.in_use(str(site), RECORD) == [(user.pid, ["alpha"])]
    user.close()
    assert views.in_use(str(site), RECORD) == []
    assert os.listdir(site / STATE / HOLDS) == []


def test_what_another_user_has_mapped_counts_for_root(site):
    def action():
        with open(site / "alpha" / "_fast.so", "rb") as stream:
            return mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ)

    user = User(action)
    assert user.said == "y"
    assert views.in_use(str(site), RECORD) == [(user.pid, ["alpha"])]
    user.close()
    assert views.in_use(str(site), RECORD) == []


def test_users_can_ask_each_other_but_remove_and_forge_nothing(site):
    holds.share(str(site))
    user = User(hold_alpha(site))
    (path,) = (site / STATE / HOLDS).iterdir()

    def look():
        assert views.held(str(site), RECORD)[0][0] == user.pid
        with pytest.raises(PermissionError):
            path.unlink()
        with pytest.raises(PermissionError):
            path.open("a")

    another = User(look, uid=65533)
    assert another.said == "y"

    def inherit():  # a hold of another user that has the name of this process's ancestor
        os.environ[holds.VARIABLE] = str(path)
        assert views._ancestor(holds.live_holds(str(site)), [RECORD]) is None

    third = User(inherit, uid=65533)
    assert third.said == "y"
    for process in (third, another, user):
        process.close()


def test_a_hold_puts_nothing_but_parts_on_the_path(site):
    evil = site / "evil"
    evil.mkdir()
    before = list(sys.path)
    views._add_to_path(str(site), ["evil", "/etc", "../" + site.name + "/evil"])
    assert sys.path == before
