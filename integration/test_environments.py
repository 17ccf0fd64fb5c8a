"""Every kind of environment that a real machine has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.bases import NOBODY, Base, copy_base
from integration.checks import left_overs, tree
from integration.environments import Environment, add_liveinstall, user_variables
from integration.interpreters import CURRENT, find_python, find_uv

_AS_NOBODY: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
_NO_INDEX = "http://127.0.0.1:9/simple"  # nobody listens there: a download would fail as one
_LIVE = """
import json, sys
import alpha, liveinstall
result = liveinstall.install(*sys.argv[2:], no_index=True, find_links=sys.argv[1])
from alpha import late
told = {"now": {c.name: c.new_version for c in result.installed}, "late": late.VERSION, "notes": result.notes}
print(json.dumps({**told, "staged": {c.name: c.reason for c in result.staged}}))
"""
_needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can run something as somebody else"
)


def live(environment: Environment, wheels: Path, *requirements: str, **options: Any) -> dict[str, Any]:
    """Install in a live process that has alpha loaded; what it was told, and the version that it loads late."""
    done = environment.run("-c", _LIVE, wheels, *requirements, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def alpha(environment: Environment, **options: Any) -> str:
    """alpha's version for a new interpreter, which starts silently."""
    done = environment.run("-c", "import alpha; print(alpha.VERSION)", **options)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def error_of(environment: Environment, *arguments: str, **options: Any) -> str:
    """The type of the error with which a command fails."""
    done = environment.run(*arguments, **options)
    assert done.returncode == 1, done.stdout + done.stderr
    return str(json.loads(done.stdout)["error"]["type"])


