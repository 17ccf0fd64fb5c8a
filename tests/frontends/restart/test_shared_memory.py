"""Arrays that share memory before a restart share it afterwards, and it is written once."""

from __future__ import annotations

import os
import sys
from types import ModuleType

import pytest
from helpers.environments import caches_in

from liveinstall._frontends.restart import variables_file
from liveinstall._frontends.restart.shared_memory import Memory, Span, clusters, may_share
from liveinstall._frontends.restart.variable_groups import Group, group, restored


def test_spans_that_overlap_form_clusters_and_neighbours_do_not():
    a, b, c, d = Span(0, 10), Span(5, 15), Span(15, 20), Span(16, 18)
    found = list(clusters([d, c, b, a]))
    assert found == [[a, b], [c, d]]
    memory = Memory(found)
    assert memory.contains(Span(2, 14)) and not memory.contains(Span(2, 16)) and not memory.contains(Span(20, 21))
    assert memory.touches(Span(19, 30)) and not memory.touches(Span(20, 30)) and not Memory([]).touches(a)


def test_frames_never_get_memory_in_common_but_arrays_may_view_one():
    frame, other, array = Span(0, 10, is_frames=True), Span(2, 8, is_frames=True), Span(0, 4)
    assert may_share([frame, array]) and not may_share([frame, other]) and not may_share([frame, other, array])


@pytest.fixture
def np(tmp_path, monkeypatch):
    for variable, value in caches_in(tmp_path / "cache").items():
        monkeypatch.setenv(variable, value)
    return pytest.importorskip("numpy")


@pytest.mark.parametrize("mapped", [False, True])
def test_views_share_memory_afterwards_as_before(np, mapped):
    big = np.arange(1e6)
    grid = np.arange(12.0).reshape(3, 4)
    values = {
        "a": big[:1000],
        "same": big[500:1500],
        "c": big[2000:5000],
        "step": big[2000:5000:3],
        "back": big[4999:2000:-2],
        "grid": grid,
        "turned": grid.T,
        "column": grid[:, 1],
        "broad": np.broadcast_to(grid[:1], (5, 4)),
        "inside": {"deep": grid[1]},
        "own": np.arange(5),
    }
    groups, lost = group(values)
    path = variables_file.write(groups, {})
    assert not lost and not any(each.is_apart for each in groups) and os.path.getsize(path) < 50_000
    found = variables_file.load(path, mapped=mapped).values
    values["inside"], found["inside"] = values["inside"]["deep"], found["inside"]["deep"]
    for name, value in values.items():
        assert (found[name] == value).all() and found[name].flags.writeable == value.flags.writeable
        for other, more in values.items():
            assert np.shares_memory(found[name], found[other]) == np.shares_memory(value, more)


def test_what_loses_its_common_memory_is_marked_and_a_view_of_nothing_kept_is_small(np):
    big = np.zeros(100_000)
    groups, _ = group({"part": big[:50_000], "all_over": big[::10]})
    assert [(each.names, each.is_apart) for each in groups] == [(("part",), False), (("all_over",), True)]
    (alone,), _ = group({"few": big[::1000]})
    assert alone.size < 5000 and not alone.is_apart


def test_what_numpy_2_has_pickled_is_loaded_by_numpy_1(monkeypatch):
    core = ModuleType("numpy.core.numeric")
    core._frombuffer = list
    for name in ("numpy", "numpy.core", "numpy._core"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, core.__name__, core)
    monkeypatch.delitem(sys.modules, "numpy._core.numeric", raising=False)
    pickled = b"\x80\x04}\x8c\x01acnumpy._core.numeric\n_frombuffer\n)Rs."  # {"a": _frombuffer()}
    assert restored(Group(("a",), pickled)) == {"a": []}
    with pytest.raises(ModuleNotFoundError, match="nothing"):
        restored(Group(("a",), pickled.replace(b"numeric", b"nothing")))
