"""P2 and P4 on file systems with other rules: Windows, NFS, and case-insensitive ones."""

from __future__ import annotations

import atexit
import errno
import os
import time
from pathlib import Path

import pytest
from helpers.disk_errors import assert_told, assert_whole, tries_of_errors, upgrade
from helpers.imitated_file_systems import Folding, Nfs, Windows
from helpers.in_process_site import Place

from _liveinstall_boot import locks
from _liveinstall_boot.layout import MANIFEST, RETIRED, STATE, TRIES, list_transactions
from liveinstall._staging.part import Part
from liveinstall._staging.stage import check_conflicts
from liveinstall._transactions import history
from liveinstall._transactions import transaction as transactions

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs fork, and to see its own open files")
EVER = 10**9


def states(place: Place) -> list[str]:
    return [state for _, state, _ in list_transactions(str(place.site))]


def assert_deferred(place: Place, before: dict, after: dict, what: str) -> None:
    """Wholly old, with a reason, and retried by the next start."""
    assert not assert_whole(place, before, after, what), f"{what}: nothing was in the way"
    assert states(place) == ["pending"], what
    assert_told(place, what)


# --- Windows ----------------------------------------------------------------------------------------------------------


def test_a_swap_needs_nothing_that_windows_refuses(place):
    before, after = upgrade(place)
    assert place.start(Windows())[0] == 0
    assert assert_whole(place, before, after, "a start on Windows")


@pytest.mark.parametrize("how", ["open", "loaded"])
def test_any_old_file_in_use_defers_the_swap_and_the_next_start_ends_it(place, tmp_path, how):
    before, after = upgrade(place)
    swapped = 0
    for path in sorted(before):
        what = f"{path} {how}"
        copy = place.copy(tmp_path / "used" / path.replace("/", "-"))
        assert copy.start(Windows(**{how: [copy.root / path]}))[0] == 0, what
        if "pending" in states(copy):
            assert_deferred(copy, before, after, what)
        else:  # it stays, or was itself renamed aside
            swapped += 1
        assert copy.start(Windows())[0] == 0
        assert assert_whole(copy, before, after, what)
    assert 0 < swapped < len(before) / 2 + (how == "loaded") * len(before)


def test_a_library_that_runs_from_the_old_files_does_not_hinder_the_next_swaps(place):
    """It was renamed aside; that it cannot be deleted is not a failure."""
    for version in ("1.0", "2.0", "3.0"):
        place.install(place.candidate("alpha", version, {"_alpha.pyd": version, "alpha.py": f"V = {version!r}\n"}))
    kept = next(place.site.glob(f"{STATE}/{RETIRED}/*/alpha-2.0.part/_alpha.pyd"))
    place.stage(place.candidate("alpha", "4.0"))

    def use() -> None:
        Windows(loaded=[kept], name=os.name).put_in_place()
        assert history.prune(str(place.site), history.Limits(0, 0, 0))
        transactions.recover(str(place.site))

    assert place.fork(use)[0] == 0, place.said.read_text()
    assert kept.is_file()
    transactions.recover(str(place.site))
    assert place.fork(lambda: history.prune(str(place.site), history.Limits(0, 0, 0)))[0] == 0
    assert not kept.exists()


def test_the_companion_that_runs_is_removed_when_its_interpreter_ends(place):
    """Up to 3.12 site.py has a .pth file open while its lines run, and Windows removes no open file."""
    before, after = upgrade(place)
    companion = place.site / "alpha-2.0.part.pth"
    assert place.start(Windows(open=[companion]))[0] == 0
    assert place.said.read_text() == ""
    assert companion.exists() and states(place) == []

    class Ends(Windows):
        def check(self) -> None:
            assert not self.slept
            self.fixed.clear()
            atexit._run_exitfuncs()

    assert place.start(Ends(open=[companion]))[0] == 0
    assert assert_whole(place, before, after, "the end of an interpreter")


@pytest.mark.parametrize("tries", [2, EVER])
def test_every_rename_and_removal_waits_for_a_scanner_for_a_limited_time(place, tmp_path, tries):
    before, after = upgrade(place)
    parts = {path for path in place.state() if ".part/" in path and not path.endswith(".manifest")}
    deferred = 0
    for path in sorted(before.keys() | parts):
        what = f"{path} is held {tries} times"
        copy = place.copy(tmp_path / "held" / path.replace("/", "-"))
        assert copy.start(Windows(scanned={copy.root / path: tries}))[0] == 0, what + copy.said.read_text()
        if not assert_whole(copy, before, after, what):
            deferred += 1
            assert_deferred(copy, before, after, what)
            assert copy.start(Windows())[0] == 0
            assert assert_whole(copy, before, after, what)
    assert deferred == 0 if tries < EVER else deferred > 20


