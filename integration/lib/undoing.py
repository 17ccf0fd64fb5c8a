"""Undoes a real upgrade of an installation by pip, an old pip or uv, and compares every file with the state before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from integration.lib import checks
from integration.lib.cases import Case
from integration.lib.environments import (
    Environment,
    NotOfferedError,
    add_liveinstall,
    not_offered,
    user_variables,
)
from integration.lib.interpreters import find_python, find_uv
from integration.lib.runner import MissingPythonError, pins_of

INSTALLERS = ("uv", "pip", "old pip")
_OLD_PIPS = {"3.11": "20.3.4", "3.15": "25.3"}  # 24.3.1 does not run on 3.15
_OLD_PIP = "23.1.2"  # the oldest for the other Pythons


def prepare(case: Case, installer: str, version: str, path: Path, wheel: Path) -> Environment:
    """The environment before the upgrade: an installer has installed what the upgrade replaces, uv the rest.

    Args:
        case: The case.
        installer: One of `INSTALLERS`.
        version: The Python to run on, "3.11"; another one than the case's own has to have wheels of the old versions.
        path: The directory of the environment.
        wheel: The wheel of liveinstall.

    Raises:
        MissingPythonError: This machine does not have the Python.
        NotOfferedError: The index does not have an old version, or no wheel of it for this Python.
    """
    base = find_python(version)
    if base is None:
        raise MissingPythonError(f"this machine has no Python {version}")
    environment = Environment.make(path, base)
    pins = pins_of(case, case.old)
    wheels = [] if version == case.runs_on else ["--only-binary", ":all:"]
    replaced = [name for name in pins if name in case.changed] or list(pins)  # some cases only add distributions
    unchanged = [f"{name}=={pinned}" for name, pinned in pins.items() if name not in replaced]
    old = [f"{name}=={pins[name]}" for name in replaced]
    if unchanged:
        environment.add(*wheels, *unchanged)
    if installer == "uv":
        environment.add(*wheels, *old)
    else:
        _install_by_pip(environment, version, [*wheels, *old], old=installer == "old pip")
    add_liveinstall(environment, wheel)
    return environment


def _install_by_pip(environment: Environment, version: str, arguments: list[str], *, old: bool) -> None:
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", environment.python]
    if old:
        environment.add(f"pip=={_OLD_PIPS.get(version, _OLD_PIP)}", "setuptools==65.5.0", "wheel==0.40.0")
        pip = [environment.python, "-m", "pip"]
    command = [*pip, "install", "-q", "--no-deps", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=user_variables())
    if done.returncode and not_offered(done.stderr):
        raise NotOfferedError(" ".join(done.stderr.split()[-40:]))
    assert done.returncode == 0, done.stderr


def undo(case: Case, environment: Environment, version: str) -> list[str]:
    """Upgrade, undo, and undo the undo; the problems, as sentences. Raises NotOfferedError, as `prepare()` does.

    The upgrade and each undo are followed by a start of Python, which applies what was pending because liveinstall
    itself uses it.
    """
    unmet, before = _unmet(environment), checks.tree(environment.path)
    constraints = environment.path.parent / "constraints.txt"
    constraints.write_text("".join(f"{name}=={pinned}\n" for name, pinned in pins_of(case, case.new).items()))
    done = environment.run("-m", "liveinstall", "install", *case.requirements, "-c", str(constraints))
    cannot_build = version != case.runs_on and "BuildError" in done.stderr  # there is no wheel
    if done.returncode and (cannot_build or not_offered(done.stderr)):
        raise NotOfferedError(" ".join(done.stderr.split()))
    if done.returncode:
        return [f"not upgraded: {done.stderr.strip()}"]
    _start(environment)
    after = checks.tree(environment.path)
    if after == before:
        return ["the upgrade changed nothing"]
    told = json.loads(environment.run("-m", "liveinstall", "history", "--json", check=True).stdout)["result"]
    wrong = [f"history: cannot be undone: {past['why_not']}" for past in told if past["why_not"]]
    known: set[str] = set()
    for word, expected in (("undo", before), ("undo of the undo", after)):
        newest = [transaction for transaction in _transactions(environment) if transaction not in known]
        wrong += [f"{word}: {text}" for text in _undo(environment, newest)]
        wrong += [f"{word}: {text}" for text in _differences(expected, checks.tree(environment.path))]
        if wrong:
            return wrong
        known.update(newest)
    wrong += [f"not satisfied: {text}" for text in sorted(_unmet(environment) - unmet)]
    wrong += [f"left over: {name}" for name in checks.left_overs(environment.site)]
    return [*wrong, *(f"missing: {path}" for path in checks.missing_files(environment.site))]


def _unmet(environment: Environment) -> set[str]:
    """The requirements that are not satisfied; by uv, if there is one, because pip takes a second for it."""
    uv = find_uv()
    if not uv:
        return checks.complaints(environment)
    command = [uv, "pip", "check", "--python", environment.python]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=user_variables())
    assert "Checked " in done.stderr, done.stderr
    return {
        line for line in done.stderr.splitlines() if line.startswith("The package ") and "`liveinstall`" not in line
    }


def _transactions(environment: Environment) -> list[str]:
    """The applied transactions, the newest first; from disk, because `history` reads all files that are kept."""
    stamps = [path.name.split(".") for path in (environment.site / ".liveinstall/history").iterdir()]
    return [transaction for transaction, _ in sorted(stamps, key=lambda stamp: stamp[1], reverse=True)]


def _undo(environment: Environment, transactions: list[str]) -> list[str]:
    """Undo them, the newest first: there are two if a part of the request had to be pending."""
    for transaction in transactions:
        done = environment.run("-m", "liveinstall", "undo", transaction)
        if done.returncode:
            return [done.stderr.strip()]
    _start(environment)
    return []


def _start(environment: Environment) -> None:
    done = environment.run("-c", "pass")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def _differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    paths = [path for path in sorted({*expected, *found}) if expected.get(path) != found.get(path)]
    words = {(True, False): "missing", (False, True): "new", (True, True): "different"}
    return [f"{words[path in expected, path in found]}: {path}" for path in paths[:5]]
