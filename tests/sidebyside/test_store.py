"""The store: its entries, invalid ones, permissions, and that a kill leaves no entry."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers.environments import SOURCE, make_wheel, tree
from helpers.in_process_site import KILLED, Place

from integration.lib.hostile import KINDS, build
from liveinstall._model import Candidate
from liveinstall._sidebyside import layout
from liveinstall._sidebyside.imports import index as indexes
from liveinstall._sidebyside.registry import index_builder
from liveinstall._sidebyside.selection.candidates import usable
from liveinstall._sidebyside.store.store import Store, parse_entry
from liveinstall.errors import (
    DisabledError,
    LiveInstallError,
    LockTimeoutError,
    StoreError,
    WheelRefusedError,
)

FILES = {
    "alpha/__init__.py": "def run(): pass\n",
    "alpha-1.0.data/purelib/alpha/pure.py": "",
    "alpha-1.0.data/platlib/alpha/plat.py": "",
    "alpha-1.0.data/scripts/tool": "#!python\n",
    "alpha-1.0.data/headers/alpha.h": "int x;",
    "alpha-1.0.data/data/share/x.txt": "data",
}


@pytest.fixture
def store(tmp_path):
    return Store.at(tmp_path / "store")


@pytest.fixture
def wheels(tmp_path):
    return tmp_path / "wheels"


def test_an_entry_is_laid_out_as_site_packages_and_keeps_its_data_without_launchers(store, wheels):
    found = store.add(make_wheel(wheels, "alpha", "1.0", FILES, scripts={"alpha-run": "alpha:run"}))
    assert (found.name, found.version, found.tag) == ("alpha", "1.0", "py3-none-any")
    assert found.path == str(Path(store.path, "alpha-1.0-py3-none-any")) and store.entries() == (found,)
    files = {path for path in tree(Path(found.path)) if not path.startswith("alpha-1.0.dist-info")}
    assert files == {
        *("alpha/__init__.py", "alpha/pure.py", "alpha/plat.py"),
        *("alpha-1.0.data/scripts/tool", "alpha-1.0.data/headers/alpha/alpha.h", "alpha-1.0.data/data/share/x.txt"),
    }
    assert Path(found.path, "alpha-1.0.data/scripts/tool").read_text() == "#!python\n"  # not of any interpreter
    assert os.name == "nt" or Path(found.path, "alpha-1.0.data/scripts/tool").stat().st_mode & 0o111


def test_record_names_exactly_what_is_there(store, wheels):
    found = Path(store.add(make_wheel(wheels, "alpha", "1.0", FILES, scripts={"alpha-run": "alpha:run"})).path)
    rows = (found / "alpha-1.0.dist-info/RECORD").read_text().splitlines()
    assert {row.rsplit(",", 2)[0] for row in rows} == set(tree(found))


def test_what_an_import_needs_is_compiled_for_its_final_place(store, wheels):
    found = Path(store.add(make_wheel(wheels, "alpha", "1.0")).path)
    cached = found / "alpha/__pycache__" / f"__init__.{sys.implementation.cache_tag}.pyc"
    assert str(found / "alpha/__init__.py").encode() in cached.read_bytes()


def test_versions_lie_side_by_side_and_the_newest_comes_first(store, wheels):
    for version in ("1.9", "1.10", "1.10rc1"):
        store.add(make_wheel(wheels, "Al.pha", version))
    assert [found.version for found in store.find("al-pha")] == ["1.10", "1.10rc1", "1.9"]
    assert store.find("alp") == store.find("beta") == ()


def test_adding_again_changes_nothing_and_another_content_is_refused(store, wheels, tmp_path):
    wheel = make_wheel(wheels, "alpha", "1.0", FILES)
    first = store.add(wheel)
    before = tree(Path(store.path), ignore=())
    assert store.add(wheel) == first
    other = make_wheel(tmp_path / "others", "alpha", "1.0", {**FILES, "alpha/__init__.py": "other"})
    with pytest.raises(StoreError, match="different content"):
        store.add(other)
    assert tree(Path(store.path), ignore=()) == before


def test_the_same_wheel_packed_and_unpacked_is_one_entry(store, wheels, tmp_path):
    wheel = make_wheel(wheels, "alpha", "1.0", FILES)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "tree")
    unpacked = Candidate("alpha", "1.0", (), requested=True, unpacked=str(tmp_path / "tree"), shared=True)
    assert store.add_all([unpacked]) == (store.add(wheel),)
    assert len(store.entries()) == 1


def test_one_version_may_have_several_builds_and_each_python_takes_its_own(store, wheels, tmp_path):
    tags = [f"cp3{minor}-cp3{minor}-{platform}" for minor in (11, 12, 13) for platform in ("any",)]
    mine = f"cp3{sys.version_info[1]}-none-any"
    for tag in (*tags, mine, "py3-none-any"):
        source = make_wheel(wheels, "alpha", "1.0")
        store.add(source.rename(wheels / f"alpha-1.0-{tag}.whl"))
    assert {found.tag for found in store.find("alpha")} == {*tags, mine, "py3-none-any"}
    assert [found.tag for found in usable(store.entries())] == [mine]


def test_of_builds_with_the_same_tag_the_highest_number_is_used(store, wheels):
    for number in ("", "2-", "10a-"):
        wheel = make_wheel(wheels, "alpha", "1.0")
        store.add(wheel.rename(wheels / f"alpha-1.0-{number}py3-none-any.whl"))
    assert [found.tag for found in usable(store.entries())] == ["10a-py3-none-any"]


def test_a_content_with_fewer_files_is_another(store, wheels, tmp_path):
    store.add(make_wheel(wheels, "alpha", "1.0", FILES))
    less = {path: text for path, text in FILES.items() if "pure" not in path}
    with pytest.raises(StoreError, match="different content"):
        store.add(make_wheel(tmp_path / "others", "alpha", "1.0", less))


def test_a_damaged_entry_is_replaced_on_request_unless_it_is_in_use(store, wheels):
    wheel = make_wheel(wheels, "alpha", "1.0")
    again = [Candidate("alpha", "1.0", (), requested=True, wheel=str(wheel))]
    entry = store.add(wheel)
    whole = tree(Path(store.path), ignore=("__pycache__", layout.INDEXES))
    Path(entry.path, "alpha/late.py").unlink()
    Path(entry.info, "RECORD").unlink()
    with pytest.raises(StoreError, match="with different content"):
        store.add_all(again)
    path = os.path.join(store.path, layout.INDEXES, "0" * 32)
    assert indexes.write(path, indexes.Index(((entry.path, ()),), {}, ()).encode())
    _, handle = indexes.read_and_keep(path)
    with pytest.raises(StoreError, match="with different content|Sharing violation|used by another process"):
        store.add_all(again, anew=True)
    os.close(handle)
    assert store.add_all(again, anew=True) == (entry,) and not os.path.exists(path)
    assert tree(Path(store.path), ignore=("__pycache__", layout.INDEXES)) == whole


def test_all_that_is_asked_for_is_added_or_nothing(store, wheels, tmp_path):
    good = [make_wheel(wheels, name, "1.0") for name in ("alpha", "beta")]
    store.add(good[0])
    bad = build("no_name", tmp_path, outside=tmp_path / "outside")
    candidates = [
        Candidate(wheel.name.partition("-")[0], "1.0", (), requested=True, wheel=str(wheel)) for wheel in good
    ]
    name, version = Path(bad).name.split("-")[:2]
    before = tree(Path(store.path), ignore=())
    with pytest.raises(LiveInstallError):
        store.add_all([*candidates, Candidate(name.lower(), version, (), requested=True, wheel=str(bad))])
    assert tree(Path(store.path), ignore=()) == before


# It would overwrite files if it were installed. Here it has its own directory, and its data stays in .data.
HARMLESS_HERE = ("other_package", "other_script", "script_activate", "twice_by_data", "other_by_data")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].expected == "refused"])
def test_a_hostile_wheel_is_refused_and_nothing_leaves_its_directory(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a compiler for each of a hundred wheels takes a minute
    (tmp_path / "world/outside").mkdir(parents=True)
    wheel = build(kind, tmp_path / "wheels", outside=tmp_path / "world/outside")
    store = Store.at(tmp_path / "world/store")
    store.add(make_wheel(tmp_path / "good", "good", "1.0"))
    before = tree(tmp_path / "world", ignore=())
    if kind in HARMLESS_HERE:
        inside = Path(os.path.relpath(store.add(wheel).path, tmp_path / "world")).as_posix()
        after = tree(tmp_path / "world", ignore=())
        assert {path: what for path, what in after.items() if not path.startswith(inside)} == before
        return
    with pytest.raises((WheelRefusedError, StoreError)):
        store.add(wheel)
    assert tree(tmp_path / "world", ignore=()) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to give a directory away")
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775])
def test_a_store_of_another_user_whose_entries_all_can_replace_is_refused(store, mode):
    os.makedirs(store.path, exist_ok=True)
    os.chmod(store.path, mode)
    assert store.entries() == ()  # this user's own
    os.chown(store.path, 12345, -1)
    if mode == 0o777:
        for call in (store.entries, lambda: store.find("alpha")):
            with pytest.raises(StoreError, match="every user can replace its entries"):
                call()
    else:
        assert store.entries() == ()
    os.chown(store.path, 0, -1)


def test_a_tag_cannot_lead_out_of_the_store(store, wheels, tmp_path):
    wheel = make_wheel(wheels, "alpha", "1.0")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "tree")
    about = tmp_path / "tree/alpha-1.0.dist-info/WHEEL"
    about.write_text("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any/../../../out\n")
    unpacked = Candidate("alpha", "1.0", (), requested=True, unpacked=str(tmp_path / "tree"))
    with pytest.raises(WheelRefusedError):
        store.add_all([unpacked])
    assert not (tmp_path / "out").exists()


def test_a_killed_writer_leaves_nothing_that_counts_at_any_point(tmp_path, wheels):
    place = Place(tmp_path / "root")
    candidates = [place.candidate("alpha", "1.0", FILES), place.candidate("beta", "1.0")]
    path = place.root / "store"

    def add():
        sys.dont_write_bytecode = True
        Store.at(path).add_all(candidates)

    status, points = place.copy(tmp_path / "dry").fork(add)
    assert status == 0 and points > 20
    whole = {entry.name: tree(Path(entry.path)) for entry in Store.at(path).entries()}
    assert set(whole) == {"alpha", "beta"}
    for at in range(points):
        _remove(path)
        assert place.fork(add, at=at)[0] == KILLED
        for entry in Store.at(path).entries():
            assert tree(Path(entry.path)) == whole[entry.name], f"half an entry after a kill at {at}"
        assert place.fork(add)[0] == 0, place.said.read_text()
        assert {entry.name: tree(Path(entry.path)) for entry in Store.at(path).entries()} == whole, at
        assert [name for name in os.listdir(path) if name.startswith(".")] == [], at


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS])
def test_a_disk_that_refuses_at_any_point_is_a_typed_error_and_leaves_nothing_that_counts(tmp_path, code):
    place = Place(tmp_path / "root")
    candidate = place.candidate("alpha", "1.0", FILES)
    path = place.root / "store"

    def add():
        sys.dont_write_bytecode = True
        try:
            Store.at(path).add_all([candidate])
        except LiveInstallError:
            os._exit(7)

    _, points = place.fork(add)
    whole = tree(Path(Store.at(path).entries()[0].path))
    for at in range(points):
        _remove(path)
        status, _ = place.fork(add, at=at, error=OSError(code, os.strerror(code)))
        assert status in (0, 7), place.said.read_text()
        assert [tree(Path(entry.path)) for entry in Store.at(path).entries()] in ([], [whole]), at
        assert place.fork(add)[0] == 0
        assert [tree(Path(entry.path)) for entry in Store.at(path).entries()] == [whole]


def _remove(path: Path) -> None:
    subprocess.run(["rm", "-rf", str(path)], check=True)


def test_a_removal_that_is_killed_at_any_point_leaves_all_or_nothing(tmp_path):
    place = Place(tmp_path / "root")
    store = Store.at(place.root / "store")
    store.add_all([place.candidate("alpha", "1.0", FILES)])
    whole = tree(Path(store.entries()[0].path))

    def remove(copy):
        there = Store.at(copy.root / "store")
        return lambda: there.remove(*there.entries())

    dry = place.copy(tmp_path / "dry")
    _, points = dry.fork(remove(dry))
    assert not Store.at(dry.root / "store").entries() and points > 5
    for at in range(points):
        copy = place.copy(tmp_path / f"kill{at}")
        copy.fork(remove(copy), at=at)
        there = Store.at(copy.root / "store")
        assert [tree(Path(entry.path)) for entry in there.entries()] in ([], [whole]), at
        there.remove(*there.entries())
        assert os.listdir(there.path) in (["lock", "liveinstall-store"], ["liveinstall-store", "lock"])


def test_a_file_that_is_opened_during_a_removal_is_a_typed_error(store, wheels, monkeypatch):
    """As on Windows, which then refuses to remove it."""
    entry = store.add(make_wheel(wheels, "alpha", "1.0"))

    def refuse(*_):
        raise PermissionError(errno.EACCES, "sharing violation")

    monkeypatch.setattr(index_builder, "forget", refuse)
    with pytest.raises(StoreError, match="sharing violation"):
        store.remove(entry)


WRITER = """
import sys
from liveinstall._sidebyside.store.store import Store
store = Store.at(sys.argv[1])
for wheel in sys.argv[2:]:
    store.add(wheel)
