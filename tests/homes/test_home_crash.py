"""Killed at any point: a home exists completely or not at all, and leftovers are removed. Real processes are killed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from helpers.capabilities import can_fork
from helpers.environments import make_wheel, tree
from helpers.in_process_site import KILLED, Place

from liveinstall import homes
from liveinstall._homes import base_python
from liveinstall._homes import trial as trials
from liveinstall._sidebyside.selection import fetch, resolver  # noqa: F401
from liveinstall._sidebyside.store.store import Store
from liveinstall._transactions import published
from liveinstall.errors import HomeError

pytestmark = can_fork


@pytest.fixture
def small(monkeypatch):
    """A standard library of a few links; otherwise each try would have two hundred points."""
    whole = base_python.listed
    monkeypatch.setattr(base_python, "listed", lambda path: dict(sorted(whole(path).items())[:4]))


@pytest.fixture
def store(tmp_path):
    found = Store.at(tmp_path / "store")
    found.add(make_wheel(tmp_path / "wheels", "alpha", "1.0", scripts={"run": "alpha:V"}))
    return found


def entries(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()} if place.exists() else set()


def test_a_maker_that_is_killed_leaves_no_home_and_the_next_sweeps(store, small, tmp_path):
    place = Place(tmp_path / "root")

    def create(name: str):
        return lambda: homes.create(tmp_path / name / "home", "alpha", store=store.path)

    (tmp_path / "dry").mkdir()
    status, points = place.fork(create("dry"))
    assert (status, points > 20) == (0, True)
    whole = tree(tmp_path / "dry" / "home", ignore=())
    for at in range(points):
        name = f"kill{at}"
        (tmp_path / name).mkdir()
        assert place.fork(create(name), at=at)[0] == KILLED
        home = tmp_path / name / "home"
        if home.exists():
            assert homes.remove(home) == ()  # it was already complete
        else:
            with pytest.raises(HomeError):
                homes.run(home, "pass")
        create(name)()
        assert entries(tmp_path / name) == {"home"}, f"kill {at}"
        assert set(tree(home, ignore=())) == set(whole), f"kill {at}"


def test_a_removal_that_is_killed_is_finished_by_the_next(store, small, tmp_path):
    place = Place(tmp_path / "root")
    home = tmp_path / "home"

    def create():
        homes.create(home, "alpha", store=store.path)

    create()
    before = tree(tmp_path / "store")
    _, points = place.fork(lambda: homes.remove(home))
    assert points > 20 and not home.exists()
    for at in range(points):
        create()
        assert place.fork(lambda: homes.remove(home), at=at)[0] == KILLED
        if (home / "liveinstall-home").exists():
            assert homes.remove(home) == (), f"kill {at}"
        assert entries(home) == set(), f"kill {at}"
        if home.exists():
            home.rmdir()
    assert tree(tmp_path / "store") == before


@pytest.mark.parametrize("error", ["ENOSPC", "EROFS", "EIO"])
def test_an_error_of_the_disk_leaves_nothing(store, small, tmp_path, error):
    import errno

    place = Place(tmp_path / "root")
    (tmp_path / "at").mkdir()
    create = lambda: homes.create(tmp_path / "at" / "home", "alpha", store=store.path)
    for at in range(0, 40, 3):
        code = getattr(errno, error)
        place.fork(create, at=at, error=OSError(code, os.strerror(code)))
        assert entries(tmp_path / "at") <= {"home"}, f"{error} at {at}"
        if entries(tmp_path / "at"):
            assert homes.remove(tmp_path / "at" / "home") == ()


def test_a_trial_that_is_killed_at_any_point_is_swept_and_the_environment_untouched(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary" / f"liveinstall-trials-{os.getuid()}").mkdir(parents=True, mode=0o700)
    place = Place(tmp_path / "root")
    (place.root / "pyvenv.cfg").write_text("home = /nowhere\n")
    place.install(place.candidate("alpha", "1.0", {"alpha/a.py": "", "ns/x.py": ""}, scripts={"run": "alpha:a"}))
    place.stage(place.candidate("alpha", "2.0", {"alpha/a.py": "", "ns/z.py": ""}, scripts={"run": "alpha:b"}))
    records = [item.record for item in published.read_all(str(place.site))]
    before = tree(place.root, ignore=())

    def trial() -> None:
        with trials.trial_environment(place.target, records) as made:
            assert Path(made.scripts, "run").exists()

    status, points = place.fork(trial)
    assert (status, points > 10) == (0, True), place.said.read_text()
    for at in range(points):
        assert place.fork(trial, at=at)[0] == KILLED
        assert tree(place.root, ignore=()) == before, f"kill {at}"
        trial()
        left = list((tmp_path / "temporary").glob("liveinstall-trials*/*"))
        assert left == [], f"kill {at}"
