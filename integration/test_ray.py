"""The field `liveinstall` of Ray's runtime environments, on a real Ray node on 127.0.0.1 whose packages are local."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from integration.lib.documents import snippets
from integration.lib.environments import ROOT, Environment, NotOfferedError, user_variables
from integration.lib.interpreters import CURRENT, find_python
from integration.lib.wheels import write_wheel

pytestmark = [
    pytest.mark.full,  # Ray is 79 MB, and its start takes seconds
    pytest.mark.skipif(os.name == "nt", reason="the plugin was written for Ray on POSIX"),
]
_CHILDREN = "import payload\n\n\ndef put(queue):\n    queue.put(payload.VERSION)\n"


@pytest.fixture(scope="module")
def offered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three versions of a package of 3 MB, and the package of the documentation."""
    directory = tmp_path_factory.mktemp("offered")
    for version in ("1.0", "2.0", "3.0"):
        data = {f"payload/{number}.txt": f"{version} {number} " * 100_000 for number in range(6)}
        write_wheel(directory, "payload", version, files={**data, "payload/children.py": _CHILDREN})
    write_wheel(directory, "rich", "14.0.0")
    return directory


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory, wheel: Path, offered: Path) -> Iterator[dict[str, Any]]:
    """What the driver has found; skipped by name if there is no Ray for this Python."""
    base = find_python(CURRENT)
    assert base
    directory = tmp_path_factory.mktemp("ray")
    environment = Environment.make(directory / "env", base)
    try:
        environment.add(wheel, "ray", deps=True)
    except NotOfferedError as error:
        pytest.skip(f"there is no Ray for this Python: {error}")
    (example,) = (each for each in snippets(ROOT / "docs/ray.md") if "ray.init()" in each.text)
    (directory / "example.py").write_text(example.text, encoding="utf-8")
    short = tempfile.mkdtemp(prefix="ray-")
    try:
        killed = _drive(environment, short, offered)
        found = _drive(environment, short, offered, directory / "example.py")  # with what the killed agent has left
    finally:
        shutil.rmtree(short, ignore_errors=True)
    (line,) = (line for line in found.splitlines() if line.startswith("FACTS "))
    yield {**json.loads(line.removeprefix("FACTS ")), "killed": "KILLED True" in killed}


def _drive(environment: Environment, directory: str, offered: Path, example: str | Path = "") -> str:
    """The output of the driver."""
    driver = ROOT / "integration/lib/ray_driver.py"
    command = [str(environment.python), str(driver), directory, str(offered), str(example)]
    done = subprocess.run(
        command, env=user_variables(), capture_output=True, text=True, timeout=400, check=False, cwd=environment.path
    )
    assert not example or "FACTS " in done.stdout, done.stdout + done.stderr
    return done.stdout


def test_ray_listens_on_loopback_only(facts: dict[str, Any]) -> None:
    assert facts["listening"] == []


def test_actors_have_the_packages_of_their_environment_and_keep_them(facts: dict[str, Any]) -> None:
    assert (facts["first"], facts["second"]) == ("1.0", "2.0")
    assert facts["late"] == "1.0"  # imported after the second environment was made


def test_an_agent_that_was_killed_while_it_made_a_home_left_nothing_broken(
    facts: dict[str, Any],
) -> None:
    assert facts["killed"]
    assert facts["first"] == "1.0"
    assert not [name for name in facts["store"] if name.startswith(".draft-")]


def test_a_further_environment_needs_only_what_is_new(facts: dict[str, Any], offered: Path) -> None:
    with ZipFile(offered / "payload-2.0-py3-none-any.whl") as archive:
        new = sum(entry.file_size for entry in archive.infolist())
    assert new > 3_000_000
    print(f"A further environment with {new} new bytes needs {facts['used']} bytes on disk")
    assert facts["used"] < 1.2 * new


def test_workers_that_start_at_once_share_one_home(facts: dict[str, Any]) -> None:
    one, other = facts["twins"]
    assert one == other and one[0] == "3.0"
    assert facts["homes"] == 3  # of 1.0, 2.0, and one of 3.0


def test_children_and_programs_have_the_same_packages(facts: dict[str, Any]) -> None:
    *versions, program = facts["children"]
    assert set(versions) == {"2.0"} and len(versions) >= 4
    assert program.startswith("2.0 ")


def test_an_environment_that_is_no_longer_used_leaves_nothing(facts: dict[str, Any]) -> None:
    assert facts["left"] == []


def test_errors_are_rays_with_our_text(facts: dict[str, Any]) -> None:
    errors = facts["errors"]
    assert all(text.startswith("RuntimeEnvSetupError: ") for text in errors.values()), errors
    assert "ResolutionError: " in errors["unknown"] and "absent-of-test" in errors["unknown"]
    assert "ray==0.1 was requested, but ray has to stay at" in errors["ray"]
    assert "must be a list of requirements" in errors["field"]
    assert "has no option 'nonsense'" in errors["option"]


def test_the_example_of_the_documentation_works(facts: dict[str, Any]) -> None:
    assert facts["example"] == "14.0.0\n"


def test_what_a_home_adds_to_the_start_of_a_worker_is_reported(facts: dict[str, Any]) -> None:
    for title, seconds in facts["seconds"].items():
        print(f"Start of a worker {title}: {seconds} s")
    assert len(facts["seconds"]) == 2
