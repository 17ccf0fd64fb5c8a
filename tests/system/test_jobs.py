"""Functions run in a few threads; errors are values, and after an interruption nothing new begins."""

import subprocess
import sys
from threading import Barrier, Event, Timer, current_thread

import pytest

from liveinstall._system.jobs import in_threads


def test_all_functions_are_called_and_each_has_its_result():
    with in_threads([lambda number=number: number * 2 for number in range(50)], 3) as jobs:
        assert [job.failure() for job in jobs] == [None] * 50
    assert [job.values() for job in jobs] == [[number * 2] for number in range(50)]


def test_they_run_at_the_same_time():
    together = Barrier(3, timeout=30)
    with in_threads([together.wait] * 3, 3) as jobs:
        assert [job.failure() for job in jobs] == [None] * 3


def test_an_error_is_kept_and_the_others_run():
    with in_threads([lambda: 1 / 0, current_thread], 1) as jobs:
        assert isinstance(jobs[0].failure(), ZeroDivisionError)
    assert not jobs[0].values() and jobs[1].values()


def test_after_an_error_in_the_block_only_what_had_begun_is_completed():
    begun, go = Event(), Event()

    def first():
        begun.set()
        go.wait(30)
        return "done"

    with pytest.raises(KeyboardInterrupt), in_threads([first, current_thread], 1) as jobs:
        begun.wait(30)
        Timer(0.2, go.set).start()
        raise KeyboardInterrupt
    assert [job.values() for job in jobs] == [["done"], []]


def test_no_function_needs_no_thread():
    with in_threads([], 4) as jobs:
        assert jobs == []


def test_logging_is_not_loaded():
    code = "import sys, liveinstall._staging.stage as stage; print('logging' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
