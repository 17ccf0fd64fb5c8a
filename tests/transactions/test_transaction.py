from __future__ import annotations

import errno
import os

import pytest
from helpers.in_process_site import Place

from _liveinstall_boot.layout import HISTORY, RETIRED, STATE, TRANSACTIONS, list_transactions
from liveinstall._system.command_line import command_line
from liveinstall._system.durability import flush_file_system
from liveinstall._transactions import companions, published
from liveinstall._transactions import transaction as transactions
from liveinstall.errors import CommitError


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "root")


@pytest.mark.parametrize(
    ("version", "suffix", "text"),
    [
        ((3, 11), ".part.pth", "import sys; exec("),
        ((3, 14), ".part.pth", "import sys; exec("),
        ((3, 17), ".part.pth", "import sys; exec("),
        ((3, 18), ".part.start", "_liveinstall_boot:start\n"),
        ((4, 0), ".part.start", "_liveinstall_boot:start\n"),
    ],
)
def test_a_companion_is_made_for_its_version_of_python(version, suffix, text):
    found_suffix, found = companions.companion("_liveinstall_finalizer_x", version)
    assert found_suffix == suffix and found.startswith(text) and found.isascii() and found.count("\n") == 1


def test_a_start_file_finalizes_pending_changes_on_the_path(place, monkeypatch):
    import sys

    import _liveinstall_boot

    place.stage(place.candidate("alpha", "1.0"))
    monkeypatch.setattr(sys, "path", [str(place.site), str(place.root)])
    _liveinstall_boot._done.clear()
    _liveinstall_boot.start()
    assert (place.site / "alpha-1.0.dist-info").exists() and place.leftovers() == []


def test_a_companion_gets_its_name_when_its_content_is_safe(place, monkeypatch):
    """After a power loss, half a line would be an error at every start."""
    seen = []
    flush = flush_file_system
    monkeypatch.setattr(transactions, "flush_file_system", lambda site: seen.append(place.leftovers()) or flush(site))
    place.stage(place.candidate("alpha", "1.0"))
    assert seen == [["alpha-1.0.part"]]
    assert "alpha-1.0.part.pth" in place.leftovers()


def test_both_ends_of_a_companions_rename_are_flushed(place, monkeypatch):
    """Or a power loss during the swap could lose the companion by which the next start recovers."""
    flushed = []
    flush = transactions.files.flush
    monkeypatch.setattr(transactions.files, "flush", lambda paths: flushed.extend(paths) or flush(paths))
    place.stage(place.candidate("alpha", "1.0"))
    assert {str(place.site), str(place.site / STATE)} <= set(flushed)


def test_an_early_companion_sorts_first(place):
    candidate = place.candidate("alpha", "1.0")
    id = place.stage(candidate)
    item = next(published.read_all(str(place.site)))
    transactions.publish(str(place.site), item.record, {}, ["alpha"])
    assert sorted(path.name for path in place.site.glob("*.pth"))[0] == "!alpha-1.0.part.pth"
    assert item.transaction_id == id


def test_a_newer_versions_transaction_is_left_alone_and_named(place):
    place.stage(place.candidate("alpha", "1.0"))
    path = next((place.site / STATE / TRANSACTIONS).glob("*.pending"))
    path.write_text("liveinstall-transaction 99\nsomething\nend\n")
    before = place.state()
    transactions.recover(str(place.site))
    assert place.state() == before
    assert published.unreadable(str(place.site)) == (str(path),)


def test_directories_of_others_are_never_swept(place):
    (place.site / "download.part").mkdir()
    (place.site / "download.part" / "file").write_text("mine")
    (place.site / STATE / TRANSACTIONS).mkdir(parents=True)
    transactions.recover(str(place.site))
    assert (place.site / "download.part" / "file").read_text() == "mine"


