"""The variables that a restart would lose, listed without side effects."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from liveinstall._frontends.restart import lost_variables


class Evil:
    """Every operation on it fails, or would never return."""

    @property
    def nbytes(self):
        raise KeyError("no")

    def __sizeof__(self):
        raise AssertionError("asked")


class Slow:
    def __sizeof__(self):
        raise AssertionError("asked: that may take long")

    @property
    def __class__(self):
        raise AssertionError("asked for its class")


class Array:
    nbytes = 2_500_000_000


class Frame:
    def memory_usage(self, *, deep):
        assert deep is False
        return [20_000_000, 30_000_000]

    def __sizeof__(self):
        raise AssertionError("asked: that looks at each string")


Frame.__module__ = "pandas.core.frame"


@pytest.mark.parametrize("kind", [Evil, Slow, type("A", (), {"nbytes": "many"})])
def test_odd_objects_are_not_accessed_or_do_no_harm(kind):
    assert lost_variables.size(kind()) == 0


def test_sizes_are_what_arrays_frames_and_plain_objects_say():
    assert lost_variables.size(Array()) == 2_500_000_000
    assert lost_variables.size(Frame()) == 50_000_000
    assert lost_variables.size(bytearray(20_000_000)) >= 20_000_000


def test_the_biggest_are_named_once_and_the_rest_counted():
    array = Array()
    found = {"a": array, "same": array, "frame": Frame(), "x": 1, "evil": Evil()}
    assert lost_variables.lost_message(found) == "These variables will be lost: a (2.5 GB), frame (50 MB) and 3 more."
    assert lost_variables.lost_message({"x": 1}) == "1 variable will be lost."
    assert lost_variables.lost_message({}) == ""
    assert lost_variables.lost_message({"a": array}) == "These variables will be lost: a (2.5 GB)."


def test_no_more_than_three_are_named():
    found = {name: bytearray(11_000_000 + at * 1_000_000) for at, name in enumerate("abcde")}
    assert (
        lost_variables.lost_message(found)
        == "These variables will be lost: e (15 MB), d (14 MB), c (13 MB) and 2 more."
    )


def test_modules_functions_classes_and_hidden_names_are_not_variables(monkeypatch):
    slow = Slow()
    shell = SimpleNamespace(
        user_ns={"x": 1, "_": 2, "sys": sys, "Evil": Evil, "f": lambda: 0, "exit": 3, "slow": slow},
        user_ns_hidden={"exit": 3},
    )
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert list(lost_variables.variables()) == ["x", "slow"]
