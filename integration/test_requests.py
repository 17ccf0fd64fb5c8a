"""All kinds of requirements, with pip and real projects: they can be imported in the process that installs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.lib.bases import copy_base
from integration.lib.checks import left_overs, tree
from integration.lib.environments import Environment, add_liveinstall, user_variables
from integration.lib.interpreters import CURRENT, find_python, find_uv
from integration.lib.projects import BACKENDS, serve, write_project, write_repository, write_sdist
from integration.lib.wheels import write_wheel

# Imports modules, installs, and imports again; prints versions, reasons and direct_url.json, or the error.
_LIVE = """
import importlib, importlib.metadata, json, sys
job = json.loads(sys.argv[1])
loaded = {name: importlib.import_module(name) for name in job["loaded"]}
import liveinstall
told = {"seen": {}, "direct": {}, "error": None, "installed": {}, "staged": {}}
try:
    for _ in range(job["times"]):
        result = liveinstall.install(*job["requirements"], **job["options"])
    told["installed"] = {c.name: c.new_version for c in result.installed}
    told["staged"] = {c.name: c.new_version for c in result.staged}
    told["unchanged"] = [c.name for c in result.unchanged]
except liveinstall.LiveInstallError as error:
    told["error"], told["message"] = type(error).__name__, str(error)
for name in job["seen"]:
    module = importlib.import_module(name)
    late = importlib.import_module(name + ".late") if job["late"] else None
    told["seen"][name] = [getattr(module, "VERSION", True), *([late.VERSION] if late else [])]
for name in () if job["options"].get("dry_run") else told["installed"]:
    text = importlib.metadata.distribution(name).read_text("direct_url.json")
    told["direct"][name] = json.loads(text) if text else None
