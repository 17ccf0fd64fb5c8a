"""The figures as docs/reliability.md."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from integration.interpreters import find_uv
from integration.reliability.kills import Count
from integration.reliability.others import Broken
from integration.reliability.sections import Crowds

BOUND = 10.0  # seconds that a start waits at most for another's swap, by design

_HEAD = """\
# Reliability

What was broken on purpose, and what came of it: kills, errors of the disk, power losses and crowds. Made by
`{command}` on {date} in {minutes:.0f} minutes, with {versions}, in memory (tmpfs) on {machine}.

The transaction: five distributions that need each other in the same version, upgraded together, with scripts, data
files, a namespace package that two of them share and a `.pth` file. After each of the tries below Python is started
once, and must start well, import every module in one version, and find every path, mode and content wholly old or
wholly new. (Both trees were checked by their RECORDs and requirements.)

## Killed before each file-changing system call

`strace` kills the process before the n-th call: {calls}, as far as it is about the environment.

| phase | points | tried | old after one start | new | broken |
|---|---:|---:|---:|---:|---:|
{phases}

After every third try `status` and an install were run too: both worked, and nothing was left over. In the last rows
the start that recovers is killed as well, before its own calls: all pairs for a small package, some for the five. A
first kill that leaves the same names on disk as an earlier one is not followed twice.

## pip and uv, killed likewise

The same upgrade in place (`pip install`, `uv pip install` of the same five wheels, offline).

| | points | tried | broken | of these: a module is missing or mixed | still broken after the same command again |
|---|---:|---:|---:|---:|---:|
{tools}
| liveinstall, all phases above | {points} | {tried} | {broken} | 0 | 0 |

*Broken*: what is there is neither the old nor the new tree, less what the tool leaves beside it (`~` directories).
uv works in threads, for each of which strace counts by itself: a kill that fell outside of the environment does not
count.

## Errors of the disk

At each file change of a phase (audit events: open for writing, rename, mkdir, rmdir, remove, chmod ...) one call fails.
The interpreter starts with status 0, says at most one line on stderr, and `status` has the reason of what waits.

| phase | {errors} |
|---|{rules}
{error_rows}

## Power loss

The operations of each phase, recorded by strace with all that they wrote, are replayed on a model of a disk that
forgets; every state is put on disk, and Python started on it.

| phase | different states | tried | old after one start | new | broken |
|---|---:|---:|---:|---:|---:|
{power}

The model: `fsync` makes a file's data or a directory's names durable, `syncfs` everything. All else may be lost or
kept: names in any selection ({bound}), data as before, empty, cut off, zeros, or whole. Creating, removing and
renaming are atomic and, about the same name, in order; a rename whose directories were not both flushed may be kept and
lead to a directory that is lost. Some states end *old* because a part came back incomplete: it is set aside, and told.
{litter}

## Crowds

| | |
|---|---|
{crowds}

A start waits at most {wait:.0f} seconds for another's swap, then goes on with what is there.

## Not covered

- Other file systems than tmpfs with real power cuts; macOS; Windows.
- strace counts system calls of the main thread: staging's threads were run one after another, and its compiling child,
  whose failures are none, was not killed.
- A start that has listed site-packages, but not yet opened the first companion when another start ends its swap, runs
  no code of ours: a `.pth` file that was out of place just then is missed by that one interpreter, where site.py lists
  once (a virtual environment up to Python 3.14 lists twice).
- An interpreter that holds nothing is not protected from a swap that begins after its start: see *Holds*.
- After a power loss during staging or clean-up a `.part` directory may have lost the manifest that tells that it is
  ours; then it stays, and does nothing.
