"""Every check of the project. `nox` runs what CI runs; `nox -l` lists the rest."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import nox

if TYPE_CHECKING:
    from collections.abc import Callable

PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]
OLDEST, NEWEST = PYTHONS[0], PYTHONS[-1]  # these run all tests; the others a sample, or all with `-- --everything`
NEWEST_COMMON = "3.11"  # lint, types and docs need one of them

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False  # each skipped session gives the reason

# pyenv's interpreters are not on PATH, or only as shims that may refuse.
for _bin in sorted(Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob("versions/3.1[1-9]*/bin")):
    os.environ["PATH"] = f"{_bin}{os.pathsep}{os.environ['PATH']}"

# Minutes after which unit tests are sampled on the oldest and the newest Python, and skipped on the others; set by
# .ci/run, which must end in time on any machine.
BEGAN, LATE = time.monotonic(), float(os.environ.get("SAMPLE_TESTS_AFTER", "inf"))

CHROOT = "integration/platforms/newest.sh"  # a Debian with Pythons that few machines have


def _runs(version: str) -> bool:
    """A shim on PATH may be for a Python that is not installed."""
    path = shutil.which(f"python{version}")
    return bool(path) and subprocess.run([path, "-c", ""], check=False, capture_output=True).returncode == 0


IN_CHROOT = [version for version in ("3.14", "3.15") if not _runs(version)]
nox.options.sessions = [
    *("lint", "types", "docs", f"integration-{OLDEST}", f"integration-{NEWEST}", "browser", "windows", "tests"),
    *(f"tests-{version}" for version in IN_CHROOT),
]

PROJECT = nox.project.load_toml("pyproject.toml")
# As for a user: without the caller's Python settings.
CLEAN = {"PYTHONDONTWRITEBYTECODE": None, "PYTHONPATH": None, "PYTHONHOME": None}

BROWSER = ["browser", "reload", "status_bar"]  # these have their own session
# Integration tests that choose their own interpreter, or take long: run on one Python only.
ONCE = [
    *BROWSER,
    "card_messages",
    "completion",
    "dask",
    "dask_crowd",
    "dask_failures",
    "dask_hosts",
    "downloads",
    "engines",
    "foreign_changes",
    "frontends",
    "hints",
    "holds",
    "hostile",
    "hosts",
    "kernel_environments",
    "left_behind",
    "misbehaving_sources",
    "newest_chroot",
    "no_adapter",
    "notebooks",
    "overlaps",
    "places",
    "plugins",
    "previous_version",
    "progress",
    "ray",
    "real_upgrades",
    "reliability",
    "removals",
    "repair",
    "requests",
    "restart",
    "secrets",
    "server",
    "snippets",
    "spark",
    "tutorial",
    "undo",
]

# Generated pages.
MEASURED = ("benchmarks.md", "hostile-wheels.md", "real-upgrades.md", "reliability.md", "side-by-side-packages.md")

# Unit tests of code that depends on Python: starts, imports, holds; on one also prompts and linked environments.
SAMPLE = [f"tests/{name}" for name in ("boot", "environment", "test_threads.py")]
MORE = {"3.13": ("tests/frontends", "tests/homes", "tests/sidebyside")}
WINDOWS_PYTHONS = ("3.13", "3.12", "3.11")
WINDOWS_SAMPLE = [f"tests/{name}" for name in ("transactions", "staging/test_part.py", "homes/test_links.py")]
SPREAD = ("-n", "auto", "--dist", "loadfile")  # over all cores; the tests of a file share their environments


def _groups(session: nox.Session, *groups: str) -> None:
    session.install(*nox.project.dependency_groups(PROJECT, *groups))


def _for_each_python(session: Callable[[nox.Session], None]) -> None:
    """Register a session for each Python; if only the chroot has one, the same session runs there."""
    nox.session(python=[version for version in PYTHONS if version not in IN_CHROOT])(session)
    for version in IN_CHROOT:
        nox.session(name=f"{session.__name__}-{version}", venv_backend="none")(_in_chroot)


def _in_chroot(session: nox.Session) -> None:
    """The same session, in a Debian chroot with this Python."""
    made = subprocess.run([CHROOT, "make"], check=False, stdout=subprocess.PIPE, text=True)
    if made.returncode:
        session.skip(made.stdout.strip())
    is_sample = session.name.startswith("tests") and _is_late() and not session.posargs
    if is_sample and session.name != f"tests-{NEWEST}":
        session.skip(f"SKIPPED: {session.name}, because this machine is slow")
    chosen = ["--sample"] if is_sample else session.posargs
    session.run(CHROOT, "run", "nox", "-s", session.name, "--", *chosen, external=True)


def _is_late() -> bool:
    return time.monotonic() - BEGAN > LATE * 60


def _arguments(session: nox.Session) -> list[str]:
    """The arguments for pytest: without the options of this file."""
    return [argument for argument in session.posargs if argument not in ("--everything", "--sample")]


@nox.session(python=NEWEST_COMMON)
def lint(session: nox.Session) -> None:
    """Style and formatting."""
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
    """Spelling, prose, and the site: its links, tables, search. (integration/test_snippets.py runs the code.)"""
    _groups(session, "docs")
    session.install(".")
    session.run("codespell")
    pages = [str(page) for page in sorted(Path("docs").rglob("*.md")) if page.name not in MEASURED]
    session.run("proselint", "check", "README.md", "CONTRIBUTING.md", "SECURITY.md", *pages)
    site = str(Path(session.create_tmp()) / "site")
    _build_site(session, site)
    session.run("pytest", "integration/site_checks.py", f"--site={site}", "-p", "no:cacheprovider", env=CLEAN)


def _build_site(session: nox.Session, site: str) -> None:
    """Not with `--quiet`: then warnings are not counted, and `--strict` never fails."""
    session.run("mkdocs", "build", "--strict", "--site-dir", site, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session(python=NEWEST_COMMON)
def links(session: nox.Session) -> None:
    """Open each link of the site to another site. Not part of the other sessions: it needs the internet."""
    _groups(session, "docs", "links")
    session.install(".")
    site = Path(session.create_tmp()) / "site"
    _build_site(session, str(site))
    session.run(
        "linkchecker", "--check-extern", "--no-robots", "--no-status", str(site / "index.html"), *session.posargs
    )


@_for_each_python
def tests(session: nox.Session) -> None:
    """Unit tests: offline, on small wheels of their own; coverage on the newest Python, a sample in the middle."""
    chosen: tuple[str, ...] = ()
    is_usual = not session.posargs  # arguments choose among all
    is_middle = session.python not in (OLDEST, NEWEST)
    if session.posargs == ["--sample"] or (is_usual and (is_middle or _is_late())):
        if is_middle and is_usual and _is_late():
            session.skip(f"SKIPPED: {session.name}, because this machine is slow")
        more = MORE.get(str(session.python), ())
        paths = () if session.python == OLDEST else (*SAMPLE, *more)
        chosen = (*paths, "-k", "not at_any_point and not many_files and not fuzz")
        session.log(
            f"SKIPPED on {session.python}: {'' if session.python == OLDEST else 'tests that depend little on Python, '}"
            f"crashes and errors at every point, fuzz "
            f"({f'{OLDEST} and {NEWEST} have them' if is_middle else 'this machine is slow'}; "
            f"all: `nox -s {session.name} -- --everything`)"
        )
    elif is_usual and session.python == NEWEST:  # from 3.14 on, `sys.monitoring` makes coverage cheap
        # Coverage includes only the tests' own processes; the command line and pip's child run in children of them.
        chosen = ("--cov", "--cov-report=term:skip-covered", "--cov-fail-under=70")
    _groups(session, "test")
    session.install("-e", ".")
    session.run("pytest", "-n", "auto", *chosen, *_arguments(session), env=CLEAN)


@_for_each_python
def integration(session: nox.Session) -> None:
    """Real pip, real wheels from the index, real processes; tests with their own Python, and long ones, run once."""
    left = BROWSER if "--everything" in session.posargs or session.python == OLDEST else ONCE
    _groups(session, "integration")
    session.install(".")
    rest = [f"--ignore=integration/test_{name}.py" for name in left]
    options = (*SPREAD, "-p", "no:cacheprovider", "--durations=15", *rest, *_arguments(session))
    session.run("pytest", "integration", *options, env=CLEAN)


@nox.session(python=NEWEST_COMMON)
def frontends(session: nox.Session) -> None:
    """bpython, jupyter console, euporie, Spyder's kernel, Streamlit and marimo, as they are. Minutes."""
    _groups(session, "integration", "browser")
    session.install(".")
    tests = "integration/test_frontends.py"
    session.run("pytest", tests, "--full", "-p", "no:cacheprovider", *session.posargs, env=CLEAN)


