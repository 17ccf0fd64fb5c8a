"""A refusal: a typed error, a matching exit status, and no change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from integration.lib.checks import left_overs, tree
from integration.lib.environments import Environment, user_variables


def refuse(
    environment: Environment, error: str, *arguments: str | Path, status: int = 1, **more: str
) -> dict[str, Any]:
    """`install` fails with `error` and changes nothing; the error as JSON."""
    before = tree(environment.path)
    done = environment.run(
        "-m", "liveinstall", "install", "--json", *arguments, env=user_variables(PIP_RETRIES="0", **more)
    )
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
