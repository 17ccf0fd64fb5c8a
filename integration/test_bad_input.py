"""What is wrong with a request, an index, a wheel, a disk or an environment ends in its own error; nothing changes."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.checks import left_overs, tree
from integration.environments import Environment, add_liveinstall, user_variables
from integration.interpreters import CURRENT, find_python
from integration.wheels import write_index, write_wheel

_CLOSED = "http://127.0.0.1:9/simple"  # nobody listens there


def refuse(
    environment: Environment, error: str, *arguments: str | Path, status: int = 1, **more: str
) -> dict[str, Any]:
    """`install` fails with `error` and leaves everything as it was; the error as a program sees it."""
    before = tree(environment.path)
    done = environment.run("-m", "liveinstall", "install", "--json", *arguments, env=user_variables(**more))
    assert "Traceback" not in done.stderr
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"], told["error"]["type"]) == (status, False, error), done.stdout
    assert tree(environment.path) == before
    assert left_overs(environment.site) == []
    waiting = json.loads(environment.run("-m", "liveinstall", "status", "--json", check=True).stdout)
    assert waiting["result"]["pending"] == []
    return dict(told["error"])


def local(*wheels: Path) -> list[str]:
    """The options that make the directories of these wheels the only source."""
    return ["--no-index", *(option for wheel in wheels for option in ("--find-links", str(wheel.parent)))]


@pytest.mark.parametrize(
    "requirements",
    [["liveinstall-has-no-such-project-7c1e"], ["idna==9999"], ["idna==3.4", "idna==3.5"], ["idna<3", "idna>3"]],
    ids=" ".join,
)
def test_index_that_has_no_such_version(environment: Environment, requirements: list[str]) -> None:
    refuse(environment, "ResolutionError", *requirements)
    environment.remove()


@pytest.mark.parametrize("text", ["alpha=1", "alpha>>1", "../alpha", "alpha 2", "-e ."])
def test_requirement_that_is_none(environment: Environment, text: str) -> None:
    refuse(environment, "RequirementError", "--", text, status=2)
    environment.remove()


def test_requirements_that_contradict_what_they_need(environment: Environment, wheels: Path) -> None:
    refuse(environment, "ResolutionError", "gamma", "alpha==1.0", "--no-index", "--find-links", wheels)
    environment.remove()


def test_wheel_for_another_python(environment: Environment, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / "wheels", "delta", "1.0", headers=["Requires-Python: >=99"])
    refuse(environment, "ResolutionError", "delta", *local(wheel))
    refuse(environment, "ResolutionError", wheel, "--no-index")
    environment.remove()


def test_wheel_for_another_platform(environment: Environment, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / "wheels", "delta", "1.0", tag="cp27-none-win32")
    refuse(environment, "ResolutionError", "delta", *local(wheel))
    refuse(environment, "ResolutionError", wheel, "--no-index")
    environment.remove()


def _cut(wheel: Path) -> None:
    wheel.write_bytes(wheel.read_bytes()[:-200])


def _rewrite(wheel: Path, change: Callable[[str, str], tuple[str, str]]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        content = [(name, archive.read(name).decode()) for name in archive.namelist()]
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in content:
            archive.writestr(*change(name, text))


def _change_a_file(wheel: Path) -> None:
    _rewrite(wheel, lambda name, text: (name, text + ("# changed\n" if name.endswith("late.py") else "")))


def _leave_the_directory(wheel: Path) -> None:
    def change(name: str, text: str) -> tuple[str, str]:
        return name.replace("delta/late.py", "../late.py"), text.replace("delta/late.py", "../late.py")

    _rewrite(wheel, change)


def _forget_record(wheel: Path) -> None:
    _rewrite(wheel, lambda name, text: (name.replace("/RECORD", "/NOTES"), text))


@pytest.mark.parametrize("damage", [_change_a_file, _leave_the_directory, _forget_record])
def test_wheel_that_breaks_a_rule(environment: Environment, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    wheel = write_wheel(tmp_path / "wheels", "delta", "1.0")
    damage(wheel)
    told = refuse(environment, "WheelRefusedError", wheel, "--no-index")
    assert told["wheel"] == wheel.name
    environment.remove()


@pytest.mark.parametrize("by_path", [True, False])
def test_wheel_that_is_cut_off(environment: Environment, tmp_path: Path, by_path: bool) -> None:
    wheel = write_wheel(tmp_path / "wheels", "delta", "1.0")
    _cut(wheel)
    refuse(environment, "WheelRefusedError", *([wheel, "--no-index"] if by_path else ["delta", *local(wheel)]))
    environment.remove()


def test_no_network(environment: Environment) -> None:
    quiet = {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0", "PIP_FIND_LINKS": ""}
    refuse(environment, "DownloadError", "beta", "--index-url", _CLOSED, **quiet)
    refuse(environment, "DownloadError", f"beta @ {_CLOSED}/beta-1.0-py3-none-any.whl", **quiet)
    environment.remove()


def test_wheel_that_is_not_what_the_index_promised(environment: Environment, wheels: Path, tmp_path: Path) -> None:
    wheel = wheels / "beta-1.0-py3-none-any.whl"
    index = write_index(tmp_path / "index", {wheel: f"#sha256={'0' * 64}"})
    refuse(environment, "DownloadError", "beta", "--index-url", index, PIP_CONFIG_FILE=os.devnull)
    refuse(environment, "DownloadError", f"beta @ {wheel.as_uri()}#sha256={'0' * 64}", "--no-index")
    environment.remove()


def test_yanked_version_is_installed_when_pinned_and_noted(
    environment: Environment, wheels: Path, tmp_path: Path
) -> None:
    index = write_index(tmp_path / "index", {wheels / "beta-1.0-py3-none-any.whl": ' data-yanked="broken"'})
    arguments = ("-m", "liveinstall", "install", "beta==1.0", "--json", "--index-url", index)
    done = environment.run(*arguments, env=user_variables(PIP_CONFIG_FILE=os.devnull), check=True)
    assert any("yanked" in note for note in json.loads(done.stdout)["result"]["notes"])
    environment.remove()


def test_source_distribution_that_cannot_be_built(environment: Environment, tmp_path: Path) -> None:
    content = {
        "delta-1.0/pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "broken"\nbackend-path = ["."]\n',
        "delta-1.0/broken.py": "def build_wheel(*arguments):\n    raise RuntimeError('no compiler here')\n",
        "delta-1.0/PKG-INFO": "Metadata-Version: 2.1\nName: delta\nVersion: 1.0\n",
    }
    source = tmp_path / "source/delta-1.0.tar.gz"
    source.parent.mkdir()
    with tarfile.open(source, "w:gz") as archive:
        for name, text in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    refuse(environment, "BuildError", "delta", *local(source))
    environment.remove()


def _second_dist_info(site: Path) -> None:
    twin = shutil.copytree(site / "alpha-1.0.dist-info", site / "alpha-0.9.dist-info")
    metadata = twin / "METADATA"
    metadata.write_text(metadata.read_text(encoding="utf-8").replace("1.0", "0.9"), encoding="utf-8")


def _garbage_in_record(site: Path) -> None:
    (site / "alpha-1.0.dist-info/RECORD").write_text("alpha/__init__.py\n\0\n", encoding="utf-8")


def _cut_record(site: Path) -> None:
    record = site / "alpha-1.0.dist-info/RECORD"
    record.write_text(record.read_text(encoding="utf-8")[:40], encoding="utf-8")


def _no_record(site: Path) -> None:
    (site / "alpha-1.0.dist-info/RECORD").unlink()


def _no_metadata(site: Path) -> None:
    (site / "alpha-1.0.dist-info/METADATA").unlink()


def _egg_info(site: Path) -> None:
    egg = (site / "alpha-1.0.dist-info").rename(site / "alpha-1.0-py3.egg-info")
    (egg / "METADATA").rename(egg / "PKG-INFO")
    (egg / "RECORD").unlink()


_DAMAGES = [_second_dist_info, _garbage_in_record, _cut_record, _no_record, _no_metadata, _egg_info]


@pytest.mark.parametrize("damage", _DAMAGES)
def test_damaged_distribution_is_not_replaced(
    environment: Environment, wheels: Path, damage: Callable[[Path], None]
) -> None:
    damage(environment.site)
    told = refuse(environment, "DamagedError", "alpha==2.0", "--no-index", "--find-links", wheels)
    assert told["name"] == "alpha"
    environment.remove()


@pytest.mark.parametrize("damage", _DAMAGES)
def test_damaged_distribution_does_not_keep_others_out(
    environment: Environment, wheels: Path, damage: Callable[[Path], None]
) -> None:
    damage(environment.site)
    options = ("--no-index", "--find-links", wheels)
    environment.run("-m", "liveinstall", "install", "beta", *options, check=True)
    environment.run("-c", "import beta, alpha", check=True)
    environment.remove()


def test_file_of_nobody_is_not_overwritten(environment: Environment, wheels: Path) -> None:
    (environment.site / "beta").mkdir()
    (environment.site / "beta/late.py").write_text("MINE = True\n", encoding="utf-8")
    told = refuse(environment, "FileConflictError", "beta", "--no-index", "--find-links", wheels)
    assert (told["path"], told["owner"]) == (str(environment.site / "beta/late.py"), "")
    environment.remove()


def test_file_of_another_distribution_is_not_overwritten(environment: Environment, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / "wheels", "delta", "1.0", files={"alpha/late.py": "MINE = True\n"})
    told = refuse(environment, "FileConflictError", wheel, "--no-index")
    assert told["owner"] == "alpha"
    environment.remove()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MiB of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(path)]
    if not mount or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_full_disk_while_staging(small_disk: Path, wheel: Path, wheels: Path, tmp_path: Path) -> None:
    base = find_python(CURRENT)
    assert base
    environment = Environment.make(small_disk / "venv", base)
    add_liveinstall(environment, wheel)
    environment.run("-m", "liveinstall", "status", check=True)  # compiles itself while there is room
    environment.run("-m", "liveinstall", "plan", "beta", "--no-index", "--find-links", wheels, check=True)
    large = write_wheel(tmp_path / "wheels", "delta", "1.0", files={"delta/data": os.urandom(2**20).hex()})
    room = shutil.disk_usage(small_disk).free
    (small_disk / "filler").write_bytes(bytes(room - 2**20))
    refuse(environment, "StagingError", large, "--no-index")
    (small_disk / "filler").unlink()
    environment.run("-m", "liveinstall", "install", large, "--no-index", check=True)
    environment.run("-c", "import delta", check=True)