@nox.session(python=NEWEST_COMMON)
def clusters(session: nox.Session) -> None:
    """Dask, as root also on hosts with networks of their own; Ray; Celery: kills, full disks, crowds. Minutes."""
    _groups(session, "integration")
    session.install(".")
    others = ("integration/test_ray.py", "integration/test_no_adapter.py")
    tests = [*sorted(map(str, Path("integration").glob("test_dask*.py"))), *others]
    session.run("pytest", *tests, "--full", "-rs", "-p", "no:cacheprovider", *session.posargs, env=CLEAN)


@nox.session(python=NEWEST_COMMON)
def spark(session: nox.Session) -> None:
    """A real Spark session with two executors; downloads PySpark (450 MB), and needs Java. Not run in CI."""
    if not shutil.which("java"):
        session.skip("SKIPPED: Spark, because Java is not installed")
    _groups(session, "integration")
    session.install(".[spark]", "pandas", "pyarrow")
    session.run("pytest", "integration/test_spark.py", "-p", "no:cacheprovider", *session.posargs, env=CLEAN)


@nox.session(python=NEWEST_COMMON)
def browser(session: nox.Session) -> None:
    """JupyterLab and Notebook 7 in headless Chromium. Screenshots: `nox -s browser -- --pictures docs/images`."""
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        session.skip("SKIPPED: everything in a browser, because Chromium is not installed")
    _groups(session, "integration", "browser")
    session.install(".")
    tests = [f"integration/test_{name}.py" for name in BROWSER]
    session.run("pytest", *tests, "-p", "no:cacheprovider", *session.posargs, env=CLEAN)


