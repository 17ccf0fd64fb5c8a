"""The environment that is broken on purpose: distributions that are one transaction, all in memory.

It is always at the same path, which is in scripts and RECORDs; copies of it are kept next to it. Its interpreters
find liveinstall on PYTHONPATH, or not at all: so only the files of a swap are compared.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import installer
import packaging
import pip
from helpers.environments import FAKE_ENGINE, make_wheel
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import _liveinstall_boot
import liveinstall
from integration.lib.checks import left_overs, tree
from integration.lib.environments import user_variables

BIG = ("alpha", "beta", "gamma", "ns-one", "ns-two")
SMALL = ("small",)
SHARED = ("mover", "rival")  # both bring the same path with different contents, and one file moves from rival to mover
TEST_INSTALL = """
status = li.status()
done = li.install("fresh", reinstall=True)
import fresh
print(json.dumps([done.changed, [item.state for item in status.pending], status.unreadable]))
"""
# Staging's threads one after another: kills need a reproducible order of calls.
PRELUDE = """
import json, os, sys
import liveinstall as li
import fake_engine
import liveinstall._staging.stage as stage
from contextlib import contextmanager
from liveinstall._system.jobs import Job
@contextmanager
def in_turn(functions, threads):
    jobs = [Job(function) for function in functions]
    for job in jobs:
        job.run()
    yield jobs
assert stage.in_threads
stage.in_threads = in_turn
def begin():
    try:
        os.rmdir("/the-sweep-begins-here")
    except OSError:
        pass
