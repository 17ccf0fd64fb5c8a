"""Power loss: every possible state of the disk after each operation of a phase, then one start of Python."""

from __future__ import annotations

import random
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import chain, combinations
from pathlib import Path

from _liveinstall_boot.layout import MANIFEST, PART, list_transactions
from integration.reports.reliability.bench import Bench
from integration.reports.reliability.disk import DAMAGES, Crash, Disk
from integration.reports.reliability.kills import Count, Judge, Options
from integration.reports.reliability.phases import PHASES, Phase
from integration.reports.reliability.recording import Recording

_FEW = 4  # the number of loose operations of which every selection is tried
_NEXT_EVERY = 25


def record(bench: Bench, phase: Phase) -> Recording:
    """The disk operations of a phase."""
    bench.restore(phase.begin)
    disk = Disk.read(bench.env)
    lines = phase.tracer(bench).record()
    return Recording(disk, lines)


def selections(loose: Sequence[int], bound: int, seed: int) -> Iterator[frozenset[int]]:
    """Which of the loose operations were kept: all selections when they are few, else at most `bound` of them."""
    if len(loose) <= _FEW:
        yield from map(frozenset, chain.from_iterable(combinations(loose, size) for size in range(len(loose) + 1)))
        return
    whole = frozenset(loose)
    yield whole
    yield frozenset()
    dice = random.Random(seed)
    kinds = [
        lambda: whole - {dice.choice(loose)},
        lambda: {dice.choice(loose)},
        lambda: loose[: dice.randrange(len(loose))],
    ]
    kinds.append(lambda: [at for at in loose if dice.random() < 0.5])
    for number in range(bound - 2):
        yield frozenset(kinds[number % len(kinds)]())


def states(recording: Recording, bound: int, step: int = 1) -> Iterator[tuple[str, Disk]]:
    """(where, disk) of each different state after each `step`-th operation, with every damage of unflushed data."""
    seen = set()
    for length in range(recording.begin, len(recording.operations) + 1, step):
        crash = Crash(recording, length)
        for number, kept in enumerate(selections(crash.loose, bound, length)):
            for damage in DAMAGES if number < 2 else (DAMAGES[(length + number) % len(DAMAGES)],):
                disk = crash.disk(kept, damage)
                signature = hash(disk.signature())
                if signature not in seen:
                    seen.add(signature)
                    lost = [at for at in crash.loose if at not in kept]
                    yield f"after {length} operations, {damage} data, without {lost}", disk


def _wrong_with_next(bench: Bench, count: Count) -> str:
    """The problems of the next commands; a part that lost its manifest is not recognised and stays, as litter."""
    if any(state == "failed" for _, state, _ in list_transactions(str(bench.site))):
        return ""  # set aside and told, which is not what the next commands expect
    wrong = bench.wrong_with_next()
    if wrong.startswith("left over") and all(name.endswith(PART) for name in bench.left_over()):
        count.litter += 1
        return ""
    return wrong


def _boot_again(site: Path) -> None:
    """After a power loss the machine has another boot id than when the parts were staged."""
    for manifest in site.rglob(MANIFEST):
        manifest.write_bytes(manifest.read_bytes().replace(b"\nboot ", b"\nboot 0"))


def sweep(bench: Bench, judge: Judge, phase: Phase, options: Options, *, bound: int = 16) -> Count:
    """Lose the power in one phase."""
    count = Count(phase.name)
    _sweep(bench, judge, phase, options, bound, count)
    print(count, file=sys.stderr, flush=True)
    return count


def recoveries(bench: Bench, judge: Judge, options: Options, *, first: int, bound: int = 16) -> Count:
    """Kill the swap at each `first`-th point before its commit, then lose the power in the start that rolls it back."""
    start = next(phase for phase in PHASES if phase.name == "swap at a start").tracer(bench)
    bench.restore("staged")
    points = start.points()
    commit = next(at for at, point in enumerate(points) if ".committed" in point.what)
    count = Count("a kill, then a power loss at the next start")
    for point in points[:commit:first]:
        bench.restore("staged")
        if start.kill(point):
            bench.keep("killed")
            _sweep(bench, judge, Phase(f"after a kill before {point}", "killed"), options, bound, count)
    print(count, file=sys.stderr, flush=True)
    return count


def _sweep(bench: Bench, judge: Judge, phase: Phase, options: Options, bound: int, count: Count) -> None:
    for number, (at, disk) in enumerate(states(record(bench, phase), bound)):
        count.points += 1
        if number % options.every or time.monotonic() > options.deadline:
            continue
        shutil.rmtree(bench.env)
        disk.write()
        _boot_again(bench.site)
        wrong, is_new = judge.after_a_start()
        if not wrong and count.tried % _NEXT_EVERY == 0:
            wrong = _wrong_with_next(bench, count)
        count.add(wrong, is_new=is_new, at=f"{phase.name}, {at}")