- Of Ctrl-C only the start was swept ({interrupts}).
"""


@dataclass(frozen=True)
class Figures:
    """All that was measured."""

    phases: Sequence[Count]
    pairs: Sequence[Count]
    interrupts: Count
    power: Sequence[Count]
    tools: Sequence[Broken]
    errors: dict[str, Counter[str]]
    crowds: Crowds
    command: str
    minutes: float
    bound: int

    @property
    def is_good(self) -> bool:
        """Whether all of ours held."""
        counts = (*self.phases, *self.pairs, self.interrupts, *self.power)
        crowds = (*self.crowds.starts, self.crowds.swaps)
        return not any(count.wrong for count in counts) and all(c.is_good for c in crowds) and not self.crowds.wrong


def render(figures: Figures) -> str:
    """The page."""
    kills = [*figures.phases, *figures.pairs]
    names = sorted({name for row in figures.errors.values() for name in row})
    rows = [f"| {phase} | {' | '.join(str(row[name]) for name in names)} |" for phase, row in figures.errors.items()]
    litter = sum(count.litter for count in figures.power)
    return _HEAD.format(
        command=figures.command,
        date=time.strftime("%Y-%m-%d"),
        minutes=figures.minutes,
        versions=_versions(),
        machine=f"Linux {platform.release().split('-')[0]}",
        calls="rename, unlink, rmdir, mkdir, open for writing, write, truncate, chmod, link, symlink, fsync, syncfs",
        phases="\n".join(map(_row, kills)),
        tools="\n".join(map(_tool, figures.tools)),
        points=sum(count.points for count in kills),
        tried=sum(count.tried for count in kills),
        broken=sum(len(count.wrong) for count in kills),
        errors=" | ".join(names),
        rules="---:|" * len(names),
        error_rows="\n".join(rows),
        power="\n".join(map(_row, figures.power)),
        bound=f"all when at most four are loose, else {figures.bound} of them, drawn with a fixed seed",
        litter=f"In {litter} states a part without its manifest stayed behind (see below)." if litter else "",
        crowds="\n".join(_crowds(figures.crowds)),
        wait=BOUND,
        interrupts=f"{figures.interrupts.tried} points, {len(figures.interrupts.wrong)} broken",
    )


def _row(count: Count) -> str:
    cells = (count.points, count.tried, count.old, count.new, len(count.wrong))
    return f"| {count.name} | {' | '.join(f'{cell:,}' for cell in cells)} |"


def _tool(broken: Broken) -> str:
    cells = (broken.points, broken.tried, broken.broken, broken.failing, broken.again)
    return f"| {broken.name} | {' | '.join(f'{cell:,}' for cell in cells)} |"


def _crowds(crowds: Crowds) -> list[str]:
    sizes = [crowd.size for crowd in crowds.starts]
    waits = ", ".join(f"{crowd.p99:.2f}" for crowd in crowds.starts)
    medians = ", ".join(f"{crowd.median:.2f}" for crowd in crowds.starts)
    swaps = crowds.swaps
    failed, mixed = sum(crowd.failed for crowd in crowds.starts), sum(crowd.mixed for crowd in crowds.starts)
    once = ", ".join(str(crowd.swaps) for crowd in crowds.starts)
    return [
        f"| {sizes[0]} interpreters reach `site` at once while something waits, {len(sizes)} times: swaps | {once} |",
        f"| mixed; failed | {mixed}; {failed} |",
        f"| how long `site` took there, median | {medians} s (alone: {crowds.starts[0].alone:.4f} s) |",
        f"| p99 | {waits} s, all of them on this machine's {_cores()} cores |",
        f"| swaps back and forth under starters that import every submodule | {swaps.swaps:,} of {swaps.rounds:,} |",
        f"| starters that swap or come while another does; such that hold | {swaps.starters:,}; {swaps.holders:,} |",
        f"| mixed; failed | {swaps.mixed}; {swaps.failed} |",
        f"| two processes that install at the same moment | {crowds.installs} times, {len(crowds.wrong)} wrong |",
    ]


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _versions() -> str:
    strace = subprocess.run(["strace", "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    pip = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, text=True, check=True).stdout
    uv = find_uv()
    told = subprocess.run([uv, "--version"], capture_output=True, text=True, check=True).stdout if uv else "no uv"
    words = [f"Python {platform.python_version()}", " ".join(pip.split()[:2]), " ".join(told.split()[:2])]
    return ", ".join([*words, f"strace {strace.split()[-1]}"])