@nox.session(python=NEWEST_COMMON)
def release(session: nox.Session) -> None:
    """A release without the upload: built twice with the same bytes, checked, installed, and the docs' code run."""
    _groups(session, "release", "integration")
    place = Path(session.create_tmp()).resolve()
    shutil.rmtree(place, ignore_errors=True)
    session.run("python", "-m", "build", "--no-isolation", "--outdir", str(place / "dist"))
    source, wheel = sorted((place / "dist").iterdir(), key=lambda path: path.suffix == ".whl")
    shutil.unpack_archive(source, place)
    unpacked = place / source.name.removesuffix(".tar.gz")
    (unpacked / "PKG-INFO").unlink()  # otherwise it would be in the archive twice
    session.run("python", "-m", "build", "--no-isolation", "--outdir", str(place / "again"), str(unpacked))
    for made in (source, wheel):
        if made.read_bytes() != (place / "again" / made.name).read_bytes():
            session.error(f"{made.name} has other bytes when it is built from the unpacked source")
    session.run("twine", "check", "--strict", str(source), str(wheel))
    session.run("check-wheel-contents", str(wheel))
    run = [f"integration/test_{name}.py" for name in ("tutorial", "snippets")]
    session.run("pytest", *run, "-p", "no:cacheprovider", f"--wheel={wheel}", "--full", env=CLEAN)
    session.log(f"Ready for: twine upload {source} {wheel}")


@nox.session(python=NEWEST_COMMON)
def recording(session: nox.Session) -> None:
    """Record a session in a terminal: writes docs/images/terminal.svg."""
    _groups(session, "integration", "recording")
    session.install(".")
    session.run("python", "-m", "integration.reports.recording", *session.posargs, env=CLEAN)


@nox.session(python=NEWEST_COMMON)
def upgrades(session: nox.Session) -> None:
    """All real upgrades, compared with pip: writes docs/real-upgrades.md."""
    _groups(session, "integration")
    session.install(".")
    session.run("python", "-m", "integration.reports.real_upgrades", *session.posargs, env=CLEAN)


@_for_each_python
def undo(session: nox.Session) -> None:
    """Undo all real upgrades, each of what uv, pip or an old pip installed (`-- --all-installers`), file by file."""
    _groups(session, "integration")
    session.install(".")
    session.run("python", "-m", "integration.reports.undo", *session.posargs, env=CLEAN)


