"""P2 if several distributions contain the same files: old or new, never between, and no file is lost."""

from __future__ import annotations

import errno
import os
import py_compile
import shutil

import pytest
from helpers.disk_errors import ERRORS
from helpers.environments import tree
from helpers.in_process_site import KILLED, Place, live
from helpers.started import EVERY

from _liveinstall_boot import codec
from _liveinstall_boot.layout import REPLACED, STATE, list_transactions, record_path
from liveinstall._transactions import history
from liveinstall._transactions import transaction as transactions

ONE = {"ns/__init__.py": "SAME = 1\n", "ns/both.py": "V = 'one'\n", "one.py": ""}
TWO = {"ns/__init__.py": "SAME = 1\n", "ns/both.py": "V = 'two'\n", "two.py": ""}


def wheel(place: Place, name: str, version: str, files: dict):
    more = {f"{name}-{version}.data/data/share/x.txt": name + version}
    return place.candidate(name, version, {**files, **more}, scripts={"tool": f"{name}:run"})


def one(place, version="1.0", **more):
    return wheel(place, "one", version, {**ONE, **more})


def two(place, version="1.0", **more):
    return wheel(place, "two", version, {**TWO, **more})


def _over(place):
    place.install(one(place))
    return place.stage, (two(place),), {}


def _back(place):
    place.install(one(place))
    place.install(two(place))
    return place.stage, (), {"remove": ("two",)}


def _loser_leaves(place):
    place.install(one(place))
    place.install(two(place))
    return place.stage, (), {"remove": ("one",)}


def _loser_upgrades(place):
    place.install(one(place))
    place.install(two(place))
    return place.stage, (one(place, "2.0", **{"ns/both.py": "V = 'one2'\n"}),), {}


def _all_of_it(place):
    """Three owners: one is upgraded and loses a file, one is removed, one added; code moves to a new distribution."""
    place.install(one(place, **{"moved.py": "V = 1\n"}))
    place.install(two(place))
    place.install(place.candidate("three", "1.0", {"ns/both.py": "V = 'three'\n", "ns/__init__.py": "SAME = 1\n"}))
    new = place.candidate("one", "2.0", {"ns/__init__.py": "SAME = 1\n", "one.py": "V = 2\n"})
    fresh = place.candidate("fresh", "1.0", {"moved.py": "V = 2\n", "ns/both.py": "V = 'fresh'\n"})
    return place.stage, (new, fresh), {"remove": ("three",)}


SCENES = {
    "a second one comes": _over,
    "the winner leaves": _back,
    "the loser leaves": _loser_leaves,
    "the loser is upgraded": _loser_upgrades,
    "all of it": _all_of_it,
}


def state(place: Place) -> dict[str, str]:
    replaced = place.site / STATE / REPLACED
    here = {path: content for path, content in place.state().items() if ".part" not in path and "_final" not in path}
    return {**here, **{f"replaced/{path}": content for path, content in tree(replaced).items()}}


def staged(tmp_path, scene) -> tuple[Place, dict, dict]:
    place = Place(tmp_path / "root")
    stage, candidates, more = SCENES[scene](place)
    before = state(place)
    stage(*candidates, **more)
    done = place.copy(tmp_path / "done")
    assert done.start()[0] == 0
    assert not list_transactions(str(done.site)), "it was not swapped"
    after = state(done)
    assert after != before
    return place, before, after


def assert_whole(place: Place, before: dict, after: dict, at: str) -> bool:
    found = state(place)
    nearest = min((before, after), key=lambda other: len(found.items() ^ other.items()))
    assert found == nearest, f"{at}: {sorted(found.items() ^ nearest.items())}"
    return found == after


@pytest.mark.parametrize("scene", SCENES)
def test_a_start_that_is_killed_at_any_point_leaves_old_or_new_and_the_next_ends_new(tmp_path, scene):
    place, before, after = staged(tmp_path, scene)
    _, points = place.copy(tmp_path / "dry").start()
    assert points > 15
    for at in range(points)[::EVERY]:
        copy = place.copy(tmp_path / f"kill{at}")
        assert copy.start(at=at)[0] == KILLED
        transactions_left = list_transactions(str(copy.site))
        assert copy.start()[0] == 0
        assert assert_whole(copy, before, after, f"kill {at} ({transactions_left})"), f"kill {at} was not finished"
        assert copy.leftovers() == [], at


@pytest.mark.parametrize("scene", ["the winner leaves", "all of it"])
def test_a_recovery_that_is_killed_at_any_point_is_recovered_too(tmp_path, scene):
    place, before, after = staged(tmp_path, scene)
    _, points = place.copy(tmp_path / "dry").start()
    tried = 0
    for first in range(0, points, 5)[::EVERY]:
        half = place.copy(tmp_path / f"half{first}")
        half.start(at=first)
        _, again = half.copy(tmp_path / f"count{first}").start()
        for second in range(first % 3, again, 3)[::EVERY]:
            copy = half.copy(tmp_path / f"k{first}-{second}")
            copy.start(at=second)
            copy.start()
            copy.start()
            assert_whole(copy, before, after, f"kills {first}, {second}")
            tried += 1
    assert tried > 30 // EVERY**2


