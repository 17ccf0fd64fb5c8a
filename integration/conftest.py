"""Fixtures for real environments, and the switch for the long runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.lib.dask_cluster import DaskProcesses, copies
from integration.lib.environments import Environment, NotOfferedError, add_liveinstall, build_wheel, group, renew
from integration.lib.interpreters import CURRENT, find_python
from integration.lib.wheels import write_wheel


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--full`, or LIVEINSTALL_ALL_CASES=1: also the long tests."""
    parser.addoption("--full", action="store_true", help="run all real upgrades, not only a quick choice")
    parser.addoption("--wheel", type=Path, help="a wheel of liveinstall to test, instead of one of this checkout")
    parser.addoption("--site", type=Path, help="the built site of the docs, for site_checks.py")
    parser.addoption("--pictures", metavar="FOLDER", help="where test_browser.py puts its pictures, for the docs")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "full: long; runs only with --full or LIVEINSTALL_ALL_CASES=1")
    config.addinivalue_line("markers", "builds: long, mostly because it builds; old versions of pip only with --full")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip long tests, unless they were requested."""
    if config.getoption("--full") or os.environ.get("LIVEINSTALL_ALL_CASES") == "1":
        return
    for item in items:
        old_pip = item.get_closest_marker("builds") and "[22.3.1" in item.name
        if item.get_closest_marker("full") or old_pip:
            item.add_marker(pytest.mark.skip(reason="long; run with --full or LIVEINSTALL_ALL_CASES=1"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """liveinstall's wheel, built once, or the one from the command line."""
    given: Path | None = pytestconfig.getoption("--wheel")
    return given.resolve() if given else build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of small wheels: alpha 1.0 and 2.0 with scripts, beta 1.0, and gamma 1.0, which requires alpha 2."""
    directory = tmp_path_factory.mktemp("wheels")
    write_wheel(directory, "alpha", "1.0", scripts=["alpha-old", "alpha"])
    write_wheel(directory, "alpha", "2.0", scripts=["alpha-new", "alpha"])
    write_wheel(directory, "beta", "1.0")
    write_wheel(directory, "gamma", "1.0", headers=["Requires-Dist: alpha>=2"])
    return directory


@pytest.fixture
def environment(tmp_path: Path, wheel: Path, wheels: Path) -> Environment:
    """A virtual environment of the interpreter that runs the tests, with liveinstall and alpha 1.0 in it."""
    base = find_python(CURRENT)
    assert base
    made = Environment.make(tmp_path / "venv", base)
    add_liveinstall(made, wheel)
    made.add(wheels / "alpha-1.0-py3-none-any.whl")
    return made


@pytest.fixture(scope="session")
def dask_model(tmp_path_factory: pytest.TempPathFactory, wheel: Path, wheels: Path) -> Environment:
    """An environment with Dask, liveinstall and alpha 1.0, of which the tests of clusters make copies."""
    base = find_python(CURRENT)
    assert base
    made = Environment.make(tmp_path_factory.mktemp("dask") / "model", base)
    made.add(wheel, "distributed", "cloudpickle", wheels / "alpha-1.0-py3-none-any.whl", deps=True)
    return made


@pytest.fixture
def dask_hosts(dask_model: Environment, tmp_path: Path) -> dict[str, Environment]:
    """Copies of the environment: the scheduler's, those of three hosts, and the client's."""
    return copies(dask_model, tmp_path, "scheduler", "h1", "h2", "h3", "client")


@pytest.fixture
def dask(dask_hosts: dict[str, Environment], tmp_path: Path) -> Iterator[DaskProcesses]:
    """A scheduler, and two workers on each of two hosts."""
    made = DaskProcesses(tmp_path, dask_hosts)
    for host in ("h1", "h2"):
        for number in range(2):
            made.worker(host, number)
    yield made
    made.close()


@pytest.fixture
def dask_client(dask: DaskProcesses, wheels: Path) -> Any:
    """Runs code in the client's process; what it has told."""

    def run(code: str) -> dict[str, Any]:
        here = f"HERE = dict(no_index=True, find_links=[{str(wheels)!r}])\n"
        first = "before = workers(4)\ncluster = liveinstall.cluster.of(client)\n"
        return dask.run_client(here + first + code)

    return run


@pytest.fixture(scope="session")
def notebooks(tmp_path_factory: pytest.TempPathFactory, wheel: Path, wheels: Path) -> Environment:
    """One Python 3.11 with JupyterLab, Notebook 7, numpy 1.26 and alpha 1.0, for all tests with real ones."""
    base = find_python("3.11")
    if not base:
        pytest.skip("numpy 1.26 has wheels for 3.11, which is not here")
    made = Environment.make(tmp_path_factory.mktemp("notebooks") / "venv", base)
    made.add(wheel, wheels / "alpha-1.0-py3-none-any.whl", "numpy==1.26.4", *group("notebooks"), deps=True)
    return made


@pytest.fixture
def with_alpha(notebooks: Environment, wheels: Path) -> Environment:
    """The environment with notebooks, with alpha 1.0 and without beta, whatever other tests have left in it."""
    renew(notebooks, wheels)
    return notebooks


@pytest.fixture
def old_numpy(tmp_path: Path, wheel: Path) -> Callable[..., Environment]:
    """Makes a Python 3.11 with liveinstall and the given requirements, among them numpy 1.26."""

    def make(*requirements: str) -> Environment:
        base = find_python("3.11")
        if not base:
            pytest.skip("numpy 1.26 has wheels for 3.11, which is not here")
        made = Environment.make(tmp_path / "venv", base)
        try:
            add_liveinstall(made, wheel)
            if requirements:
                made.add(*requirements)
        except NotOfferedError as error:
            pytest.skip(str(error))
        return made

    return make
