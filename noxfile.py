"""Every check of the project. `nox` runs what CI runs; `nox -l` lists the rest."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import nox

if TYPE_CHECKING:
    from collections.abc import Callable

PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]
OLDEST, NEWEST = PYTHONS[0], PYTHONS[-1]  # these have everything; the others a sample, or all with `-- --everything`
NEWEST_COMMON = "3.11"  # lint, types and docs need one of them

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False  # each session that is left out says so

# Interpreters that pyenv keeps are not on PATH, or only as shims that may refuse.
for _bin in sorted(Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob("versions/3.1[1-9]*/bin")):
    os.environ["PATH"] = f"{_bin}{os.pathsep}{os.environ['PATH']}"

CHROOT = "integration/platforms/newest.sh"  # a Debian with the Pythons that few machines have yet


def _runs(version: str) -> bool:
    """A shim on PATH may stand for a Python that is not there."""
    path = shutil.which(f"python{version}")
    return bool(path) and subprocess.run([path, "-c", ""], check=False, capture_output=True).returncode == 0


IN_CHROOT = [version for version in ("3.14", "3.15") if not _runs(version)]
nox.options.sessions = [
    *("lint", "types", "docs", f"integration-{OLDEST}", f"integration-{NEWEST}", "browser", "windows", "tests"),
    *(f"tests-{version}" for version in IN_CHROOT),
]

PROJECT = nox.project.load_toml("pyproject.toml")
# As a user has it: nothing of the caller's Python settings.
CLEAN = {"PYTHONDONTWRITEBYTECODE": None, "PYTHONPATH": None, "PYTHONHOME": None}

# Integration tests that choose their own interpreter, or take long: run on one Python only.
ONCE = [
    "browser",
    "completion",
    "downloads",
    "engines",
    "foreign_changes",
    "hints",
    "holds",
    "hostile",
    "hosts",
    "left_behind",
    "misbehaving_sources",
    "newest_chroot",
    "notebooks",
    "overlaps",
    "places",
    "plugins",
    "previous_version",
    "progress",
    "real_upgrades",
    "reliability",
    "removals",
    "repair",
    "requests",
    "restart",
    "secrets",
    "server",
    "undo",
]

# Unit tests of what meets Python itself: starts, imports, holds, prompts.
SAMPLE = [f"tests/{name}" for name in ("boot", "environment", "frontends", "homes", "sidebyside", "test_threads.py")]
SPREAD = ("-n", "auto", "--dist", "loadfile")  # over all cores; the tests of a file share their environments


def _groups(session: nox.Session, *groups: str) -> None:
    session.install(*nox.project.dependency_groups(PROJECT, *groups))


def _for_each_python(session: Callable[[nox.Session], None]) -> None:
    """Register a session for each Python; where only the chroot has one, the same session runs in there."""
    nox.session(python=[version for version in PYTHONS if version not in IN_CHROOT])(session)
    for version in IN_CHROOT:
        nox.session(name=f"{session.__name__}-{version}", venv_backend="none")(_in_chroot)


def _in_chroot(session: nox.Session) -> None:
    """As its namesakes, in a chroot of Debian that has this Python."""
    made = subprocess.run([CHROOT, "make"], check=False, stdout=subprocess.PIPE, text=True)
    if made.returncode:
        session.skip(made.stdout.strip())
    session.run(CHROOT, "run", "nox", "-s", session.name, "--", *session.posargs, external=True)


def _arguments(session: nox.Session) -> list[str]:
    """The arguments for pytest: without `--everything`, which is ours."""
    return [argument for argument in session.posargs if argument != "--everything"]


@nox.session(python=NEWEST_COMMON)
def lint(session: nox.Session) -> None:
    """Style, and that the formatter agrees."""
    _groups(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=NEWEST_COMMON)
def types(session: nox.Session) -> None:
    """Strict types of the package and of its public names."""
    _groups(session, "types")
    session.install(".")
    session.run("mypy")


@nox.session(python=NEWEST_COMMON)
def docs(session: nox.Session) -> None:
    """Build the docs; a broken link fails. (Their examples are checked by the unit tests.)"""
    _groups(session, "docs")
    session.run("mkdocs", "build", "--strict", "--quiet", "--site-dir", str(Path(session.create_tmp()) / "site"))


@_for_each_python
def tests(session: nox.Session) -> None:
    """Unit tests: offline, on small wheels of their own; coverage on the oldest Python, a sample in the middle."""
    chosen: tuple[str, ...] = ()
    if session.python not in (OLDEST, NEWEST) and not session.posargs:  # arguments choose among all
        chosen = (*SAMPLE, "-k", "not at_any_point and not many_files and not fuzz")
        session.log(
            f"SKIPPED on {session.python}: what depends little on the Python, crashes and errors at every point, fuzz "
            f"({OLDEST} and {NEWEST} have them; here `nox -s {session.name} -- --everything`)"
        )
    elif session.python == OLDEST:
        # Coverage includes only the tests' own processes; the command line and pip's child run in children of them.
        chosen = ("--cov", "--cov-report=term:skip-covered", "--cov-fail-under=70")
    _groups(session, "test")
    session.install("-e", ".")
    session.run("pytest", "-n", "auto", *chosen, *_arguments(session), env=CLEAN)


@_for_each_python
def integration(session: nox.Session) -> None:
    """Real pip, real wheels from the index, real processes; what names its own Python, or takes long, once."""
    left = ["browser"] if "--everything" in session.posargs or session.python == OLDEST else ONCE
    _groups(session, "integration")
    session.install(".")
    rest = [f"--ignore=integration/test_{name}.py" for name in left]  # the browser has a session of its own
    session.run("pytest", "integration", *SPREAD, "-p", "no:cacheprovider", *rest, *_arguments(session), env=CLEAN)


@nox.session(python=NEWEST_COMMON)
def browser(session: nox.Session) -> None:
    """JupyterLab and Notebook 7 in headless Chromium. Pictures of them: `nox -s browser -- --pictures docs/images`."""
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        session.skip("SKIPPED: everything in a browser, because there is no Chromium here")
    _groups(session, "integration", "browser")
    session.install(".")
    session.run("pytest", "integration/test_browser.py", "-p", "no:cacheprovider", *session.posargs, env=CLEAN)


@nox.session(python=NEWEST_COMMON)
def upgrades(session: nox.Session) -> None:
    """All real upgrades, with pip beside: makes docs/real-upgrades.md."""
    _groups(session, "integration")
    session.install(".")
    session.run("python", "-m", "integration.reports.real_upgrades", *session.posargs, env=CLEAN)


@nox.session(python=NEWEST_COMMON)
def real_wheels(session: nox.Session) -> None:
    """900 real wheels, of which none may be refused: their part of docs/hostile-wheels.md."""
    _groups(session, "integration")
    session.install(".")
    session.run("python", "-m", "integration.reports.real_wheels", *session.posargs, env=CLEAN)


@nox.session(python=NEWEST_COMMON)
def popular_wheels(session: nox.Session) -> None:
    """Old and new wheels of the most downloaded projects, mostly by ranges: their part of docs/hostile-wheels.md."""
    _groups(session, "integration")
    session.install(".")
    session.run("python", "-m", "integration.reports.popular_wheels", *session.posargs, env=CLEAN)


@nox.session(python=NEWEST_COMMON)
def fuzz(session: nox.Session) -> None:
    """Starts over damaged state, and all that reads files, for five minutes each; `-- SECONDS` for another time."""
    _groups(session, "test")
    session.install("-e", ".")
    seconds = session.posargs[0] if session.posargs else "300"
    variables = {**CLEAN, "LIVEINSTALL_FUZZ_SECONDS": seconds}
    session.run("pytest", "tests/boot/test_fuzz.py", "tests/test_fuzz_readers.py", env=variables)


@nox.session(python=NEWEST_COMMON)
def reliability(session: nox.Session) -> None:
    """Kills, errors, power losses, crowds and hostile wheels, pip and uv beside: docs/reliability.md. Wants strace."""
    _groups(session, "integration")
    session.install(".")
    session.run("python", "-m", "integration.reports.reliability", *session.posargs, env=CLEAN)


@nox.session(python=NEWEST_COMMON)
def benchmarks(session: nox.Session) -> None:
    """Speed and memory as ratios: makes docs/benchmarks.md. Wants a quiet machine."""
    _groups(session, "benchmarks")
    session.install(".")
    session.run("python", "-m", "benchmarks", *session.posargs, env=CLEAN)


@nox.session(python=False)
def windows(session: nox.Session) -> None:
    """Windows CPython under Wine: real processes, holds, kills; `-- --all`: the unit tests and 30 kills, too."""
    script = "integration/platforms/windows.sh"
    everything = "--all" in session.posargs
    chosen = ["integration/platforms", *(["--full", "tests", "-n", "2"] if everything else [])]
    command = ["run", "python", "-m", "pytest", "-p", "no:cacheprovider", *chosen]
    if os.name == "nt":
        session.run(*command[1:], env=CLEAN, external=True)
        return
    said = str(session.run(script, "make", external=True, success_codes=[0, 77], silent=True))
    if said.startswith("SKIPPED"):
        session.skip(said.strip())
    session.run(script, *command, external=True)


@nox.session(python=NEWEST_COMMON)
def demo(session: nox.Session) -> None:
    """The README's story on real packages, in an environment of its own."""
    place = Path(session.create_tmp()) / "demo"
    shutil.rmtree(place, ignore_errors=True)
    session.run("python", "-m", "venv", str(place))
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    session.run(str(python), "-m", "pip", "install", "--quiet", ".", external=True)
    session.run(str(python), "examples/demo.py", external=True, env=CLEAN)
