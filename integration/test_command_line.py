"""`python -m liveinstall` in real environments: its text, its JSON and its exit status."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from integration.lib.checks import left_overs, tree
from integration.lib.environments import Environment, user_variables

_HOLD = """
import alpha, liveinstall, sys
liveinstall.install('beta', no_index=True, find_links=sys.argv[1]); print(); input()
"""
_FORMS = pytest.mark.parametrize("json_form", [False, True], ids=["words", "json"])


def command(environment: Environment, *arguments: str | Path, json_form: bool = False) -> tuple[int, str, Any]:
    """Run a command: its status, its text, and its JSON if requested."""
    done = environment.run("-m", "liveinstall", *arguments, *(["--json"] if json_form else []))
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr, json.loads(done.stdout) if json_form else None


@contextmanager
def holder(environment: Environment, wheels: Path) -> Iterator[subprocess.Popen[str]]:
    """A running process that has alpha loaded and holds the environment."""
    arguments = [environment.python, "-c", _HOLD, wheels]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=user_variables()
    ) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield process
        finally:
            process.communicate("\n", timeout=60)


def source(wheels: Path) -> list[str]:
    """The options that make the small wheels the only source."""
    return ["--no-index", "--find-links", str(wheels)]


def version(environment: Environment) -> str:
    """alpha's version for a new interpreter."""
    return environment.run("-c", "import alpha; print(alpha.VERSION)", check=True).stdout.strip()


@_FORMS
def test_install_applies_changes_that_disturb_no_process_at_once(
    environment: Environment, wheels: Path, json_form: bool
) -> None:
    status, text, told = command(environment, "install", "gamma", *source(wheels), json_form=json_form)
    assert status == 0
    if json_form:
        assert (told["ok"], told["command"]) == (True, "install")
        assert {c["name"]: c["new_version"] for c in told["result"]["installed"]} == {"alpha": "2.0", "gamma": "1.0"}
        assert told["result"]["restart_required"] is False
    else:
        assert "Installed" in text
        assert "alpha 1.0 -> 2.0" in text
    assert version(environment) == "2.0"
    assert environment.run("-m", "pip", "check").returncode == 0
    environment.remove()


@_FORMS
def test_plan_says_it_all_and_changes_nothing(environment: Environment, wheels: Path, json_form: bool) -> None:
    before = tree(environment.path)
    status, text, told = command(environment, "plan", "gamma", *source(wheels), json_form=json_form)
    assert status == 0
    assert "alpha 1.0 -> 2.0" in text if not json_form else told["result"]["changes"][0]["timing"] == "now"
    assert tree(environment.path) == before
    status, text, _ = command(environment, "install", "--dry-run", "gamma", *source(wheels), json_form=json_form)
    assert status == 0
    assert tree(environment.path) == before
    environment.remove()


@_FORMS
def test_a_change_that_waits_for_a_holder_is_reported_cancelled_and_finalized(
    environment: Environment, wheels: Path, json_form: bool
) -> None:
    with holder(environment, wheels) as process:
        status, text, told = command(environment, "install", "alpha==2.0", *source(wheels), json_form=json_form)
        assert status == 0
        assert told["result"]["staged"][0]["name"] == "alpha" if json_form else "Staged" in text
        status, text, told = command(environment, "status", json_form=json_form)
        assert status == 0
        assert str(process.pid) in text
        assert told["result"]["pending"][0]["changes"][0]["new_version"] == "2.0" if json_form else "1.0 -> 2.0" in text
        status, text, told = command(environment, "finalize", json_form=json_form)
        assert status == 3
        assert "used by" in text
        assert (environment.site / "alpha-1.0.dist-info").is_dir()
        assert version(environment) == "2.0"  # a process that starts meanwhile runs from the part
        status, text, _ = command(environment, "cancel", "alpha", json_form=json_form)
        assert status == 0
        status, text, told = command(environment, "cancel", "alpha", json_form=json_form)
        assert status == 1
        assert told["error"]["type"] == "NotPendingError" if json_form else "NotPendingError" in text
        command(environment, "install", "alpha==2.0", *source(wheels))
        status, text, _ = command(environment, "finalize", "--force", json_form=json_form)
        assert status == 0
        assert "1.0" in text
    assert version(environment) == "2.0"
    assert left_overs(environment.site) == []
    environment.remove()


