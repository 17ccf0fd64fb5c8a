"""What to remove with an old version is found at staging; the swap searches again only if a directory has changed."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from _liveinstall_boot import ownership
from _liveinstall_boot.codec import decode_record, encode_record
from _liveinstall_boot.layout import STATE
from liveinstall._transactions import published

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a swap always searches")

FILES = {
    "alpha/__init__.py": "",
    "alpha/inner/__init__.py": "",
    "alpha/inner/deep/data.txt": "",
    "../../bin/alpha": "",
    "alpha-1.0.dist-info/RECORD": "",
}
INFO = "alpha-1.0.dist-info"


@pytest.fixture
def found(place, monkeypatch):
    """A site directory with a package, and what `owned()` finds in its RECORD."""
    monkeypatch.setattr(ownership, "_RECENT", 0)  # as if it had been installed long ago
    for path in FILES:
        (place.site / path).parent.mkdir(parents=True, exist_ok=True)
        (place.site / path).write_text("")
    (place.site / STATE).mkdir()
    place.change_state()
    return str(place.site), ownership.owned(str(place.site), "".join(f"{path},,\n" for path in FILES))


def test_a_plan_is_what_a_search_finds(found, place):
    site, (inside, outside) = found
    moves, elsewhere, times = ownership.planned(site, ownership.plan(site, site, INFO, inside, outside))
    assert moves == ["alpha"] and elsewhere == [str(place.root / "bin" / "alpha")]
    assert sorted(times) == ["alpha", "alpha/inner", "alpha/inner/deep"]
    searched: dict[str, tuple[int, int]] = {}
    assert moves == ownership.paths_to_retire(site, INFO, ownership.by_directory(inside), searched)
    assert (elsewhere, times) == (outside, searched)


def add_file(site):
    (site / "alpha/inner/deep/mine.txt").write_text("")


def remove_file(site):
    (site / "alpha/inner/__init__.py").unlink()


def add_directory(site):
    (site / "alpha/inner/mine").mkdir()


def remove_directory(site):
    shutil.rmtree(site / "alpha/inner/deep")


def add_file_and_set_the_time_back(site):
    before = (site / "alpha/inner").stat()
    (site / "alpha/inner/mine.txt").write_text("")
    os.utime(site / "alpha/inner", ns=(before.st_atime_ns, before.st_mtime_ns))


def replace_by_link(site):
    (site / "alpha").rename(site.parent / "alpha")
    (site / "alpha").symlink_to(site.parent / "alpha")


@pytest.mark.parametrize(
    "change",
    [add_file, remove_file, add_directory, remove_directory, add_file_and_set_the_time_back, replace_by_link],
)
def test_a_plan_does_not_count_after_a_change(found, place, change):
    site, (inside, outside) = found
    plan = ownership.plan(site, site, INFO, inside, outside)
    assert ownership.planned(site, plan)
    change(place.site)
    assert ownership.planned(site, plan) is None


def test_without_a_plan_there_is_none(found):
    assert ownership.planned(found[0], ()) is None


def test_a_plan_does_not_count_after_another_boot_or_in_a_copy(found, place, tmp_path, monkeypatch):
    site, (inside, outside) = found
    plan = ownership.plan(site, site, INFO, inside, outside)
    assert ownership.planned(str(place.copy(tmp_path / "copy").site), plan) is None
    monkeypatch.setattr("_liveinstall_boot.process._boot_id", lambda: "another")
    assert ownership.planned(site, plan) is None
    monkeypatch.setattr("_liveinstall_boot.process._boot_id", lambda: "")  # not known, as on macOS
    assert ownership.plan(site, site, INFO, inside, outside) == []


def recently_changed(site, monkeypatch):
    monkeypatch.undo()
    os.utime(site / "alpha/inner", (1, 1))  # it still counts as changed now


def with_a_file_of_another(site, _):
    (site / "alpha/mine.txt").write_text("")


def behind_a_link(site, _):
    (site / "alpha").rename(site.parent / "alpha")
    (site / "alpha").symlink_to(site.parent / "alpha")


def nested_too_deeply(site, monkeypatch):
    def exceed(path):
        raise RecursionError

    monkeypatch.setattr(os, "listdir", exceed)


def where_directories_keep_their_time(site, monkeypatch):
    """A file system without times of directories: all are that of its mount."""
    monkeypatch.setattr(ownership, "_times_of_directory", lambda path: (1, 1) if os.path.isdir(path) else None)


def where_this_request_has_changed_nothing(site, monkeypatch):
    monkeypatch.setattr(ownership, "_LONGEST_REQUEST", 0)


def that_cannot_be_listed(site, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", refuse)


def with_a_name_that_a_row_cannot_have(site, _):
    (site / "alpha/in\tner").mkdir()


@pytest.mark.parametrize(
    "change",
    [
        recently_changed,
        with_a_file_of_another,
        behind_a_link,
        that_cannot_be_listed,
        nested_too_deeply,
        where_directories_keep_their_time,
        where_this_request_has_changed_nothing,
        with_a_name_that_a_row_cannot_have,
    ],
)
def test_where_a_swap_has_to_search_there_is_no_plan(found, place, monkeypatch, change):
    site, (inside, outside) = found
    change(place.site, monkeypatch)
    assert ownership.plan(site, site, INFO, inside, outside) == []


def test_directories_of_1970_are_directories(found, place):
    site, (inside, outside) = found
    for path in ("alpha/inner/deep", "alpha/inner", "alpha"):
        os.utime(place.site / path, (0, 0))
    place.change_state()
    moves, _, times = ownership.planned(site, ownership.plan(site, site, INFO, inside, outside))
    assert moves == ["alpha"] and times["alpha/inner"][1] == 0


def test_the_bytecode_of_a_top_level_module_may_be_written_later(found, place):
    site, (inside, outside) = found
    (place.site / "single.py").write_text("")
    inside.add("single.py")
    assert ownership.plan(site, site, INFO, inside, outside) == []
    (place.site / "__pycache__").mkdir()
    (place.site / "__pycache__" / f"single.{sys.implementation.cache_tag}.pyc").write_bytes(b"")
    place.change_state()
    moves, _, _ = ownership.planned(site, ownership.plan(site, site, INFO, inside, outside))
    assert moves == ["single.py", "__pycache__", "alpha"]


def test_a_path_that_leaves_the_directory_and_comes_back_has_no_plan(found):
    """A roll-back and an undo look for it among the files that were elsewhere."""
    site, (inside, outside) = found
    assert ownership.plan(site, site, INFO, inside, outside)
    assert ownership.plan(site, site, INFO, inside, [*outside, os.path.join(site, "mine.py")]) == []


@pytest.mark.parametrize("number", range(8))
def test_a_damaged_plan_does_not_count(found, number):
    site, (inside, outside) = found
    plan = ownership.plan(site, site, INFO, inside, outside)
    assert len(plan) == 8
    for damaged in ([*plan[:number], *plan[number + 1 :]], [*plan[:number], plan[number] + "x", *plan[number + 1 :]]):
        assert ownership.planned(site, damaged) is None
    assert ownership.planned(site, [*plan, "1795232665 beta"]) is None


@pytest.fixture
def staged(place):
    one = {"alpha/__init__.py": "", "alpha/one.py": "", "alpha/inner/__init__.py": ""}
    place.install(place.candidate("alpha", "1.0", one))
    place.stage(place.candidate("alpha", "2.0", {"alpha/__init__.py": "", "alpha/two.py": ""}))
    return place


def record_of(place):
    (item,) = published.read_all(str(place.site))
    return item.record


def test_a_start_swaps_by_the_plan_without_a_search(staged, monkeypatch):
    record = record_of(staged)
    assert ownership.planned(str(staged.site), record.retire["alpha"])[0] == ["alpha"]
    assert decode_record(encode_record(record)).retire == record.retire

    def refuse(*_):
        raise AssertionError("searched")

    monkeypatch.setattr("_liveinstall_boot.swap.paths_to_retire", refuse)
    assert staged.start()[0] == 0
    assert sorted(path.name for path in (staged.site / "alpha").iterdir()) == ["__init__.py", "two.py"]


def test_what_was_added_after_the_staging_is_found(staged):
    (staged.site / "alpha/inner/mine.txt").write_text("mine")
    (staged.site / "alpha/__pycache__").mkdir(exist_ok=True)
    (staged.site / "alpha/__pycache__" / f"one.{sys.implementation.cache_tag}.pyc").write_bytes(b"old")
    assert staged.start()[0] == 0
    left = sorted(str(path.relative_to(staged.site)) for path in (staged.site / "alpha").rglob("*"))
    assert left == ["alpha/__init__.py", "alpha/inner", "alpha/inner/mine.txt", "alpha/two.py"]


def test_files_that_others_bring_too_have_no_plan(place):
    both = {"shared/data.txt": "same"}
    place.install(place.candidate("alpha", "1.0", both), place.candidate("beta", "1.0", both))
    place.stage(place.candidate("alpha", "2.0", {"alpha/__init__.py": ""}))
    assert record_of(place).owners and not record_of(place).retire
    assert place.start()[0] == 0
    assert (place.site / "shared/data.txt").read_text() == "same"


def test_a_file_of_another_in_a_changed_plan_stays(staged):
    staged.install(staged.candidate("beta", "1.0"))
    record = record_of(staged)
    record.retire["alpha"].insert(4, "beta/__init__.py")
    (path,) = (staged.site / ".liveinstall/transactions").glob("*.pending")
    path.write_text(encode_record(record), encoding="utf-8")
    assert staged.start()[0] == 0
    assert (staged.site / "beta/__init__.py").exists()
    assert sorted(path.name for path in (staged.site / "alpha").iterdir()) == ["__init__.py", "two.py"]


@pytest.mark.parametrize("remove", [False, True])
def test_a_record_that_leaves_the_directory_and_comes_back_is_swapped_whole(place, tmp_path, remove):
    place.install(place.candidate("alpha", "1.0", {"alpha.py": "same", "alpha/__init__.py": ""}))
    (info,) = place.site.glob("alpha-*.dist-info")
    text = (info / "RECORD").read_text()
    assert text.startswith("alpha.py,")
    (info / "RECORD").write_text("../site-packages/" + text)
    if remove:
        place.stage(remove=("alpha",))
    else:
        place.stage(place.candidate("alpha", "2.0", {"alpha.py": "same", "other.py": ""}))
    _, points = place.copy(tmp_path / "dry").start()
    for at in range(points):
        copy = place.copy(tmp_path / str(at))
        copy.start(at=at)
        assert copy.start()[0] == 0
        assert (copy.site / "alpha.py").exists() is not remove, at
        assert not (copy.site / "alpha").exists(), at
        shutil.rmtree(tmp_path / str(at))
