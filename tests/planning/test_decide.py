"""The decision as a pure function: its invariants hold for any state that hypothesis generates."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from liveinstall._planning.decide import Situation, conflicts, decide
from liveinstall._planning.graph import Node, edges
from liveinstall._planning.plan import PendingNode, future, kept_after_cancel
from liveinstall.results import Change, Timing

NAMES = ("a", "b", "c", "d", "e", "f")
names = st.sampled_from(NAMES)
requirement = st.builds("{}{}{}".format, names, st.sampled_from(("<", ">=", "==")), st.integers(1, 4))
node = st.builds(Node, st.integers(1, 4).map(str), st.lists(requirement | names, max_size=3).map(tuple))
worlds = st.dictionaries(names, node, max_size=6)


@st.composite
def situations(draw):
    before = draw(worlds)
    after = {**before, **draw(worlds)}
    for name in draw(st.sets(names, max_size=2)):
        after.pop(name, None)
    changed = [name for name in NAMES if before.get(name) != after.get(name)]
    disturbing = {name: "loaded" for name in draw(st.sets(names)) if name in changed and name in before}
    version = lambda state, name: state[name].version if name in state else None
    changes = tuple(Change(name, version(before, name), version(after, name)) for name in changed)
    return changes, Situation(before, after, disturbing, used=frozenset(draw(st.sets(names))))


def after_now(changes, situation):
    state = dict(situation.before)
    for change in decide(changes, situation):
        if change.timing is Timing.NOW:
            state.pop(change.name, None)
            if change.new_version:
                state[change.name] = situation.after[change.name]
    return state


@given(situations())
@settings(max_examples=400)
def test_nothing_that_disturbs_a_live_process_happens_now(world):
    changes, situation = world
    now = {change.name for change in decide(changes, situation) if change.timing is Timing.NOW}
    assert now.isdisjoint(situation.disturbing)


@given(situations())
@settings(max_examples=400)
def test_every_requirement_of_what_stays_that_was_satisfied_is_still_satisfied(world):
    changes, situation = world
    state = after_now(changes, situation)
    for edge in edges(situation.before):
        stays = edge.requirer in state and state[edge.requirer] == situation.before[edge.requirer]
        for_good = edge.name not in situation.after and edge.requirer not in situation.used
        if stays and edge.is_satisfied(situation.before) and not for_good:
            assert edge.is_satisfied(state), edge


@given(situations())
@settings(max_examples=400)
def test_what_came_in_now_has_all_that_it_will_ever_have(world):
    changes, situation = world
    state = after_now(changes, situation)
    came = [c.name for c in decide(changes, situation) if c.timing is Timing.NOW and c.new_version]
    waiting = {c.name for c in decide(changes, situation) if c.timing is Timing.RESTART}
    for edge in edges(situation.after, of=came):
        if edge.is_satisfied(situation.after) and edge.name in waiting:
            assert edge.is_satisfied(state), edge


@given(situations())
def test_each_change_is_decided_once_and_pending_ones_have_a_reason(world):
    changes, situation = world
    decided = decide(changes, situation)
    assert [(c.name, c.old_version, c.new_version) for c in decided] == [
        (c.name, c.old_version, c.new_version) for c in changes
    ]
    assert all(change.reason for change in decided)


@given(situations())
def test_nothing_is_pending_if_nothing_is_loaded_or_broken(world):
    changes, situation = world
    free = Situation(situation.before, situation.after)
    if not conflicts(changes, free):
        broken = [e for e in edges(free.before) if e.is_satisfied(free.before)]
        if all(e.is_satisfied(free.after) for e in broken if free.after.get(e.requirer) == free.before[e.requirer]):
            assert all(change.timing is Timing.NOW for change in decide(changes, free))


@given(
    worlds, st.dictionaries(names, st.builds(PendingNode, node, st.just(""), st.booleans()), max_size=4), st.sets(names)
)
@settings(max_examples=400)
def test_what_is_left_after_a_cancel_keeps_every_promise_that_it_kept_before(before, waiting, cancelled):
    kept = kept_after_cancel(waiting, before, cancelled)
    assert kept.isdisjoint(cancelled)
    whole, rest = future(before, waiting), future(before, {name: waiting[name] for name in kept})
    for edge in edges(rest, of=kept):
        if edge.name in waiting and edge.is_satisfied(whole):
            assert edge.is_satisfied(rest)


def test_the_reasons_read_like_sentences():
    before = {
        "numpy": Node("1.26"),
        "pandas": Node("1.5", ("numpy<2",)),
        "app": Node("1", ("tool<2",)),
        "tool": Node("1"),
    }
    after = {**before, "numpy": Node("2.2"), "pandas": Node("2.2", ("numpy>=2",)), "tool": Node("2")}
    changes = (Change("numpy", "1.26", "2.2"), Change("pandas", "1.5", "2.2"), Change("tool", "1", "2"))
    reasons = {c.name: c.reason for c in decide(changes, Situation(before, after, {"numpy": "numpy is imported here"}))}
    assert reasons == {
        "numpy": "numpy is imported here",
        "pandas": "it depends on numpy 2.2, which is pending",
        "tool": "app 1 requires tool<2",
    }
    assert conflicts(changes, Situation(before, after)) == ("app 1 requires tool<2, but tool will be 2",)


def test_requirements_of_a_pending_distribution_are_pending_with_it():
    before = {
        "starlette": Node("0.22", ('httpx; extra == "full"',)),
        "httpx": Node("0.23", ("core",)),
        "core": Node("1"),
    }
    after = {"starlette": Node("0.41"), "httpx": Node("0.28"), "core": Node("2"), "new": Node("1")}
    changes = tuple(
        Change(name, before[name].version if name in before else None, node.version) for name, node in after.items()
    )
    decided = decide(changes, Situation(before, after, {"starlette": "starlette is imported here"}))
    assert {c.name: c.timing.value for c in decided} == {
        "starlette": "restart",
        "httpx": "restart",
        "core": "restart",
        "new": "now",
    }
    assert decided[1].reason == "starlette is pending, and its old version may still import it"


def test_extras_are_followed():
    before = {"x": Node("1"), "dep": Node("1")}
    after = {"x": Node("2", ('dep>=2; extra == "fast"',)), "dep": Node("2")}
    changes = (Change("x", "1", "2"), Change("dep", "1", "2"))
    loaded = {"dep": "dep is imported here"}
    plain = decide(changes, Situation(before, after, loaded))
    asked = decide(changes, Situation(before, after, loaded, extras={"x": frozenset({"fast"})}))
    assert [c.timing.value for c in plain] == ["now", "restart"]
    assert [c.timing.value for c in asked] == ["restart", "restart"]