@pytest.fixture(scope="module")
def public() -> Iterator[Path]:
    """A directory that everybody can look into, unlike a test's own."""
    with tempfile.TemporaryDirectory(prefix="liveinstall-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="module")
def base(public: Path, wheel: Path, wheels: Path) -> Base:
    """An installation of our own, with liveinstall and alpha 1.0 on its system side, and the small wheels beside it."""
    original = find_python(CURRENT)
    assert original
    made = copy_base(public / "python", original)
    add_liveinstall(made.environment, wheel)
    made.environment.add(wheels / "alpha-1.0-py3-none-any.whl")
    shutil.copytree(wheels, public / "wheels").chmod(0o755)
    return made


@pytest.fixture
def home(public: Path) -> Path:
    """A home directory that belongs to nobody."""
    made = Path(tempfile.mkdtemp(dir=public))
    os.chown(made, NOBODY, NOBODY)
    return made


def make(kind: str, path: Path) -> Environment:
    """An environment as the tool `kind` makes it."""
    base, uv = find_python(CURRENT), find_uv()
    if kind == "venv":
        command = [base, "-m", "venv", path]
    elif kind == "virtualenv":
        pytest.importorskip("virtualenv")
        command = [sys.executable, "-m", "virtualenv", "-q", "-p", base, path]
    elif uv:
        command = [uv, "venv", "-q", "--python", base, path]
    else:
        pytest.skip("uv is not here")
    subprocess.run(command, check=True, env=user_variables(), capture_output=True)
    return Environment.at(path)


@pytest.mark.parametrize("kind", ["venv", "virtualenv", "uv"])
def test_virtual_environment_of_any_tool(kind: str, tmp_path: Path, wheel: Path, wheels: Path) -> None:
    environment = make(kind, tmp_path / "venv")
    if kind == "uv":
        environment.add(wheel, deps=True)  # with pip as a dependency: there was none
        environment.add(wheels / "alpha-1.0-py3-none-any.whl")
    else:
        options = ("install", "-q", "--disable-pip-version-check")
        environment.run("-m", "pip", *options, wheel, wheels / "alpha-1.0-py3-none-any.whl", check=True)
    told = live(environment, wheels, "beta", "gamma")
    assert told["now"] == {"beta": "1.0"}
    assert told["staged"].keys() == {"alpha", "gamma"}
    assert told["late"] == "1.0"
    assert alpha(environment) == "2.0"
    environment.run("-c", "import beta, gamma", check=True)
    assert environment.run("-m", "pip", "check").returncode == 0
    assert left_overs(environment.site) == []
    environment.remove()


def test_loaded_from_the_system_side_waits_with_its_shadow(base: Base, public: Path, tmp_path: Path) -> None:
    environment = base.venv(tmp_path / "venv", "--system-site-packages")
    before = tree(base.environment.path)
    told = live(environment, public / "wheels", "alpha==2.0", "beta")
    assert told["now"] == {"beta": "1.0"}
    assert str(base.environment.site) in told["staged"]["alpha"]
    assert told["late"] == "1.0"
    assert alpha(environment) == "2.0"
    assert alpha(base.environment) == "1.0"
    assert tree(base.environment.path) == before
    environment.remove()


def test_not_loaded_from_the_system_side_is_shadowed_at_once(base: Base, public: Path, tmp_path: Path) -> None:
    environment = base.venv(tmp_path / "venv", "--system-site-packages")
    source = ("--no-index", "--find-links", str(public / "wheels"))
    environment.run("-m", "liveinstall", "install", "alpha==2.0", "--when", "now", *source, check=True)
    assert (alpha(environment), alpha(base.environment)) == ("2.0", "1.0")
    environment.remove()


def test_editable_install_in_use_gives_way_to_a_wheel_at_the_restart(
    environment: Environment, wheels: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    (project / "alpha").mkdir(parents=True)
    (project / "alpha/__init__.py").write_text("VERSION = '1.5'\n", encoding="utf-8")
    (project / "alpha/late.py").write_text("VERSION = '1.5'\n", encoding="utf-8")
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "alpha"\nversion = "1.5"\n',
        encoding="utf-8",
    )
    environment.add("-e", project)
    assert alpha(environment) == "1.5"
    before = tree(project)
    told = live(environment, wheels, "alpha==2.0")
    assert told["now"] == {}
    assert any("editable" in note for note in told["notes"])
    assert told["late"] == "1.5"
    assert alpha(environment) == "2.0"
    assert tree(project) == before
    assert left_overs(environment.site) == []
    environment.remove()


@_needs_root
def test_user_site_is_used_where_the_system_side_cannot_be_written(base: Base, public: Path, home: Path) -> None:
    variables = {**base.variables, "HOME": str(home), "PYTHONUSERBASE": str(home / "base")}
    before = tree(base.environment.path)
    options: dict[str, Any] = {**_AS_NOBODY, "env": variables, "cwd": home}
    told = live(base.environment, public / "wheels", "alpha==2.0", "beta", **options)
    assert told["now"] == {"beta": "1.0"}
    assert told["staged"].keys() == {"alpha"}
    assert told["late"] == "1.0"
    assert alpha(base.environment, **options) == "2.0"
    base.environment.run("-c", "import beta", check=True, **options)
    assert alpha(base.environment) == "1.0"
    assert tree(base.environment.path) == before
    assert left_overs(next((home / "base").rglob("site-packages"))) == []


@_needs_root
def test_read_only_environment_is_refused_before_any_download(base: Base, public: Path, home: Path) -> None:
    environment = base.venv(public / "venv", "--system-site-packages")
    before = tree(environment.path)
    variables = {**base.variables, "HOME": str(home)}
    arguments = ("-m", "liveinstall", "install", "beta", "--json", "--index-url", _NO_INDEX)
    error = error_of(environment, *arguments, env=variables, cwd=home, **_AS_NOBODY)
    assert error == "NotWritableError"
    assert tree(environment.path) == before
    assert not (environment.site / ".liveinstall").exists()


def test_python_of_another_package_manager_is_left_alone(base: Base) -> None:
    marker = base.stdlib / "EXTERNALLY-MANAGED"
    marker.write_text("[externally-managed]\nError=Ask the distribution.\n", encoding="utf-8")
    try:
        before = tree(base.environment.path)
        arguments = ("-m", "liveinstall", "install", "beta", "--json", "--index-url", _NO_INDEX)
        done = base.environment.run(*arguments, env=base.variables)
        told = json.loads(done.stdout)["error"]
        assert (done.returncode, told["type"], told["todo"]) == (1, "ExternallyManagedError", "Ask the distribution.")
        assert tree(base.environment.path) == before
    finally:
        marker.unlink()


def test_python_without_site_has_nothing_to_install_into(environment: Environment) -> None:
    before = tree(environment.path)
    variables = user_variables(PYTHONPATH=str(environment.site))
    arguments = ("-S", "-m", "liveinstall", "install", "beta", "--json", "--index-url", _NO_INDEX)
    assert error_of(environment, *arguments, env=variables) == "TargetError"
    assert tree(environment.path) == before
    environment.remove()
