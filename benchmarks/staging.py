"""Staging an upgrade: its time against a fresh install (seconds of wall time), and its peak memory (MiB).

Staged: numpy 1.26 is imported, `install("numpy>=2")` returns when all is staged and flushed. Fresh: the same wheel into
an environment without numpy, from the call to imported.
"""

from __future__ import annotations

import itertools
import statistics
from typing import TYPE_CHECKING, Any

from benchmarks.common import Environment, Options, Workshop, run_alone
from benchmarks.measure import Section, Verdict, interleaved, ratio, spread
from benchmarks.synthetic import big_files

if TYPE_CHECKING:
    from collections.abc import Sequence

OLD, NEW = "numpy<2", "numpy>=2"
MEMORY = 60  # MiB
FILES, SIZE = 10, 50_000_000


def measure(place: Workshop, options: Options) -> list[Section]:
    """Measure time and memory."""
    return [_time(place, options.count(7, 3)), _memory(place)]


def with_old_numpy(place: Workshop) -> Environment:
    """Return an environment with numpy 1.26, imported once; the wheelhouse contains both numpy wheels."""
    for requirement in (OLD, NEW):
        place.fetch(requirement, deps=False)
    environment = place.copy(place.template)
    place.ask(environment, "install", tool="pip", requirements=[OLD], imports=["numpy"], **place.offline())
    return environment


def _time(place: Workshop, rounds: int) -> Section:
    old = with_old_numpy(place)

    def once(source: Environment, **question: Any) -> dict[str, Any]:
        with place.fresh(source) as environment:
            return place.ask(
                environment, "install", tool="liveinstall", requirements=[NEW], **question, **place.offline()
            )

    answers = interleaved(
        {
            "staged": lambda: once(old, preload=["numpy"]),
            "fresh": lambda: once(place.template, imports=["numpy"]),
        },
        rounds,
    )
    old.discard()
    if not all(answer["staged"] == ["numpy"] for answer in answers["staged"]):
        raise RuntimeError("numpy was not staged")
    totals = {name: [answer["call"] + answer["import"] for answer in arm] for name, arm in answers.items()}
    measured = ratio(totals["staged"], totals["fresh"])
    phases = list(answers["staged"][0]["phases"])
    rows = [[name, spread(totals[name]), *_medians(answers[name], phases)] for name in answers]
    return Section(
        "Staging numpy 1.26 -> 2, against a fresh install",
        f"Seconds, medians of {rounds} (least-most); numpy 1.26 is imported while it is staged. "
        "The fresh install ends when numpy is imported.",
        ("", "whole", "load liveinstall", *phases, "import"),
        rows,
        (Verdict("staging takes at most as long as a fresh install", f"{measured:.2f}", measured <= 1),),
    )


def _medians(answers: Sequence[dict[str, Any]], phases: Sequence[str]) -> list[str]:
    values = [[answer["loading"] for answer in answers]]
    values += [[answer["phases"].get(phase, 0.0) for answer in answers] for phase in phases]
    values += [[answer["import"] for answer in answers]]
    return [f"{statistics.median(value):.3f}" for value in values]


def _memory(place: Workshop) -> Section:
    place.fetch(NEW, deps=False)
    big_files(place.wheels, "big-data", "1.0", count=FILES, size=SIZE)
    rows, worst = [], 0.0
    for requirement, engine in itertools.product((NEW, "big-data"), ("pip", "uv")):
        peaks = []
        for when in ("auto", "restart"):
            with place.fresh() as environment:
                asked = {"tool": "liveinstall", "requirements": [requirement], "when": when, "engine": engine}
                answer = place.ask(environment, "install", **asked, **place.offline())
                peaks += [answer["self_mib"], answer["children_mib"]]
        rows.append([f"{requirement}, {engine}", *(f"{peak:.0f}" for peak in peaks)])
        worst = max(worst, *peaks)
    place.wheels.joinpath("big_data-1.0-py3-none-any.whl").unlink()
    return Section(
        "Peak memory",
        f"MiB of resident memory, at most, of the process that calls liveinstall and of the largest of its children "
        f"(pip, uv). `big-data` is a wheel of {FILES} files of {SIZE // 10**6} MB. The process contains "
        "the interpreter itself.",
        ("", "fresh: process", "fresh: children", "staged: process", "staged: children"),
        rows,
        (Verdict(f"under {MEMORY} MiB", f"{worst:.0f} MiB", worst < MEMORY),),
    )


if __name__ == "__main__":
    run_alone(measure, __doc__)