def test_a_file_in_use_at_three_starts_sets_the_change_aside_which_is_reported(place):
    before, after = upgrade(place)
    for _ in range(TRIES):
        assert place.start(Windows(open=[place.site / "alpha" / "gone.py"]))[0] == 0
        assert place.said.read_text().count("\n") <= 1
    assert not assert_whole(place, before, after, "three starts")
    assert states(place) == ["failed"]
    assert "winerror" in transactions.take_unreported_failures(str(place.site))[0]


def new_files_in_the_order_of_the_swap() -> list[str]:
    return ["alpha/__init__.py", "alpha/sub/new.py", "ns/a.py", "ns/added.py"]


@pytest.mark.parametrize("path", new_files_in_the_order_of_the_swap())
@pytest.mark.parametrize("seen", ["open", "loaded"])
def test_a_new_file_in_use_when_the_swap_is_undone(place, path, seen):
    """A swap that was killed before its end, after which a process runs the new files that are already there."""
    before, after = upgrade(place)
    half = kill_when(place, place.site / path)
    assert place.start(Windows(**{seen: [place.site / path]}))[0] == 0
    state = {name: what for name, what in place.state().items() if ".part" not in name}
    if seen == "loaded" or states(place) != ["swapping"]:
        assert half
        assert_deferred_or_done(place, before, after)
    else:  # all is old except the file that cannot be moved, and that is reported
        left = {name for name in state.items() ^ before.items() if path not in name[0]}
        assert not left
        id = list_transactions(str(place.site))[0][0]
        assert "winerror" in transactions.note_of(str(place.site), id)
        assert place.said.read_text().count("\n") == 1
    for _ in range(2):
        assert place.start(Windows())[0] == 0
    assert assert_whole(place, before, after, "let go")


def assert_deferred_or_done(place: Place, before: dict, after: dict) -> None:
    if not assert_whole(place, before, after, "a start"):
        assert_deferred(place, before, after, "a start")


def kill_when(place: Place, path: Path) -> bool:
    """Kill a start as soon as the new `path` is in place, and not committed."""
    for at in range(1, 200):
        copy = place.copy(place.root.with_name(f"look{at}"))
        copy.start(at=at)
        there = copy.root / path.relative_to(place.root)
        if states(copy) == ["swapping"] and there.is_file() and not in_part(copy, there):
            return place.start(at=at)[0] != 0
    raise AssertionError(f"{path} never comes in")


def in_part(place: Place, path: Path) -> bool:
    inner = path.relative_to(place.site)
    return any((part / inner).exists() for part in place.site.glob("*.part"))


@pytest.mark.parametrize("how", ["open", "scanned"])
def test_bytecode_in_use_does_not_block_an_undo(place, how):
    place.install(place.candidate("alpha", "1.0", {"alpha/__init__.py": "V = 1\n", "alpha/b.py": ""}))
    before = place.state()
    place.stage(place.candidate("alpha", "2.0", {"alpha/__init__.py": "V = 2\n", "alpha/b.py": "", "x.py": ""}))
    (place.site / "x.py").write_text("mine")  # so that the swap fails when alpha is in place
    cached = place.site / "alpha" / "__pycache__" / "b.cpython-311.pyc"
    (place.site / "alpha-2.0.part" / "alpha" / "__pycache__").mkdir(exist_ok=True)
    (place.site / "alpha-2.0.part" / "alpha" / "__pycache__" / cached.name).write_bytes(b"new")
    held = {"open": [cached]} if how == "open" else {"scanned": {cached: EVER}}
    assert place.start(Windows(**held))[0] == 0
    assert states(place) == ["pending"]
    assert before.items() <= place.state().items()


# --- NFS --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, errno.ESTALE], ids=["as a second try", "ESTALE"])
def test_an_answer_that_gets_lost_after_any_operation_leaves_old_or_new(place, tmp_path, code):
    before, after = upgrade(place)
    number, swapped = 0, 0
    while True:
        what = f"answer {number} lost"
        copy = place.copy(tmp_path / f"lost{number}")
        port = Nfs(lose=number, code=code)
        port.check = lambda port=port: os._exit(0 if port.done.total() > port.lose else 77)
        status, _ = copy.start(port)
        if status == 77:
            break
        assert status == 0, what
        assert copy.said.read_text().count("\n") <= 1, what
        swapped += assert_whole(copy, before, after, what)
        assert_told(copy, what)
        assert copy.start()[0] == 0
        assert assert_whole(copy, before, after, what)
        assert_history_tells(copy, what)
        number += 1
    assert number > 30
    assert swapped > number // 2


def assert_history_tells(place: Place, what: str) -> None:
    """The disk matches the history: a commit whose answer was lost counts as one."""
    assert states(place) == [], what
    assert history.happened(str(place.site))[0].record.changes[0].new_version == "2.0", what


