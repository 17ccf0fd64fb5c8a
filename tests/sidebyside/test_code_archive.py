"""Code archives: the same modules as without them, after any change of sources, directories and the archive."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
import inspect
import json
import os
import py_compile
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from helpers.capabilities import can_fork, has_modes
from helpers.environments import SOURCE, make_wheel
from hypothesis import given
from hypothesis import strategies as st
from test_finder import active, forget, info, lay

from liveinstall._sidebyside.imports import code_archive_writer
from liveinstall._sidebyside.imports.code_archive import ArchivedLoader, ArchiveOwner, head, parse_head
from liveinstall._sidebyside.imports.code_archive_writer import check, create, directories_of
from liveinstall._sidebyside.imports.directory import DirectoryOwner
from liveinstall._sidebyside.imports.owner import ModuleEntry
from liveinstall.errors import OwnerError

FILES = {
    "ownpkg/__init__.py": "V = 1\nclass Thing: pass\n",
    "ownpkg/deep/__init__.py": "",
    "ownpkg/deep/leaf.py": "def leaf():\n    return 1 / 0\n",
    "ownpkg/data.txt": "data",
    "ownpkg/broken.py": "def (:\n",
    "ownspace/inner/here.py": "",
    "ownmod.py": "WHAT = 'module'\n",
    **info("Own.Pkg", "1.5", entry_points="[own.group]\nx = ownpkg:Thing\n"),
}


@pytest.fixture(autouse=True)
def forgotten():
    yield
    forget()


@pytest.fixture(params=["in a store", "changeable"])
def place(request, tmp_path):
    if request.param == "in a store":
        lay(tmp_path / "store", {"liveinstall-store": "liveinstall-store 1\n"})
    return lay(tmp_path / "store" / "own_pkg-1.5-py3-none-any", FILES)


@pytest.fixture
def changeable(tmp_path):
    return lay(tmp_path / "place", FILES)


def archived(tmp_path, *places, **options) -> ArchiveOwner:
    path = tmp_path / "x.archive"
    create(path, *places, **options)
    return ArchiveOwner(str(path))


def test_what_is_archived_works_as_it_does_without(tmp_path, place):
    made = create(tmp_path / "x.archive", place)
    assert (made.modules, made.left_out) == (5, ("ownpkg.broken",)) and made.size == os.path.getsize(made.path)
    with active(ArchiveOwner(made.path)):
        import ownmod
        import ownpkg.deep.leaf
        import ownspace.inner.here

        assert isinstance(ownpkg.deep.leaf.__loader__, ArchivedLoader) and ownmod.WHAT == "module"
        assert ownpkg.__file__ == str(place / "ownpkg/__init__.py") and ownpkg.__path__ == [str(place / "ownpkg")]
        assert ownspace.inner.here.__file__ == str(place / "ownspace/inner/here.py")
        assert importlib.reload(ownpkg).V == 1 and "1 / 0" in inspect.getsource(ownpkg.deep.leaf)
        assert (importlib.resources.files("ownpkg") / "data.txt").read_text() == "data"
        assert importlib.metadata.version("own-pkg") == "1.5"
        assert importlib.metadata.entry_points(group="own.group")["x"].load() is ownpkg.Thing
        with pytest.raises(SyntaxError):
            importlib.import_module("ownpkg.broken")
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("ownpkg.nothing")


def test_code_comes_from_the_archive_without_opening_sources(tmp_path, place):
    owner = archived(tmp_path, place)
    for path in place.rglob("*.py"):
        path.chmod(0)
    opened = []
    sys.addaudithook(lambda event, arguments: opened.append(arguments[0]) if event == "open" else None)
    with active(owner):
        import ownpkg.deep.leaf  # noqa: F401
    assert not [path for path in opened if str(place) in str(path)]


@pytest.mark.parametrize("size", ["V = 2\nclass Thing: pass\n", "V = 2  # longer\n"])
def test_a_source_that_has_changed_is_read(tmp_path, place, size):
    owner = archived(tmp_path, place)
    (place / "ownpkg/__init__.py").write_text(size)
    os.utime(place / "ownpkg/__init__.py", (2e9, 2e9))  # Python's own .pyc files have a resolution of seconds
    with active(owner):
        import ownpkg

        assert ownpkg.V == 2
        (place / "ownpkg/__init__.py").write_text("V = 33\n")
        assert importlib.reload(ownpkg).V == 33
    assert not check(owner.place).good and check(owner.place).stale == ("ownpkg",)


def test_a_source_that_was_changed_within_a_second_is_compiled_itself(tmp_path, place):
    source = place / "ownmod.py"
    for what, time in (("module", 10**18), ("MODULE", 10**18 + 5000)):
        source.write_text(f"WHAT = '{what}'\n")
        os.utime(source, ns=(time, time))
        if what == "module":
            py_compile.compile(str(source))  # a .pyc file has the time in seconds and the size
    with active(archived(tmp_path, place)):
        assert importlib.import_module("ownmod").WHAT == "MODULE"


def test_modules_without_source_are_those_of_their_place(tmp_path, place):
    lay(place, {"ownbare/__init__.py": "WHAT = 'bare'", "ownbare/leaf.py": "", "ownsingle.py": "WHAT = 'single'"})
    for source in (place / "ownbare/__init__.py", place / "ownsingle.py"):
        py_compile.compile(str(source), cfile=str(source) + "c")
        source.unlink()
    other = lay(tmp_path / "other", {"ownbare/__init__.py": "WHAT = 'other'", "ownbroken.py": ""})
    lay(place, {"ownbroken.py": "def (:"})
    made = create(tmp_path / "x.archive", place, other)
    assert set(made.left_out) == {"ownpkg.broken", "ownbare", "ownsingle", "ownbroken"}
    owner = ArchiveOwner(made.path)
    assert owner.is_package("ownbare") and owner.index()["ownsingle"].kind == "module" and check(made.path).good
    with active(owner):
        assert importlib.import_module("ownbare").WHAT == "bare"
        assert type(importlib.import_module("ownbare.leaf").__loader__) is ArchivedLoader
        assert importlib.import_module("ownsingle").WHAT == "single"
        assert importlib.import_module("ownsingle").__file__ == str(place / "ownsingle.pyc")
        with pytest.raises(SyntaxError):
            importlib.import_module("ownbroken")


def test_a_directory_has_modules_without_source(tmp_path):
    place = lay(tmp_path / "place", {"ownpkg/__init__.py": "V = 1", "ownmod.py": "WHAT = 1", "ownpkg/deep/leaf.py": ""})
    for source in (place / "ownpkg/__init__.py", place / "ownmod.py"):
        py_compile.compile(str(source), cfile=str(source) + "c")
        source.unlink()
    owner = DirectoryOwner(str(place))
    assert {"ownpkg", "ownmod"} <= set(owner.names())
    index = owner.index()
    assert index["ownpkg"] == ModuleEntry("ownpkg", "package", "ownpkg/__init__.pyc") and owner.code(index["ownmod"])
    with active(DirectoryOwner(str(place), index)):
        assert importlib.import_module("ownpkg").V == 1 and importlib.import_module("ownmod").WHAT == 1


def test_a_source_that_is_gone_is_named_and_a_module_that_is_gone_is_not_found(tmp_path, place):
    owner = archived(tmp_path, place)
    (place / "ownpkg/deep/leaf.py").unlink()
    with active(owner), pytest.raises(ImportError, match=r"ownpkg\.deep\.leaf"):
        importlib.import_module("ownpkg.deep.leaf")
    assert "ownpkg.deep.leaf" in check(owner.place).stale


def test_what_comes_into_a_directory_that_can_change_is_found(tmp_path, changeable, monkeypatch):
    monkeypatch.syspath_prepend(changeable)
    owner = archived(tmp_path, changeable)
    lay(changeable, {"ownpkg/deep/leaf/__init__.py": "PACKAGE = 1", "ownnew.py": ""})
    with active(owner):
        import ownnew  # noqa: F401
        import ownpkg.deep.leaf

        assert ownpkg.deep.leaf.PACKAGE
    assert set(check(owner.place).stale) == {"ownpkg.deep", "ownpkg.deep.leaf", "ownmod"}


def test_a_directory_that_changes_later_is_seen_after_invalidating_caches(tmp_path, changeable, monkeypatch):
    monkeypatch.syspath_prepend(changeable)
    with active(archived(tmp_path, changeable)):
        import ownpkg.deep  # noqa: F401

        lay(changeable, {"ownpkg/deep/leaf/__init__.py": "PACKAGE = 1"})
        importlib.invalidate_caches()
        assert importlib.import_module("ownpkg.deep.leaf").PACKAGE


def test_a_directory_that_is_not_on_the_path_may_change_too(tmp_path, changeable):
    owner = archived(tmp_path, changeable)
    lay(changeable, {"ownpkg/deep/more.py": "", "ownmod/__init__.py": "WHAT = 'package'"})
    with active(owner):
        assert importlib.import_module("ownmod").WHAT == "package"
        import ownpkg.deep.leaf
        import ownpkg.deep.more  # noqa: F401


def test_earlier_entries_of_the_path_come_first(tmp_path, changeable, monkeypatch):
    monkeypatch.syspath_prepend(changeable)
    owner = archived(tmp_path, changeable)
    early = lay(tmp_path / "early", {"ownmod.py": "WHAT = 'early'\n"})
    monkeypatch.syspath_prepend(early)
    with active(owner):
        import ownmod

        assert ownmod.WHAT == "early"


def test_a_later_regular_package_and_earlier_portions_of_a_namespace_count(tmp_path, changeable, monkeypatch):
    monkeypatch.syspath_prepend(changeable)
    owner = archived(tmp_path, changeable)
    monkeypatch.syspath_prepend(lay(tmp_path / "early", {"ownspace/inner/here.py": "EARLY = 1"}))
    with active(owner):
        assert importlib.import_module("ownspace.inner.here").EARLY
    forget()
    monkeypatch.syspath_prepend(lay(tmp_path / "regular", {"ownspace/__init__.py": "REGULAR = 1"}))
    with active(owner):
        assert importlib.import_module("ownspace").REGULAR


def test_namespaces_of_several_places_are_joined(tmp_path):
    lay(tmp_path / "store", {"liveinstall-store": "liveinstall-store 1\n"})
    places = [lay(tmp_path / "store" / n, {f"ownspace/{n}.py": ""}) for n in ("a-1-x-x-x", "b-1-x-x-x")]
    (places[0] / "ownspace/a-1-x-x-x.py").rename(places[0] / "ownspace/a.py")
    (places[1] / "ownspace/b-1-x-x-x.py").rename(places[1] / "ownspace/b.py")
    with active(archived(tmp_path, *places)):
        import ownspace.a
        import ownspace.b

        assert list(ownspace.__path__) == [str(place / "ownspace") for place in places]


def test_the_first_of_two_places_wins(tmp_path, place):
    other = lay(tmp_path / "other", {"ownmod.py": "WHAT = 'other'\n"})
    with active(archived(tmp_path, place, other)):
        assert importlib.import_module("ownmod").WHAT == "module"


def test_an_owner_answers_for_its_places(tmp_path, place):
    owner = archived(tmp_path, place)
    index = owner.index()
    assert index["ownpkg.deep.leaf"] == ModuleEntry("ownpkg.deep.leaf", "module", "ownpkg/deep/leaf.py")
    assert index["ownspace"].kind == "namespace" and set(owner.names()) == {"ownpkg", "ownmod", "ownspace"}
    assert owner.code(index["ownmod"]).co_filename == str(place / "ownmod.py")
    assert owner.data("ownpkg/data.txt") == b"data" and owner.native(index["ownmod"]) == str(place / "ownmod.py")
    assert (owner.reader("ownpkg").files() / "data.txt").read_text() == "data" and owner.reader("ownspace") is None
    with pytest.raises(FileNotFoundError):
        owner.data("nothing")
    with pytest.raises(ImportError):
        owner.code(ModuleEntry("nothing", "module", "x"))
    assert check(owner.place).good and check(owner.place).modules == 5


def test_an_archive_that_cannot_be_used_says_why(tmp_path, place):
    path = Path(archived(tmp_path, place).place)
    good = path.read_bytes()
    line, _, rest = good.partition(b"\n")
    words = line.split(b" ")
    cases = {
        b"": "cannot be used",
        b"junk\n" + rest: "not a code archive",
        good[:-1]: "is incomplete",
        good.replace(words[2], b"cpython-27", 1): "created by cpython-27",
        good.replace(words[3], b"00000000", 1): "created by",
        line.replace(words[4], b"x" * 20) + b"\n" + rest: "is incomplete",
    }
    for content, why in cases.items():
        path.write_bytes(content)
        with pytest.raises(OwnerError, match=why):
            ArchiveOwner(str(path))
    path.unlink()
    with pytest.raises(OwnerError, match="cannot be used"):
        ArchiveOwner(str(path))
    with pytest.raises(OwnerError, match="cannot be created"):
        create(tmp_path / "y.archive", tmp_path / "nowhere")
    with pytest.raises(OwnerError, match="cannot be created"):
        create(tmp_path / "no" / "y.archive", place)
    assert not list(tmp_path.glob(".draft*"))


def test_a_damaged_table_is_an_owner_error(tmp_path, place):
    path = Path(archived(tmp_path, place).place)
    good = path.read_bytes()
    start = int(good.split(b" ", 5)[4])
    assert good.count(b"directories", start) == 1
    for content in (good.replace(b"directories", b"directoriez"), good[:-2] + b"\0\0"):
        path.write_bytes(content)
        with pytest.raises(OwnerError, match="it is damaged"):
            ArchiveOwner(str(path))
    path.write_bytes(good)
    begin, length, _ = ArchiveOwner(str(path))._tables["ownmod"]
    damaged = bytearray(good)
    damaged[begin + length - 1] ^= 1
    path.write_bytes(damaged)
    with active(ArchiveOwner(str(path))), pytest.raises(OwnerError, match="it is damaged"):
        importlib.import_module("ownmod")


def test_damaged_code_is_read_from_the_source(tmp_path, place):
    path = Path(archived(tmp_path, place).place)
    *_, begin, _ = ArchiveOwner(str(path)).rows()["ownmod"]
    damaged = bytearray(path.read_bytes())
    damaged[begin] = 0
    path.write_bytes(damaged)
    with active(ArchiveOwner(str(path))):
        assert importlib.import_module("ownmod").WHAT == "module"


@has_modes
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_an_archive_has_the_modes_of_the_umask_which_stays_as_it_is(tmp_path, place, monkeypatch, mask):
    before = os.umask(mask)
    monkeypatch.setattr(os, "umask", lambda _: pytest.fail("other threads would make files with it"))
    try:
        made = create(tmp_path / "x.archive", place)
        assert os.stat(made.path).st_mode & 0o777 == 0o666 & ~mask
    finally:
        monkeypatch.undo()
        os.umask(before)


@given(st.binary(max_size=200), st.integers(0, 2**70))
def test_no_first_line_breaks_the_parser(line, size):
    with pytest.raises(ValueError):
        parse_head(line, size)


@given(st.integers(1, 2**60), st.integers(1, 2**60))
def test_a_first_line_reads_as_it_was_written(table, more):
    assert parse_head(head(table, table + more, more % 2**32), table + more) == (table, more % 2**32)
    with pytest.raises(ValueError, match="is incomplete"):
        parse_head(head(table, table + more, 1), table + more + 1)


def test_replacing_an_archive_does_not_disturb_its_users(tmp_path, place):
    with active(archived(tmp_path, place)):
        create(tmp_path / "x.archive", place)
        (tmp_path / "x.archive").write_bytes  # noqa: B018
        import ownpkg.deep.leaf  # noqa: F401


@can_fork
def test_a_kill_while_it_is_made_leaves_the_old_archive(tmp_path, place, monkeypatch):
    owner = archived(tmp_path, place)
    before = Path(owner.place).read_bytes()
    monkeypatch.setattr(code_archive_writer.os, "replace", lambda *_: os._exit(9))
    child = os.fork()
    if not child:
        create(tmp_path / "x.archive", place)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert Path(owner.place).read_bytes() == before


def test_wheels_are_archived_from_where_they_are_unpacked(tmp_path, monkeypatch):
    monkeypatch.setenv("LIVEINSTALL_CACHE", str(tmp_path / "cache"))
    wheel = make_wheel(tmp_path / "wheels", "own", "1", {"ownpkg/__init__.py": "V = 1"})
    (tree,) = directories_of([str(wheel)])
    assert directories_of([tree]) == [tree] and tree.endswith("own-1-py3-none-any")
    with active(archived(tmp_path, tree)) as finder:
        assert importlib.import_module("ownpkg").V == 1 and finder.places == [str(tmp_path / "x.archive")]


def test_the_standard_library_comes_from_an_archive_in_its_turn(tmp_path):
    code = f"""
        import json, os, sys; sys.path[:0] = [{str(tmp_path)!r}, {str(SOURCE)!r}]
        from liveinstall._sidebyside.imports.code_archive_writer import create, check
        create({str(tmp_path / "x.archive")!r}, stdlib=True)
        from liveinstall._sidebyside.imports.code_archive import ArchiveOwner
        from liveinstall._sidebyside.imports.finder import Finder
        from liveinstall._sidebyside.imports.owner import by_name
        Finder(by_name([ArchiveOwner({str(tmp_path / "x.archive")!r})])).install()
        import tomllib._parser, queue, this_is_not_there
    """
    lay(tmp_path, {"queue.py": "mine = 1", "this_is_not_there.py": ""})
    code += """
        print(json.dumps([type(tomllib._parser.__loader__).__name__, queue.mine, tomllib.__file__]))
    """
    done = subprocess.run([sys.executable, "-I", "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert not done.stderr
    kind, mine, file = json.loads(done.stdout)
    assert (kind, mine) == ("ArchivedLoader", 1) and os.path.exists(file)
