"""The finder and directories: their modules are found as if in site-packages, and nothing else changes."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
import inspect
import json
import pickle
import pkgutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from helpers.environments import SOURCE

from liveinstall._sidebyside.imports.directory import DirectoryOwner, walk
from liveinstall._sidebyside.imports.finder import Finder
from liveinstall._sidebyside.imports.owner import ModuleEntry, by_name, normalized

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]


def lay(root: Path, files: dict[str, str]) -> Path:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(textwrap.dedent(content), encoding="utf-8")
    return root


def info(name: str, version: str, **more: str) -> dict[str, str]:
    base = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    return {f"{base}/METADATA": metadata, f"{base}/RECORD": "", **{f"{base}/{key}.txt": v for key, v in more.items()}}


@pytest.fixture
def place(tmp_path):
    files = {
        "ownpkg/__init__.py": "V = 1\nclass Thing: pass\n",
        "ownpkg/deep/__init__.py": "",
        "ownpkg/deep/leaf.py": "def leaf():\n    return 1 / 0\n",
        "ownpkg/data.txt": "data",
        "ownmod.py": "WHAT = 'module'\n",
        **info("Own.Pkg", "1.5", entry_points="[own.group]\nx = ownpkg:Thing\n"),
    }
    return lay(tmp_path / "store" / "own_pkg-1.5-py3", files)


@pytest.fixture(params=["looked up", "indexed"])
def owner(request, place):
    return DirectoryOwner(str(place), None if request.param == "looked up" else lambda: DirectoryOwner(place).index())


@pytest.fixture
def installed(owner, monkeypatch):
    with active(owner) as finder:
        yield finder


class active:
    """A finder over owners, installed; removed at the end."""

    def __init__(self, *owners, **options):
        self.finder = Finder(by_name(owners), **options)

    def __enter__(self):
        self.path, self.meta = list(sys.path), list(sys.meta_path)
        self.finder.install()
        return self.finder

    def __exit__(self, *_):
        self.finder.remove()
        assert sys.meta_path == self.meta
        sys.path[:] = self.path
        forget()


def forget():
    """Remove the modules of these tests, which all have this prefix."""
    for name in [name for name in sys.modules if name.startswith("own")]:
        del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture(autouse=True)
def forgotten():
    yield
    forget()


def test_what_is_in_a_directory_is_imported_with_its_real_path(installed, place):
    import ownmod
    import ownpkg.deep.leaf

    assert ownmod.WHAT == "module" and ownmod.__file__ == str(place / "ownmod.py")
    assert ownpkg.__path__ == [str(place / "ownpkg")] and ownpkg.deep.leaf.__file__ == str(
        place / "ownpkg/deep/leaf.py"
    )
    assert Path(ownpkg.__spec__.cached).exists() or sys.dont_write_bytecode
    assert importlib.reload(ownpkg).V == 1
    assert pickle.loads(pickle.dumps(ownpkg.Thing)) is ownpkg.Thing
    assert "1 / 0" in inspect.getsource(ownpkg.deep.leaf)
    with pytest.raises(ModuleNotFoundError, match=r"ownpkg\.nothing"):
        importlib.import_module("ownpkg.nothing")


def test_metadata_entry_points_and_resources_are_found(installed, place):
    assert importlib.metadata.version("own-pkg") == "1.5" == importlib.metadata.version("Own.Pkg")
    (point,) = importlib.metadata.entry_points(group="own.group")
    assert point.load().__name__ == "Thing"
    assert "Own.Pkg" in {found.name for found in importlib.metadata.distributions()}
    assert (importlib.resources.files("ownpkg") / "data.txt").read_text() == "data"
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("own")


def test_an_explicit_path_is_honoured(installed, place, tmp_path):
    assert not list(importlib.metadata.distributions(path=[str(tmp_path)]))
    found = list(importlib.metadata.distributions(path=[str(place)]))
    assert [one.version for one in found] == ["1.5"]


def test_modules_are_listed_at_top_level_and_below(installed):
    top = {found.name: found.ispkg for found in pkgutil.iter_modules()}
    assert top["ownpkg"] and not top["ownmod"] and "json" in top
    import ownpkg

    walked = [found.name for found in pkgutil.walk_packages(ownpkg.__path__, "ownpkg.")]
    assert walked == ["ownpkg.deep", "ownpkg.deep.leaf"]
    assert next(found.name for found in installed.find_distributions()) == "Own.Pkg"
    assert {name for name, _ in installed.iter_modules("x.")} == {"x.ownpkg", "x.ownmod"}


def test_unowned_modules_are_left_to_python(installed):
    assert installed.find_spec("json") is None and installed.find_spec("json.decoder", ["x"]) is None
    assert importlib.util.find_spec("ownnothing") is None


def test_install_is_idempotent_and_first_and_remove_leaves_nothing(place):
    finder = Finder(by_name([DirectoryOwner(str(place))]))
    before = list(sys.meta_path)
    finder.install()
    finder.install()
    assert sys.meta_path == [finder, *before] and finder.places == [str(place)]
    finder.remove()
    finder.remove()
    assert sys.meta_path == before


def test_namespaces_are_joined_over_owners_and_the_default_environment(tmp_path, monkeypatch):
    one = lay(tmp_path / "one", {"ownspace/a/__init__.py": "", "ownspace/deep/x.py": ""})
    two = lay(tmp_path / "two", {"ownspace/b.py": "", "ownspace/deep/y.py": ""})
    default = lay(
        tmp_path / "default", {"ownspace/c.py": "", "ownspace/a/__init__.py": "late = 1", "ownspace/deep/z.py": ""}
    )
    monkeypatch.syspath_prepend(default)
    for indexed in (False, True):
        owners = [DirectoryOwner(str(p), list_of(p) if indexed else None) for p in (one, two)]
        with active(*owners):
            for name in ("a", "b", "c", "deep.x", "deep.y", "deep.z"):
                importlib.import_module(f"ownspace.{name}")
            import ownspace

            assert list(ownspace.__path__) == [str(p / "ownspace") for p in (one, two, default)]
            assert not hasattr(sys.modules["ownspace.a"], "late") and type(ownspace.__path__) is not list
            assert importlib.resources.files("ownspace").joinpath("c.py").is_file()
            late = lay(tmp_path / f"late{indexed}", {f"ownspace/late{indexed}.py": ""})
            sys.path.append(str(late))  # a namespace grows with sys.path
            importlib.import_module(f"ownspace.late{indexed}")


def list_of(place):
    return {entry.name: entry for entry in walk(str(place))}


def test_a_namespace_that_is_loaded_grows(tmp_path, monkeypatch):
    default = lay(tmp_path / "default", {"ownspace/c.py": ""})
    monkeypatch.syspath_prepend(default)
    import ownspace.c

    one = lay(tmp_path / "one", {"ownspace/a/b.py": ""})
    with active(DirectoryOwner(str(one))):
        import ownspace.a.b

        assert {found.name for found in pkgutil.iter_modules(ownspace.__path__)} == {"c"}


def test_a_namespace_made_by_hand_is_joined_too(tmp_path):
    """As the old -nspkg.pth files do at start-up."""
    one = lay(tmp_path / "one", {"ownspace/a.py": ""})
    with active(DirectoryOwner(str(one))):
        module = type(sys)("ownspace")
        module.__path__ = [str(tmp_path / "default" / "ownspace")]
        sys.modules["ownspace"] = module
        import ownspace.a

        assert ownspace.a.__file__ == str(one / "ownspace" / "a.py")


def test_a_regular_package_in_several_places_is_searched_in_all(tmp_path, monkeypatch):
    """As in one site-packages, where the files of several distributions are in one directory."""
    head = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    one = lay(tmp_path / "one", {"ownold/__init__.py": head, "ownold/sub/__init__.py": "", "ownold/sub/a.py": ""})
    two = lay(tmp_path / "two", {"ownold/__init__.py": head, "ownold/sub/b.py": ""})
    default = lay(tmp_path / "default", {"ownold/__init__.py": head, "ownold/c.py": ""})
    monkeypatch.syspath_prepend(default)
    for indexed in (False, True):
        with active(*(DirectoryOwner(str(p), list_of(p) if indexed else None) for p in (one, two))):
            for name in ("sub.a", "sub.b", "c"):
                importlib.import_module(f"ownold.{name}")


def test_a_regular_package_of_the_default_environment_takes_portions_in(tmp_path, monkeypatch):
    one = lay(tmp_path / "one", {"ownold/a.py": ""})
    monkeypatch.syspath_prepend(lay(tmp_path / "default", {"ownold/__init__.py": "REGULAR = 1", "ownold/c.py": ""}))
    with active(DirectoryOwner(str(one))):
        import ownold.a
        import ownold.c

        assert ownold.REGULAR


def test_a_package_that_was_loaded_from_elsewhere_keeps_its_modules(tmp_path, monkeypatch, place, owner):
    default = lay(tmp_path / "default", {"ownpkg/__init__.py": "", "ownpkg/deep/__init__.py": "default = 1"})
    monkeypatch.syspath_prepend(default)
    import ownpkg

    with active(owner):
        import ownpkg.deep

        assert ownpkg.deep.default == 1


def test_a_place_that_is_gone_is_named(tmp_path, place):
    with active(DirectoryOwner(str(place))):
        place.rename(tmp_path / "elsewhere")
        importlib.invalidate_caches()
        with pytest.raises(ModuleNotFoundError, match="own_pkg-1.5-py3, which had it, no longer exists"):
            importlib.import_module("ownpkg")


def test_hidden_names_say_why(place):
    with active(DirectoryOwner(str(place)), hidden=frozenset({"ownhidden"})):
        with pytest.raises(ModuleNotFoundError, match="replaces") as caught:
            importlib.import_module("ownhidden")
        assert caught.value.name == "ownhidden"


def test_new_metadata_is_seen_after_invalidating_caches(place):
    with active(DirectoryOwner(str(place))):
        assert importlib.metadata.version("own-pkg") == "1.5"
        lay(place, info("late", "2"))
        with pytest.raises(importlib.metadata.PackageNotFoundError):
            importlib.metadata.version("late")
        importlib.invalidate_caches()
        assert importlib.metadata.version("late") == "2"


def test_an_index_has_what_python_would_find(tmp_path):
    files = ["p/__init__.py", "p/m.py", "p/both.py", "p/not-a-module.py", "q/sub/x.py", "p/__pycache__/m.cpython-1.pyc"]
    files += ["p/m/deep.py", "t.py", "t/__init__.py"]  # a namespace goes behind a module, a package before it
    root = lay(tmp_path, dict.fromkeys([*files, f"p/both{SUFFIX}", f"r/__init__{SUFFIX}", "s.dist-info/METADATA"], ""))
    assert {entry.name: (entry.kind, entry.path) for entry in walk(str(root))} == {
        "p": ("package", "p/__init__.py"),
        "p.m": ("module", "p/m.py"),
        "p.both": ("native", f"p/both{SUFFIX}"),
        "q": ("namespace", "q"),
        "q.sub": ("namespace", "q/sub"),
        "q.sub.x": ("module", "q/sub/x.py"),
        "r": ("native", f"r/__init__{SUFFIX}"),
        "t": ("package", "t/__init__.py"),
    }
    spec = DirectoryOwner(str(root), list_of(root)).find_spec("p.m")
    assert spec.cached == importlib.util.cache_from_source(spec.origin)
    assert list(DirectoryOwner(str(root)).names()) == ["p", "q", "r", "t"]
    owner = DirectoryOwner(str(root), list_of(root))
    spec = owner.find_spec("r")
    assert spec.submodule_search_locations == [str(root / "r")] and spec.loader.name == "r"
    assert owner.code(ModuleEntry("p.m", "module", "p/m.py")).co_filename == str(root / "p/m.py")
    assert owner.data("p/m.py") == b"" and owner.native(owner.index()["p.both"]) == str(root / f"p/both{SUFFIX}")


def test_an_entry_is_a_tuple_that_tells_its_parts():
    entry = ModuleEntry("a.b", "module", "a/b.py")
    assert (entry.name, entry.kind, entry.path) == entry == pickle.loads(pickle.dumps(entry))
    assert repr(entry) == "Entry('a.b', 'module', 'a/b.py')"
    assert normalized("Own..Pkg-_x") == "own_pkg_x"


# --- in separate interpreters -----------------------------------------------------------------------------------------

PRELUDE = """
import sys; sys.path.insert(0, {source!r})
from liveinstall._sidebyside.imports.directory import DirectoryOwner
from liveinstall._sidebyside.imports.finder import Finder
from liveinstall._sidebyside.imports.owner import by_name
"""


def run(code: str, *flags: str) -> dict:
    code = PRELUDE.format(source=str(SOURCE)) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_start_with_a_finder_loads_nothing_else():
    code = "before = set(sys.modules)\n" + PRELUDE + "after = set(sys.modules); import json\n"
    code += "print(json.dumps(sorted(after - before)))"
    found = subprocess.run(
        [sys.executable, "-I", "-c", "import sys\n" + code.format(source=str(SOURCE))], capture_output=True, text=True
    )
    imports = "liveinstall._sidebyside.imports"
    names = ["liveinstall", "liveinstall._sidebyside", "liveinstall._system", "liveinstall._system.caller", imports]
    names += [f"{imports}.{name}" for name in ("directory", "finder", "owner")]
    assert set(json.loads(found.stdout)) == set(names)


def test_exclusive_shuts_the_default_environment_and_opens_it_again(place, tmp_path):
    found = run(f"""
        import importlib, importlib.metadata, json, pkgutil
        before = list(sys.path)
        finder = Finder(by_name([DirectoryOwner({str(place)!r})]), exclusive=True)
        finder.install()
        import ownpkg, decimal
        out = dict(tops=[found.name for found in pkgutil.iter_modules()])
        out["distributions"] = [found.name for found in importlib.metadata.distributions()]
        try:
            import pytest
        except ModuleNotFoundError as error:
            out["error"], out["name"] = str(error), error.name
        import packaging.version
        try:
            import nothing_at_all
        except ModuleNotFoundError as error:
            out["plain"] = str(error)
        finder.remove()
        import pytest
        out["again"] = sorted(sys.path) == sorted(before)
        print(json.dumps(out))
    """)
    assert found["name"] == "pytest" and "it is only in the default environment" in found["error"]
    assert "pytest" not in found["tops"] and "ownpkg" in found["tops"] and found["distributions"] == ["Own.Pkg"]
    assert found["plain"] == "No module named 'nothing_at_all'" and found["again"]


def test_exclusive_may_leave_some_names(place):
    found = run(f"""
        import json
        Finder(by_name([DirectoryOwner({str(place)!r})]), exclusive=frozenset(["pluggy"])).install()
        import pluggy
        try:
            import pytest
        except ModuleNotFoundError as error:
            print(json.dumps(error.name))
    """)
    assert found == "pytest"


def test_path_lines_belong_to_the_default_environment(tmp_path, monkeypatch):
    from liveinstall._sidebyside.imports import isolation

    lay(tmp_path, {"x.pth": "\ufeff# no\nimport os\n/one/\nrelative\n\n../up/./dev/ \n", "y.txt": "/no"})
    monkeypatch.setattr(isolation.sys.modules["site"], "getsitepackages", lambda *_: [str(tmp_path), "/not/there"])
    monkeypatch.setattr(isolation.sys.modules["site"], "ENABLE_USER_SITE", False)
    found = {
        str(tmp_path),
        "/not/there",
        str(Path("/one").absolute()),
        str(tmp_path / "relative"),
        str(tmp_path.parent / "up" / "dev"),
    }
    assert set(isolation.default_places()) == found


def test_a_module_of_a_place_runs_with_m_and_tracebacks_have_its_lines(place):
    found = run(f"""
        import json, runpy, traceback
        Finder(by_name([DirectoryOwner({str(place)!r})])).install()
        names = runpy.run_module("ownmod", alter_sys=True)
        from ownpkg.deep.leaf import leaf
        try:
            leaf()
        except ZeroDivisionError:
            print(json.dumps([names["WHAT"], traceback.format_exc()]))
    """)
    assert found[0] == "module" and "return 1 / 0" in found[1]
