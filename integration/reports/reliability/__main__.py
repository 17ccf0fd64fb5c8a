"""Kills, errors, power losses, concurrency and hostile wheels, also of pip and uv.

Makes docs/reliability.md and docs/hostile-wheels.md. With `--print` the former is printed instead, and neither made.
Status 1 if liveinstall broke anything. Requires strace, and two cores.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from integration.lib.environments import ROOT
from integration.reports import hostile_wheels as hostile_table
from integration.reports.reliability import sections
from integration.reports.reliability.kills import Options
from integration.reports.reliability.page import Figures, render

_WORKERS = 2


def measure(sizes: sections.Sizes, command: str) -> Figures:
    """All measurements; concurrency at the end, when nothing else runs."""
    begin = time.monotonic()
    names = ("phases", "tools", "power_losses", "pairs", "hostile", "failures", "errors", "interrupts")
    with ProcessPoolExecutor(_WORKERS) as pool:
        jobs = {name: pool.submit(getattr(sections, name), sizes) for name in names}
        found = {name: job.result() for name, job in jobs.items()}
    crowds = sections.crowded(sizes)
    minutes = (time.monotonic() - begin) / 60
    found["power"] = found.pop("power_losses")
    return Figures(**found, crowds=crowds, command=command, minutes=minutes, sizes=sizes)


def main(arguments: Iterable[str] | None = None) -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m integration.reports.reliability", description=__doc__)
    parser.add_argument("--print", action="store_true", help="print the page instead of writing it")
    parser.add_argument("--small", action="store_true", help="a few of everything: an impression, not evidence")
    parser.add_argument("--full", action="store_true", help="every point, state and error: a day")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="try one of N points")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop the sweeps after this time")
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(words)
    chosen = Options(every=options.every, deadline=time.monotonic() + 60 * options.minutes)
    sizes = sections.SMALL_SIZES if options.small else sections.Sizes(chosen)
    if options.full:
        sizes = replace(sizes, live=1, pip=1, states=1, rivals=1, each=8)
    figures = measure(sizes, " ".join(["python -m integration.reports.reliability", *words]))
    if options.print or options.small:
        print(render(figures))
    else:
        (ROOT / "docs" / "reliability.md").write_text(render(figures), encoding="utf-8")
        hostile_table.write(figures.hostile)
    return int(not figures.is_good)


if __name__ == "__main__":
    sys.exit(main())
