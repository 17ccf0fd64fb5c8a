"""Files that other users can create, and private directories. With root the attacks are real."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from helpers.environments import SOURCE
from helpers.other_users import ATTACKER, VICTIM, as_user, needs_root, shared_directory

from liveinstall._system import privacy
from liveinstall._system.privacy import is_private, keeps_apart, make_private, open_own, reached, read_private

needs_modes = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs owners and modes")


@pytest.fixture
def shared():
    with shared_directory() as place:
        yield place


def test_what_is_made_is_private_and_so_are_the_directories_above_it(tmp_path):
    make_private(str(tmp_path / "a" / "b"))
    make_private(str(tmp_path / "a" / "b"))
    assert is_private(str(tmp_path / "a" / "b"))
    if os.name == "posix":
        assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


@needs_modes
def test_it_is_made_for_this_user_only_under_any_umask(tmp_path):
    before = os.umask(0)
    try:
        make_private(str(tmp_path / "a" / "b"))
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700, 0o700]


@needs_modes
@pytest.mark.parametrize(
    ("mode", "above", "is_ours"),
    [(0o700, 0o755, True), (0o755, 0o1777, True), (0o770, 0o755, False), (0o702, 0o755, False), (0o700, 0o777, False)],
)
def test_modes_decide_of_the_directory_and_of_all_above_it(tmp_path, mode, above, is_ours):
    place = tmp_path / "above" / "between" / "place"
    place.mkdir(parents=True)
    place.chmod(mode)
    (tmp_path / "above").chmod(above)
    assert is_private(str(place)) is is_ours
    if not is_ours:
        with pytest.raises(PermissionError, match="other users"):
            make_private(str(place))


@needs_modes
def test_nothing_is_made_where_others_could_exchange_it(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError, match="could replace"):
        make_private(str(tmp_path / "a" / "b" / "c"))
    assert list(tmp_path.iterdir()) == []


@needs_modes
def test_links_of_ones_own_are_followed_and_each_place_on_the_way_counts(tmp_path):
    (tmp_path / "open" / "real").mkdir(parents=True)
    (tmp_path / "link").symlink_to(os.path.join("open", "..", "open"))
    assert is_private(str(tmp_path / "link" / "real"))
    (tmp_path / "open").chmod(0o777)
    assert not is_private(str(tmp_path / "link" / "real"))
    (tmp_path / "round").symlink_to("round")
    assert reached(str(tmp_path / "round" / "x")) is None and reached(str(tmp_path / "nothing")) is None
    assert reached("a\0b") is None


@needs_modes
def test_only_a_regular_file_of_ones_own_is_read(tmp_path):
    own = tmp_path / "own"
    own.write_bytes(b"content")
    assert read_private(str(own)) == b"content"
    (tmp_path / "link").symlink_to(own)
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo", "nothing", "."):
        with pytest.raises(OSError, match=name):
            read_private(str(tmp_path / name))
    own.chmod(0o666)
    with pytest.raises(PermissionError, match="closed to others"):
        read_private(str(own))


@needs_modes
def test_only_a_directory_is_opened_and_a_fifo_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("fifo", "link", "nothing"):
        with pytest.raises(OSError, match=name):
            open_own(str(tmp_path / name))
    handle = open_own(str(tmp_path))
    inner = tmp_path / "inner"
    inner.mkdir()
    os.close(open_own("inner", dir_fd=handle))
    os.close(handle)


@needs_modes
def test_a_private_group_has_no_other_users(tmp_path, monkeypatch):
    import grp
    import pwd

    tmp_path.chmod(0o775)
    about = tmp_path.stat()
    me = pwd.getpwuid(os.geteuid())
    own = grp.struct_group((me.pw_name, "x", me.pw_gid, []))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: pwd.struct_passwd((me.pw_name, "x", 0, about.st_gid, "", "", "")))
    monkeypatch.setattr(grp, "getgrgid", lambda _: own)
    assert keeps_apart(about)
    for other in (("another", "x", 0, []), (me.pw_name, "x", 0, ["eve"])):
        monkeypatch.setattr(grp, "getgrgid", lambda _, other=other: grp.struct_group(other))
        assert not keeps_apart(about)


def test_without_file_owners_the_existing_files_count(tmp_path, monkeypatch):
    monkeypatch.setattr(privacy, "_HAS_USERS", False)
    make_private(str(tmp_path / "a"))
    assert is_private(str(tmp_path / "a")) and not is_private(str(tmp_path / "b"))
    assert privacy.user() == 0 and keeps_apart(tmp_path.stat())


# --- another user's attacks -------------------------------------------------------------------------------------------


def plant(place, content=b"planted"):
    """A directory that looks like a user's cache, writable by all."""
    place.mkdir(parents=True)
    (place / "file").write_bytes(content)
    for path in (place, place / "file"):
        path.chmod(0o777)


@needs_root
@pytest.mark.parametrize("victim", [VICTIM, 0])
def test_a_directory_that_another_user_made_first_is_not_used(shared, victim):
    as_user(ATTACKER, lambda: plant(shared / "cache"))
    for name in ("cache", "cache/inner"):
        with pytest.raises(PermissionError):
            as_user(victim, lambda name=name: make_private(str(shared / name)))
    with pytest.raises(PermissionError):
        as_user(victim, lambda: read_private(str(shared / "cache" / "file")))
    assert sorted(path.name for path in (shared / "cache").iterdir()) == ["file"]


@needs_root
@pytest.mark.parametrize("victim", [VICTIM, 0])
def test_a_link_that_another_user_made_leads_nowhere_even_to_ones_own(shared, victim):
    as_user(victim, lambda: make_private(str(shared / "real")))
    as_user(ATTACKER, lambda: (shared / "cache").symlink_to(shared / "real"))
    as_user(ATTACKER, lambda: (shared / "above").symlink_to(shared))
    for name in ("cache", "above/real"):
        assert not as_user(victim, lambda name=name: is_private(str(shared / name)))
        with pytest.raises(PermissionError):
            as_user(victim, lambda name=name: make_private(str(shared / name)))


@needs_root
def test_a_directory_of_ones_own_in_another_user_s_is_not_private(shared):
    as_user(ATTACKER, (shared / "theirs").mkdir)
    as_user(ATTACKER, lambda: (shared / "theirs").chmod(0o1777))
    as_user(VICTIM, lambda: (shared / "theirs" / "mine").mkdir(mode=0o700))
    assert not as_user(VICTIM, lambda: is_private(str(shared / "theirs" / "mine")))


@needs_root
def test_root_makes_nothing_in_another_user_s_home(shared):
    as_user(VICTIM, lambda: (shared / "home").mkdir(mode=0o755))
    with pytest.raises(PermissionError, match="could replace"):
        make_private(str(shared / "home" / ".cache" / "x"))
    assert list((shared / "home").iterdir()) == []


@needs_root
def test_another_user_s_directory_is_not_opened(shared):
    as_user(ATTACKER, (shared / "theirs").mkdir)
    with pytest.raises(PermissionError, match="another user"):
        open_own(str(shared / "theirs"))


def test_nothing_is_loaded_for_it():
    code = f"""if True:
        import os, sys
        sys.path.insert(0, {str(SOURCE)!r})
        import liveinstall
        before = set(sys.modules)
        import liveinstall._system.privacy
        print(*sorted(set(sys.modules) - before - {{"errno"}}))"""
    shown = subprocess.run([sys.executable, "-S", "-c", code], check=True, capture_output=True, text=True).stdout
    assert shown.split() == ["liveinstall._system", "liveinstall._system.privacy"]  # and errno, which is built in
