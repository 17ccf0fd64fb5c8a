"""pip and uv through the same matrix: the same upgrade in place, killed, with errors, and without power."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from integration.lib.interpreters import find_uv
from integration.reports.reliability import power
from integration.reports.reliability.bench import BIG, IMPORT_ALL, Bench, inconsistent
from integration.reports.reliability.calls import Failures, at_each_point
from integration.reports.reliability.disk import Disk
from integration.reports.reliability.kills import Options
from integration.reports.reliability.recording import Recording
from integration.reports.reliability.trace import Tracer


@dataclass
class Broken:
    """Of `tried` failures, `broken` left neither version complete after a start, `failing` not even all importable.

    `again`: still broken after the same command was run once more. `litter`: whole, but something is left over.
    """

    name: str
    points: int = 0
    tried: int = 0
    broken: int = 0
    failing: int = 0
    litter: int = 0
    again: int = 0


def available(tool: str) -> bool:
    """Whether the tool is available."""
    return bool(find_uv()) if tool == "uv" else importlib.util.find_spec("pip") is not None


class Rival:
    """A tool on a bench. Its installations of both versions are kept as `<tool>-old` and `<tool>-new`."""

    def __init__(self, bench: Bench, tool: str) -> None:
        self.bench, self.tool = bench, tool
        self.path = bench.pip if tool == "pip" else None
        self.old, self.new = f"{tool}-old", f"{tool}-new"
        self.trees = {}
        bench.restore("empty")
        for version, name in (("1.0", self.old), ("2.0", self.new)):
            ran = bench.run(self.to(version), path=self.path)
            assert ran.status == 0, ran.err
            bench.keep(name)
            self.trees[name] = self.tree()
        self.upgrade = self.to("2.0")
        self.tracer = Tracer(bench, self.upgrade, path=self.path, threads=tool == "uv")

    def command(self, *wanted: str, deps: bool = True) -> list[str]:
        """The command that installs, offline."""
        offline = ["--no-index", "--find-links", str(self.bench.wheels), "-q", *([] if deps else ["--no-deps"])]
        if self.tool == "pip":
            rest = ["--no-cache-dir", "--disable-pip-version-check", "--no-input"]
            return [self.bench.python, "-m", "pip", "install", *offline, *rest, *wanted]
        uv = find_uv()
        assert uv
        cache = ["--cache-dir", str(self.bench.root / "uv-cache"), "--offline"]
        return [uv, "pip", "install", "--python", self.bench.python, *offline, *cache, *wanted]

    def to(self, version: str) -> list[str]:
        """The command that changes all five to a version."""
        return self.command(*(f"{name}=={version}" for name in BIG), deps=False)

    def tree(self) -> dict[str, str]:
        """The tree without the tool's leftovers next to it."""
        found = self.bench.state().items()
        return {path: what for path, what in found if "/~" not in path and not path.endswith("REQUESTED")}

    def judge(self, count: Broken) -> bool:
        """Start Python, check, and if it is broken run the same command again; whether it was complete."""
        started = self.bench.start(IMPORT_ALL)
        is_whole = self.tree() in self.trees.values()
        count.tried += 1
        count.litter += is_whole and any(self.bench.site.glob("~*"))
        if is_whole:
            return True
        count.broken += 1
        count.failing += started.status != 0
        self.bench.run(self.upgrade, path=self.path)
        count.again += self.tree() != self.trees[self.new] or bool(inconsistent(self.bench.site))
        return False


def kills(rival: Rival, options: Options) -> Broken:
    """Upgrade, killed before its file-changing system calls."""
    rival.bench.restore(rival.old)
    points = rival.tracer.points()
    count = Broken(rival.tool, len(points))
    for point in options.choose(points):
        rival.bench.restore(rival.old)
        if rival.tracer.kill(point):
            rival.judge(count)
        else:
            count.points -= 1  # this run differs there from the dry run
    print(count, file=sys.stderr, flush=True)
    return count


def errors(rival: Rival, options: Options, each: int) -> Failures:
    """Upgrade, with one of its file-changing system calls failing."""
    count = Broken(rival.tool)
    return at_each_point(
        rival.tool, rival.tracer, rival.old, options, each, lambda point, error, ran: not rival.judge(count)
    )


def power_losses(rival: Rival, options: Options, bound: int) -> Broken:
    """Upgrade, and lose the power."""
    rival.bench.restore(rival.old)
    disk = Disk.read(rival.bench.env)
    recording = Recording(disk, Tracer(rival.bench, rival.upgrade, path=rival.path, threads=True).record())
    _check(rival, recording)
    states = list(power.states(recording, bound))
    count = Broken(rival.tool, len(states))
    for _, state in options.choose(states):
        _put(rival.bench, state)
        rival.judge(count)
    print(count, file=sys.stderr, flush=True)
    return count


def _put(bench: Bench, disk: Disk) -> None:
    shutil.rmtree(bench.env)
    disk.write()


def _check(rival: Rival, recording: Recording) -> None:
    """The model must end in the same state as the tool; otherwise its results are meaningless."""
    _put(rival.bench, recording.now)
    assert rival.tree() == rival.trees[rival.new]


def both(bench: Bench) -> Sequence[Rival]:
    """The available tools."""
    return [Rival(bench, tool) for tool in ("pip", "uv") if available(tool)]
