"""The cost of starting Python: milliseconds of CPU (user + system) of `python -c pass` and of its children.

Idle: no changes are pending. Held: a change is pending, a running process uses the old version, and this start uses the
part. Guarded: the start takes a hold. Swap: the start that applies pending changes, which happens only once, so each
repetition stages them in its own copy of an environment: a copy of a staged part would be checked more thoroughly.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common import CHILDREN, Environment, Options, Workshop, run_alone
from benchmarks.measure import Section, Usage, Verdict, added, at_most, interleaved, usage_of
from benchmarks.staging import NEW, with_old_numpy
from benchmarks.synthetic import small_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HELD, GUARD, SWAP = 1.5, 1.0, 12  # ms
GROWTH = {1_000: 8, 10_000: 40}  # files -> ms
SIZES = (10, 100, 1_000, 10_000)
_SETTLED = 3.1  # seconds after which an installation counts as old: the search for what to remove is then planned
_OURS = re.compile(r"liveinstall|\.part\b")


def measure(place: Workshop, options: Options) -> list[Section]:
    """Measure starts without a swap, then the swap of numpy, then swaps of several sizes."""
    numpy, growth = _prepared_numpy(place), options.count(5, 3)
    sections = [
        _starts(place, numpy, max(30, options.count(120, 30))),  # tenths of a millisecond need many rounds
        _swap_of_numpy(place, options.count(11, 5)),
        _growth(place, SIZES[:3] if options.quick else SIZES, growth),
    ]
    numpy.discard()
    return sections


# --- idle and held ----------------------------------------------------------------------------------------------------


def _prepared_numpy(place: Workshop) -> Environment:
    """An environment with numpy 1.26, and its upgrade staged by a process that has exited."""
    environment = with_old_numpy(place)
    _stage(place, environment, NEW, "numpy")
    return environment


def _stage(place: Workshop, environment: Environment, requirement: str, name: str) -> None:
    asked = {"tool": "liveinstall", "requirements": [requirement], "when": "restart"}
    if place.ask(environment, "install", **asked, **place.offline())["staged"] != [name]:
        raise RuntimeError(f"{name} was not staged")


def _starts(place: Workshop, pending: Environment, rounds: int) -> Section:
    small_files(place.wheels, "newcomer", "1.0", 1)
    idle = place.copy(place.template)  # liveinstall has been used, and there are no pending changes
    place.ask(idle, "install", tool="liveinstall", requirements=["newcomer"], **place.offline())
    guarded = place.copy(place.template)
    place.run(guarded.python, "-m", "liveinstall", "guard", "on")
    environments = {
        "plain": place.plain,
        "plain again (control)": place.copy(place.plain),
        "no pending changes": idle,
        "numpy pending, held": place.copy(pending),
        "guarded, no pending changes": guarded,
    }
    with _held(place, environments["numpy pending, held"]):
        files = {name: len(_files_of_ours(place, environment)) for name, environment in environments.items()}
        found = interleaved({name: _start(place, e) for name, e in environments.items()}, rounds)
    base = [usage.cpu for usage in found["plain"]]
    more = {name: added([usage.cpu for usage in usages], base) for name, usages in found.items()}
    rows = [
        [name, f"{statistics.median(u.cpu for u in found[name]):.1f}", f"{more[name]:+.1f}", str(files[name])]
        for name in found
    ]
    held, guard, touched = more["numpy pending, held"], more["guarded, no pending changes"], files["no pending changes"]
    return Section(
        "Starting Python: no pending changes, or pending changes that are held",
        f"Milliseconds of CPU, medians of {rounds}; added: the median of the differences from `plain`, round by round. "
        "`plain` has never had liveinstall. Files of liveinstall: its paths that the start opens or stats, "
        f"counted with {'strace' if shutil.which('strace') else 'an audit hook'}.",
        ("", "CPU", "added", "files of liveinstall"),
        rows,
        (
            Verdict("no file of liveinstall is accessed without pending changes", str(touched), not touched),
            at_most("a held change adds", HELD, held, statistics.median(base)),
            at_most("the guard adds", GUARD, guard, statistics.median(base)),
        ),
    )


def _start(place: Workshop, environment: Environment) -> Callable[[], Usage]:
    return lambda: usage_of([environment.python, "-c", "pass"], place.variables)


def _files_of_ours(place: Workshop, environment: Environment) -> set[str]:
    """The paths of liveinstall that a start opens or stats."""
    command = [environment.python, "-c", "pass"]
    log = place.path / "trace"
    if shutil.which("strace"):
        place.run("strace", "-f", "-e", "trace=%file", "-o", str(log), *command)
        seen = re.findall(r'"([^"]*)"', log.read_text(encoding="utf-8", errors="replace"))
    else:
        place.run(environment.python, "-S", str(CHILDREN / "opened.py"), str(log))
        seen = log.read_text(encoding="utf-8").splitlines()
    site = str(environment.site)
    return {path for path in seen if path.startswith(site) and _OURS.search(path.removeprefix(site))}


@contextmanager
def _held(place: Workshop, environment: Environment) -> Iterator[None]:
    """Keep the environment in use by another process."""
    code = (
        "from liveinstall._environment.holders import take_hold; "
        "from liveinstall._environment.target import find_target; "
        "take_hold(find_target().site); import numpy; print(flush=True); input()"
    )
    # -S would not find liveinstall, and a normal start would apply the pending changes; so their record is moved away.
    record = next((environment.site / ".liveinstall" / "transactions").glob("*.pending"))
    aside = record.rename(environment.path / record.name)
    companions = [path.rename(environment.path / path.name) for path in environment.site.glob("*.part.pth")]
    with subprocess.Popen(
        [environment.python, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=place.variables,
    ) as holder:
        if holder.stdout is None or not holder.stdout.readline():
            raise RuntimeError("the environment could not be held")
        aside.rename(record)
        for path in companions:
            path.rename(environment.site / path.name)
        yield
        holder.communicate(b"\n")
    if not record.exists():
        raise RuntimeError("a held change was swapped")


# --- swaps ------------------------------------------------------------------------------------------------------------


def _swap_once(place: Workshop, prepared: Environment, requirement: str, name: str) -> tuple[Usage, Usage]:
    """Measure the start that swaps, and the next one, in a new copy that is no longer recent."""
    with place.fresh(prepared) as environment:
        time.sleep(_SETTLED)
        _stage(place, environment, requirement, name)
        first, second = (_start(place, environment)() for _ in range(2))
        if list((environment.site / ".liveinstall" / "transactions").glob("*.pending*")):
            raise RuntimeError("the start swapped nothing")
        return first, second


def _row(name: str, pairs: Sequence[tuple[Usage, Usage]]) -> tuple[list[str], tuple[float, float]]:
    """The row of a table, and what the swap added, and a plain start."""
    first, second = ([pair[n].cpu for pair in pairs] for n in (0, 1))
    wall = added([pair[0].wall for pair in pairs], [pair[1].wall for pair in pairs])
    more = added(first, second)
    medians = (f"{statistics.median(arm):.1f}" for arm in (first, second))
    return [name, *medians, f"{more:+.1f}", f"{wall:+.1f}"], (more, statistics.median(second))


_HEADER = ("", "this start", "the next start", "added", "added wall time")
_EXPLAINED = (
    "Milliseconds of CPU, medians of {}; added: the median of the differences between the start that swaps and the "
    "next one. Wall time includes the flush of the renames to the disk."
)


def _swap_of_numpy(place: Workshop, rounds: int) -> Section:
    prepared = with_old_numpy(place)
    pairs = [_swap_once(place, prepared, NEW, "numpy") for _ in range(rounds)]
    _stage(place, prepared, NEW, "numpy")
    files = sum(1 for path in prepared.site.glob("numpy-2*.part/**/*") if path.is_file())
    prepared.discard()
    row, measured = _row(f"numpy 1.26 -> 2, {files:,} files", pairs)
    return Section(
        "Starting Python: swapping numpy",
        _EXPLAINED.format(rounds),
        _HEADER,
        [row],
        (at_most("swapping numpy adds", SWAP, *measured),),
    )


def _growth(place: Workshop, sizes: Sequence[int], rounds: int) -> Section:
    prepared = {f"many-{size}": _prepared_files(place, size) for size in sizes}
    arms = {name: lambda e=e, name=name: _swap_once(place, e, f"{name}==2.0", name) for name, e in prepared.items()}
    pairs = interleaved(arms, rounds)
    rows, found = zip(*(_row(f"{size:,} files", pairs[f"many-{size}"]) for size in sizes), strict=True)
    for environment in prepared.values():
        environment.discard()
    for wheel in Path(place.wheels).glob("many_*.whl"):
        wheel.unlink()
    return Section(
        "How a swap grows",
        _EXPLAINED.format(rounds)
        + " An upgrade of a package of this number of small modules, fifty in a directory, to the "
        "same number.",
        _HEADER,
        rows,
        tuple(
            at_most(f"{size:,} files add", GROWTH[size], *measured)
            for size, measured in zip(sizes, found, strict=True)
            if size in GROWTH
        ),
    )


def _prepared_files(place: Workshop, size: int) -> Environment:
    """An environment with a package of `size` modules; the wheel of its upgrade is there."""
    name = f"many-{size}"
    for version in ("1.0", "2.0"):
        small_files(place.wheels, name, version, size)
    environment = place.copy(place.template)
    place.ask(environment, "install", tool="liveinstall", requirements=[f"{name}==1.0"], **place.offline())
    return environment


if __name__ == "__main__":
    run_alone(measure, __doc__)
