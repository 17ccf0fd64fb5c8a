"""The cost of creating a home, compared with venv, virtualenv and uv, and the start-up delay of a trial.

CPU is user + system of a command and of its children, in milliseconds. Every round creates each environment again.
"""

from __future__ import annotations

import itertools
import os
import statistics
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import Environment, Options, Workshop, run_alone
from benchmarks.measure import Section, Usage, Verdict, interleaved, spread, usage_of
from benchmarks.staging import NEW, OLD, with_old_numpy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HOME, TRIAL = 50, 100  # ms


def measure(place: Workshop, options: Options) -> list[Section]:
    """Measure empty environments, environments with numpy, and trials."""
    return [*_making(place, options.count(15, 3)), _trials(place, options.count(40, 10))]


# --- making -----------------------------------------------------------------------------------------------------------


class _Makers:
    """The commands of each tool that create an environment at a path."""

    def __init__(self, place: Workshop) -> None:
        self.place = place
        self.base = with_old_numpy(place)
        self.store = str(place.path / "homes-store")
        self.python = self.base.python
        place.run(place.uv, "pip", "install", "--quiet", "--python", self.python, "virtualenv")
        self.home(str(place.path / "first-home"), OLD)  # fills the store

    def home(self, path: str, *requirements: str) -> Usage:
        words = ["home", "create", path, *requirements, "--store", self.store, "--quiet"]
        return self._cost([self.python, "-m", "liveinstall", *words, "--find-links", str(self.place.wheels)])

    def venv(self, path: str, *requirements: str) -> Usage:
        return self._with(path, requirements, [self.python, "-m", "venv", "--without-pip", path])

    def virtualenv(self, path: str, *requirements: str) -> Usage:
        command = [self.python, "-m", "virtualenv", "--quiet", "--no-seed", "--no-periodic-update", path]
        return self._with(path, requirements, command)

    def uv(self, path: str, *requirements: str) -> Usage:
        return self._with(path, requirements, [self.place.uv, "venv", "--quiet", path], uv=True)

    def _with(self, path: str, requirements: Sequence[str], make: Sequence[str], *, uv: bool = False) -> Usage:
        steps = [make]
        source = ["--no-index", "--find-links", str(self.place.wheels), *requirements]
        python = Environment(Path(path)).python
        if requirements and uv:
            steps.append([self.place.uv, "pip", "install", "--quiet", "--python", python, *source])
        elif requirements:
            steps.append([self.python, "-m", "pip", "--quiet", "--python", python, "install", *source])
        return self._cost(*steps)

    def _cost(self, *steps: Sequence[str]) -> Usage:
        found = [usage_of(step, self.place.variables) for step in steps]
        return Usage(sum(usage.cpu for usage in found), sum(usage.wall for usage in found))

    def call(self, path: str) -> dict[str, Any]:
        """Return the time of the call alone, in a process that does nothing else."""
        return self.place.ask(self.base, "homes", job="home", path=path, store=self.store, requirements=[OLD])


def _making(place: Workshop, rounds: int) -> list[Section]:
    makers, numbers = _Makers(place), itertools.count()

    def at(make: Callable[..., Any], *requirements: str) -> Any:
        return make(str(place.path / f"made-{next(numbers)}"), *requirements)

    calls = [at(makers.call) for _ in range(max(5, rounds))]
    again = [call["again"] * 1000 for call in calls]
    arms = {
        "home": makers.home,
        "home again (control)": makers.home,
        "venv": makers.venv,
        "virtualenv": makers.virtualenv,
        "uv venv": makers.uv,
    }
    sections = []
    for title, asked in (("Creating an empty environment", ()), ("Creating an environment with numpy 1.26", (OLD,))):
        found = interleaved({name: partial(at, make, *asked) for name, make in arms.items()}, rounds)
        rows = []
        for name, usages in found.items():
            path = str(place.path / f"made-{next(numbers)}")
            arms[name](path, *asked)
            rows.append(_row(name, usages, _size(path)))
        sections.append(Section(title, _EXPLAINED.format(rounds), ("", "CPU", "wall", "entries", "kB"), rows))
    first = spread([call["cpu"] * 1000 for call in calls], 0)
    met = statistics.median(again) <= HOME
    verdict = Verdict(
        f"a home with numpy takes at most {HOME} ms of CPU to create",
        f"{spread(again, 0)} ms for the call; {first} ms for the first call of a process, which loads what it needs",
        met,
    )
    last = sections[-1]
    sections[-1] = Section(last.title, last.text, last.header, last.rows, (verdict,))
    return sections


_EXPLAINED = (
    "Milliseconds, medians of {} (least and most) of whole commands, so `home` includes the start of Python and the "
    "loading of liveinstall. No environment has pip; numpy comes from a filled store, or from a wheelhouse and a warm "
    "cache, by pip (into venv and virtualenv) or by uv. Entries and kB are the additional ones, without links."
)


def _row(name: str, usages: Sequence[Usage], size: tuple[int, int]) -> list[str]:
    cpu, wall = spread([usage.cpu for usage in usages], 0), spread([usage.wall for usage in usages], 0)
    return [name, cpu, wall, f"{size[0]:,}", f"{size[1]:,}"]


def _size(path: str) -> tuple[int, int]:
    """The number of entries, and the kB of the files that only this environment has."""
    entries = bytes_ = 0
    for directory, names, files in os.walk(path):
        entries += len(names) + len(files)
        for file in files:
            about = os.lstat(os.path.join(directory, file))
            is_own = about.st_nlink == 1 and not os.path.islink(os.path.join(directory, file))
            bytes_ += about.st_blocks * 512 if is_own else 0
    return entries, bytes_ // 1024


# --- trials -----------------------------------------------------------------------------------------------------------


def _trials(place: Workshop, rounds: int) -> Section:
    rows, worst = [], 0.0
    environment = with_old_numpy(place)
    for name, stage in (("no pending changes", ""), ("numpy waits", NEW)):
        found = place.ask(environment, "homes", job="trial", rounds=rounds, stage=stage, **place.offline())
        for arm, title in (("trial", f"trial, {name}"), ("plain", "a bare child"), ("control", "again (control)")):
            cpu, wall = ([pair[at] * 1000 for pair in found[arm]] for at in (0, 1))
            rows.append([title, spread(cpu, 1), spread(wall, 1)])
            worst = max(worst, statistics.median(wall), statistics.median(cpu)) if arm == "trial" else worst
    return Section(
        "The start-up delay of a trial",
        f"Milliseconds from the call of `trial()` to the first statement of its program, medians of {rounds} (least "
        "and most): CPU of both processes, and wall time; compared with a bare child of the same interpreter.",
        ("", "CPU", "wall"),
        rows,
        (Verdict(f"at most {TRIAL} ms before the program", f"{worst:.1f} ms", worst <= TRIAL),),
    )


if __name__ == "__main__":
    run_alone(measure, __doc__)
