"""The recipe of docs/no-adapter.md: a home for each release, a link to the current one, and a warm shutdown."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.lib.documents import snippets
from integration.lib.environments import Environment, user_variables
from integration.lib.wheels import write_wheel

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links and signals of POSIX")

PAGE = Path(__file__).parents[1] / "docs" / "no-adapter.md"
_LOOK = """
import alpha, os, sys, time
open(sys.argv[1], "x").close()
while not os.path.exists(sys.argv[2]):
    time.sleep(0.05)
import alpha.late
print(alpha.VERSION, alpha.late.VERSION)
"""


class Recipe:
    """The blocks of the page, with a directory of the test's instead of /srv/app."""

    def __init__(self, folder: Path, environment: Environment, wheels: Path) -> None:
        self.folder = folder
        self.app = folder / "app"
        self.app.mkdir()
        self._environment = environment
        self._wheels = wheels
        texts = [each.text for each in snippets(PAGE) if each.options.get("run by") == "integration/test_no_adapter.py"]
        self.first, self.start, self.next, self.remove = texts
        (folder / "worker.py").write_text(_LOOK)

    def require(self, *lines: str) -> None:
        """Write the requirements of the next release."""
        text = "\n".join([f"--find-links {self._wheels}", *lines, ""])
        (self.folder / "requirements.txt").write_text(text)

    def run(self, block: str) -> str:
        """Run the lines of a block as a user would; their output."""
        script = block.replace("/srv/app", str(self.app)).replace(
            "python -m", f"{shlex.quote(str(self._environment.python))} -m"
        )
        done = subprocess.run(
            ["sh", "-ec", script], capture_output=True, text=True, check=False, cwd=self.folder, env=user_variables()
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def worker(self, number: int, command: str) -> subprocess.Popen[str]:
        """Start a worker, which has imported alpha, and later imports the rest of it."""
        began = self.folder / f"began-{number}"
        line = f"exec {command.replace('/srv/app', str(self.app))} {began} {self.folder / 'go'}"
        process = subprocess.Popen(
            ["sh", "-c", line], stdout=subprocess.PIPE, text=True, cwd=self.folder, env=user_variables()
        )
        wait_for(began, process)
        return process


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a process has made a file."""
    for _ in range(1200):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    raise AssertionError(f"{path} was not made")


@pytest.fixture
def recipe(tmp_path: Path, environment: Environment) -> Recipe:
    for version in ("1.0", "2.0"):
        write_wheel(tmp_path / "wheels", "alpha", version, scripts=["my-worker"])
    return Recipe(tmp_path, environment, tmp_path / "wheels")


def test_workers_end_on_their_release_and_new_ones_have_the_next(recipe: Recipe) -> None:
    script, command = recipe.start.splitlines()
    recipe.require("--no-index", "alpha==1.0")
    recipe.run(recipe.first)
    old = recipe.worker(1, command)
    mixed = recipe.worker(2, "/srv/app/current/bin/python worker.py")
    assert recipe.run(script) == "1.0\n"
    recipe.require("--no-index", "alpha==2.0")
    recipe.run(recipe.next)
    new = recipe.worker(3, command)
    (recipe.folder / "go").touch()
    assert old.communicate(timeout=60)[0] == "1.0 1.0\n"
    assert new.communicate(timeout=60)[0] == "2.0 2.0\n"
    assert mixed.communicate(timeout=60)[0] == "1.0 2.0\n", "why the page warns of `current/bin/python`"
    assert recipe.run(script) == "2.0\n"
    recipe.run(recipe.remove)
    assert sorted(path.name for path in (recipe.app / "releases").iterdir()) == ["2"]
    assert sorted(path.name for path in recipe.app.iterdir()) == ["current", "releases", "store"]


_TASKS = """
import os, time
from celery import Celery

FOLDER = os.path.dirname(os.path.abspath(__file__))
app = Celery("tasks", broker="filesystem://", backend="file://" + FOLDER + "/results")
queue = FOLDER + "/queue"
app.conf.broker_transport_options = {
    "data_folder_in": queue, "data_folder_out": queue, "control_folder": FOLDER + "/control"
}

@app.task
def slow(began, go):
    import alpha
    open(began, "x").close()
    while not os.path.exists(go):
        time.sleep(0.05)
    import alpha.late
    return alpha.VERSION + " " + alpha.late.VERSION
"""


class Celery:
    """Workers of Celery, which are started by the link, and its broker of files."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._script = str(recipe.app / "current" / "bin" / "celery")
        self._processes: list[subprocess.Popen[str]] = []
        for name in ("queue", "control", "results"):
            (recipe.folder / name).mkdir()
        (recipe.folder / "tasks.py").write_text(_TASKS)

    def worker(self, name: str) -> subprocess.Popen[str]:
        """Start a worker."""
        log = open(self._recipe.folder / f"{name}.log", "w", encoding="utf-8")
        options = ("-c", "1", "-n", f"{name}@test", "--without-gossip", "--without-mingle", "--without-heartbeat")
        process = subprocess.Popen(
            [self._script, "-A", "tasks", "worker", *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self._recipe.folder,
            env=user_variables(),
        )
        log.close()
        self._processes.append(process)
        return process

    def call(self, began: Path, go: Path) -> Path:
        """Send a task; the file of its result."""
        arguments = f'["{began}", "{go}"]'
        command = [self._script, "-A", "tasks", "call", "tasks.slow", "--args", arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=self._recipe.folder, env=user_variables()
        )
        return self._recipe.folder / "results" / f"celery-task-meta-{done.stdout.strip()}"

    def close(self) -> None:
        """Kill all workers."""
        for process in self._processes:
            process.kill()
            process.wait()


@pytest.fixture
def celery(recipe: Recipe) -> Iterator[Celery]:
    recipe.require("celery", "alpha==1.0")
    recipe.run(recipe.first)
    made = Celery(recipe)
    yield made
    made.close()


@pytest.mark.full
def test_celery_ends_running_tasks_on_the_old_release_and_takes_new_ones_on_the_next(
    recipe: Recipe, celery: Celery
) -> None:
    began, go = recipe.folder / "began", recipe.folder / "go"
    old = celery.worker("old")
    first = celery.call(began, go)
    wait_for(began, old)
    recipe.require("celery", "alpha==2.0")
    recipe.run(recipe.next)
    old.send_signal(signal.SIGTERM)
    new = celery.worker("new")
    second = celery.call(recipe.folder / "began-2", recipe.folder)
    wait_for(second, new)
    assert '"2.0 2.0"' in second.read_text(), "by the new worker, while the old one is still busy"
    assert old.poll() is None and not first.exists()
    go.touch()
    assert old.wait(60) == 0
    assert '"1.0 1.0"' in first.read_text()
