"""Environments and wheels for all benchmarks, in one directory that is thrown away, and their command line.

Nothing outside of that directory is written: caches of pip and uv are its own, the interpreter under test is the base
of the one that runs the benchmarks, reached through virtual environments.
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
    """What the command line asks for. `rounds` overrides each benchmark's own number of repetitions.

    `directory`: where the workshop is made; default: where temporary files go.
    """

    quick: bool = False
    index: bool = False
    rounds: int | None = None
    directory: str | None = None

    def count(self, usual: int, quick: int) -> int:
        """How many rounds to measure."""
        return self.rounds or (quick if self.quick else usual)


@dataclass(frozen=True)
class Environment:
    """A throw-away virtual environment."""

    path: Path

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.path / "bin" / "python")

    @cached_property
    def site(self) -> Path:
        """Its site-packages."""
        return next(self.path.glob("lib/python*/site-packages"))

    def discard(self) -> None:
        """Give its room on the disk back, but not its inodes: those go with the workshop.

        On ext4 without a journal *new* files cost up to ten times more for minutes after many were removed, because
        inodes that were just freed are passed over one by one: whoever is measured next would pay for that.
        """
        for directory, _, names in os.walk(self.path):
            for path in (os.path.join(directory, name) for name in names):
                about = os.lstat(path)
                if stat.S_ISREG(about.st_mode) and about.st_nlink == 1:  # more links: it is in uv's cache too
                    os.truncate(path, 0)


class Workshop:
    """The directory of a run. What is made in it once, is made when it is first needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.numbers = itertools.count()

    @cached_property
    def variables(self) -> dict[str, str]:
        """The environment variables of all children: as users have them, with caches of our own."""
        dropped = ("PYTHON", "VIRTUAL_ENV", "COVERAGE", "LIVEINSTALL")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        return kept | {"PIP_CACHE_DIR": str(self.path / "pip-cache"), "UV_CACHE_DIR": str(self.path / "uv-cache")}

    @cached_property
    def uv(self) -> str:
        """The uv program: beside this interpreter, or on PATH."""
        beside = os.path.dirname(sys.executable)
        found = shutil.which("uv", path=os.pathsep.join([beside, os.environ.get("PATH", "")]))
        if not found:
            raise SystemExit("uv is needed: python -m pip install uv")
        return found

    @cached_property
    def wheels(self) -> Path:
        """The wheelhouse: an empty directory, filled by `fetch()` and by synthetic wheels."""
        directory = self.path / "wheels"
        directory.mkdir(exist_ok=True)
        return directory

    @cached_property
    def own_wheel(self) -> Path:
        """A wheel of this source tree."""
        out = self.path / "own"
        self.run(self.uv, "build", "--quiet", "--wheel", "--out-dir", str(out), str(ROOT))
        return next(out.glob("liveinstall-*.whl"))

    @cached_property
    def template(self) -> Environment:
        """An environment with pip and liveinstall, compiled as pip compiles what it installs."""
        environment = self._empty("template")
        install = [self.uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", environment.python]
        self.run(*install, "pip", str(self.own_wheel))
        return environment

    @cached_property
    def plain(self) -> Environment:
        """The control: the template without liveinstall."""
        environment = self.copy(self.template)
        self.run(self.uv, "pip", "uninstall", "--quiet", "--python", environment.python, "liveinstall")
        return environment

    def _empty(self, name: str) -> Environment:
        path = self.path / name
        base = getattr(sys, "_base_executable", sys.executable)
        self.run(self.uv, "venv", "--quiet", "--python", base, str(path))
        return Environment(path)

    def copy(self, source: Environment) -> Environment:
        """A new environment like `source`: times, modes and links are kept, so its .pyc files are still good."""
        path = self.path / f"env-{next(self.numbers)}"
        self.run("cp", "-a", str(source.path), str(path))
        return Environment(path)

    @contextmanager
    def fresh(self, source: Environment | None = None) -> Iterator[Environment]:
        """A copy of `source` (default: the template) for one repetition, on a disk that has nothing left to write.

        It stays until the end of the run: for half a minute after a directory of thousands of files was removed, ext4
        takes several times longer to create others, which would be charged to whoever comes next.
        """
        environment = self.copy(source or self.template)
        os.sync()
        yield environment

    def fetch(self, *requirements: str, deps: bool = True) -> None:
        """Download wheels into the wheelhouse, and so into pip's cache."""
        words = [self.template.python, "-m", "pip", "download", "--quiet", "--dest", str(self.wheels)]
        self.run(*words, *([] if deps else ["--no-deps"]), *requirements)

    def run(self, *arguments: str) -> None:
        """Run a program."""
        self.output(*arguments)

    def output(self, *arguments: str) -> str:
        """What a program prints; RuntimeError with its errors when it fails."""
        done = subprocess.run(
            arguments, env=self.variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def ask(self, environment: Environment, child: str, **question: Any) -> dict[str, Any]:
        """Run `children/<child>.py` in an environment: its question and its answer are JSON files."""
        asked, answer = (self.path / f"{name}-{next(self.numbers)}.json" for name in ("question", "answer"))
        asked.write_text(json.dumps(question | {"uv": self.uv}), encoding="utf-8")
        self.run(environment.python, str(CHILDREN / f"{child}.py"), str(asked), str(answer))
        return dict(json.loads(answer.read_text(encoding="utf-8")))

    def offline(self) -> dict[str, Any]:
        """The question's part that says: install from the wheelhouse only."""
        return {"wheels": str(self.wheels)}


@contextmanager
def workshop(options: Options) -> Iterator[Workshop]:
    """A workshop in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="side-by-side-", dir=options.directory) as directory:
        yield Workshop(Path(os.path.realpath(directory)))


def parse_options(description: str | None, arguments: Sequence[str] | None = None) -> Options:
    """The command line that all benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="few repetitions: a look, no evidence")
    parser.add_argument("--index", action="store_true", help="also install from the configured index, caches warm")
    parser.add_argument("--rounds", type=int, help="repetitions of everything")
    parser.add_argument("--directory", help="where to work, on the file system to measure (default: temporary files)")
    return Options(**vars(parser.parse_args(arguments)))


def run_alone(measure: Callable[[Workshop, Options], Sequence[Section]], description: str | None) -> None:
    """`python -m benchmarks.NAME`: measure and print."""
    options = parse_options(description)
    with workshop(options) as place:
        for section in measure(place, options):
            print(section)
