"""Fixtures for real environments, and the switch for the long runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.lib.environments import Environment, NotOfferedError, add_liveinstall, build_wheel, group
from integration.lib.interpreters import CURRENT, find_python
from integration.lib.wheels import write_wheel


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--full`, or LIVEINSTALL_ALL_CASES=1: also what takes long."""
    parser.addoption("--full", action="store_true", help="run all real upgrades, not only a quick choice")
    parser.addoption("--pictures", metavar="FOLDER", help="where test_browser.py puts its pictures, for the docs")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "full: long; runs only with --full or LIVEINSTALL_ALL_CASES=1")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is long, unless it was asked for."""
    if config.getoption("--full") or os.environ.get("LIVEINSTALL_ALL_CASES") == "1":
        return
    for item in items:
        if item.get_closest_marker("full"):
            item.add_marker(pytest.mark.skip(reason="long; run with --full or LIVEINSTALL_ALL_CASES=1"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """liveinstall's wheel, built once."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of small wheels: alpha 1.0 and 2.0 with scripts, beta 1.0, and gamma 1.0 that needs alpha 2."""
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
def notebooks(tmp_path_factory: pytest.TempPathFactory, wheel: Path, wheels: Path) -> Environment:
    """One Python 3.11 with JupyterLab, Notebook 7, numpy 1.26 and alpha 1.0, for all that want them to be real."""
    base = find_python("3.11")
    if not base:
        pytest.skip("numpy 1.26 has wheels for 3.11, which is not here")
    made = Environment.make(tmp_path_factory.mktemp("notebooks") / "venv", base)
    made.add(wheel, wheels / "alpha-1.0-py3-none-any.whl", "numpy==1.26.4", *group("notebooks"), deps=True)
    return made


@pytest.fixture
def old_numpy(tmp_path: Path, wheel: Path) -> Callable[..., Environment]:
    """Makes a Python 3.11 with liveinstall and the requirements it is given, numpy 1.26 among them."""

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
