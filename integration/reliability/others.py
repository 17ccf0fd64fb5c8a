"""pip and uv through the same sweep: the same upgrade in place, killed before each of its system calls."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from integration.interpreters import find_uv
from integration.reliability.bench import BIG, IMPORT_ALL, Bench, inconsistent
from integration.reliability.kills import Options
from integration.reliability.trace import Tracer


@dataclass
class Broken:
    """Of `tried` kills `broken` left neither version whole after a start, `failing` not even all importable.

    `again`: still broken after the same command was run once more. `litter`: whole, but something is left over.
    """

    name: str
    points: int = 0
    tried: int = 0
    broken: int = 0
    failing: int = 0
    litter: int = 0
    again: int = 0


def _command(bench: Bench, tool: str, version: str) -> tuple[list[str], Path | None]:
    wanted = [f"{name}=={version}" for name in BIG]
    offline = ["--no-index", "--find-links", str(bench.wheels), "--no-deps", "-q"]
    if tool == "pip":
        rest = ["--no-cache-dir", "--disable-pip-version-check", "--no-input"]
        return [bench.python, "-m", "pip", "install", *offline, *rest, *wanted], bench.pip
    uv = find_uv()
    assert uv
    cache = ["--cache-dir", str(bench.root / "uv-cache"), "--offline"]
    return [uv, "pip", "install", "--python", bench.python, *offline, *cache, *wanted], None


def sweep(bench: Bench, tool: str, options: Options) -> Broken:
    """Upgrade with a tool, killed at its points."""
    bench.restore("empty")
    for version, name in (("1.0", "old"), ("2.0", "new")):
        command, path = _command(bench, tool, version)
        ran = bench.run(command, path=path)
        assert ran.status == 0, ran.err
        bench.keep(f"{tool}-{name}")
    trees = {}
    for name in ("new", "old"):
        bench.restore(f"{tool}-{name}")
        trees[name] = _own(bench)
    tracer = Tracer(bench, command, path=path, threads=tool == "uv")
    points = tracer.points()
    count = Broken(tool, len(points))
    for point in options.choose(points):
        bench.restore(f"{tool}-old")
        if not tracer.kill(point):
            count.points -= 1
            continue
        count.tried += 1
        _judge(bench, count, trees, command, path)
    print(count, file=sys.stderr, flush=True)
    return count


def _judge(
    bench: Bench, count: Broken, trees: dict[str, dict[str, str]], command: Sequence[str], path: Path | None
) -> None:
    started = bench.start(IMPORT_ALL)
    is_whole = _own(bench) in trees.values()
    count.litter += is_whole and any(bench.site.glob("~*"))
    if is_whole:
        return
    count.broken += 1
    count.failing += started.status != 0
    bench.run(command, path=path)
    count.again += _own(bench) != trees["new"] or bool(inconsistent(bench.site))


def _own(bench: Bench) -> dict[str, str]:
    """The tree without what a tool leaves beside it."""
    return {path: what for path, what in bench.state().items() if "/~" not in path and not path.endswith("REQUESTED")}


def available(tool: str) -> bool:
    """Whether the tool is here."""
    return bool(find_uv()) if tool == "uv" else importlib.util.find_spec("pip") is not None
