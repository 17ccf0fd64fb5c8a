from __future__ import annotations

import os
import sys

import pytest

import _liveinstall_boot as boot
from liveinstall.environment import holds

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")


def test_a_hold_lives_as_long_as_its_process(env):
    holder = env.start("""
        from liveinstall.environment.holds import take_hold
        from liveinstall.environment.target import find_target
        path = take_hold(find_target().site)
        assert take_hold(find_target().site) == path == os.environ["LIVEINSTALL_HOLD"]
        print("held", flush=True); input()
    """)
    assert holder.stdout.readline() == "held\n"
    (found,) = holds.holders(str(env.site))
    assert (found.pid, found.mine) == (holder.pid, False) and "python" in found.command
    holder.kill()
    holder.communicate()
    assert holds.holders(str(env.site)) == ()
    assert os.listdir(env.site / boot.STATE / boot.HOLDS) == []


def test_a_forked_child_keeps_its_parents_hold(env):
    holder = env.start("""
        from liveinstall.environment.holds import take_hold
        from liveinstall.environment.target import find_target
        take_hold(find_target().site)
        if os.fork() == 0:
            print("child", flush=True); sys.stdin.read(); os._exit(0)
        os._exit(0)
    """)
    assert holder.stdout.readline() == "child\n"
    holder.wait()
    assert len(holds.holders(str(env.site))) == 1
    holder.communicate()
    assert holds.holders(str(env.site)) == ()


def test_a_hold_that_cannot_be_read_still_counts(tmp_path):
    import fcntl

    directory = tmp_path / boot.STATE / boot.HOLDS
    directory.mkdir(parents=True)
    with (directory / "77-x").open("w") as stream:
        stream.write("garbage")
        stream.flush()
        fcntl.flock(stream, fcntl.LOCK_EX)
        (found,) = holds.holders(str(tmp_path))
    assert (found.pid, found.command, found.mine) == (77, "unknown", False)
