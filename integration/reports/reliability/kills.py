"""A kill before every file-changing system call of each phase; then one start of Python, and the next command."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from integration.reports.reliability.bench import BIG, IMPORT_ALL, SHARED, Bench
from integration.reports.reliability.phases import Phase
from integration.reports.reliability.trace import Tracer

_T = TypeVar("_T")


@dataclass
class Options:
    """`every`: of how many points one is tried. `deadline`: on the monotonic clock, when to stop.

    `next_every`: after how many tries one is followed by the next commands too, which take longer than all the rest.
    """

    every: int = 1
    deadline: float = float("inf")
    next_every: int = 3

    def choose(self, points: Sequence[_T]) -> Iterator[_T]:
        """The points, or states, to try, while there is time."""
        for point in points[:: self.every]:
            if time.monotonic() < self.deadline:
                yield point


@dataclass
class Count:
    """The outcome of a sweep: `tried` of the existing `points`, `old` or `new`; `wrong` lists the others."""

    name: str
    points: int = 0
    tried: int = 0
    old: int = 0
    new: int = 0
    litter: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.name}: {self.tried} of {self.points}, {self.old} old, {self.new} new, {len(self.wrong)} wrong"

    def add(self, wrong: str, *, is_new: bool, at: object) -> None:
        """Count one try."""
        self.tried += 1
        self.new += is_new and not wrong
        self.old += not is_new and not wrong
        if wrong:
            self.wrong.append(f"{at}: {wrong}")
            print(f"WRONG {self.name}, {at}: {wrong}", file=sys.stderr, flush=True)


class Judge:
    """Knows the trees of the old and the new version."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.trees = {}
        self.code = IMPORT_ALL if bench.names == BIG else "pass"
        for name in ("old", "new"):
            bench.restore(name)
            self.trees[name] = bench.state()

    def after_a_start(self) -> tuple[str, bool]:
        """Start Python once: the problems, and whether the environment is new."""
        wrong = self.bench.wrong_after(self.bench.start(self.code))
        state = self.bench.state()
        return wrong or self._between(state), state == self.trees["new"]

    def _between(self, state: dict[str, str]) -> str:
        if state in self.trees.values():
            return ""
        nearest = min(self.trees.values(), key=lambda tree: len(set(state.items()) ^ set(tree.items())))
        return f"between old and new: {sorted(set(state.items()) ^ set(nearest.items()))[:6]}"


def sweep(bench: Bench, judge: Judge, phase: Phase, options: Options) -> Count:
    """Kill one phase at its points."""
    tracer = phase.tracer(bench)
    bench.restore(phase.begin)
    points = tracer.points()
    count = Count(phase.name, len(points))
    for point in options.choose(points):
        bench.restore(phase.begin)
        if not tracer.kill(point):
            count.points -= 1  # this run differs there from the dry run
            continue
        wrong, is_new = judge.after_a_start()
        if not wrong and count.tried % options.next_every == 0:
            wrong = bench.wrong_with_next()
        count.add(wrong, is_new=is_new, at=point)
    print(count, file=sys.stderr, flush=True)
    return count


def interrupts(bench: Bench, judge: Judge, options: Options) -> Count:
    """Ctrl-C before each system call of a start that swaps. It may end that start, but only between old and new."""
    start = Tracer(bench, [bench.python, "-B", "-c", "pass"])
    bench.restore("staged")
    points = start.points()
    count = Count("Ctrl-C at a start", len(points))
    for point in options.choose(points):
        bench.restore("staged")
        start.signal(point, "INT")
        wrong, is_new = judge.after_a_start()
        count.add(wrong, is_new=is_new, at=point)
    print(count, file=sys.stderr, flush=True)
    return count


def pairs(bench: Bench, judge: Judge, options: Options, *, first: int = 1, second: int = 1) -> Count:
    """Kill the swap at each `first`-th point, and the start that recovers at each `second`-th of its own points.

    A first kill that leaves the disk as the one before did is not followed again.
    """
    start = Tracer(bench, [bench.python, "-B", "-c", "pass"])
    bench.restore("staged")
    of = "shared files" if bench.names == SHARED else f"{len(bench.names)} distributions"
    count, seen = Count(f"two kills, {of}"), set()
    for one in options.choose(start.points()[::first]):
        bench.restore("staged")
        start.kill(one)
        disk = _disk(bench)
        if disk in seen:
            continue
        seen.add(disk)
        bench.keep("once")
        points = start.points()
        count.points += len(points)
        for two in options.choose(points[::second]):
            bench.restore("once")
            if start.kill(two):
                wrong, is_new = judge.after_a_start()
                left = wrong or ("left over" if bench.left_over() else "")
                count.add(left, is_new=is_new, at=(one, two))
            else:
                count.points -= 1
    print(count, file=sys.stderr, flush=True)
    return count


def _disk(bench: Bench) -> frozenset[str]:
    return frozenset(str(path.relative_to(bench.env)) for path in bench.env.rglob("*"))
