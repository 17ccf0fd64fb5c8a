"""Wheels as owners: direct or unpacked, cold or warm, with any previous content of the cache."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
import inspect
import json
import marshal
import os
import pickle
import pkgutil
import py_compile
import shutil
import subprocess
import sys
import textwrap
import traceback
import zipfile
from pathlib import Path

import pytest
from helpers.capabilities import can_fork, has_modes
from helpers.environments import SOURCE, make_wheel
from hypothesis import given
from hypothesis import strategies as st
from test_finder import active, forget

from liveinstall._sidebyside.imports.owner import ModuleEntry
from liveinstall._sidebyside.layout import default_cache
from liveinstall._sidebyside.wheels import examine, helper
from liveinstall._sidebyside.wheels import record as wheelrecord
from liveinstall._sidebyside.wheels.owner import WheelOwner
from liveinstall._sidebyside.wheels.record import WheelRecord, encode, parse, record_path
from liveinstall.errors import LiveInstallError, OwnerError, WheelRefusedError

PURE = {
    "ownpkg/__init__.py": "V = 1\nclass Thing: pass\n",
    "ownpkg/deep/__init__.py": "",
    "ownpkg/deep/leaf.py": "def leaf():\n    return 1 / 0\n",
    "ownpkg/__main__.py": "import sys; print('main', sys.argv[1:])\n",
    "ownpkg/py.typed": "",
    "ownmod.py": "WHAT = 'module'\n",
}
DATA = {
    **PURE,
    "ownpkg/data/x.txt": "data",
    "ownpkg/lists.py": "import os\nHERE = os.listdir(os.path.dirname(__file__))\n",
}


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # regardless of the tester's settings
    yield
    forget()


@pytest.fixture
def cache(tmp_path):
    return str(tmp_path / "cache")


def wheel(tmp_path, files=None, **options):
    return make_wheel(tmp_path / "wheels", "Own-Pkg", "1.5", PURE if files is None else files, **options)


@pytest.fixture(params=["straight", "unpacked", "straight by force", "without a cache"])
def owner(request, tmp_path, cache):
    kind = request.param
    made = wheel(tmp_path, DATA if kind in ("unpacked", "straight by force") else PURE, scripts={"own": "ownpkg:Thing"})
    options = {"straight by force": {"unpack": False}, "without a cache": {"cache": ""}}.get(kind, {})
    found = WheelOwner(str(made), **{"cache": cache, **options})
    assert found.straight == (kind != "unpacked")
    return found


def test_what_is_in_a_wheel_works_as_if_it_were_installed(owner, tmp_path):
    with active(owner):
        import ownmod
        import ownpkg.deep.leaf

        assert (ownmod.WHAT, ownpkg.V) == ("module", 1)
        assert os.path.exists(ownpkg.__file__) != owner.straight
        assert importlib.reload(ownpkg).V == 1 and pickle.loads(pickle.dumps(ownpkg.Thing)) is ownpkg.Thing
        assert inspect.getsource(ownpkg.deep.leaf.leaf) == "def leaf():\n    return 1 / 0\n"
        with pytest.raises(ZeroDivisionError) as caught:
            ownpkg.deep.leaf.leaf()
        assert "return 1 / 0" in "".join(traceback.format_exception(caught.value))
        with pytest.raises(ModuleNotFoundError, match=r"ownpkg\.nothing"):
            importlib.import_module("ownpkg.nothing")


def test_metadata_and_entry_points(owner):
    with active(owner):
        assert importlib.metadata.version("own.pkg") == "1.5"
        (point,) = importlib.metadata.entry_points(group="console_scripts", name="own")
        assert point.load().__name__ == "Thing" and point.dist.name == "Own-Pkg"
        files = {str(path): path for path in importlib.metadata.files("Own-Pkg")}
        assert "V = 1" in files["ownpkg/__init__.py"].read_text()
        assert importlib.metadata.distribution("own-pkg").read_text("nothing") is None


def test_modules_are_listed(owner):
    with active(owner):
        top = {found.name: found.ispkg for found in pkgutil.iter_modules()}
        assert top["ownpkg"] and not top["ownmod"]
        import ownpkg

        walked = {found.name for found in pkgutil.walk_packages(ownpkg.__path__, "ownpkg.")}
        assert walked - {"ownpkg.lists"} == {"ownpkg.__main__", "ownpkg.deep", "ownpkg.deep.leaf"}


@pytest.mark.parametrize("unpack", [None, False])
def test_data_files(tmp_path, cache, unpack):
    with active(WheelOwner(str(wheel(tmp_path, DATA)), cache=cache, unpack=unpack)):
        import ownpkg

        files = importlib.resources.files("ownpkg")
        assert (files / "data" / "x.txt").read_text() == "data" == files.joinpath("data/x.txt").read_text()
        assert {item.name for item in files.iterdir()} >= {"data", "deep", "__init__.py"}
        assert files.joinpath("data").is_dir() and not files.joinpath("none").is_file()
        assert pkgutil.get_data("ownpkg", "data/x.txt") == b"data" == pkgutil.get_data("ownpkg", "deep/../data/x.txt")
        with importlib.resources.as_file(files / "data" / "x.txt") as file:
            assert file.read_bytes() == b"data"
        if sys.version_info >= (3, 12):  # before, only files
            with importlib.resources.as_file(files / "data") as directory:
                assert (directory / "x.txt").read_bytes() == b"data"
        with pytest.raises(OSError):
            pkgutil.get_data("ownpkg", "none")
        if unpack is None:
            from ownpkg.lists import HERE

            assert {"data", "lists.py"} <= set(HERE)
        assert ownpkg.__spec__.loader.get_data(ownpkg.__file__) == PURE["ownpkg/__init__.py"].encode()


@pytest.mark.parametrize(
    ("extra", "straight"),
    [
        ({}, True),
        ({"ownpkg/x.pyi": "", "ownpkg/other.py": "filed = __files__ = 1"}, True),
        ({"ownpkg/x.txt": ""}, False),
        ({"ownpkg/x.py": "print(__file__)"}, False),
        ({"ownpkg/x.py": "for x in __path__: pass"}, False),
        ({"own.pth": ""}, False),
        ({"ownspace/x.py": ""}, False),
        ({"Own_Pkg-1.5.data/purelib/ownother.py": ""}, True),
    ],
)
def test_only_wheels_that_cannot_mind_are_imported_straight(tmp_path, cache, extra, straight):
    found = WheelOwner(str(wheel(tmp_path, {**PURE, **extra})), cache=cache)
    assert found.straight == straight
    with active(found):
        assert importlib.import_module("ownpkg").V == 1
        if "Own_Pkg-1.5.data/purelib/ownother.py" in extra:
            import ownother  # noqa: F401


@pytest.mark.parametrize("unpack", [None, False])
def test_modules_without_source(tmp_path, cache, unpack):
    source = tmp_path / "x.py"
    source.write_text("V = 'bare'\n")
    bare = Path(py_compile.compile(str(source), cfile=str(tmp_path / "x.pyc"))).read_bytes()
    other = b"\0\0\r\n" + bare[4:]
    files = {"ownpkg/__init__.pyc": bare, "ownpkg/leaf.py": "", "ownmod.pyc": bare, "ownpkg/other.pyc": other}
    owner = WheelOwner(str(wheel(tmp_path, files)), cache=cache, unpack=unpack)
    assert set(owner.names()) == {"ownpkg", "ownmod"} and owner.is_package("ownpkg")
    with active(owner):
        import ownmod
        import ownpkg.leaf

        assert ownmod.V == ownpkg.V == "bare" and ownmod.__loader__.get_source("ownmod") is None
        with pytest.raises(ImportError, match=r"another version of Python|bad magic"):
            importlib.import_module("ownpkg.other")


def test_a_wheel_that_has_vendored_another_is_itself(tmp_path, cache):
    files = {"ownpkg/_vendor/x-1.dist-info/RECORD": "", "ownpkg/_vendor/x-1.dist-info/METADATA": "Name: x\n"}
    with active(WheelOwner(str(wheel(tmp_path, {**files, **PURE})), cache=cache)):
        assert importlib.import_module("ownpkg").V == 1 and importlib.metadata.version("own-pkg") == "1.5"


def test_a_warm_import_neither_opens_nor_compiles_the_wheel(tmp_path, cache, monkeypatch):
    path = str(wheel(tmp_path))
    with active(WheelOwner(path, cache=cache)):
        import ownpkg.deep.leaf
    forget()
    monkeypatch.setattr(zipfile, "ZipFile", None)
    compiled, compiles = [], compile
    monkeypatch.setattr("builtins.compile", lambda *a, **o: compiled.append(a[1]) or compiles(*a, **o))
    with active(WheelOwner(path, cache=cache)):
        import ownpkg.deep.leaf

        assert ownpkg.V == 1 and importlib.metadata.version("own-pkg") == "1.5"
    assert not [name for name in compiled if "ownpkg" in str(name)]


def test_a_module_that_is_not_imported_is_not_compiled(tmp_path, cache):
    with active(WheelOwner(str(wheel(tmp_path)), cache=cache)):
        import ownpkg  # noqa: F401
    (code,) = Path(cache).glob("*/code")
    assert [path.name.partition(".cpython")[0] for path in code.iterdir()] == ["ownpkg"]
    assert not list(Path(cache).glob("*/tree"))


def test_a_replaced_wheel_is_never_stale(tmp_path, cache):
    path = wheel(tmp_path)
    about = path.stat()
    with active(WheelOwner(str(path), cache=cache)):
        import ownpkg

        assert ownpkg.V == 1
    forget()
    make_wheel(
        tmp_path / "wheels",
        "Own-Pkg",
        "1.5",
        {**PURE, "ownpkg/__init__.py": PURE["ownpkg/__init__.py"].replace("1", "2")},
    )
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))  # the same size, and made to look as old
    with active(WheelOwner(str(path), cache=cache)):
        import ownpkg

        assert ownpkg.V == 2


def test_a_wheel_that_is_replaced_while_it_is_used_is_named(tmp_path, cache):
    path = wheel(tmp_path)
    WheelOwner(str(path), cache=cache)
    found = WheelOwner(str(path), cache=cache)  # warm: it has not opened the wheel
    make_wheel(tmp_path / "wheels", "Own-Pkg", "1.5", DATA)
    with active(found), pytest.raises(OwnerError, match="has changed since"):
        importlib.import_module("ownpkg")


def test_one_content_at_two_paths_says_where_it_is(tmp_path, cache):
    first = wheel(tmp_path)
    second = tmp_path / "elsewhere" / first.name
    second.parent.mkdir()
    shutil.copy(first, second)
    for path in (first, second):
        with active(WheelOwner(str(path), cache=cache)):
            import ownpkg.deep.leaf

            assert ownpkg.deep.leaf.leaf.__code__.co_filename == str(path / "ownpkg/deep/leaf.py")
        forget()


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, b"junk"])
def test_damaged_code_is_compiled_again(tmp_path, cache, damage):
    path = str(wheel(tmp_path))
    for _ in range(2):
        with active(WheelOwner(path, cache=cache)):
            import ownpkg

            assert ownpkg.V == 1
        forget()
        for kept in Path(cache).glob("*/code/*"):
            kept.write_bytes(kept.read_bytes()[:4] + damage)


def test_a_wheel_with_a_wrong_hash_is_refused_when_it_is_read(tmp_path, cache):
    path = wheel(tmp_path)
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data if name != "ownmod.py" else b"WHAT = 'hostil'\n")
    with pytest.raises(OwnerError, match=r"ownmod\.py does not match its hash in RECORD"):
        WheelOwner(str(path), cache=cache)
    path.unlink()
    wheel(tmp_path, {**DATA, "ownmod.py": "WHAT = 'again'\n"})
    assert not WheelOwner(str(path), cache=cache).straight


def test_a_hostile_wheel_is_refused_by_the_policy(tmp_path, cache):
    with pytest.raises(WheelRefusedError, match=r"\.\./evil"):
        WheelOwner(str(wheel(tmp_path, {**PURE, "../evil.py": ""})), cache=cache)
    assert not Path(cache).exists()


def test_a_wheel_for_another_python_is_refused(tmp_path, cache):
    path = wheel(tmp_path)
    other = path.with_name("Own_Pkg-1.5-cp27-cp27m-win32.whl")
    path.rename(other)
    with pytest.raises(OwnerError, match="is not for this interpreter"):
        WheelOwner(str(other), cache=cache)
    with pytest.raises(OwnerError, match="cannot be read"):
        WheelOwner(str(path), cache=cache)
    path.with_name("x.whl").write_bytes(b"")
    with pytest.raises(OwnerError, match="does not have a valid wheel file name"):
        WheelOwner(str(path.with_name("x.whl")), cache=cache)


def test_a_python_that_a_wheel_does_not_support_is_refused(tmp_path):
    with pytest.raises(OwnerError, match=r"requires Python >=99"):
        examine._check_python("x", b"Requires-Python: >=99\n\n")
    examine._check_python("x", b"Requires-Python: what?\n\n")


def test_what_must_be_unpacked_is_refused_where_nothing_can_be_written(tmp_path):
    path = str(wheel(tmp_path, DATA))
    for cache in ("", str(Path(path, "cache"))):
        found = WheelOwner(path, cache=cache)
        assert importlib.metadata.Distribution.version.fget(next(found.distributions())) == "1.5"
        with active(found), pytest.raises(OwnerError, match="must be unpacked to be imported"):
            importlib.import_module("ownpkg")


def strange_mode(cache, monkeypatch):
    cache.chmod(0o770)


def strange_owner(cache, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: cache.stat().st_uid + 1)


def strange_parent(cache, monkeypatch):
    shutil.rmtree(cache)
    cache.parent.chmod(0o777)


@has_modes
@pytest.mark.parametrize("strange", [strange_mode, strange_owner, strange_parent])
def test_a_cache_that_others_can_write_to_is_none(tmp_path, monkeypatch, strange):
    paths = [str(wheel(tmp_path)), str(make_wheel(tmp_path / "wheels", "own", "1", {**DATA}))]
    cache = tmp_path / "above" / "cache"
    for path in paths:
        owner = WheelOwner(path, cache=str(cache))
        owner.code(owner.index()["ownmod"])
    assert cache.stat().st_mode & 0o077 == 0
    for kept in cache.glob("*/code/*"):
        kept.write_bytes(importlib.util.MAGIC_NUMBER + marshal.dumps(compile("WHAT = 'planted'", "x", "exec")))
    with active(WheelOwner(paths[0], cache=str(cache))):
        assert importlib.import_module("ownmod").WHAT == "planted"  # if it is this user's own
    forget()
    strange(cache, monkeypatch)
    with active(WheelOwner(paths[0], cache=str(cache))):
        assert importlib.import_module("ownmod").WHAT == "module"
    forget()
    with active(WheelOwner(paths[1], cache=str(cache))), pytest.raises(OwnerError, match="only you can write to"):
        importlib.import_module("ownpkg")
    assert strange is not strange_parent or not cache.exists()


@has_modes
def test_a_cache_can_be_made_where_users_are_kept_apart(tmp_path):
    above = tmp_path / "above"
    above.mkdir()
    above.chmod(0o1777)
    assert wheelrecord.can_be_private(str(above / "a" / "b")) and not wheelrecord.can_be_private(str(above))
    above.chmod(0o777)
    assert not wheelrecord.can_be_private(str(above / "a" / "b"))


@has_modes
def test_all_of_a_cache_belongs_to_this_user_with_any_umask(tmp_path, cache):
    before = os.umask(0)
    try:
        for path in (wheel(tmp_path), make_wheel(tmp_path / "wheels", "own", "1", {**DATA})):
            owner = WheelOwner(str(path), cache=cache)
            owner.code(owner.index()["ownmod"])
    finally:
        os.umask(before)
    made = [Path(cache), *Path(cache).iterdir(), *Path(cache).glob("*/code")]
    assert len(made) > 5 and not [path for path in made if path.is_dir() and path.stat().st_mode & 0o077]


def test_code_of_another_python_is_not_even_read(tmp_path, cache, monkeypatch):
    path = str(wheel(tmp_path))
    owner = WheelOwner(path, cache=cache)
    owner.code(owner.index()["ownmod"])
    for kept in Path(cache).glob("*/code/*"):
        kept.write_bytes(b"\0\0\r\n" + kept.read_bytes()[4:])
    monkeypatch.setattr(marshal, "loads", lambda data: pytest.fail("it was read"))
    assert WheelOwner(path, cache=cache).code(owner.index()["ownmod"])


def test_extension_modules_are_loaded_from_the_unpacked_wheel(tmp_path, cache):
    native = next(
        (
            spec.origin
            for name in ("_queue", "_heapq", "_json")
            if (spec := importlib.util.find_spec(name)) and (spec.origin or "").endswith(".so")
        ),
        None,
    )
    if native is None:
        pytest.skip("this Python has no extension module as a file")
    name = Path(native).name.partition(".")[0]
    files = {
        "ownnat/__init__.py": f"from ownnat import {name}",
        f"ownnat/{Path(native).name}": Path(native).read_bytes(),
    }
    path = str(wheel(tmp_path, files))
    for options in ({}, {"unpack": False}):
        with active(WheelOwner(path, cache=cache, **options)):
            module = importlib.import_module("ownnat")
            assert os.path.exists(getattr(module, name).__file__) and cache in getattr(module, name).__file__
        forget()
    with active(WheelOwner(path, cache="", unpack=False)), pytest.raises(OwnerError, match="needs a cache directory"):
        importlib.import_module("ownnat")


def test_what_a_kill_left_in_the_cache_does_no_harm(tmp_path, cache):
    path = wheel(tmp_path, DATA)
    key = WheelOwner(str(path), cache=cache).record.key
    tree = Path(cache) / key / "tree"
    (tree / ".draft-Own_Pkg-1.5-py3-none-any" / "ownpkg").mkdir(parents=True)
    (tree / ".draft-1234").write_text("")
    with active(WheelOwner(str(path), cache=cache)):
        import ownpkg

        assert ownpkg.__path__ == [str(tree / "own_pkg-1.5-py3-none-any" / "ownpkg")]
    assert not list(tree.glob(".draft*"))


def test_processes_that_unpack_at_once_agree(tmp_path, cache):
    path = str(wheel(tmp_path, DATA))
    code = f"""
        import sys; sys.path.insert(0, {str(SOURCE)!r})
        from liveinstall._sidebyside.imports.finder import Finder
        from liveinstall._sidebyside.imports.owner import by_name
        from liveinstall._sidebyside.wheels.owner import WheelOwner
        Finder(by_name([WheelOwner({path!r}, cache={cache!r})])).install()
        import ownpkg.lists; print(ownpkg.__file__)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    told = [process.communicate(timeout=60) for process in running]
    assert not [error for _, error in told if error]
    assert len({out for out, _ in told}) == 1


