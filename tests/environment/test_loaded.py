"""Loaded distributions are determined by files, never by names."""

from __future__ import annotations

import sys
import types

import pytest
from helpers.in_process_site import Place

from liveinstall._environment.installed import installed
from liveinstall._environment.loaded import disturbing, loaded, mapped_files
from liveinstall._model import Distribution
from liveinstall.results import Holder


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "root")


@pytest.fixture
def pretend(monkeypatch):
    """Pretend that a module with this file is imported."""

    def load(name, file, **attributes):
        module = types.ModuleType(name)
        module.__file__ = str(file) if file else None
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, name, module)

    return load


def found(place):
    return installed([str(place.site)]).values()


def test_the_import_name_need_not_be_the_projects_name(place, pretend):
    place.install(place.candidate("PyYAML", "1.0", {"yaml/__init__.py": "", "_yaml/__init__.py": ""}))
    place.install(place.candidate("yaml", "9.0", {"other.py": ""}))
    pretend("yaml", place.site / "yaml/__init__.py")
    assert set(loaded(found(place))) == {"pyyaml"}


@pytest.mark.parametrize("file", ["two.py", "one/sub/x.py"])
def test_any_of_several_modules_counts(place, pretend, file):
    place.install(place.candidate("many", "1.0", {"one/sub/x.py": "", "two.py": ""}))
    pretend("whatever", place.site / file)
    assert set(loaded(found(place))) == {"many"}


def test_a_shared_namespace_counts_only_for_the_distribution_whose_file_is_loaded(place, pretend):
    place.install(place.candidate("ns-a", "1.0", {"ns/a.py": ""}))
    place.install(place.candidate("ns-b", "1.0", {"ns/b.py": ""}))
    pretend("ns", None, __path__=[str(place.site / "ns")])
    assert loaded(found(place)) == {}
    pretend("ns.a", place.site / "ns/a.py")
    assert set(loaded(found(place))) == {"ns-a"}


def test_an_editable_install_is_loaded_when_its_project_is(place, pretend, tmp_path):
    project = tmp_path / "project"
    distribution = Distribution("alpha", "1.0", str(place.site / "alpha-1.0.dist-info"), project=str(project))
    assert loaded([distribution]) == {}
    pretend("alpha", project / "src/alpha.py")
    assert set(loaded([distribution])) == {"alpha"}


def test_without_a_usable_record_all_loaded_files_in_its_directory_count(place, pretend):
    place.install(place.candidate("alpha", "1.0"))
    (place.site / "alpha-1.0.dist-info/RECORD").unlink()
    assert loaded(found(place)) == {}
    pretend("x", place.site / "somewhere/x.py")
    assert set(loaded(found(place))) == {"alpha"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is mapped")
def test_mapped_libraries_are_seen():
    import _ctypes

    assert any("_ctypes" in path for path in mapped_files()) or not _ctypes.__file__


def test_modules_without_files_or_with_odd_ones_do_no_harm(place, monkeypatch):
    place.install(place.candidate("alpha", "1.0"))

    class Odd:
        def __getattr__(self, name):
            raise RuntimeError(name)

    monkeypatch.setitem(sys.modules, "odd", Odd())
    monkeypatch.setitem(sys.modules, "none", None)
    assert loaded(found(place)) == {}


def test_changes_of_other_holders_packages_are_pending_and_other_machines_are_named(place, pretend, tmp_path):
    place.install(place.candidate("alpha", "1.0"))
    elsewhere = Place(tmp_path / "system")
    elsewhere.install(elsewhere.candidate("beta", "1.0"))
    pretend("beta", elsewhere.site / "beta/__init__.py")
    everything = [*found(place), *found(elsewhere)]
    reasons = disturbing(everything, place.target, [Holder(7, "python -m jupyter", 0.0)])
    assert reasons == {
        "alpha": "another Python (pid 7: python -m jupyter) may use alpha",
        "beta": f"beta is imported here from {elsewhere.site}",
    }


def test_what_a_server_uses_too_says_so_because_a_restart_here_would_not_help(place, pretend):
    place.install(place.candidate("alpha", "1.0"))
    pretend("alpha", place.site / "alpha/__init__.py")
    server = Holder(7, "python /venv/bin/jupyter-lab --no-browser", 0.0, uses=("alpha",))
    assert disturbing(found(place), place.target, [server]) == {
        "alpha": "alpha is imported here, and the Jupyter server (pid 7; restart JupyterLab itself) uses it"
    }
