"""P2: old or new, never between, at any point of a kill or a disk error. Real processes are killed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers.disk_errors import ERRORS, PHASES, assert_whole, tries_of_errors, upgrade
from helpers.in_process_site import KILLED, Place
from helpers.started import EVERY

from _liveinstall_boot import layout
from _liveinstall_boot.layout import LOCK, MANIFEST, STATE, TRIES, list_transactions, record_path
from liveinstall._transactions import transaction as transactions


def test_a_start_that_is_killed_at_any_point_leaves_old_or_new_and_the_next_ends_new(place, tmp_path):
    before, after = upgrade(place)
    _, points = place.copy(tmp_path / "dry").start()
    assert points > 30
    for at in range(points)[::EVERY]:
        copy = place.copy(tmp_path / f"kill{at}")
        status, _ = copy.start(at=at)
        assert status == KILLED
        assert copy.start()[0] == 0
        assert assert_whole(copy, before, after, f"kill {at}"), f"kill {at}: the next start did not finish it"


def test_a_recovery_that_is_killed_at_any_point_is_recovered_too(tmp_path):
    place = Place(tmp_path / "root")
    place.install(place.candidate("alpha", "1.0", {"alpha/a.py": "V = 1\n", "ns/x.py": ""}, scripts={"run": "alpha:a"}))
    place.install(place.candidate("other", "1.0", {"ns/y.py": ""}))
    before = place.state()
    place.stage(place.candidate("alpha", "2.0", {"alpha/a.py": "V = 2\n", "ns/z.py": ""}, scripts={"run": "alpha:b"}))
    dry = place.copy(tmp_path / "dry")
    _, points = dry.start()
    after = dry.state()
    tried = 0
    for first in range(points)[::EVERY]:
        half = place.copy(tmp_path / f"half{first}")
        half.start(at=first)
        _, again = half.copy(tmp_path / f"count{first}").start()
        for second in range(0, again, 1 if again < 12 else 2)[::EVERY]:
            copy = half.copy(tmp_path / f"k{first}-{second}")
            copy.start(at=second)
            copy.start()
            copy.start()
            assert_whole(copy, before, after, f"kills {first}, {second}")
            tried += 1
    assert tried > 200 // EVERY**2


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_at_any_point_of_a_swap_leaves_old_or_new_and_the_start_unharmed(tmp_path, name):
    assert tries_of_errors(tmp_path, "swap", (name,))[name] > 30 // EVERY


@pytest.mark.parametrize("phase", PHASES)
def test_an_error_at_any_point_of_any_phase_leaves_old_or_new(tmp_path, phase):
    assert sum(tries_of_errors(tmp_path, phase, in_turn=True).values()) > 5 // EVERY


def test_after_three_failed_tries_a_transaction_is_set_aside_and_the_start_is_free(place):
    place.install(place.candidate("alpha", "1.0"))
    before = place.state()
    place.stage(place.candidate("alpha", "2.0", {"alpha/__init__.py": "", "in_the_way.py": ""}))
    (place.site / "in_the_way.py").write_text("mine")
    for _ in range(TRIES):
        assert place.start()[0] == 0
    assert [state for _, state, _ in list_transactions(str(place.site))] == ["failed"]
    assert [name for name in place.leftovers() if name.endswith(".pth")] == []
    assert {**before, "lib/site-packages/in_the_way.py": place.state()["lib/site-packages/in_the_way.py"]}.items() <= (
        place.state().items()
    )
    assert "in the way" in transactions.note_of(str(place.site), list_transactions(str(place.site))[0][0])
    assert len(transactions.take_unreported_failures(str(place.site))) == 1
    assert transactions.take_unreported_failures(str(place.site)) == []


@pytest.mark.parametrize("later", [True, False])
def test_an_installation_that_is_killed_at_any_point_leaves_old_or_new(tmp_path, later):
    """From the first file of the staging to the last of the clean-up, for staged and for immediate changes."""
    place = Place(tmp_path / "root")
    place.install(place.candidate("alpha", "1.0", {"alpha/a.py": "V = 1\n"}))
    before = place.state()
    new = place.candidate("alpha", "2.0", {"alpha/a.py": "V = 2\n", "alpha/b.py": ""})

    def change(there: Place) -> None:
        id = there.stage(new)
        if not later:
            transactions.apply(str(there.site), id)

    dry = place.copy(tmp_path / "dry")
    _, points = dry.fork(lambda: change(dry))
    dry.start()
    after = dry.state()
    for at in range(points):
        copy = place.copy(tmp_path / f"kill{at}")
        status, _ = copy.fork(lambda copy=copy: change(copy), at=at)
        assert status == KILLED
        copy.start()
        transactions.recover(str(copy.site))  # the first action of the next use of liveinstall
        assert_whole(copy, before, after, f"kill {at}")
        assert copy.leftovers() == [], f"kill {at}"


def test_a_damaged_record_is_set_aside_and_harms_no_start(place):
    place.install(place.candidate("alpha", "1.0"))
    before = place.state()
    id = place.stage(place.candidate("alpha", "2.0"))
    path = Path(record_path(str(place.site), id, "pending"))
    path.write_text(path.read_text()[:-20])
    assert place.start()[0] == 0
    assert before.items() <= place.state().items()
    assert list_transactions(str(place.site))[0][1] == "failed"


@pytest.mark.parametrize("what", ["manifest", "part", "lock", "holds", "transactions"])
def test_what_vanished_harms_no_start(place, what):
    place.install(place.candidate("alpha", "1.0"))
    before = place.state()
    place.stage(place.candidate("alpha", "2.0"))
    state = place.site / STATE
    if what == "manifest":
        (place.site / "alpha-2.0.part" / MANIFEST).unlink()
    elif what == "part":
        boot_remove(place.site / "alpha-2.0.part")
    elif what == "lock":
        (state / LOCK).unlink(missing_ok=True)
    else:
        boot_remove(state / getattr(layout, what.upper()))
    assert place.start()[0] == 0
    versions = {path.name for path in place.site.glob("alpha-*.dist-info")}
    assert len(versions) == 1
    if "alpha-1.0.dist-info" in versions:
        assert before.items() <= place.state().items()


def test_a_part_is_known_as_ours_until_nothing_of_it_is_left(place, tmp_path):
    """An interrupted removal must be completed later: the manifest identifies a part."""
    from _liveinstall_boot.files import remove_tree

    place.stage(place.candidate("alpha", "2.0", {f"alpha/{number}.py": "" for number in range(20)}))
    part = place.site / "alpha-2.0.part"
    for at in range(20):
        copy = place.copy(tmp_path / f"cut{at}")
        copy.fork(lambda copy=copy: remove_tree(str(copy.site / part.name)), at=at)
        assert (copy.site / part.name / MANIFEST).is_file()


def boot_remove(path: Path) -> None:
    from _liveinstall_boot.files import remove_tree

    remove_tree(str(path))


def boot_again(part: Path) -> None:
    """Let a part be one that was staged before the machine was last booted, as it is after a power loss."""
    manifest = part / MANIFEST
    manifest.write_bytes(manifest.read_bytes().replace(b"\nboot ", b"\nboot 0"))


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("V"), lambda path: os.truncate(path, 0)])
def test_a_part_that_lost_something_is_set_aside_and_never_swapped(place, damage):
    place.install(place.candidate("alpha", "1.0"))
    before = place.state()
    id = place.stage(place.candidate("alpha", "2.0"))
    damage(place.site / "alpha-2.0.part" / "alpha" / "late.py")
    boot_again(place.site / "alpha-2.0.part")
    assert place.start()[0] == 0
    assert before.items() <= place.state().items()
    assert [state for _, state, _ in list_transactions(str(place.site))] == ["failed"]
    assert "alpha/late.py in the part alpha-2.0.part is missing or damaged" in transactions.note_of(str(place.site), id)


@pytest.mark.parametrize("lost", ["alpha/a.py", "alpha/same.py"])
def test_a_roll_back_never_takes_an_old_file_for_a_new_one(place, lost):
    """A power loss may keep the move of a new file into a directory that was itself moved, and lose all others.

    Or in a roll-back: it has restored an old file, and what it had put back into the part was lost.
    """
    same = {"alpha/same.py": "S = 1\n"}
    place.install(place.candidate("alpha", "1.0", {"alpha/a.py": "V = 1\n", "alpha/b.py": "V = 1\n", **same}))
    before = place.state()
    id = place.stage(place.candidate("alpha", "2.0", {"alpha/a.py": "V = 2\n", "alpha/b.py": "V = 2\n", **same}))
    site = str(place.site)
    os.rename(record_path(site, id, "pending"), record_path(site, id, "swapping"))
    (place.site / "alpha-2.0.part" / lost).unlink()
    boot_again(place.site / "alpha-2.0.part")
    assert place.start()[0] == 0
    assert before.items() <= place.state().items()
    assert [state for _, state, _ in list_transactions(site)] == ["failed"]


def test_a_record_that_names_files_outside_of_the_environment_is_set_aside(place):
    """A retired tree has no path for such a file: the swap stops, and its rollback must not stop because of it."""
    place.install(place.candidate("alpha", "1.0", {"alpha/a.py": ""}))
    record = place.site / "alpha-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + "/elsewhere/file.txt,,\n")
    before = place.state()
    place.stage(place.candidate("alpha", "2.0", {"alpha/a.py": "V = 2"}))
    assert place.start()[0] == 0
    assert before.items() <= place.state().items()
    assert [state for _, state, _ in list_transactions(str(place.site))] == ["failed"]


def test_new_directories_are_flushed_from_the_top_before_what_moves_into_them(tmp_path):
    from _liveinstall_boot.files import in_order, make_directories, touch

    touched: dict[str, int] = {}
    touch(touched, str(tmp_path / "a"))
    make_directories(str(tmp_path / "x" / "y" / "z"), touched)
    touch(touched, str(tmp_path / "x" / "y" / "z" / "moved"), str(tmp_path / "b" / "moved"))
    found = [Path(path).relative_to(tmp_path).as_posix() for path in in_order(touched)]
    assert found == [".", "x", "x/y", "b", "x/y/z"]


def test_what_moved_out_of_a_directory_is_durable_before_the_directory_is_removed(tmp_path, monkeypatch):
    """Otherwise a power loss may lose the move, keep the removal, and so lose the file."""
    from _liveinstall_boot import files

    source, target, touched, flushed = tmp_path / "a" / "b", tmp_path / "c", {}, []
    source.mkdir(parents=True)
    target.mkdir()
    (source / "file").touch()
    files.move(str(source / "file"), str(target / "file"), touched)
    monkeypatch.setattr(files, "flush", lambda paths: flushed.append(({*map(Path, paths)}, source.exists())))
    files.remove_empty(str(tmp_path), ["a/b/file"], touched)
    assert flushed == [({source, target}, True)]
    assert os.listdir(tmp_path) == ["c"]
    assert {*map(Path, touched)} == {tmp_path, tmp_path / "a"}


def test_what_pip_changed_meanwhile_is_never_overwritten(place):
    place.install(place.candidate("alpha", "1.0"))
    place.stage(place.candidate("alpha", "3.0"))
    id = list_transactions(str(place.site))[0][0]
    record = next(place.site.glob("alpha-1.0.dist-info/RECORD"))
    record.write_text(record.read_text() + "alpha/pip_was_here.py,,\n")
    before = {path: content for path, content in place.state().items() if ".part" not in path and "_final" not in path}
    assert place.start()[0] == 0
    state = {path: content for path, content in place.state().items() if ".part" not in path and "_final" not in path}
    assert state == before
    assert "changed by something else" in transactions.note_of(str(place.site), id)
