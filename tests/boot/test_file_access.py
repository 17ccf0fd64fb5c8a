"""Drafts with names that cannot be guessed, and reads that never block, of regular files of limited size only."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from helpers.capabilities import can_symlink, has_fifos, has_links, has_modes
from helpers.fuzz import bounded
from helpers.in_process_site import Place
from helpers.other_users import ATTACKER, VICTIM, as_user, needs_root, shared_directory

from _liveinstall_boot import file_access, files, recover
from _liveinstall_boot.file_access import LIMIT, create, open_bounded, open_regular, read_bytes
from _liveinstall_boot.layout import STATE, TRANSACTIONS
from liveinstall._system.durability import write_atomically
from liveinstall._system.lock import environment_lock
from liveinstall._system.removal import own_directory, remove_opened
from liveinstall._transactions import companions
from liveinstall._transactions import transaction as transactions


@has_modes
def test_a_draft_has_another_name_each_time_and_is_made_for_this_user_by_the_umask(tmp_path):
    made = [create(str(tmp_path / "x.draft-")) for _ in range(2)]
    assert made[0][1] != made[1][1] and all(Path(path).name.startswith("x.draft-") for _, path in made)
    for handle, path in made:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o666 & ~current_umask()
        os.close(handle)


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@can_symlink
def test_an_existing_name_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(file_access.os, "urandom", lambda count: b"\0" * count)
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / ("x" + "00" * 8)).symlink_to(precious)
    with pytest.raises(FileExistsError):
        create(str(tmp_path / "x"))
    assert precious.read_text() == "precious"


@pytest.mark.parametrize(
    "put",
    [
        pytest.param(getattr(os, "mkfifo", None), marks=has_fifos),
        os.mkdir,
        pytest.param(lambda path: os.symlink("/dev/zero", path), marks=can_symlink),
    ],
)
def test_only_regular_files_are_read_and_none_blocks(tmp_path, put):
    put(tmp_path / "odd")
    with bounded(5, put):
        for opener in (open_regular, open_bounded):
            with pytest.raises(OSError, match="odd"):
                open(tmp_path / "odd", "rb", opener=opener)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs sockets that are files")
def test_a_socket_is_not_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the paths of sockets are short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("odd")
        with pytest.raises(OSError, match="regular"):
            read_bytes("odd")


def test_what_is_longer_than_any_file_of_ours_is_not_read(tmp_path):
    with (tmp_path / "long").open("wb") as stream:
        stream.truncate(LIMIT + 1)
    with pytest.raises(OSError, match="too long"):
        read_bytes(str(tmp_path / "long"))


@pytest.mark.parametrize("length", [0, 1, 10, 10**5])
@pytest.mark.parametrize("at_once", [7, 10**6])
def test_a_file_is_read_to_its_end_even_if_the_system_returns_less_at_once(tmp_path, monkeypatch, length, at_once):
    (tmp_path / "file").write_bytes(b"x" * length)
    really = os.read
    monkeypatch.setattr(os, "read", lambda handle, most: really(handle, min(most, at_once)))
    assert len(read_bytes(str(tmp_path / "file"))) == length


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc")
def test_a_file_without_a_size_is_read_to_its_end():
    assert b"Name:" in read_bytes("/proc/self/status")


# --- links in place of liveinstall's files ----------------------------------------------------------------------------


@pytest.fixture
def precious(tmp_path) -> Path:
    path = tmp_path / "precious"
    path.write_text("precious")
    return path


@pytest.fixture
def site(tmp_path) -> Path:
    place = Place(tmp_path / "root")
    (place.site / STATE / TRANSACTIONS).mkdir(parents=True)
    return place.site


@can_symlink
@pytest.mark.parametrize("name", ["owner", "work", "requests", "draft-guard", f"{TRANSACTIONS}/1.note"])
def test_a_link_in_the_place_of_a_file_of_ours_is_replaced_or_left_and_never_written_through(site, precious, name):
    (site / STATE / name).symlink_to(precious)
    with environment_lock(str(site), who="a test"):
        recover.note(str(site), "1", "a reason")
        companions.set_guard(str(site), on=True)
        write_atomically(str(site / STATE / "requests"), "text")
        transactions.recover(str(site))
    assert precious.read_text() == "precious"


@can_symlink
def test_a_link_in_the_place_of_the_lock_is_not_followed(site, precious):
    (site / STATE / "lock").symlink_to(site / "made")
    from _liveinstall_boot.locks import try_lock

    with pytest.raises(OSError, match="lock"):
        try_lock(str(site / STATE / "lock"))
    assert not (site / "made").exists()


@can_symlink
def test_of_a_link_only_the_link_is_removed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    files.remove_tree(str(tmp_path / "link"))
    assert not (tmp_path / "link").is_symlink() and (tmp_path / "real" / "file").exists()


@pytest.mark.parametrize("name", ["draft-x", "x.draft-1", "a-1.part.pth", f"{TRANSACTIONS}/1.draft-2"])
@pytest.mark.parametrize(
    "put", [pytest.param("link", marks=can_symlink), "directory", pytest.param("fifo", marks=has_fifos)]
)
def test_files_of_any_kind_with_the_name_of_a_draft_are_removed_without_following_them(site, tmp_path, name, put):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").touch()
    path = site / STATE / name
    if put == "link":
        path.symlink_to(tmp_path / "real")
    elif put == "directory":
        (path / "deep").mkdir(parents=True)
        if has_links():
            (path / "link").symlink_to(tmp_path / "real")
    else:
        os.mkfifo(path)
    transactions.recover(str(site))
    assert not os.path.lexists(path) and (tmp_path / "real" / "file").exists()


def test_drafts_and_holds_that_a_kill_has_left_are_swept_and_living_ones_stay(site):
    fcntl = pytest.importorskip("fcntl")
    state = site / STATE
    for name in ("requests.draft-0", ".draft-x.pth0", "guard.draft-0", "hold-1-dead", "hold-1-new", "hold-1-alive"):
        (state / name).touch()
    for name in ("hold-1-dead", "hold-1-alive"):
        os.utime(state / name, (1, 1))
    with (state / "hold-1-alive").open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        transactions.recover(str(site))
    assert sorted(path.name for path in state.glob("*-*")) == ["hold-1-alive", "hold-1-new"]


# --- removal ----------------------------------------------------------------------------------------------------------


@can_symlink
def test_a_directory_is_removed_by_its_descriptor_even_if_its_path_was_replaced(tmp_path):
    mine, other = tmp_path / "mine", tmp_path / "other"
    for place in (mine, other):
        (place / "deep").mkdir(parents=True)
        (place / "deep" / "file").touch()
    (mine / "link").symlink_to(other)
    (mine / "deep").chmod(0o500)
    with own_directory(str(mine)) as handle:
        mine.rename(tmp_path / "moved")
        mine.symlink_to(other)
        remove_opened(str(mine), handle)
    assert (other / "deep" / "file").exists() and mine.is_symlink() and list((tmp_path / "moved").iterdir()) == []


def test_what_says_whose_it_is_goes_last(tmp_path, monkeypatch):
    place = tmp_path / "place"
    (place / "deep").mkdir(parents=True)
    (place / "mark").touch()
    gone = []
    unlink, rmdir = os.unlink, os.rmdir
    monkeypatch.setattr(os, "unlink", lambda name, **more: (gone.append(os.path.basename(name)), unlink(name, **more)))
    monkeypatch.setattr(os, "rmdir", lambda name, **more: (gone.append(os.path.basename(name)), rmdir(name, **more)))
    with own_directory(str(place)) as handle:
        remove_opened(str(place), handle, last="mark")
    assert gone == ["deep", "mark", "place"] and not place.exists()


@needs_root
def test_another_users_directory_is_not_opened_for_removal():
    with shared_directory() as place:
        as_user(ATTACKER, (place / "theirs").mkdir)

        def attempt() -> None:
            with own_directory(str(place / "theirs")):
                pass

        with pytest.raises(PermissionError):
            as_user(VICTIM, attempt)
