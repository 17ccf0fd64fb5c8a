"""Child processes of liveinstall: their output is complete, however late it is read."""

from __future__ import annotations

import sys
import threading

from liveinstall._system import child_process


def test_the_output_of_a_child_that_has_exited_is_read_even_if_the_reader_is_late(monkeypatch):
    monkeypatch.setattr(child_process, "_GRACE", 0.05)
    child = child_process.Child([sys.executable, "-c", "print('the answer')"])
    found_dead, has_read = threading.Event(), threading.Event()
    read, poll = child._read, child._process.poll

    def late(lines):
        found_dead.wait(60)
        read(lines)
        has_read.set()

    def polled():
        status = poll()
        if status is not None and not found_dead.is_set():  # the reader comes between the last look and this one
            found_dead.set()
            has_read.wait(60)
        return status

    monkeypatch.setattr(child, "_read", late)
    monkeypatch.setattr(child._process, "poll", polled)
    status, output = child.ask("", timeout=None)
    assert (status, output.splitlines()) == (0, ["the answer"])
