"""Disk errors at the level of system calls: strace makes one call fail, for liveinstall and for others."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from helpers.disk_errors import ERRORS

from integration.reports.reliability.bench import Bench, Ran
from integration.reports.reliability.kills import Judge, Options
from integration.reports.reliability.phases import Phase
from integration.reports.reliability.trace import Point, Tracer


@dataclass
class Failures:
    """Calls at `points`: the numbers that were `tried` with an error, by its name, and those that left it `broken`."""

    name: str
    points: int = 0
    tried: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return f"errors, {self.name}: {self.tried.total()} at {self.points} points, {self.broken.total()} broken"


def in_turn(number: int, each: int) -> Iterator[str]:
    """The errors for the `number`-th point if each point gets this many: all errors are used equally."""
    for at in range(number * each, number * each + each):
        yield ERRORS[at % len(ERRORS)]


def at_each_point(
    name: str, tracer: Tracer, begin: str, options: Options, each: int, is_broken: Callable[[Point, str, Ran], bool]
) -> Failures:
    """Let the call at each chosen point fail in `each` ways. `begin`: the kept copy to begin from."""
    bench = tracer.bench
    bench.restore(begin)
    points = tracer.points()
    count = Failures(name, len(points))
    for number, point in enumerate(options.choose(points)):
        for error in in_turn(number, each):
            bench.restore(begin)
            ran = tracer.fail(point, error)
            if ran:
                count.tried[error] += 1
                count.broken[error] += is_broken(point, error, ran)
    print(count, file=sys.stderr, flush=True)
    return count


def sweep(bench: Bench, judge: Judge, phase: Phase, options: Options, each: int) -> Failures:
    """One of our phases: each start succeeds, and the environment is old or new."""

    def is_broken(point: Point, error: str, ran: Ran) -> bool:
        wrong = bench.wrong_after(ran) if phase.code is None else ""
        wrong = wrong or judge.after_a_start()[0]
        if wrong:
            print(f"WRONG {phase.name}, {error} at {point}: {wrong}", file=sys.stderr, flush=True)
        return bool(wrong)

    return at_each_point(phase.name, phase.tracer(bench), phase.begin, options, each, is_broken)
