"""The caller's process is not disturbed, and unusual objects in it do no harm."""

from __future__ import annotations

import sys
import types

import pytest

from liveinstall._system import caller


class Asked:
    """A finder that must not be called."""

    def find_spec(self, name, path=None, target=None):
        raise AssertionError(f"asked for {name}")

    def invalidate_caches(self):
        raise RuntimeError("broken")


class Lazy(types.ModuleType):
    def __getattribute__(self, name):
        raise AssertionError(f"loaded by {name}")


ODD = """
    import pathlib, sys, types, liveinstall
    class Spec:
        @property
        def origin(self): raise ValueError("lazy")
    class Lazy(types.ModuleType):
        def __getattribute__(self, name): raise ValueError(name)
    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name == "pip": print("asked")
        def invalidate_caches(self): raise RuntimeError("broken")
    odd = types.ModuleType("odd"); odd.__spec__ = Spec(); odd.__file__ = b"bytes"
    sys.modules |= {"odd": odd, "lazy": Lazy("lazy"), "none": None, "text": "text"}
    sys.path += [pathlib.Path("src"), 42, None, b"bytes"]
    sys.meta_path.insert(0, Finder())
"""


_NO_EXECUTABLE = "sys.executable = None if os.name != 'nt' else ''"  # sysconfig of Windows needs a string


@pytest.mark.parametrize("more", ["", "sys.meta_path = tuple(sys.meta_path)", _NO_EXECUTABLE])
def test_odd_values_do_not_matter(env, more):
    env.wheel("alpha", "1.0")
    env.wheel("alpha", "2.0")
    done = env.run(f"""{ODD}
    {more}
    print(liveinstall.install("alpha==1.0").installed)
    import alpha
    print(liveinstall.install("alpha==2.0").staged)
    print(liveinstall.ensure("alpha"), len(liveinstall.list()), liveinstall.check().ok, bool(liveinstall.plan("alpha")))
    print(liveinstall.status().holders[0].mine, liveinstall.cancel())
    """)
    assert done.returncode == 0 and "asked" not in done.stdout, done.stderr
    assert env.versions()["alpha"] == "1.0"


def test_no_finder_and_no_lazy_module_is_asked(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [Asked(), *sys.meta_path])
    monkeypatch.setitem(sys.modules, "lazy", Lazy("lazy"))
    monkeypatch.setitem(sys.modules, 42, Lazy("odd"))
    assert caller.place_of("pip") and not caller.place_of("nowhere")
    assert 42 not in caller.module_names() and caller.attribute("lazy", "__file__") is None
    caller.invalidate_caches()


def test_finders_are_added_to_and_removed_from_a_path_that_is_not_a_list(monkeypatch):
    class Odd:
        def __eq__(self, other):
            raise ValueError("compared")

        __hash__ = None

    first, last, odd = Asked(), Asked(), Odd()
    monkeypatch.setattr(sys, "meta_path", (odd,))
    caller.place_first(first)
    caller.place_last(last)
    assert [id(finder) for finder in sys.meta_path] == [id(first), id(odd), id(last)]
    caller.remove_finder(first)
    assert len(sys.meta_path) == 2


def test_the_working_directory_is_not_on_the_path_of_the_command(env, tmp_path):
    info = tmp_path / "here" / "stranger.egg-info"
    info.mkdir(parents=True)
    (info / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 26.4\n")
    done = env.run(f"""
        import os, subprocess, sys
        os.chdir({str(info.parent)!r})
        print(subprocess.run([sys.executable, "-m", "liveinstall", "freeze"], capture_output=True, text=True))
    """)
    assert "returncode=0" in done.stdout and "stranger" not in done.stdout, done.stdout + done.stderr


def test_a_loaded_egg_is_listed_and_its_upgrade_is_pending(env):
    site = env.site
    egg = site / "eggy-1.0-py3.11.egg"
    (egg / "EGG-INFO").mkdir(parents=True)
    (egg / "EGG-INFO" / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: eggy\nVersion: 1.0\n")
    (egg / "eggy.py").write_text("V = 1\n")
    (site / "easy-install.pth").write_text("./eggy-1.0-py3.11.egg\n")
    env.wheel("eggy", "2.0", {"eggy.py": "V = 2\n"})
    done = env.run("""
        import eggy
        print([(row.name, row.installed, row.loaded) for row in li.list() if row.name == "eggy"])
        result = li.install("eggy", upgrade=True)
        print(len(result.installed), result.staged[0].new_version)
        print(li.ensure("eggy").unchanged)
    """)
    assert done.stdout.splitlines()[:2] == ["[('eggy', '1.0', '1.0')]", "0 2.0"], done.stdout + done.stderr
    assert env.bare("import eggy; assert eggy.V == 2, eggy").returncode == 0


def test_a_project_that_setuptools_has_linked_is_listed_and_its_upgrade_is_pending(env, tmp_path):
    project = tmp_path / "project" / "src"
    (project / "linked.egg-info").mkdir(parents=True)
    (project / "linked.egg-info" / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: linked\nVersion: 1.0\n")
    (project / "linked.py").write_text("V = 1\n")
    (env.site / "linked.egg-link").write_text(f"{project}\n../")
    (env.site / "easy-install.pth").write_text(f"{project}\n")
    env.wheel("linked", "2.0", {"linked.py": "V = 2\n"})
    done = env.run("""
        import linked
        print([(row.installed, row.loaded, row.project) for row in li.list() if row.name == "linked"])
        print(li.install("linked", upgrade=True).staged[0].new_version)
    """)
    assert done.stdout.splitlines() == [f"[('1.0', '1.0', {str(project)!r})]", "2.0"], done.stdout + done.stderr
