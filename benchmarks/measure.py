"""Measuring and showing: CPU and wall time of a process, rounds that interleave, medians, Markdown tables.

Units: `Usage` and tables of starts are in milliseconds, everything else is in seconds unless a name says otherwise.
"""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

T = TypeVar("T")


@dataclass(frozen=True)
class Usage:
    """What one process has used, with its children: CPU (user + system) and wall time, both in milliseconds."""

    cpu: float
    wall: float


def usage_of(arguments: Sequence[str], environment: Mapping[str, str]) -> Usage:
    """Run a program to its end with no input and no output; RuntimeError when its status is not 0."""
    null = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_RDWR, 0) for stream in (0, 1, 2)]
    begin = time.perf_counter()
    pid = os.posix_spawn(arguments[0], list(arguments), dict(environment), file_actions=null)
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - begin
    if status:
        raise RuntimeError(f"{' '.join(arguments)} ended with status {os.waitstatus_to_exitcode(status)}")
    return Usage((used.ru_utime + used.ru_stime) * 1000, wall * 1000)


def interleaved(arms: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Measure each arm once a round; the order turns by one from round to round, so that no arm is always first."""
    names = list(arms)
    found: dict[str, list[T]] = {name: [] for name in names}
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            found[name].append(arms[name]())
    return found


def added(arm: Sequence[float], control: Sequence[float]) -> float:
    """The median of the differences, round by round: a machine that slows down slows both."""
    return statistics.median(one - other for one, other in zip(arm, control, strict=True))


def ratio(arm: Sequence[float], control: Sequence[float]) -> float:
    """The ratio of the medians."""
    return statistics.median(arm) / statistics.median(control)


@dataclass(frozen=True)
class Verdict:
    """A target and what was measured."""

    target: str
    measured: str
    met: bool

    def __str__(self) -> str:
        """One line for a page or a terminal."""
        return f"{'met' if self.met else '**missed**'}: {self.target}: {self.measured}"


@dataclass(frozen=True)
class Section:
    """A part of the page: what was measured, and a table."""

    title: str
    text: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    verdicts: Sequence[Verdict] = field(default=())

    def __str__(self) -> str:
        """As Markdown."""
        blocks = [f"## {self.title}", self.text, table(self.header, self.rows)]
        if self.verdicts:
            blocks.append("\n".join(f"- {verdict}" for verdict in self.verdicts))
        return "\n\n".join(blocks) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: the first column is words, the others are figures."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """`1.23 (1.10-1.40)`: the median, the least and the most."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"