@pytest.mark.parametrize("scene", ["a second one comes", "all of it"])
def test_an_error_at_any_point_leaves_old_or_new(tmp_path, scene):
    place, before, after = staged(tmp_path, scene)
    _, points = place.copy(tmp_path / "dry").start()
    for at in range(points)[::EVERY]:
        name = ERRORS[at % len(ERRORS)]
        copy = place.copy(tmp_path / f"{name}{at}")
        code = getattr(errno, name)
        assert copy.start(at=at, error=OSError(code, os.strerror(code)))[0] == 0, at
        assert_whole(copy, before, after, f"{name} at {at}")
        assert copy.start()[0] == 0
        assert assert_whole(copy, before, after, f"{name} at {at}, then a start")


@pytest.mark.parametrize("scene", SCENES)
def test_a_roll_back_from_the_end_brings_everything_back(tmp_path, scene):
    """Killed just before its commit point, with every file moved; the rolled-back change is then cancelled."""
    place, before, _ = staged(tmp_path, scene)
    ((id, _, _),) = list_transactions(str(place.site))
    _, points = place.copy(tmp_path / "dry").start()
    for at in reversed(range(points)):
        copy = place.copy(tmp_path / f"kill{at}")
        copy.start(at=at)
        if [state for _, state, _ in list_transactions(str(copy.site))] == ["swapping"]:
            transactions.recover(str(copy.site))
            transactions.discard(str(copy.site), id)
            assert state(copy) == before
            return
    raise AssertionError("no kill left it in the middle")


def test_what_pip_has_changed_since_it_was_staged_is_left_alone(tmp_path):
    place, _, _ = staged(tmp_path, "a second one comes")
    ((id, _, _),) = list_transactions(str(place.site))
    (place.site / "ns/both.py").write_text("V = 'of pip'\n")
    before = state(place)
    assert place.start()[0] == 0
    assert state(place) == before
    assert f"{os.path.join('ns', 'both.py')} was changed by something else" in transactions.note_of(str(place.site), id)


def test_bytecode_of_one_is_never_next_to_the_source_of_the_other(tmp_path):
    """With two sources of the same size and time Python would use the bytecode of one for the other."""
    place = Place(tmp_path / "root")
    place.install(place.candidate("one", "1.0", {"both.py": "V = 1\n"}))
    source = place.site / "both.py"
    os.utime(source, (1e9, 1e9))
    py_compile.compile(str(source))
    assert list(place.site.glob("__pycache__/both*.pyc"))
    place.stage(place.candidate("two", "1.0", {"both.py": "V = 2\n"}))
    for part in place.site.glob("two-1.0.part/both.py"):
        os.utime(part, (1e9, 1e9))
    assert place.start()[0] == 0
    assert source.read_text() == "V = 2\n" and not list(place.site.glob("__pycache__/both*.pyc"))


def test_an_older_reader_refuses_a_transaction_with_moves(tmp_path):
    place, _, _ = staged(tmp_path, "a second one comes")
    ((id, state_, tries),) = list_transactions(str(place.site))
    text = codec.read(record_path(str(place.site), id, state_, tries))
    assert text.startswith("liveinstall-transaction 2\n")  # it knows only 1
    record = codec.decode_record(text)
    assert codec.decode_record(codec.encode_record(record)).moves == record.moves
    assert record.owners[os.path.join("ns", "both.py")] == (("one",), ("two", "one"))
    with pytest.raises(codec.StaleError):
        codec.decode_record(text.replace("move\tout", "move\tsideways"))
    with pytest.raises(codec.StaleError):
        codec.decode_record(text.replace("move\tout\t", "move\tout\tx\t"))


def test_without_overlaps_a_transaction_is_what_it_was(tmp_path):
    place = Place(tmp_path / "root")
    place.stage(place.candidate("one", "1.0"))
    ((id, state_, tries),) = list_transactions(str(place.site))
    assert codec.read(record_path(str(place.site), id, state_, tries)).startswith("liveinstall-transaction 1\n")


@pytest.mark.parametrize("made_by", ["liveinstall", "another tool"])
def test_an_undo_in_a_live_process_that_is_killed_at_any_point_leaves_old_or_new(tmp_path, made_by):
    """It restores a file; if another tool has written one file for both, it sets a copy aside first."""
    place = Place(tmp_path / "root")
    place.install(one(place))
    place.install(two(place))
    if made_by == "another tool":
        shutil.rmtree(place.site / STATE / REPLACED)
    before = visible(place)
    last = history.happened(str(place.site))[0].transaction_id
    dry = place.copy(tmp_path / "dry")
    status, points = dry.fork(live(dry, lambda session: session.undo(last)))
    assert (status, points > 40) == (0, True), dry.said.read_text()
    after = visible(dry)
    assert after != before
    ended = set()
    for at in range(0, points, 2):
        copy = place.copy(tmp_path / f"kill{at}")
        assert copy.fork(live(copy, lambda session: session.undo(last)), at=at)[0] == KILLED
        assert copy.start()[0] == 0
        transactions.recover(str(copy.site))
        found = visible(copy)
        assert found in (before, after), at
        ended.add(found == after)
        if found == before:
            assert copy.fork(live(copy, lambda session: session.undo(last)))[0] == 0, copy.said.read_text()
            assert visible(copy) == after, at
    assert ended == {True, False}


def visible(place: Place) -> dict[str, str]:
    """All files except those set aside: an additional copy does no harm."""
    return {path: content for path, content in state(place).items() if not path.startswith("replaced/")}
