"""Keeping a gigabyte over a restart, against plain pickle: seconds of wall time, and peak memory (MiB).

Pickle: `pickle.dump(value, file, protocol=5)`, and `pickle.load()` in another process. liveinstall: all of
`restart(keep=["value"])` but the restart itself; before it, a preview loads the file.
"""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.common import Environment, Options, Workshop, run_alone
from benchmarks.measure import Section, Verdict, interleaved, ratio, spread

SIZE = 10**9
KINDS = ("array", "frame")
TOOLS = ("pickle", "liveinstall")
TIME, MEMORY = 1.5, 1.2  # ratios


def measure(place: Workshop, options: Options) -> list[Section]:
    """Measure time and memory."""
    rounds = options.count(5, 2)
    environment = place.copy(place.template)
    place.run(place.uv, "pip", "install", "--quiet", "--python", environment.python, "numpy", "pandas")
    place.variables["XDG_CACHE_HOME"] = str(place.path / "kept")
    code = "import numpy as np, pandas as pd; print(f'NumPy {np.__version__}, pandas {pd.__version__}')"
    versions = place.output(environment.python, "-c", code).strip()
    rows: list[list[str]] = []
    factors: list[tuple[float, float]] = []
    for kind in KINDS:
        found = interleaved({tool: _arm(place, environment, tool, kind) for tool in TOOLS}, rounds)
        for tool in TOOLS:
            row, factor = _row(found[tool], found["pickle"])
            rows.append([f"{kind}, {tool}", *row])
            factors.append(factor)
    return [_section(rows, factors, rounds, versions)]


def _row(found: list[dict[str, float]], plain: list[dict[str, float]]) -> tuple[list[str], tuple[float, float]]:
    """What a row shows, and the ratios of time and of memory to plain pickle."""
    values = {name: [each[name] for each in found] for name in found[0]}
    time, memory = (ratio(values[name], [each[name] for each in plain]) for name in ("both", "mib"))
    parts = [f"{statistics.median(values[job]):.2f}" for job in ("keep", "restore")]
    return [*parts, spread(values["both"]), f"{time:.2f}", f"{max(values['mib']):.0f}", f"{memory:.2f}"], (time, memory)


def _arm(place: Workshop, environment: Environment, tool: str, kind: str) -> Any:
    return lambda: _once(place, environment, tool, kind)


def _once(place: Workshop, environment: Environment, tool: str, kind: str) -> dict[str, float]:
    asked = {"tool": tool, "kind": kind, "bytes": SIZE, "path": str(place.path / "value.pickle")}
    kept = place.ask(environment, "kept", job="keep", **asked)
    back = place.ask(environment, "kept", job="restore", **asked | {"path": kept["path"]})
    return {
        "keep": kept["seconds"],
        "restore": back["seconds"],
        "both": kept["seconds"] + back["seconds"],
        "mib": max(answer[key] for answer in (kept, back) for key in ("mib", "children_mib")),
    }


def _section(rows: list[list[str]], factors: list[tuple[float, float]], rounds: int, versions: str) -> Section:
    slowest, largest = map(max, zip(*factors, strict=True))
    return Section(
        "Keeping 1 GB over a restart, against plain pickle",
        f"Seconds of wall time, medians of {rounds} (least-most), and the largest memory of any process, in MiB, the "
        f"variable itself included. {versions}; the frame has eight columns of numbers. Pickle: protocol 5, to a file "
        "and from it in another process. liveinstall: `restart(keep=...)` without the restart itself; keeping includes "
        "the preview, which loads the file once more.",
        ("", "keep", "restore", "both", "of pickle", "peak", "of pickle"),
        rows,
        (
            Verdict(f"at most {TIME} times pickle's time", f"{slowest:.2f}", slowest <= TIME),
            Verdict(f"at most {MEMORY} times pickle's memory", f"{largest:.2f}", largest <= MEMORY),
        ),
    )


if __name__ == "__main__":
    run_alone(measure, __doc__)