@nox.session(python=NEWEST_COMMON)
def real_wheels(session: nox.Session) -> None:
    """900 real wheels, none of which may be refused: their section of docs/hostile-wheels.md."""
    _groups(session, "integration")
    session.install(".")
    session.run("python", "-m", "integration.reports.real_wheels", *session.posargs, env=CLEAN)


@nox.session(python=["3.11", "3.12", "3.13"])
def variables(session: nox.Session) -> None:
    """Real objects kept over a restart that upgrades their packages, including 2 GB of arrays; downloads torch."""
    _groups(session, "integration")
    session.install(".")
    session.run("pytest", "integration/kept_variables.py", "-v", "-p", "no:cacheprovider", *session.posargs, env=CLEAN)


@nox.session(python=NEWEST_COMMON)
def popular_wheels(session: nox.Session) -> None:
    """Old and new wheels of the most downloaded projects, mostly by ranges: their section of docs/hostile-wheels.md."""
    _groups(session, "integration")
    session.install(".")
    session.run("python", "-m", "integration.reports.popular_wheels", *session.posargs, env=CLEAN)


@nox.session(python=NEWEST_COMMON)
def fuzz(session: nox.Session) -> None:
    """Starts with damaged state, and all readers of files, for five minutes each; `-- SECONDS` for another time."""
    _groups(session, "test")
    session.install("-e", ".")
    seconds = session.posargs[0] if session.posargs else "300"
    variables = {**CLEAN, "LIVEINSTALL_FUZZ_SECONDS": seconds}
    session.run("pytest", "tests/boot/test_fuzz.py", "tests/test_fuzz_readers.py", env=variables)


@nox.session(python=NEWEST_COMMON)
def reliability(session: nox.Session) -> None:
    """Kills, errors, power losses, concurrency, hostile wheels, with pip and uv: docs/reliability.md. Needs strace."""
    _groups(session, "integration")
    session.install(".")
    session.run("python", "-m", "integration.reports.reliability", *session.posargs, env=CLEAN)


@nox.session(python=NEWEST_COMMON)
def benchmarks(session: nox.Session) -> None:
    """Speed and memory as ratios: writes docs/benchmarks.md. Needs a quiet machine."""
    _groups(session, "benchmarks")
    session.install(".")
    session.run("python", "-m", "benchmarks", *session.posargs, env=CLEAN)


@nox.session(python=False)
def windows(session: nox.Session) -> None:
    """Windows CPython under Wine: real processes, holds, kills.

    `-- --all`: all unit tests and 30 kills, on each Python; `-- --all --everything`: at all points of a kill, too.
    """
    script = "integration/platforms/windows.sh"
    chosen, versions = ["integration/platforms", *WINDOWS_SAMPLE], WINDOWS_PYTHONS[:1]
    if "--all" in session.posargs:  # unpacking 100,000 files takes minutes there
        chosen = ["--full", "integration/platforms", "tests", "-n", "2", "-k", "not many_files"]
        versions = WINDOWS_PYTHONS
    command = ["python", "-m", "pytest", "-p", "no:cacheprovider", *chosen]
    variables = {"LIVEINSTALL_ALL_CASES": "1"} if "--everything" in session.posargs else {}
    if "--all" in session.posargs:
        variables["LIVEINSTALL_WITHOUT_VOLUMES"] = "1"  # a stat() takes a third of the time
    if os.name == "nt":
        session.run(*command, env={**CLEAN, **variables}, external=True)
        return
    said = str(session.run(script, "make", external=True, success_codes=[0, 77], silent=True))
    if said.startswith("SKIPPED"):
        session.skip(said.strip())
    for version in versions:
        session.run(script, f"-{version}", "run", *command, env=variables, external=True)


@nox.session(python=NEWEST_COMMON)
def demo(session: nox.Session) -> None:
    """The README's demo on real packages, in a separate environment."""
    place = Path(session.create_tmp()) / "demo"
    shutil.rmtree(place, ignore_errors=True)
    session.run("python", "-m", "venv", str(place))
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    session.run(str(python), "-m", "pip", "install", "--quiet", ".", external=True)
    session.run(str(python), "examples/demo.py", external=True, env=CLEAN)