@_FORMS
def test_finalize_without_pending_changes_is_not_a_failure(environment: Environment, json_form: bool) -> None:
    status, text, told = command(environment, "finalize", json_form=json_form)
    assert status == 0
    assert told["result"]["staged"] == [] if json_form else text == "No pending changes.\n"
    environment.remove()


def test_finalize_swaps_where_site_never_runs(environment: Environment, wheels: Path) -> None:
    command(environment, "install", "alpha==2.0", "--when", "restart", *source(wheels))
    variables = user_variables(PYTHONPATH=str(environment.site))
    seen = environment.run("-Sc", "import alpha; print(alpha.VERSION)", env=variables)
    assert seen.stdout == "1.0\n"
    done = environment.run("-S", "-m", "liveinstall", "finalize", env=variables)
    assert (done.returncode, "alpha 1.0 -> 2.0" in done.stdout) == (0, True), done.stdout + done.stderr
    seen = environment.run("-Sc", "import alpha; print(alpha.VERSION)", env=variables)
    assert seen.stdout == "2.0\n"
    assert left_overs(environment.site) == []
    environment.remove()


@_FORMS
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["install", "alpha==9"], 1),
        (["install", "alpha=9=9"], 2),
        (["install", "./no.whl"], 2),
        (["plan", "alpha", "--engine", "none"], 2),
        (["cancel", "alpha"], 1),
        (["install"], 2),
        (["nothing"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_failure_has_a_status(environment: Environment, arguments: list[str], status: int, json_form: bool) -> None:
    options = ["--no-index"] if arguments[0] in ("install", "plan") else []
    done = environment.run("-m", "liveinstall", *arguments, *options, *(["--json"] if json_form else []))
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if json_form and len(arguments) > 1:
        told = json.loads(done.stdout)
        assert told["ok"] is False
        assert told["error"]["type"].endswith("Error")
    environment.remove()


def test_when_now_refuses_to_disturb_and_changes_nothing(environment: Environment, wheels: Path) -> None:
    with holder(environment, wheels):
        before = tree(environment.path)
        status, text, _ = command(environment, "install", "alpha==2.0", "--when", "now", *source(wheels))
        assert status == 1
        assert "RestartRequiredError" in text
        assert tree(environment.path) == before
    environment.remove()


def test_scripts_come_and_go_with_their_distribution(environment: Environment, wheels: Path) -> None:
    status, _, _ = command(environment, "install", "alpha==2.0", *source(wheels))
    assert status == 0
    names = sorted(path.name for path in environment.scripts.iterdir() if path.name.startswith("alpha"))
    assert [name.removesuffix(".exe") for name in names] == ["alpha", "alpha-new"]
    done = subprocess.run([environment.scripts / names[1]], capture_output=True, text=True, check=True)
    assert done.stdout == "2.0\n"
    environment.remove()


def test_the_names_that_other_package_managers_use_do_the_same(environment: Environment, wheels: Path) -> None:
    assert command(environment, "add", "alpha==1.0", *source(wheels))[0] == 0
    status, text, _ = command(environment, "upgrade", "alpha", *source(wheels))
    assert status == 0 and "alpha 1.0 -> 2.0" in text
    assert "Version: 2.0" in command(environment, "show", "alpha")[1]
    status, text, told = command(environment, "remove", "alpha", json_form=True)
    assert status == 0 and told["command"] == "uninstall" and told["result"]["removed"][0]["name"] == "alpha"
    assert "change packages:" in command(environment)[1] and "examples:" in command(environment, "help", "remove")[1]
