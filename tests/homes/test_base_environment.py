"""Homes over a base environment: its packages follow, and are planned over."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.environments import make_wheel

from liveinstall import homes
from liveinstall._homes import base_environment
from liveinstall._sidebyside.store.store import Store
from liveinstall.errors import HomeError, RequirementError, ResolutionError
from liveinstall.results import Change

_SHOW = "import lib, extra; print(lib.__version__, extra.__version__)"
_CHILDREN = f"""
import multiprocessing, subprocess, sys

def versions():
    import lib, extra, hooked
    return lib.__version__, extra.__version__, sys.prefix

def put(queue):
    queue.put(versions())

if __name__ == "__main__":
    for method in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context(method)
        queue = context.SimpleQueue()
        child = context.Process(target=put, args=(queue,))
        child.start()
        assert queue.get() == versions(), method
        child.join()
    print(subprocess.run([sys.executable, "-c", {_SHOW!r}], capture_output=True, text=True).stdout.strip())
"""


@pytest.fixture
def base(env):
    """An environment with lib 1.0, and app 1.0, which needs it; both have scripts."""
    env.wheel("lib", "1.0", scripts={"lib-run": "lib:main"}, files=_lib("1.0"))
    env.wheel("app", "1.0", requires=("lib<2",), scripts={"app-run": "app:main"}, files=_lib("1.0", "app"))
    env.json("print(json.dumps([str(li.install('app'))]))")
    return env


def _lib(version, name="lib"):
    code = f"import sys\n__version__ = {version!r}\n\n\ndef main():\n    print({name!r}, {version!r}, sys.prefix)\n"
    return {f"{name}/__init__.py": code}


@pytest.fixture
def make(base, tmp_path):
    """Creates homes over the base environment from a store; no engine is needed for what that has."""
    store = Store.at(tmp_path / "store")
    wheels = tmp_path / "new"
    store.add(make_wheel(wheels, "lib", "2.0", _lib("2.0"), scripts={"lib-run": "lib:main"}))
    store.add(make_wheel(wheels, "lib", "1.5", _lib("1.5")))
    store.add(make_wheel(wheels, "extra", "1.0", requires=("lib",)))
    store.add(make_wheel(wheels, "needs-two", "1.0", requires=("lib>=2",)))

    def make(*requirements, path="home", over=base.root, **options):
        return homes.create(tmp_path / path, *requirements, over=over, store=store.path, **options)

    return make


def _python(home, *arguments):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LIVEINSTALL"))}
    command = [home.python, *arguments]
    return subprocess.run(command, env=kept, capture_output=True, text=True, timeout=60, check=False)


def test_a_home_gets_only_what_the_base_environment_does_not_have(make, base):
    home = make("extra", "lib")
    assert (home.distributions, home.over, home.conflicts) == ((("extra", "1.0"),), str(base.root), ())
    done = _python(
        home, "-c", f"{_SHOW}; import app, sys; print(sys.prefix, app.__file__.startswith({str(base.site)!r}))"
    )
    assert done.stdout.split() == ["1.0", "1.0", home.path, "True"], done
    assert _python(home, "-I", "-c", _SHOW).stdout == "1.0 1.0\n"
    assert homes.look(home.path) == home


def test_what_must_differ_precedes_the_base_environment_and_the_result_says_what_does_not_fit(make, base):
    home = make("extra", "lib>=2")
    assert home.distributions == (("extra", "1.0"), ("lib", "2.0"))
    assert home.conflicts == ("app 1.0 requires lib<2, but lib will be 2.0",)
    assert "Conflict: app 1.0 requires lib<2" in str(home)
    assert _python(home, "-c", _SHOW).stdout == "2.0 1.0\n"
    assert base.bare("import lib; print(lib.__version__)").stdout == "1.0\n"
    assert homes.look(home.path).base_changes == ()


def test_children_of_every_kind_have_the_same_packages(make, base, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "hooked.py").write_text("")
    (base.site / "project.pth").write_text(f"{project}\n")
    script = tmp_path / "program.py"
    script.write_text(_CHILDREN)
    done = _python(make("extra", "lib>=2"), str(script))
    assert (done.stdout, done.returncode) == ("2.0 1.0\n", 0), done.stderr


@pytest.mark.skipif(os.name == "nt", reason="on Windows the base environment's scripts are not in the home")
def test_scripts_of_both_run_with_the_python_of_the_home(make, base):
    program = Path(base.root, "bin/tool")
    program.write_text("#!/bin/sh\necho $0\n")
    program.chmod(0o755)
    home = make("lib>=2")
    for name, says in {"lib-run": "lib 2.0", "app-run": "app 1.0"}.items():
        done = subprocess.run([f"{home.path}/bin/{name}"], capture_output=True, text=True, check=True)
        assert done.stdout == f"{says} {home.path}\n"
        assert homes.run(home.path, script=name).stdout == f"{says} {home.path}\n"
    assert subprocess.run([f"{home.path}/bin/tool"], capture_output=True, check=True).stdout
    assert Path(home.path, "bin/tool").resolve() == program and not Path(home.path, "bin/activate").exists()


def test_a_distribution_that_must_stay_is_not_replaced_nor_broken(make, tmp_path):
    with pytest.raises(RequirementError, match=r"lib>=2 was requested, but lib has to stay at 1\.0"):
        make("lib>=2", keep=["lib"])
    with pytest.raises(RequirementError, match="does not have absent"):
        make("extra", keep=["absent"])
    with pytest.raises(ResolutionError):
        make("needs-two", keep=["lib"], no_index=True)
    with pytest.raises(ResolutionError):
        make("lib>=2", keep=["app"], no_index=True)  # app requires lib<2
    with pytest.raises(ResolutionError, match=r"must stay as it is: app 1\.0 requires lib<2"):
        make("lib>=2", keep=["app"], deps=False, no_index=True, find_links=[str(tmp_path / "new")])
    assert not (tmp_path / "home").exists()
    assert make("lib<2", "extra", keep=["app", "Lib"]).distributions == (("extra", "1.0"),)
    with pytest.raises(RequirementError, match="does not have lib"):
        make("lib", keep=["lib"], over=None, path="other")


def test_an_engine_plans_over_the_base_environment_too(base, tmp_path):
    base.wheel("lib", "3.0", files=_lib("3.0"))
    base.wheel("extra", "1.0", requires=("lib",))
    places = f"{str(tmp_path / 'home')!r}, {{}}, over=sys.prefix, store={str(tmp_path / 'store')!r}"

    def create(requirements):
        call = places.format(requirements)
        return base.json(f"print(json.dumps(li.homes.create({call}).distributions))")

    assert create("'extra'") == [["extra", "1.0"]]
    homes.remove(tmp_path / "home")
    assert create("'extra', 'lib>2'") == [["extra", "1.0"], ["lib", "3.0"]]


def test_pip_plans_over_the_base_environment_too(make, base, tmp_path):
    make_wheel(tmp_path / "new", "other", "1.0", requires=("lib", "app"))
    home = make("other", engine="pip", no_index=True, find_links=[str(tmp_path / "new")])
    assert home.distributions == (("other", "1.0"),)


def test_what_changes_later_in_the_base_environment_is_reported(make, base):
    home = make("extra")
    base.wheel("lib", "1.9", files=_lib("1.9"))
    base.json("print(json.dumps([str(li.install('lib<2', upgrade=True))]))")
    shutil.rmtree(base.site / "app-1.0.dist-info")
    changed = homes.look(home.path)
    assert changed.base_changes == (Change("app", "1.0", None), Change("lib", "1.0", "1.9"))
    assert "Changed in the base environment since then: lib 1.0 -> 1.9." in str(changed)
    assert _python(home, "-c", _SHOW).stdout == "1.9 1.0\n"


def test_without_its_base_environment_a_home_does_not_start(make, base):
    home = make("extra")
    shutil.rmtree(base.site)
    done = _python(home, "-c", "print(1)")
    assert (done.returncode, done.stdout) == (1, "") and f"the base environment {base.root}" in done.stderr


def test_a_base_environment_must_be_one_and_for_this_python(make, base, tmp_path, monkeypatch):
    for wrong in (tmp_path / "absent", tmp_path):
        with pytest.raises(HomeError, match="has no interpreter that works"):
            make(over=wrong)
    monkeypatch.setattr(base_environment, "version", lambda: "3.0.1")
    with pytest.raises(HomeError, match=rf"for Python {sys.version_info[0]}.*the home is for 3\.0\.1"):
        make()
    assert not (tmp_path / "home").exists()


def test_a_home_over_a_home_has_the_packages_of_both(make, base):
    first = make("lib>=2")
    second = make("extra", path="second", over=first.path)
    assert second.distributions == (("extra", "1.0"),)
    assert _python(second, "-c", f"{_SHOW}; import app").stdout == "2.0 1.0\n"


def test_removing_a_home_removes_all_of_it_and_nothing_else(make, base, tmp_path):
    before = sorted(base.root.rglob("*"))
    home = make("extra", "lib>=2")
    _python(home, "-c", _SHOW)
    assert homes.remove(home.path) == () and not Path(home.path).exists()
    assert [each for each in sorted(base.root.rglob("*")) if "__pycache__" not in str(each)] == [
        each for each in before if "__pycache__" not in str(each)
    ]


def test_the_command_line_takes_a_base_environment(base, tmp_path):
    base.wheel("extra", "1.0", requires=("lib",))
    code = "from liveinstall._frontends.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    place = str(tmp_path / "home")
    words = [
        "home",
        "create",
        place,
        "extra",
        "--over",
        str(base.root),
        "--keep",
        "app",
        "--store",
        place + "-s",
        "--json",
    ]
    done = subprocess.run(
        [str(base.python), "-c", f"import sys, fake_engine\n{code}", *words, "--json"],
        env=base.variables(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert json.loads(done.stdout)["result"]["distributions"] == [["extra", "1.0"]], done
