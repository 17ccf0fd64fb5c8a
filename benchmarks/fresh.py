"""Fresh installs, from the call to the end of the import, in seconds of wall time: liveinstall, pip, uv, same wheels.

Each repetition is a process in a brand-new environment that has pip and liveinstall: it installs with default options
and then imports. pip and uv run as that process's children, as in a notebook.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import Environment, Options, Workshop, run_alone
from benchmarks.measure import Section, Verdict, interleaved, ratio

ENGINES = {"liveinstall": "pip", "liveinstall with uv": "uv"}
TOOLS = (*ENGINES, "pip", "uv")
MEMORY = 60  # MiB


@dataclass(frozen=True)
class Set:
    """The requirements to install, and the modules to import afterwards.

    Attributes:
        requirements: The requirements.
        imports: The modules.
        is_small: Whether an installation takes so little time that other work of the machine may double it.
    """

    requirements: tuple[str, ...]
    imports: tuple[str, ...]
    is_small: bool = False

    @property
    def name(self) -> str:
        """Return the name for tables."""
        return " + ".join(self.requirements)


# What the models, views and URLs of a project import; `import django` alone loads five of its modules.
_DJANGO = (
    *("django.core.management", "django.db.models", "django.forms", "django.http", "django.shortcuts"),
    *("django.template", "django.urls", "django.views.generic"),
)
SETS = (
    Set(("requests",), ("requests",), is_small=True),
    Set(("rich",), ("rich.console",), is_small=True),
    Set(("flask",), ("flask",), is_small=True),
    Set(("httpx", "pydantic"), ("httpx", "pydantic"), is_small=True),
    Set(("sympy",), ("sympy",)),
    Set(("numpy", "pandas"), ("numpy", "pandas")),
    Set(("django",), _DJANGO),
    Set(("polars",), ("polars",), is_small=True),
    Set(("jupyterlab",), ("jupyterlab.labapp",)),
    Set(("scikit-learn", "matplotlib"), ("sklearn.linear_model", "matplotlib.pyplot")),
)
_IMPORTED = "; ".join(", ".join(f"`{module}`" for module in one.imports) for one in SETS)

Answers = Mapping[str, Sequence[dict[str, Any]]]


def measure(place: Workshop, options: Options) -> list[Section]:
    """Measure installs from a wheelhouse, and with `--index` from the configured index too, with warm caches."""
    for one in SETS:
        place.fetch(*one.requirements)
        _once(place, one, "uv", place.offline())  # not counted: it warms uv's cache
    for tool in TOOLS:
        _once(place, SETS[0], tool, place.offline())  # not counted: it warms the interpreter's files
    sections = [_first_installs(place, options.count(3, 1))]
    for one in SETS:
        for tool in ENGINES:
            _once(place, one, tool, place.offline())  # not counted: it warms the caches of liveinstall
    sections += _sections(place, "from one wheelhouse", place.offline(), options.count(5, 1))
    sections.append(_first_calls(place, options.count(7, 3)))
    if options.index:
        for one in SETS:  # from here on the caches of uv and pip are warm
            for tool in TOOLS:
                _once(place, one, tool, {})
        sections += _sections(place, "from the index, warm caches", {}, options.count(3, 1))
    return sections


def _rounds(one: Set, rounds: int) -> int:
    return 3 * rounds if one.is_small else rounds


def _once(
    place: Workshop, one: Set, tool: str, source: Mapping[str, Any], template: Environment | None = None
) -> dict[str, Any]:
    with place.fresh(template) as environment:
        asked = {"tool": tool, "requirements": one.requirements, "imports": one.imports}
        if tool in ENGINES:
            asked |= {"tool": "liveinstall", "engine": ENGINES[tool]}
        return place.ask(environment, "install", **asked, **source)


def _sections(place: Workshop, where: str, source: Mapping[str, Any], rounds: int) -> list[Section]:
    found: dict[str, Answers] = {}
    for one in SETS:
        arms = {tool: lambda tool=tool, one=one: _once(place, one, tool, source) for tool in TOOLS}
        found[one.name] = interleaved(arms, _rounds(one, rounds))
    phases = [_phases(found, where, tool) for tool in ENGINES]
    return [_totals(found, where, rounds), _calls(found, where), *phases, _memory(found, where)]


def _first_installs(place: Workshop, rounds: int) -> Section:
    """Installs of wheels that liveinstall has not installed before in any environment, so that it has to check them."""
    cache = place.variables["XDG_CACHE_HOME"]

    def once(one: Set, tool: str) -> dict[str, Any]:
        place.variables["XDG_CACHE_HOME"] = str(place.path / f"cache-{next(place.numbers)}")
        try:
            return _once(place, one, tool, place.offline())
        finally:
            place.variables["XDG_CACHE_HOME"] = cache

    found: dict[str, Answers] = {}
    for one in SETS:
        arms = {tool: lambda tool=tool, one=one: once(one, tool) for tool in TOOLS}
        found[one.name] = interleaved(arms, _rounds(one, rounds))  # type: ignore[arg-type]
    return _totals(found, "of wheels that liveinstall has not seen before, from one wheelhouse", rounds)


def _first_calls(place: Workshop, rounds: int) -> Section:
    """The first call in an environment that uv made, where liveinstall has no bytecode, and later ones."""
    place.run(place.copy(place.uv_made).python, "-c", "pass")  # not counted: it warms the interpreter's files
    later = place.copy(place.uv_made)
    place.run(later.python, "-m", "compileall", "-q", str(later.site))
    arms = {"unknown": place.uv_made, "first": place.uv_made, "later": later}

    def once(one: Set, arm: str) -> float:
        if arm == "unknown":
            for path in (Path(place.variables["XDG_CACHE_HOME"]) / "liveinstall" / "bytecode").glob("own-*"):
                path.unlink()  # now nothing is known
        return float(_once(place, one, "liveinstall with uv", place.offline(), arms[arm])["call"])

    rows, ratios = [], []
    for one in SETS[:2]:
        found: dict[str, list[float]] = {arm: [] for arm in arms}
        for _ in range(rounds):
            for arm in arms:  # in this order: the call in which all is unknown makes it known
                found[arm].append(once(one, arm))
        ratios.append(ratio(found["first"], found["later"]))
        medians = [f"{statistics.median(found[arm]):.2f}" for arm in arms]
        rows.append([one.name, *medians, f"{ratio(found['unknown'], found['later']):.2f}", f"{ratios[-1]:.2f}"])
    return Section(
        "The first call in an environment that uv made",
        f"Seconds of the call with the uv engine, medians of {rounds}. uv compiles no bytecode at installation. So the "
        "first call of a user compiles the modules of liveinstall that it loads, and keeps them for the first calls in "
        "the user's further environments.",
        ("set", "first call of the user", "first call in an environment", "later call", "ratio of the former", "ratio"),
        rows,
        (
            Verdict(
                "a first call in a further environment takes at most 1.3 of a later one",
                f"{max(ratios):.2f}",
                max(ratios) <= 1.3,
            ),
        ),
    )


def _total(answers: Sequence[Mapping[str, Any]]) -> list[float]:
    return [answer["call"] + answer["import"] for answer in answers]


def _totals(found: Mapping[str, Answers], where: str, rounds: int) -> Section:
    rows = []
    ratios: dict[str, list[float]] = {"pip": [], "uv": []}
    for name, answers in found.items():
        mine, with_uv, pip, uv = (_total(answers[tool]) for tool in TOOLS)
        ratios["pip"].append(ratio(mine, pip))
        ratios["uv"].append(ratio(with_uv, uv))
        seconds = [f"{statistics.median(arm):.2f}" for arm in (mine, pip, with_uv, uv)]
        rows.append([name, *seconds, *(f"{one[-1]:.2f}" for one in ratios.values())])
    means = {tool: statistics.geometric_mean(one) for tool, one in ratios.items()}
    rows.append(["geometric mean", "", "", "", "", *(f"{mean:.2f}" for mean in means.values())])
    pairs = {tool: max(zip(one, found, strict=True)) for tool, one in ratios.items()}
    slowest = {tool: f"{value:.2f} ({name})" for tool, (value, name) in pairs.items()}
    return Section(
        f"Fresh install, {where}",
        f"Seconds from the call to imported, medians of {rounds}, {3 * rounds} for small sets. Imported: {_IMPORTED}."
        " pip and uv with their default options (pip compiles all modules, uv none, liveinstall those that an import "
        "needs, while it unpacks). The caches of pip, of uv and, where not said otherwise, of liveinstall are warm.",
        ("set", "liveinstall", "pip", "liveinstall with uv", "uv", "liveinstall / pip", "liveinstall with uv / uv"),
        rows,
        (
            Verdict("at most 0.40 of pip's time, geometric mean", f"{means['pip']:.2f}", means["pip"] <= 0.4),
            Verdict("at most 0.65 of it for each set", f"at most {slowest['pip']}", max(ratios["pip"]) <= 0.65),
            Verdict("with uv at most 0.95 of uv's time, geometric mean", f"{means['uv']:.2f}", means["uv"] <= 0.95),
            Verdict("at most 1.25 of it for each set", f"at most {slowest['uv']}", max(ratios["uv"]) <= 1.25),
        ),
    )


def _calls(found: Mapping[str, Answers], where: str) -> Section:
    """The call alone. Compiling is the import's work, done early and on all cores, so it is shown apart."""
    rows, wholes, parts = [], [], []
    for name, answers in found.items():
        with_uv, pip, uv = ([answer["call"] for answer in answers[tool]] for tool in TOOLS[1:])
        alone = [answer["call"] - answer["phases"]["compile"] for answer in answers[TOOLS[1]]]
        wholes.append(ratio(pip, with_uv))
        parts.append(ratio(pip, alone))
        seconds = [f"{statistics.median(arm):.2f}" for arm in (with_uv, alone, uv, pip)]
        rows.append([name, *seconds, f"{wholes[-1]:.1f}", f"{parts[-1]:.1f}"])
    whole, part = (statistics.geometric_mean(arm) for arm in (wholes, parts))
    rows.append(["geometric mean", "", "", "", "", f"{whole:.1f}", f"{part:.1f}"])
    return Section(
        f"The call alone with the uv engine, {where}",
        "Seconds, medians, without the import; and without compiling the modules that the import needs, which after "
        "uv the import does itself. pip compiles all modules in its call.",
        ("set", "liveinstall with uv", "without compiling", "uv", "pip", "pip / whole", "pip / without compiling"),
        rows,
        (Verdict("installing at least five times faster than pip, geometric mean", f"{part:.1f}", part >= 5),),
    )