def test_what_liveinstall_itself_needs_can_come_from_a_wheel(tmp_path, cache):
    """Unpacking needs packaging, and this process must get the one from the wheel."""
    mine = make_wheel(
        tmp_path / "wheels", "packaging", "99", {"packaging/__init__.py": "HERE = __file__", "packaging/x.txt": ""}
    )
    other = wheel(tmp_path, DATA)
    code = f"""
        import sys; sys.path.insert(0, {str(SOURCE)!r})
        from liveinstall.owners import WheelOwner, activate
        activate(*(WheelOwner(path, cache={cache!r}) for path in ({str(mine)!r}, {str(other)!r})), exclusive=True)
        import ownpkg.lists, packaging, importlib.metadata
        print(packaging.HERE, importlib.metadata.version("packaging"))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert not done.stderr
    assert done.stdout.startswith(cache) and done.stdout.endswith(" 99\n")


def test_a_helper_that_has_exited_is_started_again(tmp_path, cache):
    WheelOwner(str(wheel(tmp_path)), cache=cache)
    helper._helper.kill()
    helper._helper.wait()
    assert WheelOwner(str(wheel(tmp_path, DATA)), cache=cache).tree().place.startswith(cache)


@can_fork
def test_a_forked_child_has_its_own_helper(tmp_path, cache):
    WheelOwner(str(wheel(tmp_path)), cache=cache)
    with helper._lock:  # another thread is asking
        child = os.fork()
        if not child:
            assert helper._helper is None
            owner = WheelOwner(str(wheel(tmp_path, DATA)), cache=cache)
            good = os.path.isdir(owner.tree().place) and helper._helper is not None
            helper._discard_helper()
            os._exit(0 if good else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert helper._helper.poll() is None


def test_a_late_answer_is_not_mistaken_for_another_one(tmp_path, cache, monkeypatch):
    first = str(wheel(tmp_path, DATA))
    other = str(make_wheel(tmp_path / "wheels", "other", "1", {"other.py": "", "other.txt": ""}))
    asked, owners = helper._read_line, [WheelOwner(path, cache=cache) for path in (first, other)]

    def interrupted(*arguments):
        monkeypatch.setattr(helper, "_read_line", asked)
        raise KeyboardInterrupt

    monkeypatch.setattr(helper, "_read_line", interrupted)
    with pytest.raises(KeyboardInterrupt):
        owners[0].tree()
    assert Path(owners[1].tree().place).name.startswith("other-1") and owners[0].tree().place != owners[1].tree().place


def test_an_answer_to_something_else_is_not_taken(tmp_path, cache, monkeypatch):
    lines = iter([helper.READY, b'{"answer": "x", "asked": ["examine", "other"]}\n'] * 2)
    monkeypatch.setattr(helper, "_read_line", lambda *_: next(lines))
    helper._discard_helper()
    with pytest.raises(OwnerError, match="gave no answer"):
        WheelOwner(str(wheel(tmp_path)), cache=cache)


@pytest.mark.parametrize(("name", "starts"), [("host", 0), ("python3", 0)])
def test_a_program_that_python_is_part_of_is_not_taken_for_python(tmp_path, cache, monkeypatch, name, starts):
    host = tmp_path / name
    host.write_text(f"#!/bin/sh\necho started >> {tmp_path}/log\nexec sleep 50\n")
    host.chmod(0o755)
    helper._discard_helper()
    monkeypatch.setattr(sys, "executable", str(host))
    monkeypatch.setattr(helper, "_READY_WITHIN", 0.5)
    monkeypatch.setattr(helper, "_unavailable", False)
    for files in (PURE, DATA):
        assert WheelOwner(str(wheel(tmp_path, files)), cache=cache).tree().place.startswith(cache)
    log = tmp_path / "log"
    assert (log.read_text().count("started") if log.exists() else 0) == starts


def test_a_frozen_program_is_not_started_again(monkeypatch):
    assert helper._can_start()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert not helper._can_start()


def test_the_reason_for_a_missing_answer_is_reported(tmp_path, cache, monkeypatch):
    helper._discard_helper()
    monkeypatch.setattr(helper, "_CODE", "import a_module_that_is_not_there")
    with pytest.raises(OwnerError, match="gave no answer .*No module named 'a_module_that_is_not_there'"):
        WheelOwner(str(wheel(tmp_path)), cache=cache)


def test_files_next_to_liveinstall_hide_no_module_of_python(tmp_path, cache, monkeypatch):
    helper._discard_helper()
    for name in ("queue", "zipfile", "hashlib", "threading"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')")
    needed = helper._library_paths()
    monkeypatch.setattr(helper, "_library_paths", lambda: [str(tmp_path), *needed])
    assert WheelOwner(str(wheel(tmp_path, DATA)), cache=cache).tree().place.startswith(cache)
    assert helper._helper is not None
    helper._discard_helper()


@can_fork
def test_a_forked_child_does_not_read_at_its_parent_s_position(tmp_path):
    body = "\n".join(f"def f{i}(a): return a + {i}" for i in range(3000))
    files = {"ownpkg/__init__.py": "", **{f"ownpkg/m{i}.py": f"{body}\nV = {i}\n" for i in range(6)}}
    owner = WheelOwner(str(wheel(tmp_path, files)), cache="", unpack=False)
    owner.data("ownpkg/__init__.py")  # it is open now
    handle = owner._open_archive().zip.fp.fileno()
    offset = os.lseek(handle, 0, os.SEEK_CUR)
    child = os.fork()
    if not child:
        good = all(f"V = {i}\n".encode() in owner.data(f"ownpkg/m{i}.py") for i in range(6))
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert os.lseek(handle, 0, os.SEEK_CUR) == offset


@can_fork
def test_a_forked_child_names_a_wheel_that_was_replaced(tmp_path):
    owner = WheelOwner(str(wheel(tmp_path)), cache="")
    owner.data("ownmod.py")
    wheel(tmp_path, DATA)
    child = os.fork()
    if not child:
        try:
            owner.data("ownmod.py")
        except OwnerError as error:
            os._exit(0 if "has changed since" in str(error) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_where_there_can_be_no_other_process_the_work_is_done_here(tmp_path, cache, monkeypatch):
    helper._discard_helper()
    monkeypatch.setattr(helper, "_can_start", lambda: False)
    assert WheelOwner(str(wheel(tmp_path, DATA)), cache=cache).tree().place.startswith(cache)
    with pytest.raises(WheelRefusedError, match="evil"):
        WheelOwner(str(wheel(tmp_path, {**PURE, "../evil.py": ""})), cache=cache)
    assert helper._helper is None


def test_a_module_runs_with_m_from_a_wheel(tmp_path, cache):
    path = str(wheel(tmp_path))
    code = f"""
        import runpy, sys; sys.path.insert(0, {str(SOURCE)!r})
        from liveinstall._sidebyside.imports.finder import Finder
        from liveinstall._sidebyside.imports.owner import by_name
        from liveinstall._sidebyside.wheels.owner import WheelOwner
        Finder(by_name([WheelOwner({path!r}, cache={cache!r})])).install()
        sys.argv[1:] = ["a"]
        runpy.run_module("ownpkg", run_name="__main__", alter_sys=True)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("main ['a']\n", "")


