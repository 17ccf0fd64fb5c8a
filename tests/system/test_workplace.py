from __future__ import annotations

import os
import shutil
import stat
import tempfile

import pytest
from helpers.capabilities import can_fork, can_symlink, has_fifos, has_links, has_modes
from helpers.other_users import ATTACKER, VICTIM, as_user, needs_root, shared_directory

from _liveinstall_boot.layout import STATE, TRANSACTIONS
from liveinstall._system.workplace import encode, note_elsewhere, parse, sweep, workplace
from liveinstall._transactions import transaction as transactions

TOKEN = "0123456789abcdef" * 2


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The system's directory for temporary files."""
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
    if has_links():
        os.symlink("/", os.path.join(directory, "tmp", "root"))
    os.chmod(os.path.join(directory, "tmp", "build", "deep"), stat.S_IREAD | stat.S_IEXEC)


def killed(site):
    """The leftovers of a kill: the same, without the end."""
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
    """A change also recovers near its end, before it is complete."""
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


@can_symlink
def test_a_link_in_its_place_is_not_followed(site, temporary, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    precious.chmod(0o700)
    (precious / "for").write_text(f"{TOKEN}\n{os.path.realpath(site)}")
    (temporary / "liveinstall-x").symlink_to(precious)
    (site / STATE / "work").write_text(encode(str(temporary / "liveinstall-x"), TOKEN))
    sweep(str(site))
    assert (precious / "for").exists() and not (site / STATE / "work").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "liveinstall-work 2",
        "liveinstall-work 2\n",
        "liveinstall-work 2\n/tmp/liveinstall-x",
        "liveinstall-work 2\n/tmp/liveinstall-x\n",
        f"liveinstall-work 2\n/tmp/liveinstall-x\n{TOKEN}",  # cut off
        f"liveinstall-work 2\n/tmp/liveinstall-x\n{TOKEN[1:]}\n",
        f"liveinstall-work 2\n/tmp/liveinstall-x\n{TOKEN}\nmore\n",
        f"liveinstall-work 2\ntmp/liveinstall-x\n{TOKEN}\n",
        f"liveinstall-work 2\n/tmp\n{TOKEN}\n",
        f"liveinstall-work 2\n/tmp/liveinstall-x/..\n{TOKEN}\n",
        f"liveinstall-work 3\n/tmp/liveinstall-x\n{TOKEN}\n",
        "liveinstall-work 1\n/tmp/liveinstall-x\n",  # proves nothing
    ],
)
def test_a_damaged_or_foreign_note_names_nothing(text, site):
    assert parse(text) == ("", "")
    (site / STATE / "work").write_text(text)
    sweep(str(site))
    assert not (site / STATE / "work").exists()


def test_a_note_of_bytes_that_are_no_path_is_removed(site):
    (site / STATE / "work").write_bytes(b"liveinstall-work 2\n/tmp/\xff\n")
    sweep(str(site))
    assert not (site / STATE / "work").exists()


def test_a_note_says_where_it_is():
    path = os.path.join(os.path.abspath(os.sep), "tmp", "liveinstall-x")
    assert parse(encode(path, TOKEN)) == (path, TOKEN)


@can_fork
def test_directories_elsewhere_that_the_killed_one_named_go_too(site, temporary, tmp_path):
    names = ("liveinstall-links", "liveinstall-own", "liveinstall-unproven", "other")
    places = {name: tmp_path / "memory" / name for name in names}
    for place in places.values():
        (place / "sub").mkdir(parents=True)
        place.chmod(0o700)
    pid = os.fork()
    if not pid:
        with workplace(str(site)) as directory:
            os.mkdir(os.path.join(directory, "1"))
            note_elsewhere(directory, "own", str(places["liveinstall-own"]))
            for name in ("liveinstall-links", "other"):
                note_elsewhere(os.path.join(directory, "1"), name, str(places[name]))
            os.symlink(places["liveinstall-unproven"], os.path.join(directory, "1", f"elsewhere-it-{TOKEN}"))
            os._exit(9)
    os.waitpid(pid, 0)
    sweep(str(site))
    assert sorted(path.name for path in (tmp_path / "memory").iterdir()) == ["liveinstall-unproven", "other"]
    assert list(temporary.iterdir()) == []


@has_modes
def test_the_note_and_what_it_names_are_for_this_user_only(site, temporary):
    with workplace(str(site)) as directory:
        paths = [site / STATE / "work", os.path.join(directory, "for"), directory]
        assert [stat.S_IMODE(os.stat(path).st_mode) for path in paths] == [0o600, 0o600, 0o700]


