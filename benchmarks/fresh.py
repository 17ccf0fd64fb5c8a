"""Fresh installs, from the call to imported, in seconds of wall time: liveinstall, pip and uv, the same wheels.

Each repetition is a process in a brand-new environment that has pip and liveinstall: it installs with default options
and then imports. pip and uv run as that process's children, as in a notebook.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.common import Options, Workshop, run_alone
from benchmarks.measure import Section, Verdict, interleaved, ratio

TOOLS = ("liveinstall", "pip", "uv")


@dataclass(frozen=True)
class Set:
    """What is asked for, and what is imported then."""

    requirements: tuple[str, ...]
    imports: tuple[str, ...]

    @property
    def name(self) -> str:
        """For tables."""
        return " + ".join(self.requirements)


SETS = (
    Set(("requests",), ("requests",)),
    Set(("rich",), ("rich.console",)),
    Set(("sympy",), ("sympy",)),
    Set(("numpy", "pandas"), ("numpy", "pandas")),
    Set(("django",), ("django",)),
    Set(("scikit-learn", "matplotlib"), ("sklearn.linear_model", "matplotlib.pyplot")),
)
_IMPORTED = "; ".join(", ".join(f"`{module}`" for module in one.imports) for one in SETS)

Answers = Mapping[str, Sequence[dict[str, Any]]]


def measure(place: Workshop, options: Options) -> list[Section]:
    """From a wheelhouse, and with `--index` also from the configured index with warm caches."""
    for one in SETS:
        place.fetch(*one.requirements)
    for tool in TOOLS:
        _once(place, SETS[0], tool, place.offline())  # not counted: it warms the interpreter's files
    sections = _sections(place, "from one wheelhouse", place.offline(), options.count(5, 1))
    if options.index:
        for one in SETS:  # uv's cache and pip's are warm from here on
            for tool in TOOLS:
                _once(place, one, tool, {})
        sections += _sections(place, "from the index, warm caches", {}, options.count(3, 1))
    return sections


def _once(place: Workshop, one: Set, tool: str, source: Mapping[str, Any]) -> dict[str, Any]:
    with place.fresh() as environment:
        asked = {"tool": tool, "requirements": one.requirements, "imports": one.imports}
        return place.ask(environment, "install", **asked, **source)


def _sections(place: Workshop, where: str, source: Mapping[str, Any], rounds: int) -> list[Section]:
    found: dict[str, Answers] = {}
    for one in SETS:
        arms = {tool: lambda tool=tool, one=one: _once(place, one, tool, source) for tool in TOOLS}
        found[one.name] = interleaved(arms, rounds)
    return [_totals(found, where, rounds), _phases(found, where)]


def _total(answers: Sequence[Mapping[str, Any]]) -> list[float]:
    return [answer["call"] + answer["import"] for answer in answers]


def _totals(found: Mapping[str, Answers], where: str, rounds: int) -> Section:
    rows, ratios, to_uv = [], [], []
    for name, answers in found.items():
        mine, pip, uv = (_total(answers[tool]) for tool in TOOLS)
        ratios.append(ratio(mine, pip))
        to_uv.append(ratio(mine, uv))
        seconds = [f"{statistics.median(arm):.2f}" for arm in (mine, pip, uv)]
        rows.append([name, *seconds, f"{ratios[-1]:.2f}", f"{to_uv[-1]:.2f}"])
    mean = statistics.geometric_mean(ratios)
    rows.append(["geometric mean", "", "", "", f"{mean:.2f}", f"{statistics.geometric_mean(to_uv):.2f}"])
    slowest = max(zip(ratios, found, strict=True))
    return Section(
        f"Fresh install, {where}",
        f"Seconds from the call to imported, medians of {rounds}. Imported: {_IMPORTED}. pip and uv with their default "
        "options (pip compiles everything, uv nothing, liveinstall what an import needs, while it unpacks).",
        ("set", "liveinstall", "pip", "uv", "liveinstall / pip", "liveinstall / uv"),
        rows,
        (
            Verdict("at most half of pip's time, geometric mean", f"{mean:.2f}", mean <= 0.5),
            Verdict("slower than pip on none", f"at most {slowest[0]:.2f} ({slowest[1]})", slowest[0] <= 1),
        ),
    )


def _phases(found: Mapping[str, Answers], where: str) -> Section:
    names = list(dict.fromkeys(phase for one in found.values() for a in one["liveinstall"] for phase in a["phases"]))
    rows = []
    for name, answers in found.items():
        mine = answers["liveinstall"]
        phases = [statistics.median(answer["phases"].get(phase, 0.0) for answer in mine) for phase in names]
        other = statistics.median(a["call"] - a["loading"] - sum(a["phases"].values()) for a in mine)
        ends = [statistics.median(answer[key] for answer in mine) for key in ("loading", "import")]
        others = [statistics.median(a["import"] for a in answers[tool]) for tool in ("pip", "uv")]
        rows.append([name, *(f"{value:.3f}" for value in (ends[0], *phases, other, ends[1], *others))])
    return Section(
        f"Phases of a fresh install, {where}",
        "Seconds, medians. The last two columns: what the import takes after pip and uv.",
        ("set", "load liveinstall", *names, "not in a phase", "import", "import after pip", "after uv"),
        rows,
    )


if __name__ == "__main__":
    run_alone(measure, __doc__)