"""


def test_writers_at_the_same_time_end_with_one_whole_entry_each(store, wheels):
    paths = [str(make_wheel(wheels, f"p{n}", "1.0", {f"p{n}/m{k}.py": "x = 1\n" for k in range(30)})) for n in range(4)]
    variables = {**os.environ, "PYTHONPATH": str(SOURCE)}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, store.path, *order], env=variables, stderr=subprocess.PIPE)
        for order in (paths, paths[::-1], paths[2:] + paths[:2])
    ]
    for writer in writers:
        _, said = writer.communicate(timeout=100)
        assert writer.returncode == 0, said
    assert [found.name for found in store.entries()] == ["p0", "p1", "p2", "p3"]
    assert all(len(tree(Path(found.path))) == 30 + 5 for found in store.entries())
    assert [name for name in os.listdir(store.path) if name.startswith(".")] == []


def test_the_wait_for_another_writer_has_the_given_limit(store, wheels):
    store.add(make_wheel(wheels, "alpha", "1.0"))
    code = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); from _liveinstall_boot.locks import try_lock; "
    code += "handle = try_lock(sys.argv[1]); print(flush=True); input()"
    command = [sys.executable, "-c", code, os.path.join(store.path, "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        beta = make_wheel(wheels, "beta", "1.0")
        with pytest.raises(LockTimeoutError):
            store.add_all([Candidate("beta", "1.0", (), requested=True, wheel=str(beta))], timeout=0.1)
        other.communicate(b"\n")
    assert store.add(beta)


def test_a_store_that_cannot_be_written_to_says_so_and_can_be_read(store, wheels, monkeypatch):
    alpha = store.add(make_wheel(wheels, "alpha", "1.0"))
    beta = make_wheel(wheels, "beta", "1.0")
    refuse = OSError(errno.EROFS, os.strerror(errno.EROFS))
    monkeypatch.setattr("liveinstall._system.lock.lock_file", _raiser(refuse))
    with pytest.raises(StoreError, match="can still be used") as caught:
        store.add(beta)
    assert caught.value.store == store.path
    with pytest.raises(StoreError):
        store.remove(alpha)
    assert store.add(wheels / "alpha-1.0-py3-none-any.whl") == alpha and store.find("alpha") == (alpha,)


def _raiser(error):
    def refuse(*_, **__):
        raise error

    return refuse


def test_a_directory_of_another_user_never_becomes_a_store(tmp_path, wheels):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letter.txt").write_text("dear")
    with pytest.raises(StoreError, match=r"letter\.txt"):
        Store.at(tmp_path / "home").add(make_wheel(wheels, "alpha", "1.0"))
    assert tree(tmp_path / "home", ignore=()).keys() == {"letter.txt"}


def test_a_store_of_a_newer_version_is_left_alone(store, wheels):
    store.add(make_wheel(wheels, "alpha", "1.0"))
    Path(store.path, "liveinstall-store").write_text("liveinstall-store 2\n")
    for action in (store.entries, lambda: store.find("alpha"), lambda: store.add(make_wheel(wheels, "beta", "1.0"))):
        with pytest.raises(StoreError, match="another version"):
            action()


@pytest.mark.parametrize(
    "name", ["", ".draft-a-1-py3-none-any", "lock", "a-1-py3-none", "a-1-2-3-py3-none-any", "a--p-n-a"]
)
def test_unrelated_names_are_not_entries(name):
    assert parse_entry(name) is None


def test_a_build_number_is_kept_apart_from_the_tag_and_an_old_spelling_of_a_version_is_normalised(store, wheels):
    wheel = make_wheel(wheels, "alpha", "1.0")
    found = store.add(wheel.rename(wheels / "alpha-1.0-2b-py2.py3-none-any.whl"))
    assert found.tag == "2b-py2.py3-none-any" and list(usable([found])) == [found]


def test_nothing_is_added_where_changes_are_switched_off(store, wheels, monkeypatch):
    monkeypatch.setenv("LIVEINSTALL_DISABLE", "1")
    with pytest.raises(DisabledError):
        store.add(make_wheel(wheels, "alpha", "1.0"))
    assert not Path(store.path).exists()


def test_the_store_of_an_environment_is_its_own_or_the_one_that_is_chosen(tmp_path, monkeypatch):
    assert Store.default(str(tmp_path)).path == str(tmp_path / ".liveinstall/store")
    monkeypatch.setenv("LIVEINSTALL_STORE", str(tmp_path / "shared"))
    assert Store.default(str(tmp_path)).path == str(tmp_path / "shared")