@can_fork
def test_a_directory_of_the_same_name_that_has_another_token_stays(site, temporary):
    """Like one of another environment, created after a clean-up."""
    killed(site)
    (place,) = temporary.iterdir()
    (place / "for").write_text(f"{TOKEN}\n{os.path.realpath(site)}")
    sweep(str(site))
    assert (place / "request").exists() and not (site / STATE / "work").exists()


@pytest.mark.parametrize(
    "there",
    [
        pytest.param(getattr(os, "mkfifo", None), marks=has_fifos),
        pytest.param(lambda path: os.symlink("/", path), marks=can_symlink),
        os.mkdir,
    ],
)
def test_other_files_in_place_of_the_note_neither_block_nor_are_followed(site, temporary, there):
    there(site / STATE / "work")
    sweep(str(site))
    with workplace(str(site)):
        pass
    assert list(temporary.iterdir()) == []


# --- other users ------------------------------------------------------------------------------------------------------


@pytest.fixture
def open_to_all(monkeypatch):
    """A directory for temporary files that every user can write to."""
    with shared_directory() as place:
        (place / "tmp").mkdir()
        (place / "tmp").chmod(0o1777)
        monkeypatch.setattr(tempfile, "tempdir", str(place / "tmp"))
        yield place


@pytest.fixture
def abandoned(open_to_all):
    """An environment of the victim in which a change was killed; and the directory in its note.

    The victim has a project with a name that begins like ours.
    """
    site = open_to_all / "site"

    def make():
        (site / STATE / TRANSACTIONS).mkdir(parents=True)
        (open_to_all / "liveinstall-project").mkdir(mode=0o700)
        (open_to_all / "liveinstall-project" / "thesis.tex").touch()
        killed(site)

    as_user(VICTIM, make)
    (place,) = (open_to_all / "tmp").iterdir()
    return site, place


@needs_root
@pytest.mark.parametrize("sweeper", [VICTIM, 0])
def test_what_another_user_makes_after_a_clean_up_is_not_removed_nor_followed(open_to_all, abandoned, sweeper):
    site, place = abandoned
    mark, note = (place / "for").read_text(), (site / STATE / "work").read_text()
    shutil.rmtree(place)  # as after a reboot

    def attack():
        place.mkdir()
        (place / "for").write_text(mark)  # even if the token had become known
        for name in ("elsewhere-1", f"elsewhere-1-{TOKEN}"):
            (place / name).symlink_to(open_to_all / "liveinstall-project")

    as_user(ATTACKER, attack)
    as_user(sweeper, lambda: sweep(str(site)))
    assert (open_to_all / "liveinstall-project" / "thesis.tex").exists()
    assert len(list(place.iterdir())) == 3 and note


@needs_root
@pytest.mark.parametrize("target", ["liveinstall-project", "tmp"])
def test_a_link_that_another_user_puts_in_its_place_is_not_followed(open_to_all, abandoned, target):
    site, place = abandoned
    shutil.rmtree(place)
    as_user(ATTACKER, lambda: place.symlink_to(open_to_all / target))
    as_user(VICTIM, lambda: sweep(str(site)))
    assert (open_to_all / "liveinstall-project" / "thesis.tex").exists() and place.is_symlink()


@needs_root
@pytest.mark.parametrize("what", ["fifo", "link"])
def test_the_mark_is_not_read_through_a_fifo_or_a_link(open_to_all, abandoned, what):
    site, place = abandoned
    shutil.rmtree(place)

    def attack():
        place.mkdir()
        if what == "fifo":
            os.mkfifo(place / "for")
        else:
            (place / "for").symlink_to("/dev/zero")

    as_user(ATTACKER, attack)
    as_user(VICTIM, lambda: sweep(str(site)))
    assert place.exists()


@needs_root
def test_another_user_of_the_environment_neither_reads_the_note_nor_removes_what_it_names(open_to_all, abandoned):
    site, place = abandoned
    with pytest.raises(PermissionError):
        as_user(ATTACKER, (site / STATE / "work").read_text)
    as_user(ATTACKER, lambda: sweep(str(site)))
    sweep(str(site))  # root can read it, but does not own it
    assert place.exists() and (site / STATE / "work").exists()
    as_user(VICTIM, lambda: sweep(str(site)))
    assert not place.exists() and not (site / STATE / "work").exists()
