"""Rows of the tables of docs/reliability.md."""

from __future__ import annotations

import os
from collections.abc import Sequence

from helpers.disk_errors import ERRORS

from integration.reports.reliability.calls import Failures
from integration.reports.reliability.crowds import Crowd
from integration.reports.reliability.kills import Count
from integration.reports.reliability.others import Broken
from integration.reports.reliability.sections import Crowds


def line(*cells: object) -> str:
    """A row of a table, with thousands separators."""
    return f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell) for cell in cells)} |"


def count(found: Count) -> str:
    """liveinstall, killed or without power."""
    return line(found.name, found.points, found.tried, found.old, found.new, len(found.wrong))


def broken(found: Broken) -> str:
    """Another tool's, killed or without power."""
    return line(found.name, found.points, found.tried, found.broken, found.failing, found.again)


def total(counts: Sequence[Count]) -> str:
    """Ours together, in the form of `broken()`: what is not broken lacks nothing, and needs no second try."""
    wrong = sum(len(found.wrong) for found in counts)
    points, tried = sum(found.points for found in counts), sum(found.tried for found in counts)
    return line("liveinstall, all phases above", points, tried, wrong, *(("?", "?") if wrong else (0, 0)))


def failures(found: Sequence[Failures]) -> list[str]:
    """A table: how many were broken of how many errors of each kind."""
    names = sorted(ERRORS)
    rows = [
        line(one.name, one.points, one.tried.total(), *(f"{one.broken[name]} of {one.tried[name]}" for name in names))
        for one in found
    ]
    return [line("", "points", "tried", *names), "|---|" + "---:|" * (len(names) + 2), *rows]


def crowds(found: Crowds) -> list[str]:
    """The outcome of liveinstall's concurrency tests."""
    starts, swaps = found.starts, found.swaps
    waits = ", ".join(f"{crowd.p99:.2f}" for crowd in starts)
    medians = ", ".join(f"{crowd.median:.2f}" for crowd in starts)
    once = ", ".join(str(crowd.swaps) for crowd in starts)
    size = starts[0].size
    return [
        line(f"{size} interpreters reach `site` at once while a change is pending, {len(starts)} times: swaps", once),
        line("duration of `site` there, median", f"{medians} s (alone: {starts[0].alone:.4f} s)"),
        line("p99", f"{waits} s, all of them on this machine's {len(os.sched_getaffinity(0))} cores"),
        line("swaps back and forth while interpreters import every submodule", f"{swaps.swaps:,} of {swaps.rounds:,}"),
        line("interpreters that start meanwhile; those with a hold", f"{swaps.starters:,}; {swaps.holders:,}"),
    ]


def crowds_beside(found: Crowds) -> list[str]:
    """The same with each tool: a column for each."""
    ours = (found.starts, found.swaps, found.installs, found.wrong)
    each = [ours, *((one.starts, one.swaps, one.installs, one.wrong) for one in found.others)]
    names = ["liveinstall", *(one.tool for one in found.others)]
    seen = [
        (
            f"{sum(crowd.size for crowd in starts):,}: {_seen(starts)}",
            f"{swaps.rounds:,}, {swaps.starters + swaps.holders:,}: {swaps.failed:,}, {swaps.mixed:,}",
            f"{installs}: {len(wrong)}",
        )
        for starts, swaps, installs, wrong in each
    ]
    what = (
        "interpreters that start at once during an upgrade: failed, mixed",
        "changes back and forth, and interpreters that start meanwhile: failed, mixed",
        "pairs of installs at the same moment: wrong",
    )
    head = [line("", *names), "|---|" + "---|" * len(names)]
    return [*head, *(line(words, *(cells[row] for cells in seen)) for row, words in enumerate(what))]


def _seen(starts: Sequence[Crowd]) -> str:
    return f"{sum(crowd.failed for crowd in starts):,}, {sum(crowd.mixed for crowd in starts):,}"
