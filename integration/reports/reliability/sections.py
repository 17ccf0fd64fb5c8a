"""The measurements, as independent functions with separate benches."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from helpers import disk_errors as faults

from integration.lib.hostile import KINDS
from integration.reports import hostile_wheels as hostile_table
from integration.reports.reliability import calls, crowds, kills, others, others_crowds, power
from integration.reports.reliability.bench import BIG, SHARED, SMALL, Bench, workbench
from integration.reports.reliability.kills import Count, Judge, Options
from integration.reports.reliability.phases import PHASES, Phase, prepare_halves

_HANDING_OVER = ("install at once", "swap at a start", "roll back at a start", "undo at once", "swap of an undo")
_FAILING = ("stage and publish", "install at once", "swap at a start", "roll back at a start")


@dataclass(frozen=True)
class Sizes:
    """The sizes of samples: one of so many points, or states. `live`: of those of phases that run liveinstall, which
    take ten times longer than starts. `pairs`, for the five distributions: of the first and of the second kills.
    `rivals`: of the states of pip and uv. `each`: errors at each system call that is tried. `hostile`: of the kinds.
    """

    options: Options
    live: int = 6
    pip: int = 6
    states: int = 4
    bound: int = 10
    pairs: tuple[int, int] = (12, 9)
    small: tuple[int, int] = (1, 1)
    crowd: int = 100
    crowds: int = 5
    swaps: int = 1000
    installs: int = 20
    each: int = 1
    rivals: int = 24
    rounds: int = 25
    hostile: int = 1


SMALL_SIZES = Sizes(
    Options(every=41),
    live=1,
    pip=60,
    states=90,
    bound=6,
    pairs=(40, 25),
    small=(17, 9),
    crowd=20,
    crowds=1,
    swaps=30,
    installs=2,
    each=1,
    rivals=150,
    rounds=3,
    hostile=30,
)


def _with_bench(measure: Callable[[Bench, Judge], Any], names: tuple[str, ...] = BIG) -> Any:
    with workbench(names) as bench:
        return measure(bench, Judge(bench))


def phases(sizes: Sizes) -> list[Count]:
    """A kill before each system call of each phase."""

    def measure(bench: Bench, judge: Judge) -> list[Count]:
        prepare_halves(bench)
        live = replace(sizes.options, every=sizes.options.every * sizes.live)
        return [kills.sweep(bench, judge, phase, live if phase.code else sizes.options) for phase in PHASES]

    return [*_with_bench(measure), *_with_bench(partial(shared_files, sizes), SHARED)]


def shared_files(sizes: Sizes, bench: Bench, judge: Judge) -> list[Count]:
    """A kill before each system call of the phases that hand files over from one distribution to another."""
    prepare_halves(bench)
    live = replace(sizes.options, every=sizes.options.every * sizes.live)
    return [kills.sweep(bench, judge, phase, live if phase.code else sizes.options) for phase in _handing_over()]


def _handing_over() -> list[Phase]:
    return [replace(phase, name=f"{phase.name}, shared files") for phase in PHASES if phase.name in _HANDING_OVER]


def pairs(sizes: Sizes) -> list[Count]:
    """A kill of the swap, then one of its recovery."""
    found = []
    for names, (first, second) in ((SMALL, sizes.small), (SHARED, sizes.pairs), (BIG, sizes.pairs)):
        options = replace(sizes.options, every=1)

        def measure(
            bench: Bench, judge: Judge, first: int = first, second: int = second, o: Options = options
        ) -> Count:
            return kills.pairs(bench, judge, o, first=first, second=second)

        found.append(_with_bench(measure, names))
    return found


def interrupts(sizes: Sizes) -> Count:
    """Ctrl-C before each system call of a start."""
    return _with_bench(lambda bench, judge: kills.interrupts(bench, judge, sizes.options))


def power_losses(sizes: Sizes) -> list[Count]:
    """The states that a power loss may leave."""
    return [*_with_bench(partial(_losses, sizes)), *_with_bench(partial(lost_while_handed_over, sizes), SHARED)]


def _losses(sizes: Sizes, bench: Bench, judge: Judge) -> list[Count]:
    prepare_halves(bench)
    options = replace(sizes.options, every=sizes.states)
    counts = [power.sweep(bench, judge, phase, options, bound=sizes.bound) for phase in PHASES]
    return [*counts, power.recoveries(bench, judge, options, first=sizes.pairs[0], bound=sizes.bound)]


def lost_while_handed_over(sizes: Sizes, bench: Bench, judge: Judge) -> list[Count]:
    """The states that a power loss may leave while files are handed over from one distribution to another."""
    prepare_halves(bench)
    options = replace(sizes.options, every=sizes.states)
    counts = [power.sweep(bench, judge, phase, options, bound=sizes.bound) for phase in _handing_over()]
    return [*counts, power.recoveries(bench, judge, options, first=sizes.pairs[0], bound=sizes.bound)]


@dataclass(frozen=True)
class Tool:
    """The outcome of the same upgrade with pip or uv."""

    kills: others.Broken
    errors: calls.Failures
    power: others.Broken


def tools(sizes: Sizes) -> list[Tool]:
    """pip and uv: killed, with errors, and without power."""

    def measure(bench: Bench, _: Judge) -> list[Tool]:
        found = []
        for rival in others.both(bench):
            options = replace(sizes.options, every=sizes.pip) if rival.tool == "pip" else sizes.options
            states = replace(sizes.options, every=sizes.rivals)
            parts = (others.kills(rival, options), others.errors(rival, options, sizes.each))
            found.append(Tool(*parts, others.power_losses(rival, states, sizes.bound)))
        return found

    return list(_with_bench(measure))


def failures(sizes: Sizes) -> list[calls.Failures]:
    """Errors at the system calls of some of our phases."""

    def measure(bench: Bench, judge: Judge) -> list[calls.Failures]:
        prepare_halves(bench)
        live = replace(sizes.options, every=sizes.options.every * sizes.live * 2)
        chosen = [phase for phase in PHASES if phase.name in _FAILING]
        return [calls.sweep(bench, judge, phase, live if phase.code else sizes.options, sizes.each) for phase in chosen]

    return list(_with_bench(measure))


def hostile(sizes: Sizes) -> dict[str, dict[str, str]]:
    """Hostile wheels: kind -> tool -> outcome."""
    return hostile_table.run(list(KINDS)[:: sizes.hostile])


def errors(sizes: Sizes) -> dict[str, Counter[str]]:
    """Each error at each file change of each phase, in this process and its forks: phase -> error -> tries."""
    found = {}
    for phase in faults.PHASES:
        with tempfile.TemporaryDirectory() as directory:
            found[phase] = faults.tries_of_errors(Path(directory), phase, in_turn=sizes.options.every > 1)
        print(f"errors: {phase}: {sum(found[phase].values())}", file=sys.stderr, flush=True)
    return found


@dataclass
class Crowds:
    """The outcome of concurrent starts; `wrong` lists the problems of `installs` pairs of concurrent installs."""

    starts: list[crowds.Crowd]
    swaps: crowds.Swaps
    installs: int
    wrong: list[str]
    others: list[others_crowds.RivalCrowds]


def crowded(sizes: Sizes) -> Crowds:
    """Many interpreters at once."""

    def measure(bench: Bench, _: Judge) -> Crowds:
        starts = [crowds.start_at_once(bench, sizes.crowd) for _ in range(sizes.crowds)]
        swaps = crowds.back_and_forth(bench, sizes.swaps)
        installs, wrong = crowds.two_install(bench, sizes.installs)
        beside = [
            others_crowds.measure(
                rival, size=sizes.crowd, times=sizes.crowds, rounds=sizes.rounds, installs=sizes.installs
            )
            for rival in others.both(bench)
        ]
        return Crowds(starts, swaps, installs, wrong, beside)

    return _with_bench(measure)
