"""The installation report and freeze, compared with the same commands of pip."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from integration.lib.environments import Environment
from integration.lib.projects import write_project
from integration.lib.wheels import write_wheel


def _report(environment: Environment, path: Path, *words: str) -> dict[str, Any]:
    environment.run("-m", *words, "--report", path, check=True)
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def _by_name(report: dict[str, Any]) -> dict[str, Any]:
    return {item["metadata"]["name"]: item for item in report["install"]}


def test_the_report_is_pips_own_with_both_engines(environment: Environment, tmp_path: Path) -> None:
    links = tmp_path / "links"
    write_wheel(links, "needed", "1.0")
    write_wheel(links, "wanted", "2.0", headers=["Requires-Dist: needed"])
    words = ("install", "--dry-run", "--no-index", "--find-links", str(links), "wanted")
    pips = _report(environment, tmp_path / "pip.json", "pip", *words)
    ours = _report(environment, tmp_path / "ours.json", "liveinstall", *words, "--engine", "pip")
    assert ours["version"] == pips["version"] and ours["environment"] == pips["environment"]
    assert _by_name(ours) == _by_name(pips)
    if shutil.which("uv"):
        uvs = _by_name(_report(environment, tmp_path / "uv.json", "liveinstall", *words, "--engine", "uv"))
        for name, item in _by_name(pips).items():
            assert {**uvs[name], "download_info": {}} == {**item, "download_info": {}}
    environment.remove()


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_freeze_prints_a_checkout_as_pip_does(environment: Environment, tmp_path: Path) -> None:
    project = write_project(tmp_path / "checkout", "inplace", backend="flit")
    environment.add("flit_core")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    environment.run("-m", "pip", "install", "--no-build-isolation", "--no-index", "-e", project, check=True)

    def both() -> list[set[str]]:
        texts = (environment.run("-m", tool, "freeze", check=True).stdout for tool in ("pip", "liveinstall"))
        return [{line for line in text.splitlines() if line.startswith(("#", "-e"))} for text in texts]

    for step in (
        *([], ["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "x"]),
        *(["remote", "add", "origin", "git@example.org:team/inplace.git"],),
    ):
        if step:
            subprocess.run(["git", "-C", str(project), *step], check=True)
        pips, ours = both()
        assert ours == pips and ours
    environment.remove()
