"""The owner of a location, activation, third-party owners, and wheels on sys.path."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
import inspect
import os
import pickle
import pkgutil
import subprocess
import sys
import textwrap
import traceback
from pathlib import Path

import pytest
from helpers.capabilities import has_forkserver
from helpers.environments import SOURCE, make_wheel
from test_finder import forget, info, lay

from liveinstall import owners
from liveinstall._frontends.cli import main
from liveinstall._sidebyside.activation import spawned
from liveinstall.errors import OwnerError

EXAMPLES = SOURCE.parent / "examples"
FILES = {
    "ownpkg/__init__.py": "V = 1\nclass Thing: pass\ndef fail():\n    return 1 / 0\n",
    "ownpkg/__main__.py": "import sys; print('main', sys.argv[1:])\n",
    "ownpkg/data/x.txt": "data",
    "ownpkg/deep/leaf.py": "",
    **info("own_pkg", "1.5", entry_points="[own.group]\nx = ownpkg:Thing\n"),
}


@pytest.fixture(autouse=True)
def all_is_as_before(monkeypatch, tmp_path):
    monkeypatch.setenv("LIVEINSTALL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    spawned.pass_on()  # it stays on sys.meta_path until multiprocessing is imported
    meta, hooks = list(sys.meta_path), list(sys.path_hooks)
    yield
    owners.disable_wheels()
    for finder in owners.active():
        finder.remove()
    assert (sys.meta_path, sys.path_hooks) == (meta, hooks)
    forget()


@pytest.fixture
def place(tmp_path):
    return lay(tmp_path / "place", FILES)


@pytest.fixture
def wheel(tmp_path):
    return make_wheel(tmp_path / "wheels", "own-pkg", "1.5", {k: v for k, v in FILES.items() if "dist-info" not in k})


def test_each_kind_of_place_has_its_owner(tmp_path, place, wheel):
    made = owners.create_archive(tmp_path / "x.archive", place)
    kinds = [type(owners.open_place(where)) for where in (place, wheel, made.path)]
    assert kinds == [owners.DirectoryOwner, owners.WheelOwner, owners.ArchiveOwner]
    for where in (tmp_path / "nothing", tmp_path / "x.txt"):
        (tmp_path / "x.txt").write_text("text")
        with pytest.raises(OwnerError, match="cannot import from"):
            owners.open_place(where)


def test_what_is_active_can_be_seen_and_ended(place, wheel):
    with owners.activate(place) as finder:
        assert owners.active() == (finder,) and finder.places == [str(place)]
        import ownpkg

        assert ownpkg.V == 1
    assert owners.active() == ()
    with pytest.raises(OwnerError, match=r"ownpkg cannot be imported from .*whl: it was already imported from .*place"):
        owners.activate(wheel)
    with owners.activate(place):  # from where it was imported
        pass


def test_what_was_imported_inside_a_namespace_counts_too(tmp_path, monkeypatch):
    old = {"ownspace/part/__init__.py": "V = 'old'", "ownspace/part/sub.py": ""}
    monkeypatch.syspath_prepend(lay(tmp_path / "default", old))
    new = {"ownspace/part/__init__.py": "V = 'new'", "ownspace/other.py": "V = 'other'"}
    wheel = make_wheel(tmp_path / "wheels", "own-space", "2", new)
    other = lay(tmp_path / "other", {"ownspace/other.py": "V = 'other'"})
    import ownspace.part.sub  # noqa: F401

    before = list(sys.meta_path)
    with pytest.raises(
        OwnerError, match=r"ownspace\.part cannot be imported from .*whl: it was already imported from .*default"
    ):
        owners.activate(wheel)
    assert sys.meta_path == before
    with owners.activate(other), owners.activate(tmp_path / "default"):  # no module was imported from elsewhere
        assert importlib.import_module("ownspace.other").V == "other"


@has_forkserver
def test_children_of_multiprocessing_open_the_same_places(place, wheel, tmp_path):
    source = "def f(x): return x, f.__code__.co_filename"
    other = make_wheel(tmp_path / "wheels", "ownother", "1", {"ownother.py": source})
    code = f"""
        import sys; sys.path.insert(0, {str(SOURCE)!r})
        from liveinstall import owners
        import multiprocessing
        gone = owners.activate({str(other)!r})
        gone.remove()
        owners.activate({str(place)!r}, {str(other)!r})
        import ownother, ownpkg
        if __name__ == "__main__":
            for kind in ("spawn", "forkserver"):
                with multiprocessing.get_context(kind).Pool(1) as pool:
                    print(pool.apply(ownother.f, (1,)), pool.apply(ownpkg.Thing).__class__.__module__)
    """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert not done.stderr
    assert done.stdout == f"(1, '{other}/ownother.py') ownpkg\n" * 2


@pytest.mark.parametrize("way", ["owners.enable_wheels(); sys.path.insert(0, {0!r})", "owners.activate({0!r})"])
@has_forkserver
def test_children_and_their_children_import_wheels_as_their_parent_does(wheel, tmp_path, way):
    code = f"""
        import multiprocessing, sys
        sys.path.insert(0, {str(SOURCE)!r})
        from liveinstall import owners
        def look(kind, deeper):
            import ownpkg
            return [ownpkg.__file__] + (child(kind, deeper - 1) if deeper else [])
        def child(kind, deeper):
            context = multiprocessing.get_context(kind)
            queue = context.SimpleQueue()
            process = context.Process(target=tell, args=(queue, kind, deeper))
            process.start()
            process.join()
            return queue.get()
        def tell(queue, kind, deeper):
            queue.put(look(kind, deeper))
        if __name__ == "__main__":
            {way.format(str(wheel))}
            for kind in ("spawn", "forkserver"):
                print(*look(kind, 2))
    """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert not done.stderr
    for line in done.stdout.splitlines():
        files = line.split()
        assert len(files) == 3 and len(set(files)) == 1 and "/cache/" in files[0]


def test_children_inherit_the_activation_even_if_the_standard_library_comes_from_an_archive(tmp_path, place):
    code = f"""
        import sys; sys.path.insert(0, {str(SOURCE)!r})
        from liveinstall import owners
        if __name__ == "__main__":
            owners.create_archive({str(tmp_path / "std.archive")!r}, stdlib=True)
            owners.activate({str(place)!r})
            owners.activate({str(tmp_path / "std.archive")!r})
            import importlib.util
            importlib.util.find_spec("multiprocessing.spawn")  # finding it is not importing it
            import multiprocessing, ownpkg
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(type(pool.apply(ownpkg.Thing)).__module__)
    """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("ownpkg\n", "")


def test_an_owner_of_a_third_party_is_found_by_its_entry_point(tmp_path, monkeypatch, sealed):
    lay(tmp_path / "dist", info("sealing", "1", entry_points="[liveinstall.owners]\nsealed = sealed_owner:owner_of\n"))
    monkeypatch.syspath_prepend(tmp_path / "dist")
    with owners.activate(sealed) as finder:
        assert type(finder.owners["ownpkg"][0]).__name__ == "SealedOwner"
        assert importlib.import_module("ownpkg").V == 1
    monkeypatch.delenv("SEAL_KEY")
    with pytest.raises(OwnerError, match=r"the owner sealed \(sealed_owner:owner_of\) failed: 'SEAL_KEY'"):
        owners.open_place(sealed)


@pytest.fixture
def sealed(tmp_path, place, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setenv("SEAL_KEY", "open sesame")
    import sealed_owner

    path = tmp_path / "app.sealed"
    path.write_bytes(sealed_owner.seal(place, b"open sesame"))
    yield str(path)
    del sys.modules["sealed_owner"]


def test_the_example_works_with_all_that_looks_at_modules(sealed, place):
    import sealed_owner

    for path in sorted(place.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with owners.activate(sealed_owner.owner_of(sealed)):
        import ownpkg
        import ownpkg.deep.leaf

        assert importlib.metadata.version("own-pkg") == "1.5"
        assert importlib.metadata.entry_points(group="own.group")["x"].load() is ownpkg.Thing
        assert (importlib.resources.files("ownpkg") / "data" / "x.txt").read_text() == "data"
        assert inspect.getsource(ownpkg.fail) == "def fail():\n    return 1 / 0\n"
        assert pickle.loads(pickle.dumps(ownpkg.Thing)) is ownpkg.Thing and importlib.reload(ownpkg).V == 1
        assert [found.name for found in pkgutil.walk_packages(ownpkg.__path__)] == ["__main__"]  # deep is a namespace
        assert "ownpkg" in {found.name for found in pkgutil.iter_modules()}
        with pytest.raises(ZeroDivisionError) as caught:
            ownpkg.fail()
        assert "return 1 / 0" in "".join(traceback.format_exception(caught.value))
    with pytest.raises(ImportError, match="is not sealed with this key"):
        sealed_owner.SealedOwner(sealed, b"another")


def test_the_example_runs_a_module(sealed):
    command = [sys.executable, str(EXAMPLES / "sealed_owner.py"), "run", sealed, "ownpkg"]
    variables = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([*command, "a"], env=variables, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("main ['a']\n", "")


@pytest.mark.parametrize("data", [True, False])
def test_a_wheel_on_sys_path_is_imported_by_its_owner(tmp_path, data, monkeypatch):
    files = {k: v for k, v in FILES.items() if "dist-info" not in k and (data or "data" not in k)}
    if not data:
        files["ownpkg/deep/__init__.py"] = ""  # else it is a namespace
    wheel = make_wheel(tmp_path / "wheels", "own-pkg", "1.5", files)
    owners.enable_wheels()
    owners.enable_wheels()
    monkeypatch.syspath_prepend(wheel)
    import ownpkg.deep.leaf

    assert ownpkg.V == 1 and (str(tmp_path / "cache") in ownpkg.__file__) == data
    assert importlib.metadata.version("own-pkg") == "1.5"
    assert [m.name for m in pkgutil.iter_modules([str(wheel)])] == ["ownpkg"]
    assert [m.name for m in pkgutil.iter_modules(ownpkg.__path__)] == ["__main__"] + ["deep"] * (not data)
    assert importlib.util.find_spec("ownnothing") is None
    if data:
        assert (importlib.resources.files("ownpkg") / "data/x.txt").read_text() == "data"


@pytest.mark.parametrize("first", [True, False])
def test_the_first_wheel_may_be_before_everything_else_on_sys_path(tmp_path, first):
    files = {path: text for path, text in FILES.items() if "dist-info" not in path}
    wheel = str(make_wheel(tmp_path / "wheels", "own-pkg", "1.5", files))
    code = f"""if True:
        import sys
        sys.path.insert(1, {str(SOURCE)!r})
        import json, subprocess, tempfile
        import liveinstall._sidebyside.wheels.examine, liveinstall._sidebyside.wheels.helper
        from liveinstall import owners
        from liveinstall._sidebyside.wheels import owner
        owners.enable_wheels()
        sys.path.{"insert(0, " if first else "append("}{wheel!r})
        import ownpkg
        print(ownpkg.V)"""
    variables = {**os.environ, "LIVEINSTALL_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_modules_that_the_platform_lacks_are_not_searched_in_the_wheel_that_is_being_opened(tmp_path):
    """The import of subprocess tries msvcrt and fcntl; none of these is loaded at a start of Python."""
    wheels = [make_wheel(tmp_path, name, "1.5", {f"{name}/__init__.py": "V = 1\n"}) for name in ("one", "two")]
    code = f"""if True:
        import sys
        sys.path.insert(1, {str(SOURCE)!r})
        from liveinstall import owners
        owners.enable_wheels()
        sys.path[:0] = {list(map(str, wheels))}
        for name in ("subprocess", "tempfile", "selectors"):
            sys.modules.pop(name, None)
        import two, one
        from liveinstall._sidebyside.wheels import helper
        print(one.V, two.V, helper._helper is not None)"""
    variables = {**os.environ, "LIVEINSTALL_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("1 1 True\n", "")


def test_a_wheel_on_sys_path_is_not_unpacked_for_what_it_has_not(tmp_path, wheel):
    code = f"""
        import sys; sys.path.insert(0, {str(SOURCE)!r})
        from liveinstall import owners
        owners.enable_wheels()
        owners.WheelOwner({str(wheel)!r})
        for name in ("json", "liveinstall._sidebyside.wheels.helper"):  # the helper needs it, too
            sys.modules.pop(name, None)
        sys.path.insert(0, {str(wheel)!r})
        import queue, json
        assert not list(__import__("pathlib").Path({str(tmp_path)!r}, "cache").glob("*/tree"))
        import ownpkg; print(ownpkg.V)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_wheel_on_sys_path_that_is_refused_is_warned_of(tmp_path, monkeypatch):
    wheel = make_wheel(tmp_path / "wheels", "own-pkg", "1.5", {"ownpkg/__init__.py": "", "../evil.py": ""})
    owners.enable_wheels()
    monkeypatch.syspath_prepend(wheel)
    with pytest.warns(RuntimeWarning, match=r"\.\./evil"), pytest.raises(ModuleNotFoundError):
        importlib.import_module("ownpkg")


def test_without_the_hook_python_takes_a_wheel_for_a_zip_file(wheel, monkeypatch):
    owners.enable_wheels()
    owners.disable_wheels()
    monkeypatch.syspath_prepend(wheel)
    assert type(importlib.import_module("ownpkg").__loader__).__name__ == "zipimporter"


def test_the_command_makes_and_checks_archives(tmp_path, place, wheel, capsys):
    path = tmp_path / "x.archive"
    assert main.main(["archive", "create", str(path), str(wheel)]) == 0
    assert "3 modules" in capsys.readouterr().out
    assert main.main(["archive", "check", str(path)]) == 0
    with owners.activate(path):
        import ownpkg

        assert Path(ownpkg.__file__).exists()
    with open(ownpkg.__file__, "a", encoding="utf-8") as stream:
        stream.write("# changed\n")
    assert main.main(["archive", "check", str(path)]) == 4
    assert "1 outdated" in capsys.readouterr().out
    assert main.main(["archive", "check", str(place)]) == 1
    assert "OwnerError" in capsys.readouterr().err