# --- records ----------------------------------------------------------------------------------------------------------

RECORD = WheelRecord(
    "/x/ü\n.whl",
    "1 2 3 4",
    key="x-1-ab",
    entry="x-1-py3-none-any",
    info="x-1.dist-info",
    names=["x", "y"],
    straight=True,
    modules=[ModuleEntry("x", "package", "x/__init__.py"), ModuleEntry("x.a", "module", "x/a b.py")],
)


def test_a_record_reads_as_it_was_written():
    assert parse(encode(RECORD), RECORD.path) == RECORD
    assert RECORD.index()["x.a"].path == "x/a b.py"
    assert parse(encode(RECORD), "/x/other.whl") is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text[:-1],
        lambda text: "",
        lambda text: text.replace("wheel 1", "wheel 2"),
        lambda text: text.replace("straight 1", "straight yes"),
        lambda text: text.replace("key x-1-ab", "key ../x"),
        lambda text: text.replace("entry x-1-py3-none-any", "entry a/b"),
        lambda text: text.replace("info x-1", "info .x-1"),
        lambda text: text.replace("module x.a", "strange x.a"),
        lambda text: text.replace("package x x/__init__.py", "package x"),
        lambda text: text.replace("stat ", "stats "),
        lambda text: "\0" * len(text),
    ],
)
def test_a_record_that_is_not_whole_is_none(change):
    assert parse(change(encode(RECORD)), RECORD.path) is None


