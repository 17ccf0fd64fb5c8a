"""The phases that are killed: the start of each, and its command. A new one is one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from integration.reports.reliability.bench import Bench
from integration.reports.reliability.trace import Point, Tracer


@dataclass(frozen=True)
class Phase:
    """`begin`: what the environment is before, by the name of a kept copy. `code` runs with `li`; None is a start."""

    name: str
    begin: str
    code: str | None = None
    flags: tuple[str, ...] = ()

    def tracer(self, bench: Bench) -> Tracer:
        """The tracer that runs it under strace."""
        if self.code is None:
            return Tracer(bench, [bench.python, "-B", "-c", "pass"])
        code = self.code.format(first=bench.names[0])
        return Tracer(bench, bench.live_command(code, *self.flags), path=bench.libraries)


PHASES = (
    Phase("stage and publish", "old", "import {first}; begin(); li.install('{first}==2.0')"),
    Phase("install at once", "old", "begin(); li.install('{first}==2.0')"),
    Phase("swap at a start", "staged"),
    Phase("roll back at a start", "half"),
    Phase("finalize", "staged", "begin(); li.finalize()", ("-S",)),
    Phase("recover at the next use", "half", "begin(); li.finalize()", ("-S",)),
    Phase("cancel", "old", "import {first}; li.install('{first}==2.0'); begin(); li.cancel()"),
    Phase("undo at once", "new", "begin(); li.undo()"),
    Phase("undo, staged", "new", "import {first}; begin(); li.undo()"),
    Phase("swap of an undo", "undone"),
    Phase("clean-up at a start", "committed"),
    Phase("clean-up at the next use", "litter", "begin(); li.finalize()", ("-S",)),
)


def prepare_halves(bench: Bench) -> None:
    """Keep a staged undo as `undone`, and the states after kills.

    `half` swapped, `committed` but not cleaned up, that with `litter` of a dead staging.
    """
    bench.restore("new")
    done = bench.live(f"import {bench.names[0]}; li.undo()")
    assert done.status == 0, done.err
    bench.keep("undone")
    swap = PHASES[2].tracer(bench)
    bench.restore("staged")
    points = swap.points()
    commit = next(at for at, point in enumerate(points) if ".committed" in point.what and point.call == "rename")
    _keep_killed(bench, swap, points[commit // 2 : commit], "half")
    _keep_killed(bench, swap, points[commit + 3 :], "committed")
    stage = PHASES[0].tracer(bench)
    bench.restore("old")
    points = stage.points()
    _keep_killed(bench, stage, points[len(points) // 3 :], "litter", "old")
    parts = [path for path in bench.site.iterdir() if path.name.endswith(".part")]
    kept = bench.root / "parts"
    for part in parts:
        part.rename(kept.with_name(f"part-{part.name}"))
    bench.restore("committed")
    for part in parts:
        kept.with_name(f"part-{part.name}").rename(part.with_name(part.name.replace(".part", "-7.part")))
    bench.keep("litter")


def _keep_killed(bench: Bench, tracer: Tracer, points: Sequence[Point], name: str, begin: str = "staged") -> None:
    """Keep the state after a kill at the first of these points that is there: each run may differ from the dry run."""
    for point in points:
        bench.restore(begin)
        if tracer.kill(point):
            bench.keep(name)
            return
    raise AssertionError(name)
