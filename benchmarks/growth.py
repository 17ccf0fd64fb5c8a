"""Time by the number of installed distributions and of changes in a transaction; draws docs/images/growth.svg."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from benchmarks.common import ROOT, Environment, Options, Workshop, run_alone
from benchmarks.measure import Section, added, interleaved, usage_of
from benchmarks.synthetic import crowd, small_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLOT = ROOT / "docs" / "images" / "growth.svg"
INSTALLED, CHANGES = (10, 100, 300, 1000), (1, 10, 100)
LOOKS = {"ensure": ["crowd-000"], "status": [], "list": [], "check": []}
_MODULES = 10  # of each package of a transaction

Table = dict[str, list[float]]  # a line of the plot -> milliseconds, one for each size


def measure(place: Workshop, options: Options) -> list[Section]:
    """Measure both tables, and draw their plot."""
    rounds = options.count(3, 1)
    here, changes = _by_installed(place, rounds), _by_changes(place, rounds)
    if not options.quick:
        draw(here, changes)
    picture = "\n\n![growth](images/growth.svg)"
    return [
        Section(
            "How read-only calls and planning grow",
            f"Milliseconds of wall time, medians of {rounds}, by the number of installed distributions, each with 100 "
            "files and eight requirements: the second call of each, and a plan of one new distribution without the "
            f"engine (pip).{picture}",
            ("", *(f"{size:,}" for size in INSTALLED)),
            _rows(here),
        ),
        Section(
            "How a transaction grows",
            f"Milliseconds, medians of {rounds}, by the number of changes in one transaction, each a package of "
            f"{_MODULES} small modules. Wall time of the phases of the call, and CPU that the swap adds to the start.",
            ("", *(f"{size:,}" for size in CHANGES)),
            _rows(changes),
        ),
    ]


def _rows(table: Table) -> list[list[str]]:
    return [[name, *(f"{value:.0f}" for value in values)] for name, values in table.items()]


def _by_installed(place: Workshop, rounds: int) -> Table:
    small_files(place.wheels, "newcomer", "1.0", 1)
    found: Table = {name: [] for name in (*LOOKS, "plan")}
    for size in INSTALLED:
        environment = place.copy(place.template)
        crowd(environment.site, size, whole=True)
        arms = {call: lambda c=call, e=environment: _look(place, e, c) for call in LOOKS}  # type: ignore[misc]
        arms["plan"] = lambda e=environment: _plan(place, e)  # type: ignore[misc]
        for name, values in interleaved(arms, rounds).items():
            found[name].append(statistics.median(values) * 1000)
        environment.discard()
    return found


def _look(place: Workshop, environment: Environment, call: str) -> float:
    return float(place.ask(environment, "look", call=call, arguments=LOOKS[call])["again"])


def _plan(place: Workshop, environment: Environment) -> float:
    asked = {"tool": "liveinstall", "call": "plan", "requirements": ["newcomer"]}
    answer = place.ask(environment, "install", **asked, **place.offline())
    return float(answer["call"] - answer["engine"])


def _by_changes(place: Workshop, rounds: int) -> Table:
    for number in range(max(CHANGES)):
        for version in ("1.0", "2.0"):
            small_files(place.wheels, f"changed-{number:03}", version, _MODULES)
    found: Table = {}
    for size in CHANGES:
        arms = {"fresh": lambda s=size: _fresh(place, s), "staged": lambda s=size: _staged(place, s)}  # type: ignore[misc]
        answers = interleaved(arms, rounds)
        for arm, rows in answers.items():
            for name in rows[0]:
                value = statistics.median(row[name] for row in rows)
                found.setdefault(f"{arm}: {name}", []).append(value)
    return found


def _names(count: int, version: str) -> list[str]:
    return [f"changed-{number:03}=={version}" for number in range(count)]


def _call(place: Workshop, environment: Environment, count: int, version: str, when: str) -> Mapping[str, Any]:
    asked = {"tool": "liveinstall", "requirements": _names(count, version), "when": when}
    return place.ask(environment, "install", **asked, **place.offline())


def _phases(answer: Mapping[str, Any]) -> dict[str, float]:
    phases = {name: seconds * 1000 for name, seconds in answer["phases"].items()}
    return {
        "resolve and fetch (pip)": phases["resolve and fetch"],
        "decide": phases["decide"],
        "stage": phases["stage"],
        "commit": phases["commit"],
    }


def _fresh(place: Workshop, count: int) -> dict[str, float]:
    with place.fresh() as environment:
        return _phases(_call(place, environment, count, "1.0", "auto"))


def _staged(place: Workshop, count: int) -> dict[str, float]:
    with place.fresh() as environment:
        _call(place, environment, count, "1.0", "auto")
        found = _phases(_call(place, environment, count, "2.0", "restart"))
        start = [environment.python, "-c", "pass"]
        first, second = (usage_of(start, place.variables) for _ in range(2))
        if list((environment.site / ".liveinstall" / "transactions").glob("*.pending*")):
            raise RuntimeError("the start swapped nothing")
        return found | {"swap at the start": added([first.cpu], [second.cpu])}


def draw(here: Table, changes: Table) -> None:
    """Draw two panels with logarithmic axes."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "growth"  # the same numbers produce the same file
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    titles = ("installed distributions", "changes in a transaction")
    for panel, title, sizes, table in zip(panels, titles, (INSTALLED, CHANGES), (here, changes), strict=True):
        _panel(panel, title, sizes, table)
    PLOT.parent.mkdir(exist_ok=True)
    figure.savefig(PLOT, metadata={"Date": None})


def _panel(panel: Any, title: str, sizes: Sequence[int], table: Table) -> None:
    for name, values in table.items():
        panel.plot(sizes, [max(value, 0.1) for value in values], marker="o", label=name)
    panel.set(xscale="log", yscale="log", xlabel=title, ylabel="ms")
    panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
    panel.minorticks_off()
    panel.grid(visible=True, alpha=0.3)
    panel.legend(fontsize="x-small")


if __name__ == "__main__":
    run_alone(measure, __doc__)
