"""The version before the source tree was rearranged, and environments that it has created for the current one."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from integration.lib.environments import ROOT, Environment, build_wheel, dependencies, user_variables
from integration.lib.interpreters import CURRENT, find_python

COMMIT = "f18633e9867e9eadaa03067b060b7c63454ad3a8"  # the last with `liveinstall/session` and `liveinstall/commit`


def build_previous_wheel(directory: Path) -> Path | None:
    """The wheel of the previous commit; None without git or the commit."""
    if not shutil.which("git"):
        return None
    git = ["git", "-C", str(ROOT), "archive", "--format=tar", COMMIT]
    done = subprocess.run(git, check=False, capture_output=True)
    if done.returncode:
        return None
    source = directory / "source"
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(source, filter="data")
    return build_wheel(directory, source)


FORMER = ("filelock",)  # what only the previous version requires


def download_dependencies(directory: Path) -> Path:
    """A directory with wheels of all that both versions require, for installs without an index."""
    pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--dest", str(directory)]
    done = subprocess.run(
        [*pip, *map(str, dependencies().values()), *FORMER],
        check=False,
        capture_output=True,
        text=True,
        env=user_variables(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


@dataclass(frozen=True)
class Versions:
    """The wheels of both versions of liveinstall, and the directory with all others."""

    old: Path
    new: Path
    wheels: Path

    def make_environment(self, path: Path) -> Environment:
        """An environment with the old liveinstall, alpha 1.0 and beta 1.0."""
        base = find_python(CURRENT)
        assert base
        made = Environment.make(path, base)
        made.add(*self.offline, self.old, *dependencies(), *FORMER, "alpha==1.0", "beta==1.0")
        return made

    def install_new(self, environment: Environment) -> None:
        """Replace the old liveinstall as pip or uv does, but keep pending changes: either would start Python."""
        assert environment.site.joinpath("liveinstall", "session").is_dir()
        before = transaction_states(environment)
        with _companions_hidden(environment):
            environment.add(*self.offline, "--force-reinstall", self.new)
        assert transaction_states(environment) == before
        assert environment.site.joinpath("liveinstall", "_verbs").is_dir()
        assert not environment.site.joinpath("liveinstall", "session", "__init__.py").exists()

    @property
    def offline(self) -> tuple[str, ...]:
        """The options with which only these wheels are installed."""
        return ("--no-index", "--find-links", str(self.wheels))


def run_command(environment: Environment, *words: str, fails: bool = False, **variables: str) -> Any:
    """Run `python -m liveinstall` in an environment; its result, or the error that it must fail with."""
    done = environment.run("-m", "liveinstall", *words, "--json", env=user_variables(**variables))
    assert not done.stderr, done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] is not fails, told
    return told["error" if fails else "result"]


def transaction_states(environment: Environment) -> list[str]:
    """The states of the transactions that are not history, with the numbers of failed tries."""
    directory = environment.site / ".liveinstall" / "transactions"
    return sorted(path.suffix[1:] for path in directory.glob("*") if path.suffix != ".note")


_SERVE = """
import contextlib, io, json, sys, traceback
space = {}
for line in sys.stdin:
    printed, error = io.StringIO(), ""
    with contextlib.redirect_stdout(printed):
        try:
            exec(json.loads(line), space)
        except BaseException:
            error = traceback.format_exc()
    print(json.dumps([printed.getvalue().strip(), error]), flush=True)
"""


class LiveProcess:
    """A running interpreter of an environment that executes code on request; as a context manager it is ended.

    Args:
        environment: Whose interpreter it is.
        finalizes: Whether its start puts in place what is pending. If not, it finds the environment as it was.
    """

    def __init__(self, environment: Environment, *, finalizes: bool = True) -> None:
        command, pipe = [environment.python, "-c", _SERVE], subprocess.PIPE
        with nullcontext() if finalizes else _companions_hidden(environment):
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=user_variables()
            )
            self.run("pass")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def run(self, code: str) -> str:
        """Execute code in its globals; the output."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(code) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self._process.communicate()[1]
        printed, error = json.loads(line)
        assert not error, error
        return str(printed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _, complaints = self._process.communicate(timeout=60)
        assert kind or not complaints, complaints


@contextmanager
def _companions_hidden(environment: Environment) -> Iterator[None]:
    """Interpreters that start now apply no pending changes."""
    hidden = environment.path / "hidden"
    hidden.mkdir()
    moved = [path.rename(hidden / path.name) for path in environment.site.glob("*.part.pth")]
    yield
    for path in moved:
        path.rename(environment.site / path.name)
    hidden.rmdir()


def copy_environment(environment: Environment, path: Path) -> Environment:
    """Copy an environment; pip's files are hard links, because they are not changed."""

    def copy(source: str, target: str) -> str:
        if Path(source).is_relative_to(environment.site / "pip"):
            os.link(source, target)
            return target
        return str(shutil.copy2(source, target))

    return Environment.at(shutil.copytree(environment.path, path, symlinks=True, copy_function=copy))


_KILL = """
import os, signal, sys
left = int(os.environ.get("KILL_AT", "0"))
def hook(event, arguments):
    global left
    if event in ("os.rename", "os.link", "os.remove", "os.rmdir"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
if left:
    sys.addaudithook(hook)
"""


def kill_starts(environment: Environment, directory: Path) -> list[Environment]:
    """Kill a start before each change that it makes to the disk.

    Args:
        environment: One where something is pending; it stays as it is.
        directory: Where copies of it are made.

    Returns:
        Copies as kills left them: the first and the last of each state that the transaction was in.
    """
    killed: dict[tuple[str, ...], list[Environment]] = {}
    for at in range(1, 200):
        copy = copy_environment(environment, directory / f"kill{at}")
        hooks = [copy.site / "0kill.pth", copy.site / "kill_at.py"]
        hooks[0].write_text("import kill_at\n", encoding="ascii")
        hooks[1].write_text(_KILL, encoding="ascii")
        done = copy.run("-B", "-c", "pass", env=user_variables(KILL_AT=str(at)))
        for hook in hooks:
            hook.unlink()
        if done.returncode == 0:
            copy.remove()
            return [one for some in killed.values() for one in some]
        assert done.returncode < 0, done.stderr
        kept = killed.setdefault(tuple(transaction_states(copy)), [])
        for one in kept[1:]:
            one.remove()
        kept[1:] = [copy]
    raise AssertionError("no start came to its end")
