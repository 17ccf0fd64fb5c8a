"""Measurement and presentation: CPU and wall time of a process, interleaved rounds, medians, Markdown tables.

Units: `Usage` and tables of start-up times are in milliseconds, all others in seconds unless the name has a unit.
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

PLAIN = 9.4  # milliseconds of CPU of a plain start of Python on the machine for which the targets were set


@dataclass(frozen=True)
class Usage:
    """The time that a process and its children used.

    Attributes:
        cpu: User and system time, in milliseconds.
        wall: Wall time, in milliseconds.
    """

    cpu: float
    wall: float


def usage_of(arguments: Sequence[str], environment: Mapping[str, str]) -> Usage:
    """Run a program without input and output, and measure it.

    Args:
        arguments: The command line.
        environment: The environment variables.

    Returns:
        The time that it used.

    Raises:
        RuntimeError: Its exit status is not 0.
    """
    null = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_RDWR, 0) for stream in (0, 1, 2)]
    begin = time.perf_counter()
    pid = os.posix_spawn(arguments[0], list(arguments), dict(environment), file_actions=null)
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - begin
    if status:
        raise RuntimeError(f"{' '.join(arguments)} exited with status {os.waitstatus_to_exitcode(status)}")
    return Usage((used.ru_utime + used.ru_stime) * 1000, wall * 1000)


def interleaved(arms: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Measure each arm once in each round, in an order that rotates, so that no arm is always first.

    Args:
        arms: Name -> a function that measures once.
        rounds: The number of rounds.

    Returns:
        Name -> the measurements in the order of the rounds.
    """
    names = list(arms)
    measurements: dict[str, list[T]] = {name: [] for name in names}
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            measurements[name].append(arms[name]())
    return measurements


def added(arm: Sequence[float], control: Sequence[float]) -> float:
    """Return the median of the differences in each round, in which a slow machine slows both arms."""
    return statistics.median(value - base for value, base in zip(arm, control, strict=True))


def ratio(arm: Sequence[float], control: Sequence[float]) -> float:
    """Return the ratio of the medians."""
    return statistics.median(arm) / statistics.median(control)


@dataclass(frozen=True)
class Verdict:
    """A target and its measurement.

    Attributes:
        target: The target, as a phrase.
        measured: The measured value, as text.
        met: Whether the target is met.
    """

    target: str
    measured: str
    met: bool

    def __str__(self) -> str:
        """Return one line for a page or a terminal."""
        return f"{'met' if self.met else '**missed**'}: {self.target}: {self.measured}"


def at_most(what: str, limit: float, measured: float, plain: float) -> Verdict:
    """Return a target in milliseconds, in proportion to a plain start of Python, because machines differ.

    Args:
        what: What is measured, with a verb.
        limit: The target, in milliseconds where a plain start takes `PLAIN`.
        measured: The measured value, in milliseconds.
        plain: A plain start in the same run, in milliseconds of CPU.
    """
    here = limit * plain / PLAIN
    target = f"{what} at most {limit:g} ms where a plain start takes {PLAIN} ms, so {here:.1f} ms here"
    return Verdict(target, f"{measured:+.1f} ms", measured <= here)


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
        title: The title.
        text: What was measured, and how.
        header: The header of the table.
        rows: The rows of the table.
        verdicts: The targets.
    """

    title: str
    text: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    verdicts: Sequence[Verdict] = field(default=())

    def __str__(self) -> str:
        """Return the section as Markdown."""
        blocks = [f"## {self.title}", self.text, table(self.header, self.rows)]
        if self.verdicts:
            blocks.append("\n".join(f"- {verdict}" for verdict in self.verdicts))
        return "\n\n".join(blocks) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table: the first column contains text, the others numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return the median, the minimum and the maximum: `1.23 (1.10-1.40)`."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"