def _memory(found: Mapping[str, Answers], where: str) -> Section:
    rows, worst = [], 0.0
    for name, answers in found.items():
        own = [statistics.median(answer["self_mib"] for answer in answers[tool]) for tool in ENGINES]
        children = [max(answer["children_mib"] for answer in answers[tool]) for tool in TOOLS]
        worst = max(worst, *own)
        rows.append([name, *(f"{value:.0f}" for value in (*own, *children))])
    labels = ("liveinstall", "with uv", "its largest child", "with uv", "pip", "uv")
    return Section(
        f"Peak memory of a fresh install, {where}",
        "MiB: of the process that calls `install()`, which is a bare script here, when it returns; of its "
        "largest child process; and of pip and uv.",
        ("set", *labels),
        rows,
        (Verdict(f"the process takes at most {MEMORY} MiB", f"{worst:.0f} MiB", worst <= MEMORY),),
    )


def _phases(found: Mapping[str, Answers], where: str, tool: str) -> Section:
    names = list(dict.fromkeys(phase for one in found.values() for a in one[tool] for phase in a["phases"]))
    rows = []
    for name, answers in found.items():
        mine = answers[tool]
        phases = [statistics.median(answer["phases"].get(phase, 0.0) for answer in mine) for phase in names]
        rest = statistics.median(a["call"] - a["loading"] - sum(a["phases"].values()) for a in mine)
        ends = [statistics.median(answer[key] for answer in mine) for key in ("loading", "import")]
        others = [statistics.median(a["import"] for a in answers[other]) for other in ("pip", "uv")]
        rows.append([name, *(f"{value:.3f}" for value in (ends[0], *phases, rest, ends[1], *others))])
    return Section(
        f"Phases of a fresh install by {tool}, {where}",
        "Seconds, medians. The last two columns: the duration of the import after pip and uv.",
        ("set", "load liveinstall", *names, "not in a phase", "import", "import after pip", "after uv"),
        rows,
    )


if __name__ == "__main__":
    run_alone(measure, __doc__)
