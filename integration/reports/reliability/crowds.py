"""Concurrency: many interpreters on a pending transaction, during swaps back and forth, and two that install."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from _liveinstall_boot.layout import HISTORY, RETIRED, STATE
from integration.reports.reliability.bench import BIG, PRELUDE, SEEN, Bench, inconsistent
from integration.reports.reliability.staging import stage

Process = subprocess.Popen[str]
# All begin at one moment: opening a named pipe waits for its other end. How long `site` takes, in which the companions
# run; then all versions that are seen.
STARTER = f"""
import json, os, sys, time
print("ready", flush=True)
open(sys.argv[1]).close()
begin = time.perf_counter()
import site
site.main()
waited = time.perf_counter() - begin
{SEEN}
print(json.dumps([waited, sorted(set(seen))]))
"""
_HOLDER = f"""
from liveinstall._environment.target import find_target
from liveinstall._changes.context import changing
with changing(find_target()):
    pass
{SEEN}
print(json.dumps([0.0, sorted(set(seen))]))
"""


@dataclass
class Crowd:
    """What `size` interpreters saw that started at once: `swaps` happened, `mixed` saw two versions, `failed` ended
    with an error or said something. The waits are the seconds that `site` took."""

    size: int
    swaps: int = 0
    old: int = 0
    new: int = 0
    mixed: int = 0
    failed: int = 0
    median: float = 0.0
    p99: float = 0.0
    alone: float = 0.0

    @property
    def is_good(self) -> bool:
        """One swap, and everyone consistent."""
        return self.swaps == 1 and not self.mixed and not self.failed


def start_at_once(bench: Bench, size: int) -> Crowd:
    """`size` interpreters on a pending transaction."""
    crowd = Crowd(size)
    bench.restore("new")
    crowd.alone = statistics.median(json.loads(end(*gather(bench, 1))[1])[0] for _ in range(9))
    bench.restore("staged")
    before = _history(bench)
    ended = [end(process) for process in gather(bench, size)]
    waits = []
    for status, out, err in ended:
        if status or err:
            crowd.failed += 1
            print(err, file=sys.stderr)
            continue
        waited, seen = json.loads(out)
        waits.append(waited)
        _count(crowd, seen)
    crowd.swaps = _history(bench) - before
    crowd.median = statistics.median(waits)
    crowd.p99 = sorted(waits)[max(0, round(len(waits) * 0.99) - 1)]
    return crowd


def _count(crowd: Crowd | Swaps, seen: Sequence[str]) -> None:
    if len(seen) > 1:
        crowd.mixed += 1
        print(f"MIXED: {seen}", file=sys.stderr)
    elif seen == ["1.0"]:
        crowd.old += 1
    else:
        crowd.new += 1


def begin(bench: Bench, code: str, *arguments: str, path: Path | None = None) -> Process:
    """Let an interpreter run code."""
    flags = [word for word in arguments if word == "-S"]
    command = [bench.python, "-B", *flags, "-c", code, *arguments[len(flags) :]]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, env=bench.variables(path=path), stdout=pipe, stderr=pipe, text=True, cwd=bench.root
    )


def gather(bench: Bench, size: int, until: Callable[[], None] = lambda: None) -> list[Process]:
    """Interpreters that all reach `site` at the same moment, when all are ready and `until` has returned."""
    signal, over = bench.root / "begin", bench.root / "begun"
    signal.unlink(missing_ok=True)
    os.mkfifo(signal)
    processes = [begin(bench, STARTER, "-S", str(signal)) for _ in range(size)]
    for process in processes:
        assert process.stdout and process.stdout.readline()
    time.sleep(0.02)
    until()
    over.touch()
    handle = os.open(signal, os.O_RDWR)
    over.replace(signal)  # late ones do not wait
    os.close(handle)
    return processes


def end(process: Process) -> tuple[int, str, str]:
    """Its status, and its output."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def _history(bench: Bench) -> int:
    return len(list((bench.site / STATE / HISTORY).glob("*")))


@dataclass
class Swaps:
    """The outcome of swaps back and forth: their number, and the versions in interpreters that started or held."""

    rounds: int
    swaps: int = 0
    starters: int = 0
    holders: int = 0
    old: int = 0
    new: int = 0
    mixed: int = 0
    failed: int = 0
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Each round swapped, and everyone was consistent."""
        return self.swaps == self.rounds and not self.mixed and not self.failed


def back_and_forth(bench: Bench, rounds: int, *, burst: int = 3, holders_every: int = 10) -> Swaps:
    """Stage the other version, then start some interpreters at once that import everything; this many times.

    Some of them first hold the environment, and start while others start and swap.
    """
    bench.restore("old")
    counted, started = Swaps(rounds), time.monotonic()
    for number in range(rounds):
        before = _history(bench)
        version = ("2.0", "1.0")[number % 2]
        stage(bench, version)
        if number % holders_every:
            crowd, others = gather(bench, burst), []
            counted.starters += burst
        else:
            crowd, others = [], []
            for _ in range(2):
                crowd.append(begin(bench, PRELUDE + _HOLDER, path=bench.libraries))
                others += [begin(bench, "pass") for _ in range(2)]
            counted.holders += len(crowd)
        _judge(counted, crowd, others)
        bench.start()  # if holders were faster, the swap has waited until they exited
        counted.swaps += _history(bench) - before
        counted.failed += not (bench.site / f"alpha-{version}.dist-info").is_dir()
        _forget_history(bench)
    counted.seconds = time.monotonic() - started
    return counted


def _judge(counted: Swaps, crowd: Sequence[Process], others: Sequence[Process]) -> None:
    for process in (*crowd, *others):
        status, out, err = end(process)
        if status or err:
            counted.failed += 1
            print(f"FAILED: {status} {err}", file=sys.stderr)
        elif process in crowd:
            _count(counted, json.loads(out)[1])


def _forget_history(bench: Bench) -> None:
    """A history of a thousand entries is not tested here."""
    shutil.rmtree(bench.site / STATE / HISTORY)
    shutil.rmtree(bench.site / STATE / RETIRED, ignore_errors=True)


_TWO = """
begin = sys.argv[1]
while not os.path.exists(begin):
    pass
done = li.install(*sys.argv[2:])
print(json.dumps([c.name for c in (*done.installed, *done.staged)]))
"""


def two_install(bench: Bench, rounds: int) -> tuple[int, list[str]]:
    """Two processes that install at the same moment; the number of rounds, and the problems.

    Their requests overlap: all five together, and one of the five with another one. Serialised, the second
    plans again, so that each change is made once.
    """
    wrong = []
    for number in range(rounds):
        bench.restore("empty")
        signal = bench.root / f"begin-{number}"
        asked = (["alpha==2.0"], ["beta==2.0", "fresh"])
        pair = [begin(bench, PRELUDE + _TWO, str(signal), *words, path=bench.libraries) for words in asked]
        time.sleep(0.3)
        signal.touch()
        ended = [end(process) for process in pair]
        done = [name for status, out, _ in ended if not status for name in json.loads(out)]
        said = [err for status, _, err in ended if status]
        if said or sorted(done) != sorted((*BIG, "fresh")) or inconsistent(bench.site):
            wrong.append(f"round {number}: {done} {said} {inconsistent(bench.site)}")
        if left := bench.left_over():
            wrong.append(f"round {number}: left over {left}")
    return rounds, wrong
