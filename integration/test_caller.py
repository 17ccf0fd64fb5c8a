"""The calling process is not disturbed: with the real setuptools, the real importlib_metadata, and at exit."""

from __future__ import annotations

import sys

import pytest

from integration.lib.environments import Environment


def _run(environment: Environment, code: str) -> str:
    done = environment.run("-c", f"import json, os, sys\n{code}")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("engine", ["pip", "uv"])
@pytest.mark.parametrize(
    "first", ["import setuptools, distutils.core", "import distutils.core", "import distutils.version, setuptools"]
)
def test_distutils_in_use_stays_what_it_is(environment: Environment, wheels, first: str, engine: str) -> None:
    """setuptools' import hook removes `distutils` from sys.modules when a finder is asked for pip."""
    environment.add("setuptools==75.6.0")
    if sys.version_info >= (3, 12) and first == "import distutils.core":
        first = "import setuptools; import distutils.core"  # it exists only with setuptools
    out = _run(
        environment,
        f"""
{first}
import liveinstall as li
before = {{name: module for name, module in sys.modules.items() if name.partition(".")[0] == "distutils"}}
finders = list(sys.meta_path)
li.plan("alpha==2.0", no_index=True, find_links={str(wheels)!r}, engine={engine!r})
li.install("alpha==2.0", no_index=True, find_links={str(wheels)!r}, engine={engine!r})
li.status(), li.list(), li.check()
assert before and all(sys.modules.get(name) is module for name, module in before.items())
assert [finder for finder in finders if finder not in sys.meta_path] == []
from distutils.core import Extension
print(Extension("a", ["a.c"]).name)
""",
    )
    assert out.splitlines()[-1] == "a"


def test_the_backport_of_importlib_metadata_gets_its_own_distributions(environment: Environment, wheels) -> None:
    environment.add("importlib-metadata==8.5.0", "zipp==3.21.0")
    out = _run(
        environment,
        f"""
import importlib.metadata, importlib_metadata, liveinstall as li
li.require("alpha==2.0", install=True, no_index=True, find_links={str(wheels)!r})
theirs, ours = importlib_metadata.distribution("alpha"), importlib.metadata.distribution("alpha")
assert isinstance(theirs, importlib_metadata.Distribution) and not isinstance(ours, importlib_metadata.Distribution)
assert theirs.version == ours.version == "2.0" and theirs.name == "alpha"
assert theirs.origin is None and [str(path) for path in theirs.files] == [str(path) for path in ours.files]
assert theirs.read_text("METADATA") == ours.read_text("METADATA")
both = importlib_metadata, importlib.metadata
versions = [[each.version for each in library.distributions() if each.name == "alpha"] for library in both]
assert versions[0] == versions[1] and versions[0][0] == "2.0", versions
assert [e.name for e in importlib_metadata.entry_points(group="console_scripts", name="alpha-new")] == ["alpha-new"]
assert set(importlib_metadata.packages_distributions()["alpha"]) == {{"alpha"}}
print("done")
""",
    )
    assert out == "done\n"


@pytest.mark.parametrize("engine", ["pip", "uv"])
@pytest.mark.parametrize("loaded", [True, False])
def test_the_first_use_may_be_at_exit(environment: Environment, wheels, engine: str, loaded: bool) -> None:
    out = _run(
        environment,
        f"""
import atexit, threading
{"import alpha" if loaded else ""}
def last():
    import liveinstall as li
    try:
        done = li.install("alpha==2.0", no_index=True, find_links={str(wheels)!r}, engine={engine!r})
    except li.LiveInstallError as error:
        print("refused", type(error).__name__, len(str(error)) > 20)
    else:
        print("changed", bool(done.staged), bool(done.installed or done.upgraded))
atexit.register(last)
""",
    )
    assert out in ("changed True False\n", "changed False True\n") or out.startswith("refused ")
    after = environment.run("-c", "import alpha; print(alpha.VERSION)")
    assert after.stdout == ("1.0\n" if out.startswith("refused") else "2.0\n"), after.stderr


def test_the_first_use_may_be_in_a_thread_at_shutdown(environment: Environment, wheels) -> None:
    out = _run(
        environment,
        f"""
import threading, time
def work():
    threading.main_thread().join()
    import liveinstall as li
    try:
        print("changed", li.install("alpha==2.0", no_index=True, find_links={str(wheels)!r}).changed)
    except li.LiveInstallError as error:
        print("refused", type(error).__name__)
threading.Thread(target=work).start()
""",
    )
    assert out.startswith(("changed True", "refused "))
    after = environment.run("-c", "import alpha; print(alpha.VERSION)")
    assert after.stdout == ("1.0\n" if out.startswith("refused") else "2.0\n"), after.stderr
