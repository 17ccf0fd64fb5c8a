"""P2 and P7 together: an undo that is killed at any point leaves old or new, and can be repeated."""

from __future__ import annotations

import errno
import os

import pytest
from helpers.disk_errors import ERRORS
from helpers.in_process_site import KILLED, Place, live
from test_crash import assert_whole

from _liveinstall_boot.layout import RETIRED, STATE, list_transactions
from liveinstall._transactions import history
from liveinstall._transactions import transaction as transactions

BIG = "x" * 2**20
CODES = [getattr(errno, name) for name in ERRORS]


@pytest.fixture
def changed(place):
    """One applied transaction: an upgrade with scripts, data and a shared namespace, a fresh install, a removal."""
    place.install(
        place.candidate(
            "alpha",
            "1.0",
            {"alpha/__init__.py": "V = 1\n", "alpha/big.py": BIG, "alpha-1.0.data/data/share/a.txt": "old"},
            scripts={"alpha-run": "alpha:run"},
        ),
        place.candidate("ns-a", "1.0", {"ns/a.py": "V = 1\n"}),
        place.candidate("ns-b", "1.0", {"ns/b.py": "V = 1\n"}),
    )
    place.old = place.state()
    new = [
        place.candidate("alpha", "2.0", {"alpha/__init__.py": "V = 2\n"}, scripts={"alpha-run": "alpha:run2"}),
        place.candidate("fresh", "1.0", {"ns/fresh.py": ""}),
    ]
    transactions.apply(str(place.site), place.stage(*new, remove=("ns-a",)))
    place.new = place.state()
    return place


def last(place: Place) -> str:
    return history.happened(str(place.site))[0].transaction_id


def undoing(place: Place, loaded: str = ""):
    id = last(place)
    return live(place, lambda session: session.undo(id), loaded=loaded)


def settle(place: Place) -> None:
    """A start, and then the next use of liveinstall."""
    assert place.start()[0] == 0
    transactions.recover(str(place.site))


@pytest.mark.parametrize("loaded", ["", "alpha"])
def test_an_undo_that_is_killed_at_any_point_leaves_old_or_new_and_can_be_asked_for_again(changed, tmp_path, loaded):
    dry = changed.copy(tmp_path / "dry")
    status, points = dry.fork(undoing(dry, loaded))
    assert (status, points > 60) == (0, True)
    assert bool(loaded) == bool(list_transactions(str(dry.site)))
    settle(dry)
    assert dry.state() == changed.old
    done = 0
    for at in range(points):
        copy = changed.copy(tmp_path / f"kill{at}")
        first = last(copy)
        assert copy.fork(undoing(copy, loaded), at=at)[0] == KILLED
        settle(copy)
        if assert_whole(copy, changed.new, changed.old, f"kill {at}"):
            done += 1
            assert last(copy) != first, f"kill {at}: it happened, but is not in the history"
        else:
            assert copy.fork(undoing(copy))[0] == 0, f"kill {at}: it cannot be repeated"
            assert copy.state() == changed.old, f"kill {at}"
        assert copy.leftovers() == [], f"kill {at}"
    assert 0 < done < points


@pytest.mark.parametrize("loaded", ["", "alpha"])
def test_a_start_that_finishes_an_undo_survives_a_kill_at_any_point(changed, tmp_path, loaded):
    undone = changed.copy(tmp_path / "undone")
    assert undone.fork(undoing(undone, "alpha"))[0] == 0
    _, points = undone.copy(tmp_path / "dry").start()
    for at in range(points):
        copy = undone.copy(tmp_path / f"kill{at}")
        assert copy.start(at=at)[0] == KILLED
        settle(copy)
        assert assert_whole(copy, changed.new, changed.old, f"kill {at}"), f"kill {at}: the next start did not finish"


@pytest.mark.parametrize("code", CODES)
def test_an_error_at_any_point_of_an_undo_leaves_old_or_new_and_it_can_be_asked_for_again(changed, tmp_path, code):
    dry = changed.copy(tmp_path / "dry")
    _, points = dry.fork(undoing(dry))
    everything = os.environ.get("LIVEINSTALL_ALL_CASES") == "1"  # otherwise each point gets one of the errors
    for at in range(0 if everything else CODES.index(code), points, 1 if everything else len(CODES)):
        copy = changed.copy(tmp_path / f"error{at}")
        copy.fork(undoing(copy), at=at, error=OSError(code, os.strerror(code)))
        settle(copy)
        if not assert_whole(copy, changed.new, changed.old, f"errno {code} at {at}"):
            assert copy.fork(undoing(copy))[0] == 0, f"errno {code} at {at}: it cannot be repeated"
            assert copy.state() == changed.old


def test_pruning_that_is_killed_at_any_point_never_leaves_half_of_what_is_kept(changed, tmp_path):
    dry = changed.copy(tmp_path / "dry")
    _, points = dry.fork(live(dry, lambda session: session.prune()))
    assert points > 10
    for at in range(points):
        copy = changed.copy(tmp_path / f"kill{at}")
        assert copy.fork(live(copy, lambda session: session.prune()), at=at)[0] == KILLED
        assert copy.state() == changed.new
        id = last(copy)
        kept = [
            history.is_kept(str(copy.site), done, change)
            for done in history.happened(str(copy.site))[:1]
            for change in done.record.changes
            if change.old_info
        ]
        again = copy.copy(tmp_path / f"again{at}")
        status, _ = again.fork(undoing(again))
        assert (status == 0) == all(kept), f"kill {at}"
        assert again.state() == (changed.old if all(kept) else changed.new), f"kill {at}"
        transactions.recover(str(copy.site))
        assert (copy.site / STATE / RETIRED / id).exists() == all(kept), f"kill {at}: left half"
