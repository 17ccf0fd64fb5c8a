"""`liveinstall hold PROGRAM` and the program: the last one to exit ends the hold."""

from __future__ import annotations

import os
import signal
import time

import pytest


@pytest.mark.skipif(os.name == "nt", reason="a handle of Windows holds no lock for another process")
def test_the_hold_is_the_programs_too(env):
    env.wheel("alpha", "1.0")
    env.wheel("alpha", "2.0")
    env.run("li.install('alpha==1.0')")
    program = "import os; print(os.getpid(), flush=True); input()"
    code = f"from liveinstall._verbs.hold import hold_while; hold_while([sys.executable, '-c', {program!r}])"
    wrapper = env.start(code)
    staged = "print(len(li.install('alpha==2.0', dry_run=True).staged))"
    with wrapper:
        pid = int(wrapper.stdout.readline())
        try:
            wrapper.send_signal(signal.SIGTERM)
            assert wrapper.wait(60) == -signal.SIGTERM
            assert env.run(staged).stdout == "1\n"
        finally:
            os.kill(pid, signal.SIGKILL)
        wrapper.stdout.read()  # it ends like the program
    for _ in range(100):
        if env.run(staged).stdout == "0\n":
            return
        time.sleep(0.1)
    pytest.fail("the hold outlives the program")
