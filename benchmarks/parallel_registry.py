"""Registries and `require()`: starts of Python, 1,600 modules from a registry, and a set that is satisfied.

CPU (user + system) of whole processes, with a control beside that is the same arm once more.
"""

from __future__ import annotations

import os
import statistics
from typing import TYPE_CHECKING

from benchmarks.common import Options, Workshop, run_alone
from benchmarks.measure import Section, Usage, Verdict, added, interleaved, ratio, spread, usage_of
from benchmarks.synthetic import crowd, metadata, small_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.common import Environment

MODULES, PACKAGES, ENTRIES, FEW = 1600, 10, 300, 10
REGISTRY, UNSET, REQUIRE, REQUIRE_NEW, NEEDED = 1.03, 1.0, 30.0, 40.0, 30
_VARIABLE = "LIVEINSTALL_REGISTRY"
_IMPORT_ALL = "import sys\nfor name in open(sys.argv[1]).read().split():\n __import__(name)\n"
_BODY = "".join(f"def f{n}(a, b=None):\n    return [a, b, {n}]\nclass C{n}:\n    x = {n}\n" for n in range(20))
_CREATE = """
import sys
from pathlib import Path
from liveinstall._transactions import companions
from liveinstall._environment.target import find_target
from liveinstall._sidebyside.registry import files, index_builder
from liveinstall._sidebyside.store.store import Store
site = find_target().site
store = Store.default(site)
found = [store.add(wheel) for wheel in sorted(Path(sys.argv[1]).glob("*.whl"))]
index_builder.write_tables([entry.path for entry in found], store.path)
rows = [(entry.name, entry.version, entry.path) for entry in found]
for name, part in (("few", [row for row in rows if row[0].startswith("many")]), ("all", rows)):
    files.write(site, name, index_builder.registry_of(part, store.path))
files.enable(site, on=True)
"""
_REQUIRE = """
import time, sys
begin = time.process_time()
import liveinstall
loaded = time.process_time()
liveinstall.require("crowd-000")
done = time.process_time()
liveinstall.require("crowd-000", "crowd-001")
again = time.process_time()
assert not any(name.startswith("crowd") for name in sys.modules)
with open(sys.argv[1], "w") as stream:
    print(*((b - a) * 1000 for a, b in ((begin, loaded), (loaded, done), (done, again))), file=stream)
"""


