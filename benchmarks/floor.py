"""The floor: what an installation cannot take less than, for the sets of `fresh`, in seconds of wall time.

A bare interpreter, hard links to the same files by `cp -al`, and bytecode of all modules by `compileall` on all cores.
"""

from __future__ import annotations

import shutil
import statistics
from typing import TYPE_CHECKING

from benchmarks.common import Options, Workshop, run_alone
from benchmarks.fresh import SETS, Set
from benchmarks.measure import Section, interleaved, usage_of

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAMS = ("bare interpreter", "`cp -al`", "`compileall -j 0`")


def measure(place: Workshop, options: Options) -> list[Section]:
    """Measure each set."""
    rounds = options.count(5, 1)
    rows = [_row(place, one, number, rounds) for number, one in enumerate(SETS)]
    return [
        Section(
            "The floor of an installation",
            f"Seconds of wall time, medians of {rounds}: programs that do a part of an installation, with the "
            "trees that uv installs from the same wheels. Compare with the tables of fresh installs, where uv compiles "
            "nothing and liveinstall what an import needs.",
            ("set", "files", *_PROGRAMS),
            rows,
        )
    ]


def _row(place: Workshop, one: Set, number: int, rounds: int) -> list[str]:
    place.fetch(*one.requirements)
    tree = place.path / f"floor-{number}"
    source = ["--no-index", "--find-links", str(place.wheels)]
    python = place.template.python
    target = ["--python", python, "--target", str(tree)]
    place.run(place.uv, "pip", "install", "--quiet", *target, *source, *one.requirements)
    files = sum(1 for path in tree.rglob("*") if path.is_file())

    def copied() -> Path:
        return place.path / f"floor-{number}-{next(place.numbers)}"

    def compiled() -> float:
        copy = copied()
        shutil.copytree(tree, copy)
        return _wall(place, python, "-m", "compileall", "-q", "-j", "0", str(copy))

    copy = shutil.which("cp") or "cp"
    arms = {
        _PROGRAMS[0]: lambda: _wall(place, python, "-c", "pass"),
        _PROGRAMS[1]: lambda: _wall(place, copy, "-al", str(tree), str(copied())),
        _PROGRAMS[2]: compiled,
    }
    found = interleaved(arms, rounds)
    return [one.name, f"{files:,}", *(f"{statistics.median(found[name]):.3f}" for name in _PROGRAMS)]


def _wall(place: Workshop, *command: str) -> float:
    return usage_of(command, place.variables).wall / 1000


if __name__ == "__main__":
    run_alone(measure, __doc__)
