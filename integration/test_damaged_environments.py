"""Problems of an environment or its disk raise a specific error, and nothing changes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.lib.environments import Environment, add_liveinstall
from integration.lib.interpreters import CURRENT, find_python
from integration.lib.refusals import refuse
from integration.lib.wheels import write_wheel


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


def _distutils(site: Path) -> None:
    shutil.rmtree(site / "alpha-1.0.dist-info")
    text = "Metadata-Version: 1.0\nName: alpha\nVersion: 1.0\n"
    (site / "alpha-1.0-py3.egg-info").write_text(text, encoding="utf-8")


def _traversal(site: Path) -> None:
    with (site / "alpha-1.0.dist-info/RECORD").open("a", encoding="utf-8") as record:
        record.write("../../../../../../../../etc/passwd,,\n")


_DAMAGES = [
    _second_dist_info,
    _garbage_in_record,
    _cut_record,
    _no_record,
    _no_metadata,
    _egg_info,
    _distutils,
    _traversal,
]


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


def test_an_unowned_file_is_not_overwritten(environment: Environment, wheels: Path) -> None:
    (environment.site / "beta").mkdir()
    (environment.site / "beta/late.py").write_text("MINE = True\n", encoding="utf-8")
    told = refuse(environment, "FileConflictError", "beta", "--no-index", "--find-links", wheels)
    assert (told["path"], told["owner"]) == (str(environment.site / "beta/late.py"), "")
    environment.remove()


def test_files_without_their_dist_info_are_not_overwritten(environment: Environment, wheels: Path) -> None:
    shutil.rmtree(environment.site / "alpha-1.0.dist-info")
    told = refuse(environment, "FileConflictError", "alpha==2.0", "--no-index", "--find-links", wheels)
    assert told["owner"] == ""
    environment.remove()


def test_file_of_another_distribution_is_not_overwritten(environment: Environment, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / "wheels", "delta", "1.0", files={"alpha/late.py": "MINE = True\n"})
    told = refuse(environment, "FileConflictError", wheel, "--no-index", "--overlap", "refuse")
    assert told["owner"] == "alpha"
    environment.remove()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A separate disk of 64 MiB."""
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
    environment.run("-m", "liveinstall", "status", check=True)  # compiles itself while there is space
    environment.run("-m", "liveinstall", "plan", "beta", "--no-index", "--find-links", wheels, check=True)
    large = write_wheel(tmp_path / "wheels", "delta", "1.0", files={"delta/data": os.urandom(2**20).hex()})
    room = shutil.disk_usage(small_disk).free
    (small_disk / "filler").write_bytes(bytes(room - 2**20))
    told = refuse(environment, "StagingError", large, "--no-index")
    assert "No space left" in told["message"]
    (small_disk / "filler").unlink()
    environment.run("-m", "liveinstall", "install", large, "--no-index", check=True)
    environment.run("-c", "import delta", check=True)