"""


def write_wheels(directory: Path, version: str) -> None:
    """Five distributions that require each other's version (scripts, data, namespace, .pth file), a small one, and two
    that share files.
    """
    text = f"V = {version!r}\n"
    own = {"1.0": "gone", "2.0": "added"}[version]
    needs = tuple(f"{name}=={version}" for name in BIG[1:])
    alpha = {
        "alpha/__init__.py": text,
        "alpha/late.py": text,
        f"alpha/{own}/__init__.py": text,
        f"alpha-{version}.data/data/share/alpha/a.txt": version,
        f"alpha-{version}.data/data/share/alpha/{own}/b.txt": version,
    }
    scripts = {"alpha-run": f"alpha:run{version[0]}", f"alpha-{own}": "alpha:run"}
    make_wheel(directory, "alpha", version, alpha, requires=needs, scripts=scripts)
    make_wheel(
        directory, "beta", version, {"beta.py": text, "beta_inner/__init__.py": text, "beta_inner/data.json": "{}"}
    )
    gamma = {"gamma/__init__.py": text, "gamma.pth": "gamma_extra\n", "gamma_extra/gamma_more.py": text}
    make_wheel(directory, "gamma", version, {**gamma, f"gamma/{own}.py": text}, scripts={"gamma-run": "gamma:run"})
    make_wheel(directory, "ns-one", version, {"ns/one/__init__.py": text, f"ns/one/{own}.py": text})
    make_wheel(directory, "ns-two", version, {"ns/two.py": text, f"ns/{own}_two.py": text})
    small = {"small/__init__.py": text, f"small/{own}.py": text}
    make_wheel(directory, "small", version, small, scripts={"small-run": f"small:run{version[0]}"})
    moved = {f"{'rival' if version == '1.0' else 'mover'}/moved.py": text, "common/moved.py": text}
    both = {"common/__init__.py": "", "common/late.py": text}
    mover = {**both, "mover/__init__.py": text, "common/tool.py": f"# mover\n{text}"}
    rival = {**both, "rival/__init__.py": text, "common/tool.py": f"# rival\n{text}"}
    (rival if version == "1.0" else mover).update(moved)
    make_wheel(directory, "mover", version, mover, requires=(f"rival=={version}",))
    make_wheel(directory, "rival", version, rival)


MODULES = ("alpha", "alpha.late", "beta", "beta_inner", "gamma", "gamma_more", "ns.one", "ns.two")
SEEN = f"""
import importlib, importlib.metadata
seen = [importlib.import_module(name).V for name in {MODULES!r}]
seen += [importlib.metadata.version(name) for name in {BIG!r}]
"""
IMPORT_ALL = SEEN + "\nassert len(set(seen)) == 1, seen"


@dataclass(frozen=True)
class Ran:
    """The outcome of a process."""

    status: int
    out: str
    err: str


class Bench:
    """One environment at `env`, a shelf of copies of it, and the wheels."""

    def __init__(self, root: Path, names: Sequence[str] = BIG) -> None:
        self.root = root
        self.names = tuple(names)
        self.env = root / "env"
        self.wheels = root / "wheels"
        for version in ("1.0", "2.0"):
            write_wheels(self.wheels, version)
        make_wheel(self.wheels, "fresh", "1.0")
        self._make_libraries()
        base = getattr(sys, "_base_executable", sys.executable)
        subprocess.run([base, "-m", "venv", "--without-pip", str(self.env)], check=True)
        shutil.rmtree(self.env / "include", ignore_errors=True)
        for path in (self.env / "bin").glob("*ctivate*"):
            path.unlink()
        self.keep("empty")

    def _make_libraries(self) -> None:
        modules = (installer, packaging, liveinstall, _liveinstall_boot)
        self.libraries, self.pip = self.root / "libraries", self.root / "pip"
        for place, found in ((self.libraries, modules), (self.pip, (pip,))):
            place.mkdir()
            for module in found:
                source = Path(str(module.__file__)).parent
                (place / source.name).symlink_to(source)
        (self.libraries / "fake_engine.py").write_text(FAKE_ENGINE, encoding="utf-8")

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.env / "bin" / "python")

    @cached_property
    def site(self) -> Path:
        """Its site-packages."""
        return next(self.env.glob("lib/python*/site-packages"))

    def keep(self, name: str) -> None:
        """Put a copy on the shelf."""
        shutil.rmtree(self.root / "kept" / name, ignore_errors=True)
        shutil.copytree(self.env, self.root / "kept" / name, symlinks=True)

    def restore(self, name: str) -> None:
        """Go back to a copy."""
        shutil.rmtree(self.env)
        shutil.copytree(self.root / "kept" / name, self.env, symlinks=True)

    def variables(self, *, path: Path | None = None) -> dict[str, str]:
        """A user's variables, with `path` as PYTHONPATH."""
        return user_variables(WHEELS=str(self.wheels), **({"PYTHONPATH": str(path)} if path else {}))

    def run(self, command: Sequence[str], *, path: Path | None = None) -> Ran:
        """Run a program to its end and to the end of its children."""
        with (
            tempfile.TemporaryFile("w+", errors="replace") as out,
            tempfile.TemporaryFile("w+", errors="replace") as err,
        ):
            process = subprocess.Popen(
                command,
                env=self.variables(path=path),
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            status = process.wait(300)
            _wait_for_the_last_of(process.pid)
            out.seek(0)
            err.seek(0)
            return Ran(status, out.read(), err.read())

    def live(self, code: str, *flags: str) -> Ran:
        """Run code with `li`, liveinstall with an engine that uses the wheels in `wheels`."""
        return self.run(self.live_command(code, *flags), path=self.libraries)

    def live_command(self, code: str, *flags: str) -> list[str]:
        """The command of `live()`."""
        return [self.python, "-B", *flags, "-c", PRELUDE + code]

    def start(self, code: str = "pass") -> Ran:
        """A plain start of Python, without liveinstall on its path."""
        return self.run([self.python, "-B", "-c", code])

    def state(self) -> dict[str, str]:
        """All files of a user: path -> type, mode, content; without parts, companions and state."""
        waits = (".part", ".part.pth", ".part.start")
        found = tree(self.env)
        return {path: what for path, what in found.items() if not _top(path, self.site, self.env).endswith(waits)}

    def wrong_after(self, ran: Ran) -> str:
        """The errors of a start; empty if there are none."""
        if ran.status or ran.out:
            return f"the start ended with {ran.status}: {ran.out}{ran.err}"
        return "more than one line on stderr: " + ran.err if ran.err.count("\n") > 1 else ""

    def wrong_with_next(self) -> str:
        """The errors and leftovers of the next commands, status and an install; empty if there are none."""
        ran = self.live(TEST_INSTALL)
        if ran.status:
            return f"the next command failed: {ran.err[-2000:]}"
        changed, pending, unreadable = json.loads(ran.out.splitlines()[-1])
        if not changed or pending or unreadable:
            return f"the next command saw {pending}, {unreadable}, changed: {changed}"
        return f"left over: {found}" if (found := self.left_over()) else ""

    def left_over(self) -> list[str]:
        """Files that exist only during a change."""
        state = self.site / _liveinstall_boot.layout.STATE
        drafts = [path.name for path in (*state.glob("draft*"), *state.glob("*.part*"))]
        return [*left_overs(self.site), *drafts, *(path.name for path in (state / "transactions").glob("*"))]


def _top(path: str, site: Path, env: Path) -> str:
    inner = os.path.relpath(env / path, site)
    return inner.split("/", 1)[0]


def _wait_for_the_last_of(session: int, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        time.sleep(0.005)


def inconsistent(site: Path) -> list[str]:
    """The problems of a site directory according to `pip check` and RECORD."""
    versions: dict[str, str] = {}
    wrong, needs = [], []
    shared = _explained_by_two(site)
    for info in sorted(site.glob("*.dist-info")):
        name, _, version = info.name.removesuffix(".dist-info").partition("-")
        if not (info / "METADATA").is_file() or not (info / "RECORD").is_file():
            wrong.append(f"{info.name} is damaged")
            continue
        if versions.setdefault(canonicalize_name(name), version) != version:
            wrong.append(f"{name} twice")
        lines = (info / "METADATA").read_text(encoding="utf-8").splitlines()
        needs += [Requirement(line.partition(":")[2]) for line in lines if line.startswith("Requires-Dist:")]
        wrong += [line for path, line in _against_disk(info) if path not in shared]
    wrong += [f"needs {need}" for need in needs if versions.get(canonicalize_name(need.name), "") not in need.specifier]
    return wrong


def _explained_by_two(site: Path) -> set[str]:
    """The paths in two RECORDs that match one of them."""
    infos = [path.parent for path in site.glob("*.dist-info/RECORD")]
    good = Counter(path for info in infos for path in _paths(info) - {wrong for wrong, _ in _against_disk(info)})
    named = Counter(path for info in infos for path in _paths(info))
    return {path for path, count in named.items() if count > 1 and good[path]}


def _paths(info: Path) -> set[str]:
    with (info / "RECORD").open(encoding="utf-8", newline="") as stream:
        return {row[0] for row in csv.reader(stream) if row}


def _against_disk(info: Path) -> Iterator[tuple[str, str]]:
    """The paths of a RECORD that do not match it, each with a sentence."""
    with (info / "RECORD").open(encoding="utf-8", newline="") as stream:
        for row in csv.reader(stream):
            path = info.parent / row[0]
            if not path.exists() and not row[0].endswith(".pyc"):
                yield row[0], f"{row[0]} is missing"
            elif row[1]:
                digest = hashlib.new("sha256", path.read_bytes()).digest()
                if row[1].partition("=")[2] != _base64(digest):
                    yield row[0], f"{row[0]} is not what its RECORD says"


def _base64(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@contextmanager
def workbench(names: Sequence[str] = BIG) -> Iterator[Bench]:
    """A bench in memory, if possible, with the old versions as `old` and the upgrade as `staged`."""
    memory = "/dev/shm"  # thousands of copies are made
    directory = tempfile.mkdtemp(prefix="reliability-", dir=memory if os.access(memory, os.W_OK) else None)
    try:
        bench = Bench(Path(os.path.realpath(directory)), names)
        _prepare(bench)
        yield bench
    finally:
        shutil.rmtree(directory)


def _prepare(bench: Bench) -> None:
    first = bench.names[0]
    done = bench.live(f"li.install('{first}==1.0')")
    assert done.status == 0, done.err
    bench.keep("old")
    done = bench.live(f"import {first}; li.install('{first}==2.0')")
    assert done.status == 0, done.err
    bench.keep("staged")
    assert bench.start().err == ""
    bench.keep("new")
    for name in ("old", "new"):
        bench.restore(name)
        assert inconsistent(bench.site) == [], name
        assert bench.left_over() == [], name
