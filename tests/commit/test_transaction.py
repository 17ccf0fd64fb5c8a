from __future__ import annotations

import pytest
from places import Place

import _liveinstall_boot as boot
from liveinstall.commit import transaction as transactions
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
    found_suffix, found = transactions.companion("_liveinstall_finalizer_x", version)
    assert found_suffix == suffix and found.startswith(text) and found.isascii() and found.count("\n") == 1


def test_a_start_file_finalizes_what_waits_on_the_path(place, monkeypatch):
    import sys

    import _liveinstall_boot

    place.stage(place.candidate("alpha", "1.0"))
    monkeypatch.setattr(sys, "path", [str(place.site), str(place.root)])
    _liveinstall_boot._done.clear()
    _liveinstall_boot.start()
    assert (place.site / "alpha-1.0.dist-info").exists() and place.leftovers() == []


def test_an_early_companion_sorts_first(place):
    candidate = place.candidate("alpha", "1.0")
    id = place.stage(candidate)
    item = next(transactions.read_all(str(place.site)))
    transactions.publish(str(place.site), item.record, {}, ["alpha"])
    assert sorted(path.name for path in place.site.glob("*.pth"))[0] == "!alpha-1.0.part.pth"
    assert item.id == id


def test_a_newer_versions_transaction_is_left_alone_and_named(place):
    place.stage(place.candidate("alpha", "1.0"))
    path = next((place.site / boot.STATE / boot.TRANSACTIONS).glob("*.pending"))
    path.write_text("liveinstall-transaction 99\nsomething\nend\n")
    before = place.state()
    transactions.recover(str(place.site))
    assert place.state() == before
    assert transactions.unreadable(str(place.site)) == (str(path),)


def test_directories_of_others_are_never_swept(place):
    (place.site / "download.part").mkdir()
    (place.site / "download.part" / "file").write_text("mine")
    (place.site / boot.STATE / boot.TRANSACTIONS).mkdir(parents=True)
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
    assert len(list((place.site / boot.STATE / boot.RETIRED).iterdir())) == 5
    assert len(list((place.site / boot.STATE / boot.HISTORY).iterdir())) == 8


def test_the_command_line_is_one_short_line_without_credentials(monkeypatch):
    import sys

    monkeypatch.setattr(sys, "orig_argv", ["/x/python", "-c", "a\nb", "https://me:pw@host/", "z" * 300])
    line = transactions.command_line()
    assert line.startswith("python -c a b https://****@host/") and len(line) <= 120 and "pw" not in line
