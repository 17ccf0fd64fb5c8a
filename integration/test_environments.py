"""All kinds of environments of a real machine."""

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

from integration.lib.bases import NOBODY, Base, copy_base
from integration.lib.checks import left_overs, tree
from integration.lib.environments import Environment, add_liveinstall, user_variables
from integration.lib.interpreters import CURRENT, find_python, find_uv

_AS_NOBODY: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
_NO_INDEX = "http://127.0.0.1:9/simple"  # nothing listens there, so a download would fail with a DownloadError
_LIVE = """
import importlib, json, sys
import alpha, liveinstall
result = liveinstall.install(*sys.argv[2:], no_index=True, find_links=sys.argv[1])
from alpha import late
now = {c.name: importlib.import_module(c.name).VERSION for c in result.installed}
told = {"now": now, "late": late.VERSION, "notes": result.notes}
print(json.dumps({**told, "staged": {c.name: c.reason for c in result.staged}}))
"""
_FRESH = """
import importlib, json, sys
import liveinstall
result = liveinstall.install(*sys.argv[2:], no_index=True, find_links=sys.argv[1])
print(json.dumps({c.name: [c.new_version, importlib.import_module(c.name).VERSION] for c in result.installed}))
"""
_WRITABLE = "import os, sysconfig; print(any(os.access(path, os.W_OK) for path in sysconfig.get_paths().values()))"
_needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can run something as somebody else"
)


