"""The owner of a path, and the moves of its files: executed on a model of the slots, after any history."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveinstall._planning.decide import Situation, decide
from liveinstall._planning.graph import Node
from liveinstall._planning.overlaps import (
    ASIDE,
    NOBODY,
    PART,
    PLACE,
    RETIRED,
    Settled,
    SharedPath,
    as_asked,
    disturbs,
    in_order_of_dependency,
    settle,
)
from liveinstall.results import Change, Timing

P = "/site/x.py"


class Slots:
    """A path with all its files: the moves are executed on it as in a swap."""

    def __init__(self, path: SharedPath) -> None:
        self.path = path
        self.files = {(PLACE, ""): path.there} if path.there else {}
        self.files |= {(ASIDE, name): path.old[name] for name in path.aside}
        self.files |= {(PART, name): path.new[name] for name in path.coming}

    def run(self, found: Settled) -> None:
        for kind in ("copy", "out", "in"):
            for move in found.moves:
                if move.kind == kind:
                    source = self._slot(move.source, move)
                    target = self._slot(move.target, move)
                    content = self.files[source] if kind == "copy" else self.files.pop(source)
                    assert content == move.digest, move
                    assert target not in self.files, f"{move} goes over a file"
                    self.files[target] = content

    @staticmethod
    def _slot(slot, move):
        """A new file is set aside as that of the new version, next to the old one's."""
        return ("aside new", slot[1]) if slot[0] == ASIDE and move.source[0] == PART else slot

    @property
    def place(self) -> str:
        return self.files.get((PLACE, ""), "")

    def of(self, name: str) -> str:
        return self.files.get(("aside new", name)) or self.files.get((ASIDE, name), "")


def run(**facts) -> tuple[Settled, Slots]:
    path = SharedPath(P, **facts)
    found, slots = settle(path), Slots(path)
    slots.run(found)
    return found, slots


def test_what_is_installed_last_has_the_path_and_the_other_file_is_kept():
    found, slots = run(there="A", before=("a",), old={"a": "A"}, coming=("b",), new={"b": "B"})
    assert found.after == ("b", "a") and found.touched == {"a"}
    assert slots.place == "B" and slots.of("a") == "A"
    assert (found.overlap.owner, found.overlap.others, found.overlap.kept) == ("b", ("a",), ("a",))


def test_the_same_content_is_shared_and_the_file_in_place_is_not_touched():
    found, slots = run(there="A", before=("a",), old={"a": "A"}, coming=("b",), new={"b": "A"})
    assert found.after == ("a", "b") and not found.touched and found.overlap is None
    assert slots.place == "A" and slots.of("b") == "A"
    assert not [move for move in found.moves if (PLACE, "") in (move.source, move.target) and move.kind != "stay"]


def test_a_replaced_file_comes_back_when_the_winner_leaves():
    facts = {"there": "B", "before": ("b", "a"), "old": {"a": "A", "b": "B"}, "aside": frozenset("a")}
    found, slots = run(**facts, leaving=frozenset("b"))
    assert found.after == ("a",) and found.touched == {"a"} and slots.place == "A"
    assert slots.files[RETIRED, "b"] == "B" and (ASIDE, "a") not in slots.files
    assert found.overlap.owner == "a" and found.overlap.before == "b"


def test_who_leaves_first_takes_along_his_own_file_and_the_winner_keeps_the_path():
    found, slots = run(
        there="B", before=("b", "a"), old={"a": "A", "b": "B"}, aside=frozenset("a"), leaving=frozenset("a")
    )
    assert found.after == ("b",) and not found.touched
    assert slots.place == "B" and slots.files[RETIRED, "a"] == "A"


def test_a_shared_file_is_not_moved_when_the_one_who_brought_it_leaves():
    found, slots = run(
        there="A", before=("a", "b"), old={"a": "A", "b": "A"}, aside=frozenset("b"), leaving=frozenset("a")
    )
    assert found.after == ("b",) and not found.touched and slots.place == "A"
    assert slots.files[RETIRED, "a"] == "A"
    assert all((PLACE, "") not in (m.source, m.target) for m in found.moves if m.kind in ("out", "in"))


def test_an_upgrade_of_the_one_below_takes_the_path_as_with_pip():
    found, slots = run(
        there="B",
        before=("b", "a"),
        old={"a": "A", "b": "B"},
        aside=frozenset("a"),
        leaving=frozenset("a"),
        coming=("a",),
        new={"a": "A2"},
    )
    assert found.after == ("a", "b") and slots.place == "A2"
    assert slots.of("b") == "B" and slots.files[RETIRED, "a"] == "A"


def test_an_undo_gives_the_path_to_whom_it_was():
    found, slots = run(
        there="A2",
        before=("a", "b"),
        old={"a": "A2", "b": "B"},
        aside=frozenset("b"),
        leaving=frozenset("a"),
        coming=("a",),
        new={"a": "A"},
        wanted=("b", "a"),
    )
    assert found.after == ("b", "a") and slots.place == "B" and slots.of("a") == "A"


def test_an_unowned_file_is_a_conflict_unless_the_content_is_the_same():
    found, slots = run(there="X", before=(NOBODY,), coming=("b",), new={"b": "B"})
    assert found.in_the_way
    found, slots = run(there="B", before=(NOBODY,), coming=("b",), new={"b": "B"})
    assert not found.in_the_way and found.after == (NOBODY, "b") and slots.place == "B"
    found, slots = run(there="B", before=(NOBODY, "b"), old={"b": "B"}, aside=frozenset("b"), leaving=frozenset("b"))
    assert slots.place == "B" and slots.files[RETIRED, "b"] == "B"


