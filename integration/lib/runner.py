"""Runs one case to its end, with liveinstall, with pip in place, or without any upgrade."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from integration.lib import checks
from integration.lib._live import VERSIONS
from integration.lib.cases import Case
from integration.lib.environments import Environment, add_liveinstall, dependencies, user_variables
from integration.lib.interpreters import find_python

Tool = Literal["liveinstall", "pip", "none"]
_LIVE = Path(__file__).with_name("_live.py")
_SECONDS = 300.0  # for each step of the live process; transformers takes 40


class MissingPythonError(Exception):
    """This machine has no Python of the required version."""


@dataclass
class Outcome:
    """The observations. Versions are name -> version; an error is {"type", "words", "trace"}.

    `child` is what a child of the live process saw after the upgrade, `unrelated` an interpreter that was started
    meanwhile by nobody's hand; `remains` what is wrong with the environment at the end, in words.
    """

    case: Case
    tool: Tool
    status: int = 0
    errors: str = ""
    result: dict[str, Any] | None = None
    upgrade_error: dict[str, str] | None = None
    late_error: dict[str, str] | None = None
    bonus_error: dict[str, str] | None = None
    mixed: tuple[str, ...] = ()
    child: dict[str, str | None] = field(default_factory=dict)
    unrelated: dict[str, str | None] = field(default_factory=dict)
    restart_error: str = ""
    versions: dict[str, str | None] = field(default_factory=dict)
    remains: tuple[str, ...] = ()

    @property
    def expected_live(self) -> dict[str, str | None]:
        """The versions for it and its children while it runs: new ones only for immediate changes."""
        now = self.result["now"] if self.result else {}
        return {name: now.get(name, old) for name, (old, _) in self.case.changed.items()}

    @property
    def expected_elsewhere(self) -> dict[str, str | None]:
        """The versions for an unrelated interpreter meanwhile: all new."""
        return {name: new for name, (_, new) in self.case.changed.items()}


def prepare(case: Case, path: Path, wheel: Path) -> Environment:
    """The environment before the upgrade. Raises MissingPythonError, NotOfferedError."""
    base = find_python(case.runs_on)
    if base is None:
        raise MissingPythonError(f"this machine has no Python {case.runs_on}")
    environment = Environment.make(path, base)
    add_liveinstall(environment, wheel, pins_of(case, case.old))
    return environment


def pins_of(case: Case, lock: dict[str, str]) -> dict[str, str]:
    """A lock's pins, without those that liveinstall itself needs newer; the case's own pins win."""
    needed = dependencies()
    return {
        name: version
        for name, version in lock.items()
        if name in case.changed or name not in needed or needed[name].specifier.contains(version)
    }


def run_case(case: Case, tool: Tool, environment: Environment, folder: Path) -> Outcome:
    """Upgrade under a running process, run its late code, let it exit, and examine a new process."""
    before = checks.complaints(environment)
    outcome = _run_live(case, tool, environment, folder)
    restart = environment.run("-c", _restart_code(case, folder), env=_variables(case, folder), cwd=folder)
    if restart.returncode or "liveinstall" in restart.stderr:
        outcome.restart_error = restart.stderr or f"status {restart.returncode}"
    outcome.versions = _versions(environment, case)
    if tool != "none":
        outcome.remains = checks.what_is_wrong(environment, before)
    return outcome


def _run_live(case: Case, tool: Tool, environment: Environment, folder: Path) -> Outcome:
    job = _write_job(case, tool, environment, folder)
    with (
        (folder / "stderr").open("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(
            [environment.python, _LIVE, job],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=_variables(case, folder),
            cwd=folder,
            start_new_session=True,
        ) as process,
    ):
        outcome = Outcome(case, tool)
        try:
            upgraded = _wait_for(folder / "upgraded.json", process)
            outcome.unrelated = _versions(environment, case)
            process.communicate(b"\n", timeout=_SECONDS)
        finally:
            process.kill()
        _wait_for_the_last_of(process.pid)
        errors.seek(0)
        outcome.status, outcome.errors = process.returncode, errors.read()
    outcome.result, outcome.upgrade_error = upgraded["result"], upgraded["error"]
    outcome.bonus_error = upgraded["bonus"]
    outcome.child = _answer(upgraded["child"])
    late = folder / "late.json"
    if late.exists():
        told = json.loads(late.read_text(encoding="utf-8"))
        outcome.late_error, outcome.mixed = told["error"], tuple(told["mixed"])
    else:
        outcome.late_error = {"type": f"crash({process.returncode})", "words": outcome.errors, "trace": ""}
    return outcome


def _write_job(case: Case, tool: Tool, environment: Environment, folder: Path) -> Path:
    scratch = folder / "scratch"
    scratch.mkdir(parents=True)
    job = {
        "tool": tool,
        "preload": case.preload,
        "late": case.late,
        "bonus": case.bonus,
        "requirements": case.requirements,
        "constraints": [f"{name}=={version}" for name, version in pins_of(case, case.new).items()],
        "scratch": str(scratch),
        "scripts": str(environment.scripts),
        "folder": str(folder),
        "changed": list(case.changed),
    }
    path = folder / "job.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    return path


def _variables(case: Case, folder: Path) -> dict[str, str]:
    scratch = str(folder / "scratch")
    return user_variables(**{name: value.replace("{SCRATCH}", scratch) for name, value in case.variables.items()})


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The report that the process writes to `path`; if it is missing, the report of an unfinished one."""
    end = time.monotonic() + _SECONDS
    while not path.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    if path.exists():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    error = {"type": "NotUpgraded", "words": f"status {process.poll()} before the upgrade ended", "trace": ""}
    return {"result": None, "error": error, "child": {"status": 0, "output": "{}", "errors": ""}, "bonus": None}


def _wait_for_the_last_of(session: int, seconds: float = 30.0) -> None:
    """Wait for children that outlive the live process a little, like the resource tracker of joblib."""
    end = time.monotonic() + seconds
    while hasattr(os, "killpg") and time.monotonic() < end:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)


def _versions(environment: Environment, case: Case) -> dict[str, str | None]:
    """The versions in an unrelated interpreter; it starts without errors or output."""
    done = environment.run("-c", VERSIONS, *case.changed)
    return _answer({"status": done.returncode, "output": done.stdout, "errors": done.stderr})


def _answer(child: dict[str, Any]) -> dict[str, str | None]:
    assert (child["status"], child["errors"]) == (0, ""), f"an interpreter did not start well: {child}"
    return dict(json.loads(child["output"]))


def _restart_code(case: Case, folder: Path) -> str:
    scripts = "__import__('os').path.dirname(__import__('sys').executable)"
    return f"SCRATCH = {str(folder / 'scratch')!r}; BIN = {scripts}\n{case.after_restart}"