def measure(place: Workshop, options: Options) -> list[Section]:
    """Starts, then imports, then `require()`."""
    wheels = place.path / "registry-wheels"
    wheels.mkdir()
    for number in range(PACKAGES):
        small_files(wheels, f"many-{number}", "1.0", MODULES // PACKAGES, _BODY)
    for number in range(ENTRIES - PACKAGES):
        small_files(wheels, f"few-{number:03}", "1.0", 2)
    beside = place.copy(place.template)
    place.run(beside.python, "-c", _CREATE, str(wheels))
    installed = place.copy(place.template)
    found = sorted(map(str, wheels.glob("many_*.whl")))
    install = ("--quiet", "--no-deps", "--no-index", "--compile-bytecode", "--python", installed.python)
    place.run(place.uv, "pip", "install", *install, *found)
    return [
        _starts(place, beside, options.count(100, 20)),
        _imports(place, beside, installed, options.count(25, 5)),
        _require(place, options.count(25, 5)),
    ]


def _use(place: Workshop, environment: Environment, *words: str, **more: str) -> Callable[[], Usage]:
    return lambda: usage_of([environment.python, *words], place.variables | more)


def _starts(place: Workshop, beside: Environment, rounds: int) -> Section:
    off = place.copy(place.template)
    arms = {
        "not enabled": _use(place, off, "-c", "pass"),
        "not enabled again (control)": _use(place, off, "-c", "pass"),
        "enabled, no registry chosen": _use(place, beside, "-c", "pass"),
        f"{FEW} entries active": _use(place, beside, "-c", "pass", **{_VARIABLE: "few"}),
        f"{ENTRIES} entries active": _use(place, beside, "-c", "pass", **{_VARIABLE: "all"}),
    }
    found = _measured(arms, rounds)
    base = found["not enabled"]
    rows = [[name, f"{statistics.median(cpu):.1f}", f"{added(cpu, base):+.2f}"] for name, cpu in found.items()]
    unset = added(found["enabled, no registry chosen"], base)
    return Section(
        "Starting Python with a registry",
        f"Milliseconds of CPU, medians of {rounds}; added: the median of the differences from `not enabled`.",
        ("", "CPU", "added"),
        rows,
        (Verdict(f"enabled and not chosen adds less than {UNSET:g} ms", f"{unset:+.2f} ms", unset < UNSET),),
    )


def _measured(arms: Mapping[str, Callable[[], Usage]], rounds: int) -> dict[str, list[float]]:
    for arm in arms.values():
        arm()
    return {name: [usage.cpu for usage in found] for name, found in interleaved(arms, rounds).items()}


def _imports(place: Workshop, beside: Environment, installed: Environment, rounds: int) -> Section:
    names = place.path / "names"
    names.write_text("\n".join(_modules()), encoding="utf-8")
    words = ("-c", _IMPORT_ALL, str(names))
    store = beside.site / ".liveinstall" / "store"
    path = ":".join(str(directory) for directory in sorted(store.glob("many_*")))
    split = place.copy(place.template)
    arms = {
        "site-packages": _use(place, installed, *words),
        "site-packages again (control)": _use(place, installed, *words),
        f"registry, {FEW} entries": _use(place, beside, *words, **{_VARIABLE: "few"}),
        f"registry, {ENTRIES} entries": _use(place, beside, *words, **{_VARIABLE: "all"}),
        f"sys.path with {PACKAGES} more directories": _use(place, split, *words, PYTHONPATH=path),
    }
    found = _measured(arms, rounds)
    base = found["site-packages"]
    rows = [[name, spread(cpu, 0), f"{ratio(cpu, base):.3f}"] for name, cpu in found.items()]
    few, many = (ratio(found[f"registry, {count} entries"], base) for count in (FEW, ENTRIES))
    control = abs(ratio(found["site-packages again (control)"], base) - 1)
    return Section(
        f"Importing {MODULES:,} modules from a registry",
        f"Milliseconds of CPU of a whole process, {rounds} rounds: median, least and most; then the ratio of medians. "
        "Each module has twenty functions and twenty classes of a line, less than most real ones.",
        ("", "CPU", "ratio"),
        rows,
        (
            Verdict(f"a registry takes at most {REGISTRY} of site-packages", f"{few:.3f}", few <= REGISTRY),
            Verdict(
                f"with {ENTRIES} entries it is no slower than with {FEW} (control: {control:.3f})",
                f"{many:.3f}, {few:.3f}",
                many <= few + max(control, 0.03),
            ),
        ),
    )


def _modules() -> list[str]:
    """As `small_files()` names them: fifty in a directory."""
    count = MODULES // PACKAGES
    return [f"many_{package}.p{n // 50:03}.m{n:05}" for package in range(PACKAGES) for n in range(count)]


def _require(place: Workshop, rounds: int) -> Section:
    environment = place.copy(place.template)
    crowd(environment.site, 1)
    needs = [f"crowd-{number:03}<9,>=1.0" for number in range(1, NEEDED + 1)]
    crowd_000 = environment.site / "crowd_000-1.0.dist-info" / "METADATA"
    crowd_000.write_text(metadata("crowd-000", "1.0", needs), encoding="utf-8")
    for number in range(1, NEEDED + 1):
        info = environment.site / f"crowd_{number:03}-1.0.dist-info"
        info.mkdir()
        more = [f"crowd-{other:03}>=1" for other in range(number + 1, min(number + 4, NEEDED + 1))]
        info.joinpath("METADATA").write_text(metadata(f"crowd-{number:03}", "1.0", more), encoding="utf-8")
    answer = place.path / "required"

    def once() -> Sequence[float]:
        place.run(environment.python, "-c", _REQUIRE, str(answer))
        return [float(word) for word in answer.read_text(encoding="utf-8").split()]

    for moment in (1_700_000_000, 1_700_000_001):  # what has just changed is not remembered
        os.utime(environment.site, (moment, moment))
        store = environment.site / ".liveinstall" / "store"
        if store.exists():
            os.utime(store, (moment, moment))
        else:
            once()  # it makes the directory

    def first_time() -> float:
        for remembered in (environment.site / ".liveinstall" / "store").glob(".indexes/*.answer"):
            remembered.unlink()
        return sum(once()[:2])

    cold = [first_time() for _ in range(rounds)]
    columns = list(zip(*(once() for _ in range(rounds)), strict=True))
    labels = ("`import liveinstall`", "`require()`, with the modules that it loads", "another `require()`, resolved")
    medians = [statistics.median(column) for column in columns]
    known, new = medians[0] + medians[1], statistics.median(cold)
    rows = [[label, spread(column, 1)] for label, column in zip(labels, columns, strict=True)]
    return Section(
        f"`require()` of a satisfied set with {NEEDED} dependencies",
        f"Milliseconds of CPU in a process that has loaded nothing, {rounds} rounds: median, least and most. Another "
        "process has made the same call before, and nothing was installed since; except in the last row.",
        ("", "CPU"),
        [*rows, ["`import` and `require()` of a set that no process has asked for", spread(cold, 1)]],
        (
            Verdict(f"`import` and `require()` take less than {REQUIRE:g} ms", f"{known:.1f} ms", known < REQUIRE),
            Verdict(f"at most {REQUIRE_NEW:g} ms the first time", f"{new:.1f} ms", new <= REQUIRE_NEW),
        ),
    )


if __name__ == "__main__":
    run_alone(measure, __doc__)
