"""The figures as docs/reliability.md."""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from integration.lib.interpreters import find_uv
from integration.reports import hostile_wheels as hostile_table
from integration.reports.reliability import tables
from integration.reports.reliability.calls import Failures
from integration.reports.reliability.kills import Count
from integration.reports.reliability.sections import Crowds, Sizes, Tool

BOUND = 10.0  # seconds that a start waits at most for another's swap, by design

_HEAD = """\
# Reliability

What was broken on purpose, and what came of it: kills, errors of the disk, power losses, crowds and hostile wheels; and
the same with pip and uv, which promise none of this. Made by `{command}` on {date} in {minutes:.0f} minutes, with
{versions}, in memory (tmpfs) on {machine}.

The transaction: five distributions that need each other in the same version, upgraded together, with scripts, data
files, a namespace package that two of them share and a `.pth` file. After each of the tries below Python is started
once, and must start well, import every module in one version, and find every path, mode and content wholly old or
wholly new. (Both trees were checked by their RECORDs and requirements.) pip and uv make the same upgrade in place
(`pip install`, `uv pip install` of the same five wheels, offline), and are judged likewise. *Shared files*: two other
distributions that both bring one path with different contents; the upgrade moves a file from one to the other.

## Killed before each file-changing system call

`strace` kills the process before the n-th call: {calls}, as far as it is about the environment.

| phase | points | tried | old after one start | new | broken |
|---|---:|---:|---:|---:|---:|
{phases}

After every third try `status` and an install were run too: both worked, and nothing was left over. In the last rows
the start that recovers is killed as well, before its own calls: all pairs for a small package, some for the five. A
first kill that leaves the same names on disk as an earlier one is not followed twice.

pip and uv, killed likewise:

| | points | tried | broken | of these: a module is missing or mixed | still broken after the same command again |
|---|---:|---:|---:|---:|---:|
{tools}

*Broken*: what is there is neither the old nor the new tree, less what the tool leaves beside it (`~` directories).
uv works in threads, for each of which strace counts by itself: a kill that fell outside of the environment does not
count, and the number of points differs from run to run.

## Errors of the disk

At each file change of a phase (audit events: open for writing, rename, mkdir, rmdir, remove, chmod ...) one call fails.
The interpreter starts with status 0, prints at most one line on stderr, and `status` shows why a change is pending.

| phase | {errors} |
|---|{rules}
{error_rows}

The same at the level of system calls, where `strace` lets the n-th call fail, with pip and uv beside. How many are
broken, by the error; each point that was tried got {each} of the eight, in turn:

{failures}

(ENOLCK is no answer that these calls are known for; it is tried all the same. In uv a call fails in each thread that
makes so many.)

## Power loss

The operations of each phase, recorded by strace with all that they wrote, are replayed on a model of a disk that
forgets; every state is put on disk, and Python started on it.

| phase | different states | tried | old after one start | new | broken |
|---|---:|---:|---:|---:|---:|
{power}

pip and uv on the same disk:

| | states | tried | broken | of these: a module is missing or mixed | still broken after the same command again |
|---|---:|---:|---:|---:|---:|
{tools_power}

The model: `fsync` makes a file's data or a directory's names durable, `syncfs` everything. All else may be lost or
kept: names in any selection ({selections}), data
as before, empty, cut off, zeros, or whole. Creating, removing and renaming are atomic and, about the same name, in
order; a rename whose directories were not both flushed may be kept and lead to a directory that is lost. Some states
end *old* because a part came back incomplete: it is set aside, and told. {litter}
That is all that POSIX promises; a file system that orders more than it must loses less, also of what pip and uv do.
They flush next to nothing, and the states after their end count too. uv's threads are put in the order in which their
calls ended; what it links from its cache counts as safe there. (That the model ends where each tool ended was checked.)

## Crowds

| | |
|---|---|
{crowds}

{crowds_beside}

For liveinstall the crowd starts while the upgrade waits, and makes it; for pip and uv when their first change is seen
in site-packages, which at times is when all has happened. *Failed*: an import failed, or it said something. *Mixed*:
it saw two versions. A start waits at most {wait:.0f} seconds for another's swap, then goes on with what is there.

## Hostile wheels

{hostile}
What each kind is, what each tool did with it, and what is refused of real wheels (nothing):
[hostile wheels](hostile-wheels.md).

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
    tools: Sequence[Tool]
    failures: Sequence[Failures]
    hostile: dict[str, dict[str, str]]
    errors: dict[str, Counter[str]]
    crowds: Crowds
    command: str
    minutes: float
    sizes: Sizes

    @property
    def is_good(self) -> bool:
        """Whether all of ours held."""
        counts = (*self.phases, *self.pairs, self.interrupts, *self.power)
        wrong = [*(count.wrong for count in counts), *(one.broken.total() for one in self.failures), self.crowds.wrong]
        crowds = (*self.crowds.starts, self.crowds.swaps)
        return not any(wrong) and all(crowd.is_good for crowd in crowds) and hostile_table.is_good(self.hostile)


def render(figures: Figures) -> str:
    """The page."""
    kills, tools, bound = [*figures.phases, *figures.pairs], figures.tools, figures.sizes.bound
    names = sorted({name for row in figures.errors.values() for name in row})
    litter = sum(found.litter for found in figures.power)
    return _HEAD.format(
        command=figures.command,
        date=time.strftime("%Y-%m-%d"),
        minutes=figures.minutes,
        versions=_versions(),
        machine=f"Linux {platform.release().split('-')[0]}",
        calls="rename, unlink, rmdir, mkdir, open for writing, write, truncate, chmod, link, symlink, fsync, syncfs",
        phases="\n".join(map(tables.count, kills)),
        tools="\n".join([*(tables.broken(tool.kills) for tool in tools), tables.total(kills)]),
        errors=" | ".join(names),
        rules="---:|" * len(names),
        error_rows="\n".join(tables.line(phase, *(row[n] for n in names)) for phase, row in figures.errors.items()),
        each=figures.sizes.each,
        failures="\n".join(tables.failures([*figures.failures, *(tool.errors for tool in tools)])),
        power="\n".join(map(tables.count, figures.power)),
        tools_power="\n".join([*(tables.broken(tool.power) for tool in tools), tables.total(figures.power)]),
        selections=f"all when at most four are loose, else {bound} of them, drawn with a fixed seed",
        litter=f"In {litter} states a part without its manifest stayed behind (see below)." if litter else "",
        crowds="\n".join(tables.crowds(figures.crowds)),
        crowds_beside="\n".join(tables.crowds_beside(figures.crowds)),
        hostile=hostile_table.counts(figures.hostile),
        wait=BOUND,
        interrupts=f"{figures.interrupts.tried} points, {len(figures.interrupts.wrong)} broken",
    )


def _versions() -> str:
    strace = subprocess.run(["strace", "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    pip = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, text=True, check=True).stdout
    uv = find_uv()
    told = subprocess.run([uv, "--version"], capture_output=True, text=True, check=True).stdout if uv else "no uv"
    words = [f"Python {platform.python_version()}", " ".join(pip.split()[:2]), " ".join(told.split()[:2])]
    return ", ".join([*words, f"strace {strace.split()[-1]}"])
