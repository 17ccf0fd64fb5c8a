"""Environments and wheels for all benchmarks, in one temporary directory, and their command line.

Nothing outside of that directory is written: it contains the caches of pip and uv too. The measured interpreter is the
base of the one that runs the benchmarks, in virtual environments.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.measure import Section

ROOT = Path(__file__).resolve().parent.parent
CHILDREN = Path(__file__).resolve().parent / "children"


@dataclass(frozen=True)
class Options:
    """The options of the command line.

    Attributes:
        quick: Whether to run only few rounds, and to write no page.
        index: Whether to install from the configured index too.
        rounds: The number of rounds of all benchmarks; default: each benchmark has its own.
        directory: Where to make the temporary directory; default: the system's directory for temporary files.
    """

    quick: bool = False
    index: bool = False
    rounds: int | None = None
    directory: str | None = None

    def count(self, usual: int, quick: int) -> int:
        """Return the number of rounds to measure.

        Args:
            usual: The benchmark's own number.
            quick: Its number for `--quick`.
        """
        return self.rounds or (quick if self.quick else usual)


@dataclass(frozen=True)
class Environment:
    """A temporary virtual environment.

    Attributes:
        path: Its directory, absolute.
    """

    path: Path

    @property
    def python(self) -> str:
        """Return the path of its interpreter."""
        return str(self.path / "bin" / "python")

    @cached_property
    def site(self) -> Path:
        """Return its site-packages directory."""
        return next(self.path.glob("lib/python*/site-packages"))

    def discard(self) -> None:
        """Truncate its files, but do not remove them before the end of the run.

        On ext4 without a journal, creating files is up to ten times slower for minutes after many were removed, because
        recently freed inodes are skipped one by one; that would distort the next measurement.
        """
        for directory, _, names in os.walk(self.path):
            for path in (os.path.join(directory, name) for name in names):
                about = os.lstat(path)
                if stat.S_ISREG(about.st_mode) and about.st_nlink == 1:  # a file with more links is in uv's cache too
                    os.truncate(path, 0)


class Workshop:
    """The temporary directory of a run; its shared content is created at first use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.numbers = itertools.count()

    @cached_property
    def variables(self) -> dict[str, str]:
        """Return the environment variables of all child processes: those of the user, with temporary caches."""
        dropped = ("PYTHON", "VIRTUAL_ENV", "COVERAGE", "LIVEINSTALL")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        caches = {"PIP_CACHE_DIR": "pip-cache", "UV_CACHE_DIR": "uv-cache", "XDG_CACHE_HOME": "cache"}
        return kept | {name: str(self.path / directory) for name, directory in caches.items()}

    @cached_property
    def uv(self) -> str:
        """Return the path of uv: in the directory of this interpreter, or on PATH."""
        scripts = os.path.dirname(sys.executable)
        program = shutil.which("uv", path=os.pathsep.join([scripts, os.environ.get("PATH", "")]))
        if not program:
            raise SystemExit("The benchmarks need uv: python -m pip install uv")
        return program

    @cached_property
    def wheels(self) -> Path:
        """Return the wheelhouse: a directory for downloaded and synthetic wheels."""
        directory = self.path / "wheels"
        directory.mkdir(exist_ok=True)
        return directory

    @cached_property
    def own_wheel(self) -> Path:
        """Return the path of a wheel built from this source tree."""
        out = self.path / "own"
        self.run(self.uv, "build", "--quiet", "--wheel", "--out-dir", str(out), str(ROOT))
        return next(out.glob("liveinstall-*.whl"))

    @cached_property
    def template(self) -> Environment:
        """Return an environment with pip and liveinstall, with bytecode, as after an installation by pip."""
        environment = self._empty("template")
        install = [self.uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", environment.python]
        self.run(*install, "pip", str(self.own_wheel))
        return environment

    @cached_property
    def uv_made(self) -> Environment:
        """Return an environment as uv makes it: without pip, and without bytecode of liveinstall."""
        environment = self._empty("uv-made")
        self.run(self.uv, "pip", "install", "--quiet", "--python", environment.python, str(self.own_wheel))
        return environment

    @cached_property
    def plain(self) -> Environment:
        """Return the control: the template without liveinstall."""
        environment = self.copy(self.template)
        self.run(self.uv, "pip", "uninstall", "--quiet", "--python", environment.python, "liveinstall")
        return environment

    def _empty(self, name: str) -> Environment:
        path = self.path / name
        base = getattr(sys, "_base_executable", sys.executable)
        self.run(self.uv, "venv", "--quiet", "--python", base, str(path))
        return Environment(path)

    def copy(self, source: Environment) -> Environment:
        """Copy an environment; times, modes and links are kept, so that its .pyc files remain valid."""
        path = self.path / f"env-{next(self.numbers)}"
        self.run("cp", "-a", str(source.path), str(path))
        return Environment(path)

    @contextmanager
    def fresh(self, source: Environment | None = None) -> Iterator[Environment]:
        """Copy an environment (default: the template) for one repetition, after all pending writes to the disk.

        The copy stays until the end of the run: for half a minute after thousands of files were removed, ext4 takes
        several times longer to create files, which would distort the next measurement.
        """
        environment = self.copy(source or self.template)
        os.sync()
        yield environment

    def fetch(self, *requirements: str, deps: bool = True) -> None:
        """Download wheels into the wheelhouse, and thereby into pip's cache.

        Args:
            *requirements: The requirements.
            deps: Whether to download their dependencies too.
        """
        command = [self.template.python, "-m", "pip", "download", "--quiet", "--dest", str(self.wheels)]
        self.run(*command, *([] if deps else ["--no-deps"]), *requirements)

    def run(self, *arguments: str) -> None:
        """Run a program; RuntimeError with its stderr if it fails."""
        self.output(*arguments)

    def output(self, *arguments: str) -> str:
        """Return the stdout of a program; RuntimeError with its stderr if it fails."""
        done = subprocess.run(
            arguments, env=self.variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)} exited with status {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def ask(self, environment: Environment, child: str, **question: Any) -> dict[str, Any]:
        """Run `children/<child>.py` in an environment; request and answer are JSON files.

        Args:
            environment: The environment.
            child: The name of the program.
            **question: The request.

        Returns:
            The answer.
        """
        request, answer = (self.path / f"{name}-{next(self.numbers)}.json" for name in ("question", "answer"))
        request.write_text(json.dumps(question | {"uv": self.uv}), encoding="utf-8")
        self.run(environment.python, str(CHILDREN / f"{child}.py"), str(request), str(answer))
        return dict(json.loads(answer.read_text(encoding="utf-8")))

    def offline(self) -> dict[str, Any]:
        """Return the part of a request that restricts installation to the wheelhouse."""
        return {"wheels": str(self.wheels)}


@contextmanager
def workshop(options: Options) -> Iterator[Workshop]:
    """Make the temporary directory of a run, and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="side-by-side-", dir=options.directory) as directory:
        yield Workshop(Path(os.path.realpath(directory)))


def parse_options(description: str | None, arguments: Sequence[str] | None = None) -> Options:
    """Parse the command line that all benchmarks share.

    Args:
        description: The description in the help.
        arguments: The arguments; default: those of this process.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="few repetitions, for a rough impression only")
    parser.add_argument("--index", action="store_true", help="also install from the configured index, with warm caches")
    parser.add_argument("--rounds", type=int, help="number of rounds of all benchmarks")
    parser.add_argument(
        "--directory", help="working directory, on the file system to measure (default: temporary files)"
    )
    return Options(**vars(parser.parse_args(arguments)))


def run_alone(measure: Callable[[Workshop, Options], Sequence[Section]], description: str | None) -> None:
    """Run one benchmark and print its sections: `python -m benchmarks.NAME`.

    Args:
        measure: The benchmark.
        description: The description in the help.
    """
    options = parse_options(description)
    with workshop(options) as place:
        for section in measure(place, options):
            print(section)
