"""Undo as a pure function: after any history it restores the oldest state, or refuses with a reason."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveinstall._planning.undo_plan import UndoneChange, UndoneTransaction, plan_undo
from liveinstall.errors import MovedOnError, RetiredError

states = st.lists(st.dictionaries(st.sampled_from("abc"), st.sampled_from("123")), min_size=2, max_size=6)


def deeds_between(worlds):
    """The changes between each state and the next, newest first."""
    found = []
    for number, (old, new) in enumerate(pairwise(worlds)):
        names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        found.append(
            UndoneTransaction(str(number), tuple(UndoneChange(n, new.get(n, ""), old.get(n, "")) for n in names))
        )
    return found[::-1]


@given(states)
def test_undoing_everything_since_a_point_ends_there(worlds):
    deeds = deeds_between(worlds)
    back = plan_undo(deeds, worlds[-1])
    was = {(deed.transaction_id, step.name): step.was for deed in deeds for step in deed.steps}
    state = dict(worlds[-1])
    for name, id in back.items():
        state[name] = was[id, name]
    assert {name: record for name, record in state.items() if record} == worlds[0]
    assert all(worlds[0].get(name, "") != worlds[-1].get(name, "") for name in back)


@given(states, st.sampled_from("abc"))
def test_what_something_else_has_changed_is_never_undone(worlds, name):
    deeds = deeds_between(worlds)
    present = {**worlds[-1], name: "other"}
    if any(step.name == name for deed in deeds for step in deed.steps):
        with pytest.raises(MovedOnError, match=f"{name} was changed by something else"):
            plan_undo(deeds, present)
    else:
        assert plan_undo(deeds, present) == plan_undo(deeds, worlds[-1])


def test_a_link_that_is_missing_in_the_middle_ends_the_way():
    deeds = [
        UndoneTransaction("2", (UndoneChange("a", "new", "pip's"),)),
        UndoneTransaction("1", (UndoneChange("a", "mid", "old"),)),
    ]
    with pytest.raises(MovedOnError) as caught:
        plan_undo(deeds, {"a": "new"})
    assert caught.value.transaction == "1" and caught.value.name == "a"


def test_a_later_transaction_is_named():
    with pytest.raises(MovedOnError, match="changed by 2 after 1"):
        plan_undo([UndoneTransaction("1", (UndoneChange("a", "mid", "old"),))], {"a": "new"}, {"a": "2"})


def test_only_the_oldest_files_are_needed():
    newest = UndoneTransaction("2", (UndoneChange("a", "3", "2", kept=False),))
    assert plan_undo([newest, UndoneTransaction("1", (UndoneChange("a", "2", "1"),))], {"a": "3"}) == {"a": "1"}
    with pytest.raises(RetiredError, match="have been removed"):
        plan_undo([newest], {"a": "3"})


def test_what_is_as_it_was_needs_nothing():
    assert plan_undo([UndoneTransaction("1", (UndoneChange("a", "1", "1", kept=False),))], {"a": "1"}) == {}
