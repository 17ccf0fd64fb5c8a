"""The command line: milliseconds of CPU and of wall time of whole processes, with 300 distributions.

`pip list` and `uv pip list` are there for comparison, and a bare interpreter as the floor.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks.common import Options, Workshop, run_alone
from benchmarks.measure import Section, Usage, added, at_most, interleaved, usage_of
from benchmarks.synthetic import crowd

if TYPE_CHECKING:
    from collections.abc import Callable

CROWD = 300
ADDED, BEYOND_UV = 40, 60  # ms
_BARE = "`python -c pass`"


def measure(place: Workshop, options: Options) -> list[Section]:
    """Measure commands that only read."""
    rounds = options.count(30, 7)
    environment = place.copy(place.template)
    crowd(environment.site, CROWD)

    def program(*arguments: str) -> Callable[[], Usage]:
        return lambda: usage_of(arguments, place.variables)

    python = environment.python
    arms = {
        _BARE: program(python, "-c", "pass"),
        f"{_BARE} again (control)": program(python, "-c", "pass"),
        **{
            f"`liveinstall {command}`": program(python, "-m", "liveinstall", command)
            for command in ("--version", "list", "status")
        },
        "`uv pip list`": program(place.uv, "pip", "list", "--python", python),
        "`pip list`": program(python, "-m", "pip", "list"),
    }
    for start in arms.values():  # not counted: it writes bytecode, and warms the files
        start()
    found = interleaved(arms, rounds)
    environment.discard()
    base = [usage.cpu for usage in found[_BARE]]
    more = {name: added([usage.cpu for usage in usages], base) for name, usages in found.items()}
    wall = {name: statistics.median(usage.wall for usage in usages) for name, usages in found.items()}
    rows = [
        [
            name,
            f"{statistics.median(usage.cpu for usage in found[name]):.0f}",
            f"{more[name]:+.0f}",
            f"{wall[name]:.0f}",
        ]
        for name in arms
    ]
    beyond = wall["`liveinstall list`"] - wall["`uv pip list`"]
    return [
        Section(
            f"Commands that only read, with {CROWD} distributions",
            f"Milliseconds, medians of {rounds}; added: the median of the differences of CPU from a bare interpreter "
            "in the same round.",
            ("", "CPU", "added", "wall time"),
            rows,
            (
                *(
                    at_most(f"{name} adds", ADDED, more[name], statistics.median(base))
                    for name in arms
                    if name.startswith("`liveinstall")
                ),
                at_most(
                    "`liveinstall list` takes more than `uv pip list` by", BEYOND_UV, beyond, statistics.median(base)
                ),
            ),
        )
    ]


if __name__ == "__main__":
    run_alone(measure, __doc__)
