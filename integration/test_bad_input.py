"""Problems of a request, an index or a wheel raise a specific error, and nothing changes."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.lib.environments import Environment, user_variables
from integration.lib.refusals import local, refuse
from integration.lib.wheels import write_index, write_wheel

_CLOSED = "http://127.0.0.1:9/simple"  # nothing listens there
_NO_CONFIGURATION = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}  # the machine may have other sources


@pytest.mark.parametrize(
    "requirements",
    [["liveinstall-has-no-such-project-7c1e"], ["idna==9999"], ["idna==3.4", "idna==3.5"], ["idna<3", "idna>3"]],
    ids=" ".join,
)
def test_index_that_has_no_such_version(environment: Environment, requirements: list[str]) -> None:
    told = refuse(environment, "ResolutionError", *requirements)
    assert requirements[0].partition("==")[0].partition("<")[0] in told["message"]
    assert len(told["message"]) < 600  # not all existing versions
    environment.remove()


@pytest.mark.parametrize("text", ["alpha=1", "alpha>>1", "../alpha", "alpha 2", "a b c", "nothing-here.whl", ""])
def test_requirement_that_is_none(environment: Environment, text: str) -> None:
    refuse(environment, "RequirementError", "--", text, status=2)
    environment.remove()


def test_option_after_the_end_of_options(environment: Environment) -> None:
    refuse(environment, "UsageError", "--", "-e .", status=2)
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
    assert told["entry"]
    environment.remove()


@pytest.mark.parametrize("by_path", [True, False])
def test_wheel_that_is_cut_off(environment: Environment, tmp_path: Path, by_path: bool) -> None:
    wheel = write_wheel(tmp_path / "wheels", "delta", "1.0")
    _cut(wheel)
    refuse(environment, "WheelRefusedError", *([wheel, "--no-index"] if by_path else ["delta", *local(wheel)]))
    environment.remove()


def test_no_network(environment: Environment) -> None:
    told = refuse(environment, "DownloadError", "beta", "--index-url", _CLOSED, **_NO_CONFIGURATION)
    assert "could not be reached" in told["message"]
    environment.remove()


def test_no_network_for_an_address(environment: Environment) -> None:
    refuse(environment, "DownloadError", f"beta @ {_CLOSED}/beta-1.0-py3-none-any.whl", **_NO_CONFIGURATION)
    environment.remove()


def test_credentials_never_come_back(environment: Environment) -> None:
    url = _CLOSED.replace("127", "somebody:hunter2@127")
    told = refuse(environment, "DownloadError", "beta", "--index-url", url, **_NO_CONFIGURATION)
    assert "hunter2" not in json.dumps(told)
    environment.remove()


def test_wheel_that_is_not_what_the_index_promised(environment: Environment, wheels: Path, tmp_path: Path) -> None:
    wheel = wheels / "beta-1.0-py3-none-any.whl"
    index = write_index(tmp_path / "index", {wheel: f"#sha256={'0' * 64}"})
    refuse(environment, "DownloadError", "beta", "--index-url", index, **_NO_CONFIGURATION)
    refuse(environment, "DownloadError", f"beta @ {wheel.as_uri()}#sha256={'0' * 64}", "--no-index")
    environment.remove()


def test_yanked_version_is_installed_when_pinned_and_noted(
    environment: Environment, wheels: Path, tmp_path: Path
) -> None:
    index = write_index(tmp_path / "index", {wheels / "beta-1.0-py3-none-any.whl": ' data-yanked="broken"'})
    refuse(environment, "ResolutionError", "beta>=1", "--index-url", index, **_NO_CONFIGURATION)
    arguments = ("-m", "liveinstall", "install", "beta==1.0", "--json", "--index-url", index)
    done = environment.run(*arguments, env=user_variables(**_NO_CONFIGURATION), check=True)
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


def test_engine_that_takes_too_long_is_stopped(environment: Environment, wheels: Path) -> None:
    source = ("--no-index", "--find-links", wheels)
    refuse(environment, "EngineTimeoutError", "alpha==2.0", *source, "--timeout", "0.05")
    environment.remove()


def test_a_broken_configuration_of_pip_is_reported_with_its_message(
    environment: Environment, wheels: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "pip.conf"
    broken.write_text("[global\nindex-url = x\n", encoding="utf-8")
    arguments = ("-m", "liveinstall", "install", "--json", "beta", "--no-index", "--find-links", wheels)
    done = environment.run(*arguments, env=user_variables(PIP_CONFIG_FILE=str(broken)))
    assert done.returncode == 1
    assert "onfiguration" in json.loads(done.stdout)["error"]["message"]
    environment.remove()