def test_what_pip_has_overwritten_is_lost_and_the_path_stays():
    found, slots = run(there="B", before=("b", "a"), old={"a": "A", "b": "B"}, leaving=frozenset("b"))
    assert found.after == ("a",) and slots.place == "B" and slots.files[RETIRED, "b"] == "B"


def test_what_pip_has_installed_twice_stays_while_one_names_it_and_both_can_be_undone():
    slots = run(there="A", before=("b", "a"), old={"a": "A", "b": "A"}, leaving=frozenset("b"))[1]
    assert slots.place == "A" and slots.files[RETIRED, "b"] == "A"
    slots = run(there="A", before=("b", "a"), old={"a": "A", "b": "A"}, coming=("c",), new={"c": "C"})[1]
    assert slots.place == "C" and slots.of("a") == slots.of("b") == "A"


NAMES = "abcd"


@st.composite
def paths(draw) -> SharedPath:
    """Any path with a history of our own changes: each distribution that contains it has a file."""
    old = {name: draw(st.sampled_from("XYZ")) for name in draw(st.permutations(NAMES))[: draw(st.integers(0, 4))]}
    before = tuple(old)
    leaving = frozenset(draw(st.sets(st.sampled_from(before)))) if before else frozenset()
    free = sorted(leaving | (set("abcdef") - set(before)))
    coming = tuple(draw(st.lists(st.sampled_from(free), unique=True, max_size=3)))
    new = {name: draw(st.sampled_from("XYZ")) for name in coming}
    wanted = tuple(draw(st.permutations(sorted({*before, *coming})))) if draw(st.booleans()) else ()
    return SharedPath(
        P, old[before[0]] if before else "", before, leaving, coming, old, new, frozenset(before[1:]), wanted
    )


@given(paths())
def test_every_distribution_has_its_own_file_then_and_nothing_is_lost(path):
    found, slots = settle(path), Slots(path)
    slots.run(found)
    assert set(found.after) == {*path.stays, *path.coming}
    content = {name: path.new.get(name) or path.old[name] for name in found.after}
    if found.after:
        owner = found.after[0]
        assert slots.place == content[owner]
        for name in found.after[1:]:
            assert slots.of(name) == content[name], name
        wanted = [*path.wanted] or [*reversed(path.coming), *path.stays]
        ranks = {name: rank for rank, name in enumerate(wanted)}
        assert content[owner] == content[min(found.after, key=ranks.__getitem__)], "not the last one's content"
    else:
        assert slots.place == ""
    for name in path.leaving:
        assert slots.files[RETIRED, name] == path.old[name]
    assert len(slots.files) == len(found.after) + len(path.leaving)
    if slots.place == path.there:
        assert not found.touched


def change(name, old=None, new="1"):
    return Change(name, old, new)


def test_a_change_that_replaces_a_file_of_a_loaded_distribution_is_pending():
    before = {"a": Node("1", ())}
    situation = Situation(
        before, {**before, "b": Node("1", ())}, {"a": "a is imported here"}, overlaps={"b": frozenset("a")}
    )
    (found,) = decide((change("b"),), situation)
    assert found.timing is Timing.RESTART and found.reason == "it shares files with a: a is imported here"


def test_moved_code_is_pending_with_its_former_distribution():
    before = {"split": Node("1", ())}
    after = {"split": Node("2", ("split-core",)), "split-core": Node("1", ())}
    situation = Situation(
        before, after, {"split": "split is imported here"}, overlaps={"split-core": frozenset({"split"})}
    )
    found = decide((change("split-core"), change("split", "1", "2")), situation)
    assert [each.timing for each in found] == [Timing.RESTART] * 2


def test_files_that_move_between_changes_bind_them_together():
    moved = settle(SharedPath(P, "A", ("a",), frozenset("a"), ("b",), {"a": "A"}, {"b": "A"}))
    assert disturbs([moved]) == {"b": frozenset("a")}
    rivals = settle(SharedPath(P, "", (), frozenset(), ("b", "c"), {}, {"b": "B", "c": "C"}))
    assert disturbs([rivals]) == {"b": frozenset("c"), "c": frozenset("b")}
    shared = settle(SharedPath(P, "", (), frozenset(), ("b", "c"), {}, {"b": "B", "c": "B"}))
    assert disturbs([shared]) == {}


def test_what_is_needed_is_installed_first_and_else_as_it_was_asked_for():
    assert in_order_of_dependency("cab", {"c": frozenset("b")}) == ("b", "c", "a")
    assert in_order_of_dependency("ab", {"a": frozenset("b"), "b": frozenset("a")}) == ("b", "a")
    assert as_asked(["a", "b", "needed", "c-d"], ["c_d>=1", "/x/b-1.0-py3-none-any.whl", "a[x]"]) == [
        "needed",
        "c-d",
        "b",
        "a",
    ]


@pytest.mark.parametrize("text", ["https://x/y/c_d-1.0.tar.gz", "C.D==1", "./dir/c-d"])
def test_the_order_of_a_request_knows_its_names(text):
    assert as_asked(["c-d", "x"], [text]) == ["x", "c-d"]