@pytest.mark.parametrize(
    "phase", ["swap", "recovery", "recovery at the next use", "clean-up", "clean-up at the next use"]
)
def test_an_error_of_a_server_at_any_point_of_any_phase_leaves_old_or_new(tmp_path, phase):
    assert sum(tries_of_errors(tmp_path, phase, ("ESTALE", "EBUSY"), in_turn=True).values()) > 5


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE])
def test_a_flush_that_fails_at_any_point_leaves_old_or_new(place, tmp_path, code):
    before, after = upgrade(place)
    number = 0
    while True:
        copy, what = place.copy(tmp_path / f"flush{number}"), f"flush {number} failed"
        if copy.start(BadFlush(number, code))[0] == 77:
            break
        assert_whole(copy, before, after, what)
        assert_told(copy, what)
        assert copy.start()[0] == 0
        assert assert_whole(copy, before, after, what)
        assert_history_tells(copy, what)
        number += 1
    assert number > 8


class BadFlush:
    """The flush of one directory fails."""

    def __init__(self, at: int, code: int) -> None:
        self.left, self.code = at, code

    def put_in_place(self) -> None:
        def fsync(_: int) -> None:
            self.left -= 1
            if self.left == -1:
                raise OSError(self.code, os.strerror(self.code))

        os.fsync = fsync

    def check(self) -> None:
        os._exit(77 if self.left >= 0 else 0)


def test_a_removed_file_that_is_open_keeps_its_directory_and_no_more(place):
    """An open file that is removed becomes a .nfs file: neither it nor its directory can be removed until then."""
    before, after = upgrade(place)
    used = [place.site / "alpha-2.0.part" / MANIFEST]
    assert place.start(Nfs(open=used))[0] == 0
    assert place.said.read_text() == ""
    assert assert_whole_but_nfs(place, after)
    assert states(place) == ["committed"]
    assert place.start(Nfs(open=used))[0] == 0
    assert place.said.read_text() == ""
    next(place.site.glob("alpha-2.0.part/.nfs*")).unlink()
    assert place.start()[0] == 0
    assert assert_whole(place, before, after, "closed")
    assert states(place) == []


def assert_whole_but_nfs(place: Place, after: dict) -> bool:
    state = {path: what for path, what in place.state().items() if ".part" not in path}
    return state == after


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ESTALE, errno.ENOTSUP])
def test_without_a_lock_a_start_keeps_the_old_version(place, code):
    before, after = upgrade(place)

    class NoLocks:
        def put_in_place(self) -> None:
            def flock(*_) -> None:
                raise OSError(code, os.strerror(code))

            locks.fcntl.flock = flock

    started = time.monotonic()
    assert place.start(NoLocks())[0] == 0
    assert time.monotonic() - started < 2
    assert_deferred(place, before, after, "no lock")
    id = list_transactions(str(place.site))[0][0]
    assert os.strerror(code) in transactions.note_of(str(place.site), id)


# --- names that differ only in case -----------------------------------------------------------------------------------


def renamed(place: Place) -> tuple[dict, dict]:
    """An upgrade that changes nothing but the case of names, staged."""
    old = {"Foo/__init__.py": "V = 1\n", "Foo/Old.py": "", "Bar.py": "V = 1\n"}
    new = {"foo/__init__.py": "V = 2\n", "foo/old.py": "", "bar.py": "V = 2\n"}
    place.install(place.candidate("Foo", "1.0", old, scripts={"Foo": "Foo:run"}))
    before = place.state()
    candidate = place.candidate("foo", "2.0", new, scripts={"foo": "foo:run"})
    after = Place(place.root.parent / "after")
    after.install(candidate)
    place.stage(candidate)
    return before, after.state()


def test_an_upgrade_may_change_the_case_of_every_name(place):
    before, after = renamed(place)
    assert place.start(Folding(place.root))[0] == 0
    assert assert_whole(place, before, after, "a start")


def test_a_change_of_case_that_is_killed_at_any_point_leaves_old_or_new(place, tmp_path):
    before, after = renamed(place)
    dry = place.copy(tmp_path / "dry")
    _, points = dry.start(Folding(dry.root))
    assert points > 20
    for at in range(points):
        copy = place.copy(tmp_path / f"kill{at}")
        copy.start(Folding(copy.root), at=at)
        assert copy.start(Folding(copy.root))[0] == 0
        assert assert_whole(copy, before, after, f"kill {at}")


def test_a_file_that_is_removed_with_another_case_is_not_a_conflict(tmp_path, monkeypatch):
    (tmp_path / "Foo.py").write_text("old")
    part = Part("foo", "2.0", str(tmp_path / "foo-2.0.part"), (str(tmp_path / "foo.py"),), ())
    folding = Folding(tmp_path)
    for name in ("stat", "lstat"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda path, *a, real=real, **k: real(folding.real(path), *a, **k))
    check_conflicts([([part], {str(tmp_path / "Foo.py")})], lambda path: "")
    with pytest.raises(Exception, match="belongs to no distribution"):
        check_conflicts([([part], {str(tmp_path / "other.py")})], lambda path: "")