@given(st.text())
def test_no_text_breaks_the_parser(text):
    assert parse(text, "/x") is None


@given(st.text(st.characters(codec=None), min_size=1))
def test_any_path_can_be_written_down(path):
    record = WheelRecord(path, "1", key="k", entry="e", info="i", names=["a"], straight=False)
    assert parse(encode(record), path) == record


def test_two_wheels_with_one_mark_do_not_take_each_other(tmp_path, cache, monkeypatch):
    monkeypatch.setattr("liveinstall._sidebyside.wheels.record.crc32", lambda data: 1)
    first = wheel(tmp_path)
    other = make_wheel(tmp_path / "other", "Own-Pkg", "1.5", {"ownother.py": ""})
    assert record_path(str(first), cache) == record_path(str(other), cache)
    for path, names in ((first, {"ownpkg", "ownmod"}), (other, {"ownother"})) * 2:
        assert set(WheelOwner(str(path), cache=cache).names()) == names


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("LIVEINSTALL_CACHE", str(tmp_path))
    assert default_cache() == str(tmp_path)
    monkeypatch.delenv("LIVEINSTALL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    if sys.platform == "linux":
        assert default_cache() == str(tmp_path / "xdg" / "liveinstall" / "wheels")


def test_owner_errors_are_import_errors():
    assert issubclass(OwnerError, ImportError) and issubclass(OwnerError, LiveInstallError)
    assert json.dumps(str(OwnerError("x.", place="y")))
