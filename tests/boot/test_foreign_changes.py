"""Another tool changes the environment during a swap: it takes no lock, and no file is guessed."""

from __future__ import annotations

import os
import shutil
import sys
import time

import pytest
from helpers.in_process_site import Place

from _liveinstall_boot.layout import list_transactions
from liveinstall._transactions import published
from liveinstall._transactions import transaction as transactions


@pytest.fixture(params=["recent", "old"])
def staged(place, request):
    """An old installation was searched when the upgrade was staged, a recent one is searched by the swap."""
    recent = request.param == "recent"
    place.install(place.candidate("alpha", "1.0"), place.candidate("beta", "1.0"))
    place.stage(place.candidate("alpha", "2.0"), place.candidate("beta", "2.0"), recent=recent)
    (item,) = published.read_all(str(place.site))
    if sys.platform.startswith("linux"):
        assert bool(item.record.retire) is not recent
    return place


def remove(place):
    shutil.rmtree(place.site / "alpha", ignore_errors=True)
    shutil.rmtree(place.site / "alpha-1.0.dist-info", ignore_errors=True)


def half_remove(place):
    (place.site / "alpha" / "__init__.py").unlink(missing_ok=True)


def put_in(place):
    """As pip does for alpha 3: it overwrites the existing files, then writes its dist-info."""
    for path in ("alpha/__init__.py", "alpha/third.py", "alpha-3.0.dist-info/METADATA"):
        (place.site / path).parent.mkdir(exist_ok=True)
        (place.site / path).write_text("Name: alpha\nVersion: 3.0\n")


def put_in_long_after(place):
    """A directory that was not modified for long is not searched twice, unless its time has changed."""
    put_in(place)


def age(place):
    """Give the directories of a package the time of an installation an hour ago."""
    for path in (place.site / "alpha", *(path for path in (place.site / "alpha").rglob("*") if path.is_dir())):
        os.utime(path, (time.time() - 3600,) * 2)


@pytest.mark.parametrize("meddle", [remove, half_remove, put_in, put_in_long_after])
def test_python_starts_after_any_change_during_a_swap_and_files_of_other_tools_stay(staged, tmp_path, meddle):
    dry = staged.copy(tmp_path / "dry")
    _, points = dry.start()
    assert points > 20
    seen = set()
    for at in range(points):
        copy = staged.copy(tmp_path / str(at))
        if meddle is put_in_long_after:
            age(copy)

        def interfere(copy=copy) -> None:
            meddle(copy)

        status, _ = copy.start(at=at, meddle=interfere)
        assert status == 0, at
        assert copy.start()[0] == 0, at
        beta = [path.name for path in copy.site.glob("beta-*.dist-info")]
        assert beta in (["beta-1.0.dist-info"], ["beta-2.0.dist-info"]), at
        version = beta[0][5:8]
        assert (copy.site / "beta/__init__.py").read_text() == f"__version__ = '{version}'\n", at
        assert (copy.site / "beta/late.py").read_text() == f"V = '{version}'\n", at
        if meddle in (put_in, put_in_long_after):
            assert (copy.site / "alpha/third.py").exists(), at
            assert (copy.site / "alpha-3.0.dist-info/METADATA").exists(), at
        states = [state for _, state, _ in list_transactions(str(copy.site))]
        assert states in ([], ["failed"], ["pending"]), (at, states)
        if states:
            told = [
                transactions.note_of(str(copy.site), item.transaction_id) for item in published.read_all(str(copy.site))
            ]
            assert all(told), at
        seen.add((version, *states))
        shutil.rmtree(tmp_path / str(at))
    assert ("2.0",) in seen  # after the last file of alpha was moved in


def test_a_second_version_that_came_between_staging_and_start_is_left_alone(staged: Place) -> None:
    put_in(staged)
    assert staged.start()[0] == 0
    (item,) = published.read_all(str(staged.site))
    assert item.state == "failed"
    assert transactions.note_of(str(staged.site), item.transaction_id) == "alpha was installed by something else"
    assert (staged.site / "alpha-1.0.dist-info").exists() and (staged.site / "alpha-3.0.dist-info").exists()


def test_a_directory_in_place_of_a_file_keeps_its_content(place: Place) -> None:
    place.install(place.candidate("alpha", "1.0", {"alpha/__init__.py": "", "alpha_data": ""}))
    place.stage(place.candidate("alpha", "2.0", {"alpha/__init__.py": ""}))
    (place.site / "alpha_data").unlink()
    (place.site / "alpha_data").mkdir()
    (place.site / "alpha_data" / "mine").write_text("mine")
    assert place.start()[0] == 0
    assert (place.site / "alpha_data" / "mine").read_text() == "mine"
    (item,) = published.read_all(str(place.site))
    assert item.state == "failed"
    assert transactions.note_of(str(place.site), item.transaction_id) == "alpha 1.0 is being changed by something else"
    assert (place.site / "alpha-1.0.dist-info").exists()
