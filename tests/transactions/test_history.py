from __future__ import annotations

import os
import time

import pytest
from helpers.in_process_site import Place

from _liveinstall_boot.layout import HISTORY, RETIRED, STATE
from liveinstall._transactions import history
from liveinstall._transactions import transaction as transactions
from liveinstall._transactions.history import Limits


@pytest.fixture
def place(tmp_path):
    """alpha 1.0 to 5.0, one after the other: four of them have replaced a version."""
    place = Place(tmp_path / "root")
    for version in range(1, 6):
        place.install(place.candidate("alpha", f"{version}.0"))
    return place


def versions(place: Place) -> list[str]:
    return [done.record.changes[0].new_version for done in history.happened(str(place.site))]


def kept(place: Place) -> list[str]:
    return [
        done.record.changes[0].new_version
        for done in history.happened(str(place.site))
        if os.path.isdir(place.site / STATE / RETIRED / done.transaction_id)
    ]


def test_the_order_is_that_of_the_swaps_also_within_a_second(place):
    assert versions(place) == ["5.0", "4.0", "3.0", "2.0", "1.0"]
    first = place.stage(place.candidate("first", "1.0"))
    second = place.stage(place.candidate("second", "1.0"))
    for id in (second, first):
        transactions.apply(str(place.site), id)
    assert [done.transaction_id for done in history.happened(str(place.site))[:2]] == [first, second]


def test_the_order_holds_when_the_clock_is_set_back(place, monkeypatch):
    candidate = place.candidate("alpha", "6.0")
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    place.install(candidate)
    assert versions(place)[0] == "6.0"


def test_a_record_without_its_moment_and_one_that_cannot_be_read(place):
    directory = place.site / STATE / HISTORY
    newest, *_, oldest = history.happened(str(place.site))
    names = {path.name.partition(".")[0]: path for path in directory.iterdir()}
    names[oldest.transaction_id].rename(directory / oldest.transaction_id)
    os.utime(directory / oldest.transaction_id, (5, 5))
    assert history.happened(str(place.site))[-1].when == 5
    names[newest.transaction_id].write_text("liveinstall-transaction 99\nend\n")
    assert versions(place) == ["4.0", "3.0", "2.0", "1.0"]
    before = place.site / STATE / RETIRED / newest.transaction_id
    history.prune(str(place.site), Limits(keep=0))
    assert before.is_dir() and kept(place) == []  # another version's is not changed


@pytest.mark.parametrize(
    ("limits", "spare", "left"),
    [
        (Limits(), 0, ["5.0", "4.0", "3.0", "2.0"]),
        (Limits(keep=2), 0, ["5.0", "4.0"]),
        (Limits(keep=0), 0, []),
        (Limits(keep=0), 1, ["5.0"]),
        (Limits(days=1), 0, ["5.0", "4.0", "3.0"]),
        (Limits(days=0), 1, ["5.0"]),
        (Limits(bytes=0), 0, []),
        (Limits(bytes=0), 1, ["5.0"]),
        (Limits(keep=3, days=1, bytes=2**30), 0, ["5.0", "4.0", "3.0"]),
    ],
)
def test_what_exceeds_a_limit_goes_the_oldest_first(place, limits, spare, left):
    second = history.happened(str(place.site))[-2]
    directory = place.site / STATE / HISTORY
    path = next(path for path in directory.iterdir() if path.name.startswith(second.transaction_id))
    path.rename(directory / f"{second.transaction_id}.{int((time.time() - 2 * 86400) * 1e6)}")
    state = place.state()
    gone = history.prune(str(place.site), limits, spare=spare)
    assert kept(place) == left and len(gone) == 4 - len(left)
    assert place.state() == state and len(history.happened(str(place.site))) == 5


def test_bytes_are_those_of_the_records(place):
    size = sum(len(path.read_bytes()) for path in place.site.rglob("*") if path.is_file() and "alpha" in str(path))
    done = history.happened(str(place.site))[0]
    retires = done.about_change("alpha")["retires"]
    own = (place.site / "alpha-5.0.dist-info" / "RECORD").stat().st_size  # without RECORD itself
    assert 0 < retires <= size and retires == pytest.approx(
        sum(
            path.stat().st_size
            for root in (place.site / "alpha", place.site / "alpha-5.0.dist-info")
            for path in root.rglob("*")
            if path.suffix != ".pyc" and path.is_file()
        )
        - own
    )
    history.prune(str(place.site), Limits(bytes=2 * retires))
    assert kept(place) == ["5.0", "4.0"]


def test_the_stated_limits_are_the_ones_that_a_use_applies(place, monkeypatch):
    for name, value in (("KEPT_TRANSACTIONS", 3), ("KEPT_DAYS", 1.0), ("KEPT_BYTES", 2**30)):
        monkeypatch.setattr(history, name, value)
    transactions.recover(str(place.site))
    assert kept(place) == ["5.0", "4.0", "3.0"]
    monkeypatch.setattr(history, "KEPT_BYTES", 1)
    transactions.recover(str(place.site))
    assert kept(place) == ["5.0"]  # the newest stays, however big


def test_what_is_being_swapped_is_not_pruned(place):
    id = place.stage(place.candidate("alpha", "6.0"))
    (place.site / STATE / RETIRED / id).mkdir()
    history.prune(str(place.site), Limits(keep=0))
    assert (place.site / STATE / RETIRED / id).is_dir()


def test_old_files_without_a_record_are_removed(place):
    newest = history.happened(str(place.site))[0]
    for path in (place.site / STATE / HISTORY).iterdir():
        if path.name.startswith(newest.transaction_id):
            path.unlink()
    transactions.recover(str(place.site))
    assert not (place.site / STATE / RETIRED / newest.transaction_id).exists()
