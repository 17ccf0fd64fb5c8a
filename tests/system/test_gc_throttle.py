"""Garbage is collected less often for a while, even if other code sets a threshold, and then as before."""

import gc

import pytest

import liveinstall
from liveinstall._system.gc_throttle import THRESHOLD, throttled_gc

pytestmark = pytest.mark.usefixtures("usual_threshold")


def test_it_is_as_before_after_the_outermost_context():
    rarely = throttled_gc()
    for _ in range(2):
        with rarely:
            assert gc.get_threshold() == (THRESHOLD, 10, 10)
            with throttled_gc():
                pass
            assert gc.get_threshold() == (THRESHOLD, 10, 10)
        assert gc.get_threshold() == (700, 10, 10)


def test_it_is_as_before_after_an_error():
    with pytest.raises(ValueError), throttled_gc():
        raise ValueError
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("chosen", [(0, 10, 10), (THRESHOLD, 5, 5), (THRESHOLD * 2, 10, 10)])
def test_a_larger_threshold_and_none_at_all_stay(chosen):
    gc.set_threshold(*chosen)
    with throttled_gc():
        assert gc.get_threshold() == chosen
    assert gc.get_threshold() == chosen


def test_what_is_chosen_meanwhile_stays():
    with throttled_gc():
        gc.set_threshold(50, 5, 5)
    assert gc.get_threshold() == (50, 5, 5)


def test_what_is_chosen_meanwhile_for_the_older_generations_stays():
    with throttled_gc():
        first, _, third = gc.get_threshold()
        gc.set_threshold(first, 20, third)
    assert gc.get_threshold()[1] == 20


def test_who_ends_later_changes_nothing():
    """As with two threads."""
    one, other = throttled_gc(), throttled_gc()
    one.__enter__()
    other.__enter__()
    one.__exit__()
    assert gc.get_threshold() == (700, 10, 10)
    other.__exit__()
    assert gc.get_threshold() == (700, 10, 10)


def test_a_refused_request_leaves_it_as_it_was():
    with pytest.raises(liveinstall.LiveInstallError):
        liveinstall.install("this is no requirement", engine="pip")
    assert gc.get_threshold() == (700, 10, 10)
