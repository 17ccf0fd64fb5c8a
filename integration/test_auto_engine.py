"""`engine="auto"` with the real pip and the real uv: the choice, and the same outcome as with pip in each case."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from integration.lib.environments import Environment, user_variables
from integration.lib.interpreters import find_uv
from integration.lib.wheels import write_wheel

pytestmark = pytest.mark.skipif(not find_uv(), reason="there is no uv")

_INSTALL = """
import json, os, sys
import liveinstall
for words in sys.argv[1:]:
    offline = {"no_index": True, "find_links": [os.environ["WHEELS"]]}
    done = liveinstall.install(*words.split(), **offline, engine=os.environ.get("ENGINE", "auto"))
    versions = {change.name: change.new_version for change in done.installed}
    print(json.dumps([versions, done.engine, done.engine_reason, done.notes]))
"""
_AGREED = "nothing is configured or requested that pip and uv would treat differently"
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture
def house(tmp_path: Path, wheels: Path) -> Path:
    """A wheelhouse: alpha, beta and gamma, and what pip and uv treat differently."""
    directory = tmp_path / "house"
    shutil.copytree(wheels, directory)
    write_wheel(directory, "limited", "1.0")
    write_wheel(directory, "limited", "2.0", headers=["Requires-Python: >=3.6,<3.7"])
    write_wheel(directory, "early", "1.0")
    write_wheel(directory, "early", "2.0b1")
    write_wheel(directory, "eager", "1.0", headers=["Requires-Dist: early>=1.0b1"])
    url = (directory / "beta-1.0-py3-none-any.whl").as_uri()
    write_wheel(directory, "linked", "1.0", headers=[f"Requires-Dist: beta @ {url}"])
    return directory


def variables(house: Path, **more: str) -> dict[str, str]:
    """Those of a user who has configured neither pip nor uv, and has uv on PATH."""
    kept = {
        name: value
        for name, value in user_variables().items()
        if not name.startswith(("PIP_", "UV")) and name not in _CERTIFICATES
    }
    uv = find_uv()
    assert uv
    path = os.pathsep.join((os.path.dirname(uv), kept["PATH"]))
    own = {"WHEELS": str(house), "PIP_CONFIG_FILE": os.devnull, "XDG_CONFIG_HOME": str(house / "none"), "PATH": path}
    return {**kept, **own, **more}


def install(environment: Environment, house: Path, *requests: str, **more: str) -> list[Any]:
    """The installed versions, the engine, the reason and the notes of each request, in one process."""
    done = environment.run("-c", _INSTALL, *requests, env=variables(house, **more), cwd=house)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_uv_is_taken_in_a_plain_environment(environment: Environment, house: Path) -> None:
    [[versions, engine, reason, notes]] = install(environment, house, "gamma>=1 beta")
    assert versions == {"alpha": "2.0", "beta": "1.0", "gamma": "1.0"} and not notes
    assert (engine, reason) == ("uv", _AGREED)
    environment.remove()


def test_pip_is_taken_where_pip_is_configured(environment: Environment, house: Path) -> None:
    config = environment.path / ("pip.ini" if os.name == "nt" else "pip.conf")
    config.write_text("[global]\ntimeout = 20\n", encoding="utf-8")
    [[versions, engine, reason, _]] = install(environment, house, "beta", PIP_CONFIG_FILE="")
    assert versions == {"beta": "1.0"} and (engine, reason) == ("pip", f"pip reads {config}")
    [[_, engine, reason, _]] = install(environment, house, "gamma", PIP_RETRIES="1")
    assert (engine, reason) == ("pip", "PIP_RETRIES is set")
    environment.remove()


def test_pip_is_taken_in_a_project_that_configures_uv(environment: Environment, house: Path) -> None:
    (house / "pyproject.toml").write_text('[tool.uv]\nexclude-newer = "2020-01-01"\n', encoding="utf-8")
    [[versions, engine, reason, _]] = install(environment, house, "beta")
    assert versions == {"beta": "1.0"} and (engine, reason) == ("pip", f"uv reads {house / 'pyproject.toml'}")
    environment.remove()


@pytest.mark.parametrize(
    ("request_", "versions", "reason"),
    [
        ("limited", {"limited": "1.0"}, "limited 2.0 requires Python >=3.6,<3.7"),
        ("eager", {"eager": "1.0", "early": "2.0b1"}, "eager 1.0 requires early>=1.0b1"),
    ],
)
def test_where_uv_chooses_other_versions_pip_decides(
    environment: Environment, house: Path, request_: str, versions: dict[str, str], reason: str
) -> None:
    [with_uv] = install(environment, house, request_, ENGINE="uv")
    assert with_uv[0] != versions, "otherwise this check is not needed any longer"
    environment.run("-m", "liveinstall", "uninstall", *with_uv[0], check=True)
    assert install(environment, house, request_) == [[versions, "pip", reason, []]]
    environment.remove()


def test_pip_takes_over_where_uv_fails(environment: Environment, house: Path) -> None:
    [[versions, engine, reason, notes]] = install(environment, house, "linked")
    assert versions == {"beta": "1.0", "linked": "1.0"} and engine == "pip"
    assert reason.startswith("uv failed: ") and notes == [f"pip was used, because {reason}"]
    environment.remove()


@pytest.mark.skipif(os.name == "nt", reason="the outdated uv is a shell script")
def test_an_outdated_uv_is_tried_once(environment: Environment, house: Path) -> None:
    old, count = house / "uv", house / "count"
    old.write_text(f"#!/bin/sh\necho \"error: unexpected argument '$4' found\" >&2\necho $1 >> {count}\nexit 2\n")
    old.chmod(0o755)
    told = install(environment, house, "beta", "gamma", PATH=os.pathsep.join((str(house), os.environ["PATH"])))
    assert [versions for versions, *_ in told] == [{"beta": "1.0"}, {"alpha": "2.0", "gamma": "1.0"}]
    assert {engine for _, engine, *_ in told} == {"pip"} and told[0][2] == told[1][2]
    assert told[0][2].startswith("uv failed: uv does not support an option") and "pip was used" in told[0][3][0]
    assert count.read_text().splitlines().count("pip") == 1
    environment.remove()


def test_commands_say_which_engine_was_used_and_why(environment: Environment, house: Path) -> None:
    words = ("-m", "liveinstall", "install", "--no-index", "--find-links", str(house))
    shown = environment.run(*words, "beta", "-v", env=variables(house), cwd=house, check=True).stdout
    assert shown.splitlines()[-1] == f"Engine: uv, because {_AGREED}."
    told = environment.run(*words, "gamma", "--json", "--pre", env=variables(house), cwd=house, check=True).stdout
    result = json.loads(told)["result"]
    assert (result["engine"], result["engine_reason"]) == ("pip", "pre= is given")
    environment.remove()