print(json.dumps(told))
"""


def live(
    environment: Environment,
    *requirements: object,
    seen: tuple[str, ...] = (),
    loaded: tuple[str, ...] = (),
    late: bool = False,
    times: int = 1,
    at: Path | None = None,
    variables: dict[str, str] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Install in a running process that has `loaded`; the result, and the versions of the `seen` modules."""
    job = {
        "requirements": list(map(str, requirements)),
        "options": {"engine": "uv" if environment.path in _UV else "auto", **options},
        "loaded": loaded,
        "seen": seen,
        "late": late,
        "times": times,
    }
    done = environment.run(
        "-P",
        "-c",
        _LIVE,
        json.dumps(job, default=str),
        cwd=at,
        env=user_variables(PIP_RETRIES="0", **(variables or {}), **_UV.get(environment.path, {})),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def refused(environment: Environment, kind: str, *requirements: object, **options: Any) -> str:
    """The message of an install that fails and changes nothing."""
    environment.run("-c", "")  # earlier pending changes are swapped
    before = tree(environment.path)
    told = live(environment, *requirements, **options)
    assert told["error"] == kind, told
    assert tree(environment.path) == before
    assert left_overs(environment.site) == []
    return str(told["message"])


def new_process(environment: Environment, module: str) -> str:
    """A module's VERSION for a new interpreter."""
    return environment.run("-c", f"import {module}; print({module}.VERSION)", check=True).stdout.strip()


_UV: dict[Path, dict[str, str]] = {}  # environments in which uv is used, and the variables that name them


# Tests with the mark `builds` take long: the oldest pip runs them only with --full.
@pytest.fixture(scope="module", params=["newest", pytest.param("23.2.1", marks=pytest.mark.full), "22.3.1", "uv"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wheel: Path
) -> Iterator[Environment]:
    """One environment for many requests: the newest pip, those that Python 3.11 came with, and uv."""
    base = find_python(CURRENT)
    assert base
    made = Environment.make(tmp_path_factory.mktemp("place") / "venv", base)
    add_liveinstall(made, wheel)
    if request.param == "uv":
        _UV[made.path] = {"UV": find_uv()}
    elif request.param != "newest":
        made.add(f"pip=={request.param}")
    yield made
    made.remove()


@pytest.fixture
def name(request: pytest.FixtureRequest, place: Environment) -> Iterator[str]:
    """The name of a project that is not installed in this environment, and will not be."""
    count = name.__dict__.setdefault("count", iter(range(1000)))
    yield f"asked{next(count)}"


def test_several_requirements_with_extras_and_markers(place: Environment) -> None:
    asked = ("requests[socks]>=2.31", 'colorama; sys_platform == "win32"', 'toolz; python_version > "3"')
    told = live(place, *asked, seen=("requests", "socks", "toolz"))
    assert {"requests", "pysocks", "toolz"} <= set(told["installed"])
    assert "colorama" not in told["installed"]
    assert set(told["direct"].values()) == {None}


@pytest.mark.parametrize("form", ["{url}", "{name} @ {url}", "{name}[more] @ {url}", "{url}#sha256={hash}"])
def test_direct_url_of_a_wheel(place: Environment, name: str, tmp_path: Path, form: str) -> None:
    wheel = write_wheel(tmp_path, name, "1.0", headers=["Provides-Extra: more"])
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with serve(tmp_path) as root:
        url = f"{root}/{wheel.name}"
        told = live(place, form.format(url=url, name=name, hash=digest), seen=(name,))
        assert told["seen"] == {name: ["1.0"]}
        assert told["direct"][name]["url"] == url
        if place.path not in _UV:  # uv does not write it down
            assert digest in json.dumps(told["direct"][name]["archive_info"])
        other = write_wheel(tmp_path, name + "x", "1.0")
        refused(place, "DownloadError", f"{root}/{other.name}#sha256={digest}")


@pytest.mark.builds
@pytest.mark.parametrize("form", ["{url}", "{url}@v1", "{name} @ {url}", "{name}[more] @ {url}@{commit}"])
def test_repository(place: Environment, name: str, tmp_path: Path, form: str) -> None:
    old = place.run("-m", "pip", "--version").stdout.startswith(("pip 22", "pip 23"))
    if "@ {url}" in form and old:
        pytest.skip("pip takes a git+file: URL with a name from 24.1 on")
    url, commit = write_repository(tmp_path / "repo", name)
    told = live(place, form.format(url=url, name=name, commit=commit), seen=(name,))
    assert told["seen"] == {name: ["1.0"]}
    assert told["direct"][name]["vcs_info"]["commit_id"] == commit
    assert told["direct"][name]["url"] == url.removeprefix("git+")


@pytest.mark.builds
@pytest.mark.parametrize("by_path", [True, False])
def test_source_archive(place: Environment, name: str, tmp_path: Path, by_path: bool) -> None:
    sdist = write_sdist(tmp_path, name)
    with serve(tmp_path) as root:
        asked = f"{sdist}[more]" if by_path else f"{root}/{sdist.name}"
        told = live(place, asked, seen=(name,))
    assert told["seen"] == {name: ["1.0"]}
    assert told["direct"][name]["url"] == (sdist.as_uri() if by_path else asked)


@pytest.mark.builds
@pytest.mark.parametrize("backend", BACKENDS)
def test_project_on_this_disk(place: Environment, name: str, tmp_path: Path, backend: str) -> None:
    project = write_project(tmp_path / "proj", name, backend=backend)
    told = live(place, ".[more]", seen=(name, "idna"), at=project)
    assert told["seen"][name] == ["1.0"]
    assert told["direct"][name] == {"url": project.as_uri(), "dir_info": {}}
    write_project(project, name, "2.0", backend=backend)
    assert live(place, "./proj", seen=(name,), at=tmp_path)["seen"] == {name: ["2.0"]}


def test_wheel_on_disk_with_extras(place: Environment, name: str, tmp_path: Path) -> None:
    wheel = write_wheel(
        tmp_path, name, "1.0", headers=["Provides-Extra: more", "Requires-Dist: toolz; extra == 'more'"]
    )
    told = live(place, f"./{wheel.name}[more]", seen=(name, "toolz"), at=tmp_path)
    assert told["seen"][name] == ["1.0"]


@pytest.mark.builds
@pytest.mark.parametrize("backend", BACKENDS)
def test_editable_project_imports_at_once_from_its_directory(
    place: Environment, name: str, tmp_path: Path, backend: str
) -> None:
    project = write_project(tmp_path / "proj", name, backend=backend)
    told = live(place, editable=f"{project}[more]", seen=(name, "idna"), late=False)
    assert told["seen"][name] == ["1.0"]
    assert told["direct"][name] == {"url": project.as_uri(), "dir_info": {"editable": True}}
    module = next(path for path in project.rglob(f"{name}/__init__.py") if "build" not in path.parts)
    module.write_text("VERSION = 'edited'\n", encoding="utf-8")
    assert new_process(place, name) == "edited"
    assert str(project) in place.run("-m", "pip", "list", "--editable").stdout


@pytest.mark.builds
@pytest.mark.parametrize("backend", ["hatchling", pytest.param("setuptools", marks=pytest.mark.full)])
def test_upgrade_of_a_loaded_editable_project_is_pending(
    place: Environment, name: str, tmp_path: Path, backend: str
) -> None:
    project = write_project(tmp_path / "proj", name, backend=backend)
    live(place, editable=project, seen=(name,))
    again = live(place, editable=project, loaded=(name,), seen=(name,), late=True, times=2)
    assert (again["installed"], again["staged"]) == ({}, {name: "1.0"})
    assert again["seen"] == {name: ["1.0", "1.0"]}
    assert new_process(place, name) == "1.0"
    wheel = write_wheel(tmp_path, name, "3.0")
    ordinary = live(place, wheel, loaded=(name,), seen=(name,), late=True)
    assert (ordinary["staged"], ordinary["seen"]) == ({name: "3.0"}, {name: ["1.0", "1.0"]})
    assert new_process(place, name) == "3.0"
    back = live(place, editable=project, loaded=(name,), seen=(name,), late=True, times=2)
    assert (back["staged"], back["seen"]) == ({name: "1.0"}, {name: ["3.0", "3.0"]})
    assert new_process(place, name) == "1.0"
    assert left_overs(place.site) == []


@pytest.mark.builds
def test_editable_repository_is_checked_out_once(place: Environment, name: str, tmp_path: Path) -> None:
    url, _ = write_repository(tmp_path / "repo", name)
    checkout = place.path / "src" / name
    if place.path in _UV:
        assert "Clone it" in refused(place, "RequirementError", editable=f"{name} @ {url}")
        return
    assert live(place, editable=f"{name} @ {url}", dry_run=True)["error"] is None
    assert not checkout.exists()
    told = live(place, editable=f"{name} @ {url}@v1", seen=(name,))
    assert told["seen"] == {name: ["1.0"]}
    assert told["direct"][name] == {"url": checkout.as_uri(), "dir_info": {"editable": True}}
    assert (checkout / ".git").is_dir()
    assert str(checkout) in refused(place, "FileConflictError", editable=f"{url}#egg={name}")
    os.rename(checkout, tmp_path / "away")
    # A change that is refused later, because a process uses the old version, leaves no checkout.
    write_wheel(tmp_path, name, "9.0")
    live(place, tmp_path / f"{name}-9.0-py3-none-any.whl", seen=(name,))
    refused(place, "RestartRequiredError", editable=f"{url}#egg={name}", loaded=(name,), when="now")


@pytest.mark.builds
def test_project_that_cannot_be_built_in_place_says_so(place: Environment, name: str, tmp_path: Path) -> None:
    project = write_project(tmp_path / "proj", name)
    text = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
    (project / "pyproject.toml").write_text(text, encoding="utf-8")
    (project / "own.py").write_text("def build_wheel(*arguments):\n    raise OSError('no')\n", encoding="utf-8")
    message = refused(place, "BuildError", editable=project)
    assert "build_editable" in message


def wanting(directory: Path, *names: str) -> dict[str, str]:
    """Wheels of 1.0 and 2.0 in a directory: file name -> sha256."""
    for name in names:
        for version in ("1.0", "2.0"):
            write_wheel(directory, name, version)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.glob("*.whl")}


def test_requirement_files_with_all_that_they_may_say(place: Environment, name: str, tmp_path: Path) -> None:
    wanting(tmp_path / "links", name, name + "b")
    sdist = write_sdist(tmp_path / "links", name + "c")
    (tmp_path / "deep").mkdir()
    (tmp_path / "top.txt").write_text(f"-r deep/more.txt\n{name}  # newest that is allowed\n{name}b==1.0\n")
    (tmp_path / "deep/more.txt").write_text(f"-c limits.txt\n--find-links ../links\n{name}c\n--pre\n")
    (tmp_path / "deep/limits.txt").write_text(f"{name}<2\n")
    told = live(place, requirement_files="top.txt", seen=(name, name + "b", name + "c"), at=tmp_path)
    assert told["seen"] == {name: ["1.0"], name + "b": ["1.0"], name + "c": ["1.0"]}
    assert sdist.is_file()


def test_requirement_file_with_an_index_and_its_hashes(place: Environment, name: str, tmp_path: Path) -> None:
    hashes = wanting(tmp_path / "index" / name, name)
    page = "".join(f'<a href="{file}">{file}</a>' for file in hashes)
    (tmp_path / "index" / name / "index.html").write_text(f"<!DOCTYPE html><html><body>{page}</body></html>")
    good, bad = hashes[f"{name}-1.0-py3-none-any.whl"], hashes[f"{name}-2.0-py3-none-any.whl"]
    with serve(tmp_path / "index") as root:
        lines = f"--index-url {root}\n--trusted-host 127.0.0.1\n{name}==1.0 --hash=sha256:"
        (tmp_path / "bad.txt").write_text(lines + bad)
        (tmp_path / "good.txt").write_text(lines + good)
        assert bad in refused(place, "DownloadError", requirement_files=tmp_path / "bad.txt")
        (tmp_path / "none.txt").write_text(f"--index-url {root}\n{name}==1.0")
        message = refused(place, "DownloadError", requirement_files=tmp_path / "none.txt", require_hashes=True)
        assert "ash" in message
        told = live(place, requirement_files=tmp_path / "good.txt", require_hashes=True, seen=(name,))
    assert (told["seen"], told["direct"]) == ({name: ["1.0"]}, {name: None})


def test_a_hash_in_a_requirement_file_replaces_that_of_the_url(place: Environment, name: str, tmp_path: Path) -> None:
    hashes = wanting(tmp_path, name)
    wheel = f"{name}-1.0-py3-none-any.whl"
    with serve(tmp_path) as root:
        url = f"{root.removesuffix('/')}/{wheel}"
        (tmp_path / "wrong.txt").write_text(f"{name} @ {url}#sha256={'0' * 64}\n")
        (tmp_path / "right.txt").write_text(f"{name} @ {url}#sha256={'0' * 64} --hash=sha256:{hashes[wheel]}\n")
        assert hashes[wheel] in refused(place, "DownloadError", requirement_files=tmp_path / "wrong.txt")
        if place.path not in _UV:  # uv refuses two different hashes
            told = live(place, requirement_files=tmp_path / "right.txt", seen=(name,))
            assert told["seen"] == {name: ["1.0"]}
            assert told["direct"][name]["archive_info"]["hashes"] == {"sha256": hashes[wheel]}


@pytest.mark.builds
def test_requirement_file_with_an_editable_project(place: Environment, name: str, tmp_path: Path) -> None:
    project = write_project(tmp_path / "proj", name, backend="hatchling")
    (tmp_path / "r.txt").write_text("-e ./proj\n")
    told = live(place, requirement_files="r.txt", seen=(name,), at=tmp_path)
    assert told["direct"][name] == {"url": project.as_uri(), "dir_info": {"editable": True}}


_RECORDING = """
import os
from setuptools import build_meta
from setuptools.build_meta import *

def build_wheel(directory, settings=None, metadata=None):
    with open(os.path.join("NAME", "settings.py"), "w") as stream:
        stream.write("SETTINGS = %r\\n" % (settings,))
    return build_meta.build_wheel(directory, None, metadata)
"""


@pytest.mark.builds
@pytest.mark.parametrize("by_file", [True, False])
def test_config_settings_reach_the_build(place: Environment, name: str, tmp_path: Path, by_file: bool) -> None:
    if by_file and "pip 22" in place.run("-m", "pip", "--version").stdout:
        pytest.skip("pip 22 knows no settings in requirement files")
    project = write_project(tmp_path / "proj", name)
    text = '[build-system]\nrequires = ["setuptools>=64"]\nbuild-backend = "own"\nbackend-path = ["."]\n'
    about = (project / "pyproject.toml").read_text().partition("[project]")
    (project / "pyproject.toml").write_text(text + about[1] + about[2] + f'[tool.setuptools]\npackages = ["{name}"]\n')
    (project / "own.py").write_text(_RECORDING.replace("NAME", name))
    asked: dict[str, Any] = {"requirements": (project,), "config_settings": {"colour": "red"}}
    if by_file:
        (tmp_path / "r.txt").write_text(f'{name} @ {project.as_uri()} --config-settings="colour=red"\n')
        asked = {"requirements": (), "requirement_files": tmp_path / "r.txt"}
    if by_file and place.path in _UV:
        assert "r.txt" in refused(place, "ResolutionError", requirement_files=tmp_path / "r.txt")
        return
    live(place, *asked.pop("requirements"), seen=(name,), **asked)
    seen = place.run("-P", "-c", f"from {name}.settings import SETTINGS; print(SETTINGS)", check=True)
    assert seen.stdout == "{'colour': 'red'}\n"


def test_group_and_script(place: Environment, name: str, tmp_path: Path) -> None:
    wanting(tmp_path / "links", name, name + "b")
    (tmp_path / "pyproject.toml").write_text(
        f'[dependency-groups]\nbase = ["{name}==1.0"]\nall = [{{include-group = "base"}}]\n'
    )
    (tmp_path / "tool.py").write_text(f'# /// script\n# dependencies = ["{name}b"]\n# ///\n')
    source: dict[str, Any] = {"no_index": True, "find_links": "links", "at": tmp_path}
    told = live(place, groups="all", script="tool.py", seen=(name, name + "b"), **source)
    assert told["seen"] == {name: ["1.0"], name + "b": ["2.0"]}
    told = live(place, groups=[f"{tmp_path}/pyproject.toml:all"], **source)
    assert told["unchanged"] == [name]


def lock_of(path: Path, *packages: str) -> Path:
    path.write_text("\n".join(['lock-version = "1.0"', 'created-by = "test"', *packages]), encoding="utf-8")
    return path


@pytest.mark.builds
def test_lock_file(place: Environment, name: str, tmp_path: Path) -> None:
    hashes = wanting(tmp_path / "files", name)
    sdist = write_sdist(tmp_path / "files", name + "s")
    file = f"{name}-1.0-py3-none-any.whl"
    head = '[[packages]]\nname = "%s"\nversion = "1.0"\n'
    package = head % name + f'wheels = [{{name = "{file}", %s, hashes = {{sha256 = "%s"}}}}]'
    built = head % (name + "s") + f'sdist = {{path = "files/{sdist.name}", hashes = {{sha256 = "%s"}}}}'
    digest = hashlib.sha256(sdist.read_bytes()).hexdigest()
    with serve(tmp_path / "files") as root:
        where = f'url = "{root}/{file}"'
        lock = lock_of(tmp_path / "pylock.toml", package % (where, hashes[file]), built % ("0" * 64))
        assert "0" * 64 in refused(place, "DownloadError", pylock=lock)
        lock_of(lock, package % (where, "1" * 64), built % digest)
        assert "1" * 64 in refused(place, "DownloadError", pylock=lock)
        lock_of(lock, package % (where, hashes[file]), built % digest)
        told = live(place, pylock=lock, seen=(name, name + "s"))
    assert told["seen"] == {name: ["1.0"], name + "s": ["1.0"]}
    assert told["direct"] == {name: None, name + "s": None}  # from an index, according to the file
    for wrong in ('requires-python = ">=99"', "environments = [\"sys_platform == 'none'\"]"):
        refused(place, "RequirementError", pylock=lock_of(lock, wrong, package % (where, hashes[file])))


def test_lock_file_that_pip_wrote(place: Environment, tmp_path: Path) -> None:
    if place.run("-m", "pip", "lock", "--help").returncode:
        pytest.skip("this pip writes none")
    lock = tmp_path / "pylock.toml"
    place.run("-m", "pip", "lock", "-q", "-o", lock, "markdown-it-py==3.0.0", check=True)
    told = live(place, pylock=lock, seen=("markdown_it", "mdurl"))
    assert told["installed"]["markdown-it-py"] == "3.0.0"
    assert set(told["direct"].values()) == {None}


def test_upgrade_strategies(place: Environment, name: str, tmp_path: Path) -> None:
    write_wheel(tmp_path, name, "1.0", headers=[f"Requires-Dist: {name}b"])
    write_wheel(tmp_path, name + "b", "1.0")
    source: dict[str, Any] = {"no_index": True, "find_links": tmp_path}
    assert set(live(place, name, **source)["installed"]) == {name, name + "b"}
    write_wheel(tmp_path, name, "2.0", headers=[f"Requires-Dist: {name}b"])
    write_wheel(tmp_path, name + "b", "2.0")
    assert live(place, name, upgrade=True, **source)["installed"] == {name: "2.0"}
    told = live(place, name, upgrade=True, upgrade_strategy="eager", loaded=(name + "b",), **source)
    assert (told["installed"], told["staged"]) == ({}, {name + "b": "2.0"})


def test_choices_of_what_is_offered(place: Environment, name: str, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, name, "1.0", headers=["Requires-Dist: nothing-like-this-7c1e"])
    source: dict[str, Any] = {"no_index": True, "find_links": tmp_path}
    refused(place, "ResolutionError", name, **source)
    assert live(place, name, deps=False, **source)["installed"] == {name: "1.0"}
    assert live(place, name, deps=False, **source)["installed"] == {}
    assert live(place, name, deps=False, reinstall=True, **source)["installed"] == {name: "1.0"}
    wheel.unlink()
    write_sdist(tmp_path, name, "2.0")
    offered: dict[str, Any] = {"find_links": tmp_path, "upgrade": True}
    refused(place, "ResolutionError", f"{name}>=2", only_binary=name, **offered)
    assert live(place, name, no_binary=[name], **offered)["installed"] == {name: "2.0"}
    write_wheel(tmp_path, name, "3.0rc1")
    assert live(place, name, **offered)["installed"] == {}
    assert live(place, name, pre=True, **offered)["installed"] == {name: "3.0rc1"}


def test_arguments_for_pip(place: Environment, name: str, tmp_path: Path) -> None:
    sdist = write_sdist(tmp_path, name, backend="flit")
    place.add("flit_core")
    option = "--cache-dir" if place.path in _UV else "--log"
    told = live(
        place, sdist, no_index=True, pip_arguments=["--no-build-isolation", option, tmp_path / "log"], seen=(name,)
    )
    assert told["seen"] == {name: ["1.0"]}
    assert (tmp_path / "log").exists()
    assert "--nonsense" in refused(place, "EngineError", name, pip_arguments="--nonsense")


def _kept(home: Path) -> int:
    """The number of RECORDs that are kept for undo."""
    return sum(".liveinstall" in path.parts for path in home.rglob("mine-1.0.dist-info/RECORD"))


def test_user_site_and_system_packages(tmp_path: Path, wheel: Path) -> None:
    original = find_python(CURRENT)
    assert original
    base = copy_base(tmp_path / "base", original)
    add_liveinstall(base.environment, wheel)
    write_wheel(tmp_path / "links", "theirs", "1.0")
    write_wheel(tmp_path / "links", "mine", "1.0")
    home = tmp_path / "home"
    (home / "lib" / base.stdlib.name / "site-packages").mkdir(parents=True)
    asked: dict[str, Any] = {
        "no_index": True,
        "find_links": tmp_path / "links",
        "variables": {**base.variables, "PYTHONUSERBASE": str(home)},
    }
    told = live(base.environment, "mine", user=True, seen=("mine",), **asked)
    assert told["seen"] == {"mine": ["1.0"]}
    assert [path.parent.name for path in home.rglob("mine-1.0.dist-info")] == ["site-packages"]
    assert not (base.environment.site / "mine").exists()
    variables = user_variables(**asked["variables"])
    for words, remaining in ((["uninstall", "-y", "mine"], 0), (["undo"], 1), (["uninstall", "mine"], 0)):
        base.environment.run("-m", "liveinstall", *words, env=variables, check=True)
        assert len(list(home.rglob("mine-1.0.dist-info/RECORD"))) - _kept(home) == remaining
    (base.stdlib / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=Use apt.\n")
    for user in (True, False):
        assert "Use apt." in refused(base.environment, "ExternallyManagedError", "theirs", user=user, **asked)
    told = live(base.environment, "theirs", break_system_packages=True, seen=("theirs",), **asked)
    assert told["seen"] == {"theirs": ["1.0"]}
    assert (base.environment.site / "theirs").is_dir()


def test_user_site_is_refused_in_a_virtual_environment(environment: Environment) -> None:
    assert "disabled in this virtual environment" in refused(environment, "RequirementError", "idna", user=True)
    environment.remove()


def test_command_line_has_pips_spellings(environment: Environment, tmp_path: Path) -> None:
    for name in ("one", "two", "three", "four"):
        write_wheel(tmp_path / "links", name, "1.0")
        write_wheel(tmp_path / "links", name, "2.0")
    write_wheel(tmp_path / "links", "three", "3.0", headers=["Requires-Dist: four"])
    project = write_project(tmp_path / "proj", "inplace", backend="flit")
    (tmp_path / "r.txt").write_text("one\n")
    (tmp_path / "c.txt").write_text("one<2\nfour==1.0\n")
    (tmp_path / "pyproject.toml").write_text('[dependency-groups]\ndev = ["two"]\n')
    words = "install -U three -r r.txt -c c.txt --group dev -f links --upgrade-strategy eager --no-binary :none: --json"
    before = environment.run(
        "-m", "liveinstall", *words.replace("install", "plan", 1).split(), cwd=tmp_path, check=True
    )
    done = environment.run("-m", "liveinstall", *words.split(), cwd=tmp_path, check=True)
    expected = {"one": "1.0", "two": "2.0", "three": "3.0", "four": "1.0"}
    told = json.loads(done.stdout)["result"]
    assert {change["name"]: change["new_version"] for change in told["installed"]} == expected
    planned = json.loads(before.stdout)["result"]["changes"]
    assert {change["name"]: change["new_version"] for change in planned} == expected
    environment.run("-m", "liveinstall", "install", "-e", project, check=True)
    assert new_process(environment, "inplace") == "1.0"
    told = live(environment, f"!pip install -q --no-deps --force-reinstall two==1.0 -f {tmp_path}/links", seen=("two",))
    assert told["seen"] == {"two": ["1.0"]}
    history = environment.run("-m", "liveinstall", "history", "--json", check=True).stdout
    assert f"-r {tmp_path}/r.txt" in history
    assert f"-e {project}" in history
    environment.remove()
