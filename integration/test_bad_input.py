"""Bad input with the real pip: a typed error, the environment as it was, nothing staged, an honest exit status."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from integration.checks import left_overs, tree
from integration.environments import user_variables
from integration.wheels import write_index, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from integration.environments import Environment

# A port that nothing listens on. Discard, as RFC 863 has it, is privileged and unused.
NOBODY = "http://127.0.0.1:9/simple"


def refused(environment: Environment, *arguments: str | Path, status: int = 1, **variables: str) -> dict[str, Any]:
    """Run an install that must fail: its error, once the environment is seen to be unchanged."""
    before = tree(environment.path)
    command = ["-m", "liveinstall", "install", "--json", *arguments]
    done = environment.run(*command, env=user_variables(PIP_RETRIES="0", **variables))
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] is False
    assert tree(environment.path) == before
    assert left_overs(environment.site) == []
    assert environment.run("-c", "import liveinstall; assert not liveinstall.pending()").returncode == 0
    return dict(told["error"])


def test_a_package_that_nobody_has_heard_of(environment: Environment) -> None:
    error = refused(environment, "no-such-project-as-this-one-here")
    assert error["type"] == "ResolutionError"
    assert "No matching distribution found for no-such-project-as-this-one-here" in error["message"]


def test_pins_that_contradict_each_other(environment: Environment) -> None:
    error = refused(environment, "idna<3", "idna>=3")
    assert error["type"] == "ResolutionError"
    assert "conflicting dependencies" in error["message"]


def test_a_version_that_is_not_there_names_those_that_are(environment: Environment) -> None:
    error = refused(environment, "idna==99")
    assert error["type"] == "ResolutionError"
    assert "idna==99" in error["message"]
    assert len(error["message"]) < 600


def test_a_version_for_another_python(environment: Environment, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / "w", "delta", "1.0", headers=["Requires-Python: >=3.99"])
    error = refused(environment, "delta", "--no-index", "--find-links", wheel.parent)
    assert error["type"] == "ResolutionError"
    assert refused(environment, wheel)["type"] == "ResolutionError"


def test_a_yanked_version_is_only_taken_by_its_pin_and_noted(
    environment: Environment, wheels: Path, tmp_path: Path
) -> None:
    beta = wheels / "beta-1.0-py3-none-any.whl"
    index = write_index(tmp_path / "index", {beta: ' data-yanked="broken"'})
    assert refused(environment, "beta>=1", "--index-url", index)["type"] == "ResolutionError"
    done = environment.run("-m", "liveinstall", "install", "beta==1.0", "--index-url", index)
    assert done.returncode == 0, done.stderr
    assert "beta 1.0 is yanked" in done.stdout


@pytest.mark.parametrize("requirement", ["numpy>>2", "", "nothing-here.whl", "a b c"])
def test_a_requirement_that_is_none(environment: Environment, requirement: str) -> None:
    error = refused(environment, requirement, status=2)
    assert error["type"] == "RequirementError"
    assert error["unchanged"] == "Nothing was changed."


def test_a_wheel_for_another_platform(environment: Environment, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, "delta", "1.0", tag="cp311-cp311-win_amd64")
    error = refused(environment, wheel)
    assert error["type"] == "ResolutionError"
    assert "not a supported wheel" in error["message"]


def test_a_truncated_wheel(environment: Environment, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, "delta", "1.0")
    wheel.write_bytes(wheel.read_bytes()[:-30])
    assert refused(environment, wheel)["type"] in {"ResolutionError", "WheelRefusedError"}


def test_a_wheel_whose_files_are_not_what_it_says(environment: Environment, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, "delta", "1.0")
    with zipfile.ZipFile(wheel) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["delta/late.py"] = b"VERSION = 'evil'\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    error = refused(environment, wheel)
    assert (error["type"], error["entry"]) == ("WheelRefusedError", "delta/late.py")


def test_no_network(environment: Environment) -> None:
    error = refused(environment, "beta", "--index-url", NOBODY, PIP_CONFIG_FILE=os.devnull, PIP_FIND_LINKS="")
    assert error["type"] == "DownloadError"
    assert "could not be reached" in error["message"]


def test_credentials_never_come_back(environment: Environment) -> None:
    url = NOBODY.replace("127", "somebody:hunter2@127")
    error = refused(environment, "beta", "--index-url", url, PIP_CONFIG_FILE=os.devnull, PIP_FIND_LINKS="")
    assert "hunter2" not in json.dumps(error)


def test_a_file_that_has_not_the_hash_of_its_index(environment: Environment, wheels: Path, tmp_path: Path) -> None:
    index = write_index(tmp_path / "index", {wheels / "beta-1.0-py3-none-any.whl": "#sha256=" + "0" * 64})
    error = refused(environment, "beta", "--index-url", index, PIP_CONFIG_FILE=os.devnull, PIP_FIND_LINKS="")
    assert error["type"] == "DownloadError"


def test_a_source_distribution_that_does_not_build(environment: Environment, tmp_path: Path) -> None:
    project = tmp_path / "epsilon-1.0"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n'
    )
    (project / "b.py").write_text("def build_wheel(*args):\n    raise SystemExit('no')\n")
    shutil.make_archive(str(project), "gztar", tmp_path, project.name)
    error = refused(environment, f"epsilon @ {(tmp_path / 'epsilon-1.0.tar.gz').as_uri()}")
    assert error["type"] == "BuildError"


def test_two_dist_infos(environment: Environment, wheels: Path) -> None:
    twin = environment.site / "alpha-0.5.dist-info"
    twin.mkdir()
    (twin / "METADATA").write_text("Metadata-Version: 2.1\nName: alpha\nVersion: 0.5\n")
    error = refused(environment, "alpha==2.0", "--no-index", "--find-links", wheels)
    assert (error["type"], error["name"]) == ("DamagedError", "alpha")


@pytest.mark.parametrize("damage", ["RECORD", "METADATA", "garbage", "traversal"])
def test_damaged_metadata_of_what_is_installed(environment: Environment, wheels: Path, damage: str) -> None:
    info = environment.site / "alpha-1.0.dist-info"
    if damage == "garbage":
        (info / "RECORD").write_text("no record at all")
    elif damage == "traversal":
        (info / "RECORD").write_text((info / "RECORD").read_text() + "../../../../../../../../etc/passwd,,\n")
    else:
        (info / damage).unlink()
    error = refused(environment, "alpha==2.0", "--no-index", "--find-links", wheels)
    assert error["type"] == "DamagedError"


def test_files_without_their_dist_info_are_never_overwritten(environment: Environment, wheels: Path) -> None:
    shutil.rmtree(environment.site / "alpha-1.0.dist-info")
    error = refused(environment, "alpha==2.0", "--no-index", "--find-links", wheels)
    assert error["type"] == "FileConflictError"
    assert error["owner"] == ""


def test_an_install_by_distutils_or_as_an_egg(environment: Environment, wheels: Path) -> None:
    shutil.rmtree(environment.site / "alpha-1.0.dist-info")
    (environment.site / "alpha-1.0.egg-info").write_text("Metadata-Version: 1.0\nName: alpha\nVersion: 1.0\n")
    error = refused(environment, "alpha==2.0", "--no-index", "--find-links", wheels)
    assert error["type"] == "DamagedError"


def test_a_file_of_another_distribution_is_never_overwritten(environment: Environment, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, "thief", "1.0", files={"alpha/late.py": "VERSION = 'stolen'\n"})
    error = refused(environment, wheel)
    assert (error["type"], error["owner"]) == ("FileConflictError", "alpha")


def test_an_engine_that_takes_too_long_is_stopped(environment: Environment, wheels: Path) -> None:
    error = refused(environment, "alpha==2.0", "--no-index", "--find-links", wheels, "--timeout", "0.05")
    assert error["type"] == "EngineTimeoutError"


def test_a_broken_configuration_of_pip_is_told_in_its_words(
    environment: Environment, wheels: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "pip.conf"
    broken.write_text("[global\nindex-url = x\n")
    error = refused(environment, "beta", "--no-index", "--find-links", wheels, PIP_CONFIG_FILE=str(broken))
    assert "onfiguration" in error["message"]


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs the right to mount a small disk")
def test_a_disk_that_fills_up_while_staging(environment: Environment, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, "large", "1.0", files={f"large/{n}.txt": os.urandom(200_000).hex() for n in range(8)})
    aside = tmp_path / "aside"
    shutil.copytree(environment.path, aside, symlinks=True)
    size = sum(path.lstat().st_size for path in aside.rglob("*")) + 2 * 2**20
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(environment.path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a small disk")
    try:
        shutil.copytree(aside, environment.path, symlinks=True, dirs_exist_ok=True)
        error = refused(environment, wheel, PYTHONDONTWRITEBYTECODE="1")
        assert error["type"] == "StagingError"
        assert "No space left" in error["message"]
    finally:
        subprocess.run(["umount", str(environment.path)], check=True)
