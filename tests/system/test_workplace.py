from __future__ import annotations

import os
import stat
import tempfile

import pytest

from _liveinstall_boot.layout import STATE, TRANSACTIONS
from liveinstall._system.workplace import encode, parse, sweep, workplace
from liveinstall._transactions import transaction as transactions


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The system's place for temporary files."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


@pytest.fixture
def site(tmp_path):
    directory = tmp_path / "site"
    (directory / STATE / TRANSACTIONS).mkdir(parents=True)
    return directory


def fill(directory):
    """As pip and a build do."""
    os.makedirs(os.path.join(directory, "tmp", "build", "deep"))
    for path in ("request", "tmp/build/deep/file"):
        with open(os.path.join(directory, path), "w") as stream:
            stream.write("x")
    os.symlink("/", os.path.join(directory, "tmp", "root"))
    os.chmod(os.path.join(directory, "tmp", "build", "deep"), stat.S_IREAD | stat.S_IEXEC)


def killed(site):
    """What a kill leaves: the same, without the end."""
    pid = os.fork()
    if not pid:
        with workplace(str(site)) as directory:
            fill(directory)
            os._exit(9)
    os.waitpid(pid, 0)


def test_nothing_stays_behind_whether_it_succeeds_or_fails(site, temporary):
    for error in (None, RuntimeError("it failed")):
        try:
            with workplace(str(site)) as directory:
                assert os.path.dirname(directory) == str(temporary)
                fill(directory)
                if error:
                    raise error
        except RuntimeError:
            pass
        assert list(temporary.iterdir()) == [] and not (site / STATE / "work").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_a_kill_left_goes_at_the_next_use(site, temporary):
    killed(site)
    assert len(list(temporary.iterdir())) == 1
    transactions.recover(str(site))
    assert list(temporary.iterdir()) == [] and not (site / STATE / "work").exists()


def test_what_is_in_use_stays(site, temporary):
    """A change recovers at its end too, while it is not over."""
    with workplace(str(site)) as directory:
        fill(directory)
        transactions.recover(str(site))
        assert os.path.exists(os.path.join(directory, "tmp", "build", "deep", "file"))
        assert (site / STATE / "work").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_copied_environment_removes_nothing_of_the_original(site, temporary, tmp_path):
    killed(site)
    copy = tmp_path / "copy"
    site.rename(tmp_path / "away")
    (copy / STATE / TRANSACTIONS).mkdir(parents=True)
    (tmp_path / "away" / STATE / "work").rename(copy / STATE / "work")
    sweep(str(copy))
    assert len(list(temporary.iterdir())) == 1 and not (copy / STATE / "work").exists()


def test_a_link_in_its_place_is_not_followed(site, temporary, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "for").write_text(os.path.realpath(site))
    (temporary / "liveinstall-x").symlink_to(precious)
    (site / STATE / "work").write_text(encode(str(temporary / "liveinstall-x")))
    sweep(str(site))
    assert (precious / "for").exists() and not (site / STATE / "work").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "liveinstall-work 1",
        "liveinstall-work 1\n",
        "liveinstall-work 1\n/tmp/liveinstall-x",  # cut off: it may be another's name
        "liveinstall-work 1\ntmp/liveinstall-x\n",
        "liveinstall-work 1\n/tmp\n",
        "liveinstall-work 1\n/tmp/liveinstall-x/..\n",
        "liveinstall-work 2\n/tmp/liveinstall-x\n",
    ],
)
def test_a_damaged_or_foreign_note_names_nothing(text, site):
    assert parse(text) == ""
    (site / STATE / "work").write_text(text)
    sweep(str(site))
    assert not (site / STATE / "work").exists()


def test_a_note_says_where_it_is():
    path = os.path.join(os.path.abspath(os.sep), "tmp", "liveinstall-x")
    assert parse(encode(path)) == path


def test_directories_elsewhere_that_the_killed_one_named_go_too(site, temporary, tmp_path):
    places = {name: tmp_path / "memory" / name for name in ("liveinstall-links", "liveinstall-own", "other")}
    for place in places.values():
        (place / "sub").mkdir(parents=True)
    pid = os.fork()
    if not pid:
        with workplace(str(site)) as directory:
            os.mkdir(os.path.join(directory, "1"))
            os.symlink(places["liveinstall-own"], os.path.join(directory, "elsewhere-own"))
            os.symlink(places["liveinstall-links"], os.path.join(directory, "1", "elsewhere-links"))
            os.symlink(places["other"], os.path.join(directory, "1", "elsewhere-other"))
            os._exit(9)
    os.waitpid(pid, 0)
    sweep(str(site))
    assert [path.name for path in (tmp_path / "memory").iterdir()] == ["other"]
    assert list(temporary.iterdir()) == []