def live(environment: Environment, wheels: Path, *requirements: str, **options: Any) -> dict[str, Any]:
    """Install in a running process that has alpha loaded; the result, the imports now, and the late imports."""
    done = environment.run("-c", _LIVE, wheels, *requirements, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def alpha(environment: Environment, **options: Any) -> str:
    """alpha's version for a new interpreter, which starts silently."""
    done = environment.run("-c", "import alpha; print(alpha.VERSION)", **options)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def fresh(environment: Environment, wheels: Path, *requirements: str, **options: Any) -> dict[str, list[str]]:
    """Install in a running process that has nothing loaded: name -> the version in the result, and the imported one."""
    done = environment.run("-c", _FRESH, wheels, *requirements, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def script(directory: Path, name: str, **options: Any) -> str:
    """The output of a console script."""
    options = {"env": user_variables(), **options}
    return subprocess.run([directory / name], check=True, capture_output=True, text=True, **options).stdout.strip()


def error_of(environment: Environment, *arguments: str, **options: Any) -> str:
    """The type of the error with which a command fails."""
    done = environment.run(*arguments, **options)
    assert done.returncode == 1, done.stdout + done.stderr
    return str(json.loads(done.stdout)["error"]["type"])


@pytest.fixture(scope="module")
def public() -> Iterator[Path]:
    """A directory that all users can read, unlike a test's own."""
    with tempfile.TemporaryDirectory(prefix="liveinstall-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="module")
def base(public: Path, wheel: Path, wheels: Path) -> Base:
    """A separate installation of Python with liveinstall and alpha 1.0 on its system side, and the small wheels."""
    original = find_python(CURRENT)
    assert original
    made = copy_base(public / "python", original)
    add_liveinstall(made.environment, wheel)
    made.environment.add(wheels / "alpha-1.0-py3-none-any.whl")
    shutil.copytree(wheels, public / "wheels").chmod(0o755)
    return made


@pytest.fixture
def home(public: Path) -> Path:
    """A home directory of no user."""
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


def home_of_links(path: Path, base: Base) -> dict[str, str]:
    """Make a home: links to all of an installation except its site-packages; the variables that select it."""
    stdlib = path / "lib" / base.stdlib.name
    (stdlib / "site-packages").mkdir(parents=True)
    (path / "bin").mkdir()
    for child in base.stdlib.iterdir():
        if child.name not in ("site-packages", "EXTERNALLY-MANAGED"):
            (stdlib / child.name).symlink_to(child)
    return {**base.variables, "PYTHONHOME": str(path), "PYTHONPATH": str(base.environment.site)}


@pytest.mark.parametrize("kind", ["venv", "virtualenv", "uv"])
def test_virtual_environment_of_any_tool(kind: str, tmp_path: Path, wheel: Path, wheels: Path) -> None:
    environment = make(kind, tmp_path / "venv")
    if kind == "uv":
        environment.add(wheel, deps=True)  # with pip as a dependency, because it was missing
        environment.add(wheels / "alpha-1.0-py3-none-any.whl")
    else:
        options = ("install", "-q", "--disable-pip-version-check")
        environment.run("-m", "pip", *options, wheel, wheels / "alpha-1.0-py3-none-any.whl", check=True)
    told = live(environment, wheels, "beta", "gamma")
    assert told["now"] == {"beta": "1.0"}
    assert told["staged"].keys() == {"alpha", "gamma"}
    assert told["late"] == "1.0"
    assert script(environment.scripts, "alpha") == "2.0"
    assert script(environment.scripts, "alpha-new") == "2.0"
    assert not list(environment.scripts.glob("alpha-old*"))
    assert alpha(environment) == "2.0"
    environment.run("-c", "import beta, gamma", check=True)
    assert environment.run("-m", "pip", "check").returncode == 0
    assert left_overs(environment.site) == []
    environment.remove()


def test_environment_that_sees_liveinstall_only_on_the_path(tmp_path: Path, wheel: Path, wheels: Path) -> None:
    elsewhere, environment = make("venv", tmp_path / "elsewhere"), make("uv", tmp_path / "venv")
    add_liveinstall(elsewhere, wheel)
    environment.add(wheels / "alpha-1.0-py3-none-any.whl")
    before = tree(elsewhere.path)
    told = live(environment, wheels, "alpha==2.0", "beta", env=user_variables(PYTHONPATH=str(elsewhere.site)))
    assert told["now"] == {"beta": "1.0"}
    assert told["staged"].keys() == {"alpha"}
    assert told["late"] == "1.0"
    assert alpha(environment) == "2.0"  # by the copy from staging: liveinstall is not on this path
    assert environment.run("-c", "import liveinstall").returncode == 1
    assert script(environment.scripts, "alpha") == "2.0"
    assert tree(elsewhere.path) == before
    assert left_overs(environment.site) == []
    environment.remove()
    elsewhere.remove()


def test_loaded_through_a_path_line_is_pending_with_its_shadow(
    environment: Environment, wheels: Path, tmp_path: Path
) -> None:
    borrower = Environment.make(tmp_path / "borrower", str(environment.python))
    (borrower.site / "other.pth").write_text(f"{environment.site}\n", encoding="utf-8")
    before = tree(environment.path)
    told = live(borrower, wheels, "alpha==2.0", "beta")
    assert told["now"] == {"beta": "1.0"}
    assert str(environment.site) in told["staged"]["alpha"]
    assert told["late"] == "1.0"
    assert (alpha(borrower), alpha(environment)) == ("2.0", "1.0")
    assert tree(environment.path) == before
    assert left_overs(borrower.site) == []
    borrower.remove()
    environment.remove()


def test_loaded_from_the_system_side_is_pending_with_its_shadow(base: Base, public: Path, tmp_path: Path) -> None:
    environment = base.venv(tmp_path / "venv", "--system-site-packages")
    before = tree(base.environment.path)
    told = live(environment, public / "wheels", "alpha==2.0", "beta")
    assert told["now"] == {"beta": "1.0"}
    assert str(base.environment.path) in told["staged"]["alpha"]
    assert told["late"] == "1.0"
    assert alpha(environment) == "2.0"
    assert alpha(base.environment) == "1.0"
    assert tree(base.environment.path) == before
    environment.remove()


def test_not_loaded_from_the_system_side_is_shadowed_at_once(base: Base, public: Path, tmp_path: Path) -> None:
    environment = base.venv(tmp_path / "venv", "--system-site-packages")
    assert fresh(environment, public / "wheels", "alpha==2.0") == {"alpha": ["2.0", "2.0"]}
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
    if base.environment.run("-c", _WRITABLE, check=True, **options).stdout != "False\n":
        pytest.skip("everybody can write to the system side")
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
def test_upgrade_within_the_user_site_is_pending_until_the_restart(base: Base, public: Path, home: Path) -> None:
    variables = {**base.variables, "HOME": str(home), "PYTHONUSERBASE": str(home / "base")}
    before = tree(base.environment.path)
    options: dict[str, Any] = {**_AS_NOBODY, "env": variables, "cwd": home}
    assert fresh(base.environment, public / "wheels", "alpha==2.0", **options).keys() == {"alpha"}
    told = live(base.environment, public / "wheels", "alpha==1.0", **options)
    assert told["staged"].keys() == {"alpha"}
    assert told["late"] == "2.0"
    assert alpha(base.environment, **options) == "1.0"
    assert script(home / "base/bin", "alpha-old", **options) == "1.0"
    assert not (home / "base/bin/alpha-new").exists()
    assert tree(base.environment.path) == before
    assert left_overs(next((home / "base").rglob("site-packages"))) == []


@_needs_root
@pytest.mark.parametrize("made", [False, True], ids=["a new user site", "an old user site"])
def test_not_loaded_from_the_system_side_is_shadowed_by_the_user_site_at_once(
    made: bool, base: Base, public: Path, home: Path
) -> None:
    variables = {**base.variables, "HOME": str(home), "PYTHONUSERBASE": str(home / "base")}
    options: dict[str, Any] = {**_AS_NOBODY, "env": variables, "cwd": home}
    if made:
        assert fresh(base.environment, public / "wheels", "beta", **options) == {"beta": ["1.0", "1.0"]}
    told_and_imported = fresh(base.environment, public / "wheels", "alpha==2.0", **options)
    assert alpha(base.environment, **options) == "2.0"
    assert told_and_imported == {"alpha": ["2.0", "2.0"]}


@_needs_root
@pytest.mark.parametrize("owner", [0, NOBODY], ids=["another's", "its own"])
def test_read_only_environment_is_refused_before_any_download(owner: int, base: Base, public: Path, home: Path) -> None:
    environment = base.venv(public / f"venv-{owner}", "--system-site-packages")
    for path in [environment.path, *environment.path.rglob("*")]:
        os.chown(path, owner, owner, follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    before = tree(environment.path)
    log = home / "pip.log"  # which pip creates when it starts
    variables = {**base.variables, "HOME": str(home), "PIP_LOG": str(log)}
    arguments = ("-m", "liveinstall", "install", "beta", "--json", "--index-url", _NO_INDEX)
    error = error_of(environment, *arguments, env=variables, cwd=home, **_AS_NOBODY)
    assert error == "NotWritableError"
    assert tree(environment.path) == before
    assert not (environment.site / ".liveinstall").exists()
    assert not log.exists()


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


def test_home_of_another_package_manager_is_changed_only_if_pip_may(base: Base, public: Path, tmp_path: Path) -> None:
    if not (base.environment.site / "alpha").is_dir():
        pytest.skip("this Python (Debian's) installs into another directory than site-packages")
    variables = home_of_links(tmp_path / "home", base)
    marker = tmp_path / "home/lib" / base.stdlib.name / "EXTERNALLY-MANAGED"
    marker.write_text("[externally-managed]\nError=Ask the host.\n", encoding="utf-8")
    before, untouched = tree(base.environment.path), tree(tmp_path / "home")
    arguments = ("-m", "liveinstall", "install", "beta", "--json", "--no-index", "--find-links", public / "wheels")
    done = base.environment.run(*arguments, env=variables)
    told = json.loads(done.stdout)["error"]
    assert (done.returncode, told["type"], told["todo"]) == (1, "ExternallyManagedError", "Ask the host.")
    assert tree(tmp_path / "home") == untouched
    allowed = {**variables, "PIP_BREAK_SYSTEM_PACKAGES": "1"}
    assert fresh(base.environment, public / "wheels", "beta", env=allowed) == {"beta": ["1.0", "1.0"]}
    assert (marker.parent / "site-packages/beta").is_dir()
    base.environment.run("-c", "import beta", check=True, env=variables)
    assert base.environment.run("-c", "import beta", env=base.variables).returncode == 1
    assert tree(base.environment.path) == before


def test_python_without_site_has_nothing_to_install_into(environment: Environment) -> None:
    before = tree(environment.path)
    variables = user_variables(PYTHONPATH=str(environment.site))
    arguments = ("-S", "-m", "liveinstall", "install", "beta", "--json", "--index-url", _NO_INDEX)
    assert error_of(environment, *arguments, env=variables) == "TargetError"
    assert tree(environment.path) == before
    environment.remove()
