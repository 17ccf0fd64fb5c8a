"""Concurrency with pip and uv: interpreters that start while one of them upgrades, and two that install at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

from integration.reports.reliability.bench import BIG, IMPORT_ALL, Bench, inconsistent
from integration.reports.reliability.crowds import STARTER, Crowd, Process, Swaps, begin, end, gather
from integration.reports.reliability.others import Rival


@dataclass
class RivalCrowds:
    """What crowds saw of a tool; of `installs` pairs that installed at once `wrong` says what went wrong."""

    tool: str
    starts: list[Crowd]
    swaps: Swaps
    installs: int
    wrong: list[str]


def start_during(rival: Rival, size: int) -> Crowd:
    """`size` interpreters reach their `site` when the tool has made its first change in site-packages."""
    bench = rival.bench
    bench.restore(rival.old)
    before = os.listdir(bench.site)
    tools = []

    def until() -> None:
        tools.append(_run(rival, rival.upgrade))
        while tools[0].poll() is None and os.listdir(bench.site) == before:
            pass

    crowd = Crowd(size)
    _look(crowd, gather(bench, size, until))
    crowd.swaps = int(end(tools[0])[0] == 0)
    return crowd


def back_and_forth(rival: Rival, rounds: int, *, at_once: int = 2) -> Swaps:
    """Upgrade and downgrade in turn, while interpreters start all the time and import everything."""
    bench = rival.bench
    bench.restore(rival.old)
    (bench.root / "now").touch()
    counted, started = Swaps(rounds), time.monotonic()
    for number in range(rounds):
        tool = _run(rival, rival.to(("2.0", "1.0")[number % 2]))
        running: list[Process] = []
        while tool.poll() is None:
            running = [process for process in running if process.poll() is None or _look(counted, [process])]
            if len(running) < at_once:
                running.append(begin(bench, STARTER, "-S", str(bench.root / "now")))
                counted.starters += 1
            time.sleep(0.001)
        _look(counted, running)
        counted.swaps += end(tool)[0] == 0
    counted.seconds = time.monotonic() - started
    return counted


def two_install(rival: Rival, rounds: int) -> tuple[int, list[str]]:
    """Two processes of the tool that install at the same moment, as in `crowds.two_install`; the problems."""
    bench, wrong = rival.bench, []
    for number in range(rounds):
        bench.restore("empty")
        pair = [_run(rival, rival.command(*words)) for words in (["alpha==2.0"], ["beta==2.0", "fresh"])]
        failed = [err.strip()[-300:] for status, _, err in map(end, pair) if status]
        if failed or inconsistent(bench.site) or not _is_complete(bench):
            wrong.append(f"round {number}: {failed} {inconsistent(bench.site)}")
    return rounds, wrong


def measure(rival: Rival, *, size: int, times: int, rounds: int, installs: int) -> RivalCrowds:
    """All of these."""
    starts = [start_during(rival, size) for _ in range(times)]
    found = RivalCrowds(rival.tool, starts, back_and_forth(rival, rounds), *two_install(rival, installs))
    print(found, file=sys.stderr, flush=True)
    return found


def _run(rival: Rival, command: list[str]) -> Process:
    bench, pipe = rival.bench, subprocess.PIPE
    variables = bench.variables(path=rival.path)
    return subprocess.Popen(command, env=variables, stdout=pipe, stderr=pipe, text=True, cwd=bench.root)


def _look(counted: Crowd | Swaps, processes: Iterable[Process]) -> None:
    """Count the versions in interpreters; one that misses a module has failed."""
    for process in processes:
        status, out, err = end(process)
        seen = json.loads(out.splitlines()[-1])[1] if not status and not err else []
        counted.failed += not seen
        counted.mixed += len(seen) > 1
        counted.old += seen == ["1.0"]
        counted.new += seen == ["2.0"]


def _is_complete(bench: Bench) -> bool:
    infos = {path.name for path in bench.site.glob("*.dist-info")}
    wanted = {f"{name.replace('-', '_')}-2.0.dist-info" for name in BIG} | {"fresh-1.0.dist-info"}
    return infos == wanted and bench.start(IMPORT_ALL).status == 0
