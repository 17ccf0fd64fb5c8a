"""`import liveinstall` and what it does not load (milliseconds of CPU); planning, 300 distributions (wall time)."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from benchmarks.common import Options, Workshop, run_alone
from benchmarks.measure import Section, Usage, Verdict, added, interleaved, usage_of
from benchmarks.synthetic import crowd, small_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

IMPORT, DECIDE, ENSURE, LOOK = 10, 150, 20, 150  # ms
CROWD = 300
REQUEST = "import liveinstall._changes.install, liveinstall._staging.stage, liveinstall._engines.uv.engine"
# Our module -> what a request would load instead.
INSTEAD = {
    "_system/lean_packaging": "import packaging.requirements, packaging.utils",
    "_system/lean_dataclasses": (
        "import dataclasses\nfor _ in range(40): dataclasses.make_dataclass('C', ('a', 'b', 'c'), frozen=True)"
    ),
    "_system/lean_hash": "import hashlib",
    "_system/jobs": "import concurrent.futures.thread",
    "_system/temporary": "import tempfile",
    "_system/dist_info": "import importlib.metadata",
    "_system/file_urls": "import urllib.request",
    "_frontends/tables": "import shutil",
    "_staging/entry_points": "import configparser",
    "_staging/writer": "import installer.scripts, installer.sources, installer.utils",
    "TYPE_CHECKING = False": "import typing",
}


def measure(place: Workshop, options: Options) -> list[Section]:
    """Measure the import, then planning, then the read-only calls."""
    return [
        _import(place, options.count(100, 20)),
        _instead(place, options.count(30, 10)),
        _children(place, options.count(30, 10)),
        _decide(place, options.count(7, 3)),
        _look(place, options.count(7, 3)),
    ]


def _import(place: Workshop, rounds: int) -> Section:
    def start(code: str) -> Callable[[], Usage]:
        return lambda: usage_of([place.template.python, "-c", code], place.variables)

    codes = {
        "`pass`": "pass",
        "`pass` again (control)": "pass",
        "`import liveinstall`": "import liveinstall",
        "`import liveinstall; liveinstall.install`": "import liveinstall; liveinstall.install",
    }
    for code in codes.values():
        start(code)()
    found = interleaved({name: start(code) for name, code in codes.items()}, rounds)
    base = [usage.cpu for usage in found["`pass`"]]
    rows, more = [], {}
    for name, usages in found.items():
        cpu = [usage.cpu for usage in usages]
        more[name] = added(cpu, base)
        rows.append([name, f"{statistics.median(cpu):.1f}", f"{more[name]:+.1f}"])
    measured = more["`import liveinstall`"]
    return Section(
        "Importing liveinstall",
        f"Milliseconds of CPU (user + system) of a whole interpreter, medians of {rounds}; added: the median of the "
        "differences from `pass` in the same round. The public functions are loaded when they are first used.",
        ("", "CPU", "added"),
        rows,
        (Verdict(f"`import liveinstall` adds at most {IMPORT} ms", f"{measured:+.1f} ms", measured <= IMPORT),),
    )


def _instead(place: Workshop, rounds: int) -> Section:
    """What each module of ours saves that stands for one that takes long to load."""

    def start(code: str) -> Callable[[], Usage]:
        return lambda: usage_of([place.template.python, "-c", f"{REQUEST}\n{code}"], place.variables)

    arms = {name: start(code) for name, code in {"": "pass", "control": "pass", **INSTEAD}.items()}
    for arm in arms.values():
        arm()
    found = {name: [usage.cpu for usage in usages] for name, usages in interleaved(arms, rounds).items()}
    more = {name: f"{added(cpu, found['']):+.1f}" for name, cpu in found.items()}
    return Section(
        "What a request does not load",
        f"Milliseconds of CPU, medians of {rounds}, by which a process with the modules of a plain request would take "
        f"longer (the same process again: {more['control']} ms). Several of them load some of the same modules, so all "
        "together would take less than the sum.",
        ("our module", "instead of", "added"),
        [[f"`{name}`", _shown(code), more[name]] for name, code in INSTEAD.items()],
    )


def _children(place: Workshop, rounds: int) -> Section:
    """What the processes load that compile bytecode."""
    child = place.template.site / "liveinstall" / "_staging" / "_compile_child.py"
    codes = {
        "bare interpreter": "pass",
        "again (control)": "pass",
        "with what they load": f"exec(open({str(child)!r}).read(), {{'__name__': 'child'}})",
        "with `queue`, `re` and `py_compile`": "import os, queue, re, py_compile",
    }
    arms = {
        name: lambda code=code: usage_of([place.template.python, "-I", "-S", "-c", code], place.variables)
        for name, code in codes.items()
    }
    found = {name: [usage.cpu for usage in usages] for name, usages in interleaved(arms, rounds).items()}  # type: ignore[misc]
    base = found["bare interpreter"]
    return Section(
        "The processes that compile bytecode",
        f"Milliseconds of CPU until one of them can begin to compile, medians of {rounds}; added: the median of the "
        "differences from the first row.",
        ("", "CPU", "added"),
        [[name, f"{statistics.median(cpu):.1f}", f"{added(cpu, base):+.1f}"] for name, cpu in found.items()],
    )


def _shown(code: str) -> str:
    modules, _, classes = code.removeprefix("import ").partition("\n")
    return f"`{modules}`{' and 40 classes' if classes else ''}"


def _decide(place: Workshop, rounds: int) -> Section:
    name = f"crowd-{CROWD - 1:03}"
    small_files(place.wheels, "newcomer", "1.0", 1)
    small_files(place.wheels, name, "1.1", 1)
    environment = place.copy(place.template)
    crowd(environment.site, CROWD)

    def once(call: str, requirement: str) -> dict[str, Any]:
        asked = {"tool": "liveinstall", "call": call, "requirements": [requirement]}
        if call == "plan":
            return place.ask(environment, "install", **asked, **place.offline())
        with place.fresh(environment) as copy:
            return place.ask(copy, "install", **asked, **place.offline())

    cases = {
        "plan, one new": ("plan", "newcomer"),
        "plan, an upgrade that eight need": ("plan", f"{name}>=1.1"),
        "install, one new": ("install", "newcomer"),
    }
    once("plan", "newcomer")
    found = interleaved({case: lambda case=case: once(*cases[case]) for case in cases}, rounds)  # type: ignore[misc]
    environment.discard()
    rows = [[case, *(f"{value:.0f}" for value in _split(answers))] for case, answers in found.items()]
    worst = max(_split(answers)[3] for case, answers in found.items() if case.startswith("plan"))
    return Section(
        f"Planning with {CROWD} distributions",
        f"Milliseconds of wall time, medians of {rounds}: in its own process, everything but the engine (pip resolves "
        "in a child process). Each distribution has eight requirements and a RECORD of 100 files. `install` also "
        "stages and commits a wheel of one module, flushed to the disk.",
        ("", "load liveinstall", "engine", "the rest", "all but the engine"),
        rows,
        (Verdict(f"planning takes at most {DECIDE} ms beyond pip", f"{worst:.0f} ms", worst <= DECIDE),),
    )


def _look(place: Workshop, rounds: int) -> Section:
    environment = place.copy(place.template)
    crowd(environment.site, CROWD, whole=True)
    calls = {"ensure": ["crowd-000"], "status": [], "list": [], "check": [], "freeze": []}

    def once(call: str) -> dict[str, Any]:
        return place.ask(environment, "look", call=call, arguments=calls[call])

    once("ensure")
    found = interleaved({call: lambda call=call: once(call) for call in calls}, rounds)  # type: ignore[misc]
    environment.discard()
    rows, first = [], {}
    for call, answers in found.items():
        loading, first[call], again = (
            statistics.median(answer[key] for answer in answers) * 1000 for key in ("loading", "first", "again")
        )
        rows.append([f"`{call}`", *(f"{value:.0f}" for value in (loading, first[call], again))])
    worst = max(first[call] for call in ("status", "list", "check"))
    return Section(
        f"Read-only calls with {CROWD} distributions",
        f"Milliseconds of wall time, medians of {rounds}, with all 30,000 files. `ensure` gets a satisfied "
        "requirement that depends on all others; it starts no process. The load is needed once.",
        ("", "load", "first call", "again"),
        rows,
        (
            Verdict(f"`ensure` of satisfied requirements takes at most {ENSURE} ms", f"{first['ensure']:.0f} ms",
                    first["ensure"] <= ENSURE),
            Verdict(f"`status`, `list` and `check` take at most {LOOK} ms", f"{worst:.0f} ms", worst <= LOOK),
        ),
    )  # fmt: skip


def _split(answers: Sequence[Mapping[str, Any]]) -> tuple[float, ...]:
    """The milliseconds of loading, of the engine, of the rest, and of all without the engine."""
    whole, loading, engine = ([answer[key] for answer in answers] for key in ("call", "loading", "engine"))
    beyond = [call - pip for call, pip in zip(whole, engine, strict=True)]
    rest = [one - other for one, other in zip(beyond, loading, strict=True)]
    return tuple(statistics.median(column) * 1000 for column in (loading, engine, rest, beyond))


if __name__ == "__main__":
    run_alone(measure, __doc__)
