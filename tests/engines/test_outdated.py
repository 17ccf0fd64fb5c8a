"""`list --outdated`: the commands of the engines, and the conversion of their answers."""

from __future__ import annotations

import json

import pytest

from liveinstall._engines import outdated
from liveinstall._engines.outdated import IndexOptions, find_outdated
from liveinstall._frontends.cli import listings
from liveinstall._frontends.cli.parser import parse
from liveinstall._frontends.cli.verbs import describe, plain
from liveinstall.errors import DownloadError, EngineError, RequirementError
from liveinstall.reports import Listed

ROW = {"name": "Rich", "version": "13", "latest_version": "15", "latest_filetype": "wheel", "more": 1}


@pytest.fixture
def asked(monkeypatch):
    """The last command and its variables; `answer` is the engine's output, with its status."""
    seen = {"answer": (0, f"WARNING: an index is slow\n{json.dumps([ROW])}\n")}

    def run(command, *, timeout, env):
        seen.update(command=command, env=env, timeout=timeout)
        return seen["answer"]

    monkeypatch.setattr(outdated, "run", run)
    monkeypatch.setattr(outdated, "find_uv", lambda: "/bin/uv")
    monkeypatch.setattr(listings.inspection, "list", lambda: [Listed("rich", "13", "", "")])
    return seen


@pytest.mark.parametrize(("engine", "pre"), [("pip", "--pre"), ("uv", "--prerelease=allow")])
def test_both_engines_are_asked_for_pips_json(asked, engine, pre):
    assert find_outdated(engine, IndexOptions(pre=True, find_links=["/links"])) == [("Rich", "13", "15", "wheel")]
    assert {"--outdated", "--format=json", "--find-links=/links", pre} <= set(asked["command"])


@pytest.mark.parametrize(("engine", "variable"), [("pip", "PIP_INDEX_URL"), ("uv", "UV_DEFAULT_INDEX")])
def test_credentials_are_in_no_argument(asked, engine, variable):
    url = "https://user:password@h/simple"
    find_outdated(engine, IndexOptions(index_url=url, find_links=[url]))
    assert asked["env"][variable] == url and "password" not in str(asked["command"])


def test_failures_are_typed(asked, monkeypatch):
    asked["answer"] = (2, "ERROR: no such index\n")
    with pytest.raises(EngineError, match="pip could not list.*no such index"):
        find_outdated("pip", IndexOptions())
    with pytest.raises(RequirementError, match="unknown engine"):
        find_outdated("npm", IndexOptions())
    monkeypatch.setenv("LIVEINSTALL_OFFLINE", "1")
    with pytest.raises(DownloadError, match="newer versions"):
        find_outdated("pip", IndexOptions())


def listed(*words):
    options = parse(["list", "--engine", "pip", *words])
    return listings.listing(options)


def test_the_command_has_pips_formats(asked):
    assert describe("list", listed("--outdated")).splitlines() == [
        *("Package Version Latest Type", "------- ------- ------ -----", "Rich    13      15     wheel"),
    ]
    row = {name: ROW[name] for name in ("name", "version", "latest_version", "latest_filetype")}
    assert json.loads(listed("-o", "--format=json")) == [row] == plain(listed("-o"))
    assert describe("list", listed("-o", "--exclude", "rich")) == ""
    with pytest.raises(RequirementError, match="format=freeze"):
        listed("-o", "--format=freeze")