def test_a_commit_that_fails_is_rolled_back_and_dropped(place):
    place.install(place.candidate("alpha", "1.0"))
    before = place.state()
    id = place.stage(place.candidate("alpha", "2.0", {"alpha.py": "", "blocked.py": ""}))
    (place.site / "blocked.py").write_text("mine")
    with pytest.raises(CommitError, match="The old versions are in place"):
        transactions.apply(str(place.site), id)
    (place.site / "blocked.py").unlink()
    assert place.state() == before and place.leftovers() == []


def test_old_files_are_kept_for_a_few_transactions_only(place):
    for version in range(1, 9):
        place.install(place.candidate("alpha", f"{version}.0"))
    transactions.recover(str(place.site))
    assert len(list((place.site / STATE / RETIRED).iterdir())) == 5
    assert len(list((place.site / STATE / HISTORY).iterdir())) == 8


def test_the_command_line_is_one_short_line_without_credentials(monkeypatch):
    import sys

    monkeypatch.setattr(sys, "orig_argv", ["/x/python", "-c", "a\nb", "https://me:pw@host/", "z" * 300])
    line = command_line()
    assert line.startswith("python -c a b https://****@host/") and len(line) <= 120 and "pw" not in line


def test_a_roll_back_that_fails_leaves_the_transaction_to_recovery(place, monkeypatch):
    from _liveinstall_boot import swap

    place.install(place.candidate("alpha", "1.0"))
    before = place.state()
    id = place.stage(place.candidate("alpha", "2.0", {"alpha/__init__.py": "", "blocked.py": ""}))
    (place.site / "blocked.py").write_text("mine")

    def refuse(site, record):
        raise OSError("the disk went away")

    with monkeypatch.context() as patch:
        patch.setattr(swap, "roll_back", refuse)
        with pytest.raises(CommitError):
            transactions.apply(str(place.site), id)
    assert [state for _, state, _ in list_transactions(str(place.site))] == ["swapping"]
    (place.site / "blocked.py").unlink()
    transactions.recover(str(place.site))
    assert before.items() <= place.state().items()
    assert place.start()[0] == 0
    assert (place.site / "alpha-2.0.dist-info").is_dir()


def test_a_clean_up_that_fails_is_finished_later(place, monkeypatch):
    from _liveinstall_boot import swap

    id = place.stage(place.candidate("alpha", "1.0"))

    def refuse(site, record):
        raise OSError("busy")

    with monkeypatch.context() as patch:
        patch.setattr(swap, "clean_up", refuse)
        transactions.apply(str(place.site), id)
    assert (place.site / "alpha-1.0.dist-info").is_dir()
    assert place.start()[0] == 0
    assert place.leftovers() == [] and list_transactions(str(place.site)) == []


def test_what_something_else_installed_meanwhile_is_left_alone(place):
    id = place.stage(place.candidate("alpha", "2.0"))
    other = place.site / "alpha-1.0.dist-info"
    other.mkdir()
    with pytest.raises(CommitError, match="installed by something else"):
        transactions.apply(str(place.site), id)
    assert [path.name for path in place.site.iterdir() if not path.name.startswith(".")] == ["alpha-1.0.dist-info"]


@pytest.mark.parametrize("lasting", [False, True])
def test_an_error_that_passes_leaves_no_empty_directory(tmp_path, monkeypatch, lasting):
    from _liveinstall_boot import files

    rmdir, failed = os.rmdir, []

    def refuse(path):
        if lasting or not failed:
            failed.append(path)
            raise OSError(errno.EIO, "the disk hiccups", path)
        rmdir(path)

    monkeypatch.setattr(os, "rmdir", refuse)
    (tmp_path / "share" / "only").mkdir(parents=True)
    (tmp_path / "share" / "kept").write_text("somebody's")
    touched = {}
    files.remove_empty(str(tmp_path), ["share/only/x"], touched)
    assert (tmp_path / "share" / "only").exists() is lasting and len(failed) == (4 if lasting else 1)
    assert list(touched) == ([] if lasting else [str(tmp_path / "share")])
