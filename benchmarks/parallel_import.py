"""The cost of importing 1,600 modules from each kind of location: CPU of a whole process, with a control.

The modules are those of real wheels. Every arm is the same interpreter with the same liveinstall; only where the
modules come from differs. `python -m benchmarks.parallel_import` prints the table.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common import CHILDREN, Options, Workshop, run_alone
from benchmarks.measure import Section, Usage, Verdict, interleaved, ratio, spread, usage_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MODULES = 1600
REGISTRY, ARCHIVE, WITH_STDLIB, WHEEL, FIRST_OPEN = 1.03, 0.93, 0.86, 1.05, 5.0
REQUIREMENTS = (
    *("numpy", "pandas", "scipy", "sympy", "django", "matplotlib", "sqlalchemy", "aiohttp", "fastapi", "httpx"),
    *("ipython", "sphinx", "networkx", "google-cloud-storage", "azure-identity", "opentelemetry-sdk", "boto3"),
    *("cryptography", "beautifulsoup4", "openpyxl", "jsonschema", "rich", "flask", "faker", "pytest"),
)
_CONTROL = "site-packages (control)"
_PLAIN = "site-packages"
_MEMORY = "all code in memory"
_ZIP = "pure wheels on sys.path, by zipimport"


class Bench:
    """The same wheels in each kind of location."""

    def __init__(self, place: Workshop) -> None:
        self.place = place
        self.empty = place.copy(place.template)
        self.full = place.copy(place.template)
        wheels = place.path / "side-by-side-wheels"  # separate: the wheelhouse has several versions of a distribution
        place.run(place.template.python, "-m", "pip", "download", "--quiet", "--dest", str(wheels), *REQUIREMENTS)
        self.wheels = [str(path) for path in sorted(wheels.glob("*.whl"))]
        place.run(*self._pip(self.full.python), "--compile-bytecode", *self.wheels)
        self.store = [self._unpack(Path(wheel)) for wheel in self.wheels]
        self.names = self._importable()
        self.archives = {stdlib: self._archive(stdlib=stdlib) for stdlib in (False, True)}

    def _pip(self, python: str) -> list[str]:
        return [self.place.uv, "pip", "install", "--quiet", "--no-deps", "--no-index", "--python", python]

    def _unpack(self, wheel: Path) -> str:
        """Unpack a wheel into its own directory, as in a store, with bytecode."""
        target = self.place.path / "store" / wheel.stem
        self.place.run(*self._pip(self.empty.python), "--compile-bytecode", "--target", str(target), str(wheel))
        (self.place.path / "store" / "liveinstall-store").write_text("liveinstall-store 1\n", encoding="ascii")
        return str(target)

    def _importable(self) -> str:
        """A file of modules to import: in this order they load at least MODULES beyond those of a start."""
        path = self.place.path / "modules.txt"
        self.place.run(
            self.full.python, str(CHILDREN / "import_many.py"), "choose", str(path), str(self.full.site), str(MODULES)
        )
        return str(path)

    def _archive(self, *, stdlib: bool) -> str:
        path = str(self.place.path / f"{'all' if stdlib else 'code'}.archive")
        words = ["-m", "liveinstall", "archive", "create", path, *self.store, *(["--stdlib"] if stdlib else [])]
        self.place.run(self.empty.python, *words)
        return path

    def arm(self, kind: str, python: str, places: Sequence[str]) -> Callable[[], Usage]:
        """Return the usage of a process that imports all modules from these locations."""
        config = self.place.path / f"{kind}.json"
        config.write_text(json.dumps({"places": places, "names": self.names}), encoding="utf-8")
        command = [python, str(CHILDREN / "import_many.py"), kind, str(config)]
        variables = self.place.variables | {"LIVEINSTALL_CACHE": str(self.place.path / "wheel-cache")}
        return partial(usage_of, command, variables)

    def prepared(self, kind: str, python: str, places: Sequence[str]) -> Callable[[], Usage]:
        """Return an arm after it has run once, so that its caches exist."""
        made = self.arm(kind, python, places)
        made()
        return made

    def zipped(self) -> list[str]:
        """Return pure wheels as files, and the others unpacked, because those cannot be imported as files."""
        pairs = zip(self.wheels, self.store, strict=True)
        return [wheel if _is_pure(wheel) else store for wheel, store in pairs]


def _is_pure(wheel: str) -> bool:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        words = b"".join(archive.read(name) for name in names if name.endswith(".py"))
    return all(name.endswith((".py", ".pyi", "py.typed")) for name in names) and b"__file__" not in words


def measure(place: Workshop, options: Options) -> list[Section]:
    """Measure all tables."""
    bench = Bench(place)
    first = _first_open(bench, options)
    empty, full = bench.empty.python, bench.full.python
    arms = {
        _PLAIN: bench.prepared("plain", full, []),
        _CONTROL: bench.prepared("plain", full, []),
        "30 directories on sys.path": bench.prepared("thirty", empty, _thirty(bench)),
        "registry: top-level names": bench.prepared("names", empty, bench.store),
        "registry: full index": bench.prepared("index", empty, bench.store),
        "wheels, by their owners": bench.prepared("wheels", empty, bench.wheels),
        "code archive": bench.prepared("archive", empty, [bench.archives[False]]),
        "code archive with stdlib": bench.prepared("archive_all", empty, [bench.archives[True]]),
        "site-packages, garbage collected as rarely": bench.prepared("rarely", full, []),
        _MEMORY: bench.prepared("memory", full, [str(place.path / "memory")]),
    }
    found = interleaved(arms, options.count(15, 3))
    found[_ZIP] = interleaved({_ZIP: bench.prepared("thirty", empty, bench.zipped())}, min(3, options.count(3, 1)))[
        _ZIP
    ]
    return [_section(found, bench), first]


def _thirty(bench: Bench) -> list[str]:
    """Measure the same files in 30 directories."""
    homes = [bench.place.path / f"thirty-{number}" for number in range(30)]
    for number, store in enumerate(bench.store):
        shutil.copytree(store, homes[number % 30], dirs_exist_ok=True, symlinks=True, copy_function=shutil.copy2)
    return [str(home) for home in homes]


def _section(found: Mapping[str, Sequence[Usage]], bench: Bench) -> Section:
    cpu = {name: [usage.cpu for usage in usages] for name, usages in found.items()}
    ratios = {name: ratio(arm, cpu[_PLAIN]) for name, arm in cpu.items()}
    noise = abs(ratios[_CONTROL] - 1)
    rows = [[name, spread(arm, 0), f"{ratios[name]:.3f}"] for name, arm in cpu.items()]

    def verdict(arm: str, most: float) -> Verdict:
        return Verdict(f"{arm} takes at most {most} of site-packages", f"{ratios[arm]:.3f}", ratios[arm] <= most)

    count = len(Path(bench.names).read_text(encoding="utf-8").split())
    return Section(
        f"Importing {MODULES:,} modules of {len(bench.wheels)} wheels",
        "Milliseconds of CPU of a process that does nothing else and then exits, medians of "
        f"{len(cpu[_PLAIN])} (least-most); of "
        f"zipimport {len(cpu[_ZIP])}, which caches no code; wheels that are not pure are unpacked. {count} imports "
        f"import the others. The control is the same process as the first row once more: {noise:.3f} is the noise of "
        "the machine. While it loads modules, the archive makes Python collect garbage less often; the effect of that "
        "alone is shown. "
        f"{_MEMORY.capitalize()}: a finder that accesses no file, with normal garbage collection.",
        ("", "CPU", "of site-packages"),
        rows,
        (
            verdict("registry: top-level names", REGISTRY),
            verdict("registry: full index", REGISTRY),
            verdict("wheels, by their owners", WHEEL),
            verdict("code archive", ARCHIVE),
            verdict("code archive with stdlib", WITH_STDLIB),
        ),
    )


def _first_open(bench: Bench, options: Options) -> Section:
    """Opening all wheels for the first time, and again; then the first import of everything."""
    cache = bench.place.path / "wheel-cache"
    opened = bench.arm("open", bench.empty.python, bench.wheels)
    cold, warm = [], []
    for _ in range(options.count(3, 1)):
        shutil.rmtree(cache, ignore_errors=True)
        cold.append(opened().cpu / 1000)
        warm.append(opened().cpu / 1000)
    unpacked = bench.arm("wheels", bench.empty.python, bench.wheels)().cpu / 1000
    size = sum(os.path.getsize(wheel) for wheel in bench.wheels) / 2**20
    rows = [
        ["open, nothing in the cache", spread(cold)],
        ["open again", spread(warm)],
        ["first import of the modules above: unpack, compile what is imported", f"{unpacked:.2f}"],
    ]
    first = statistics.median(cold)
    return Section(
        f"Opening {len(bench.wheels)} wheels",
        f"Seconds of CPU, including the process that examines them. The wheels have {size:.0f} MB. Opening checks "
        "them by the rules for wheels and lists their files; nothing is compiled.",
        ("", "CPU"),
        rows,
        (Verdict(f"the first open takes at most {FIRST_OPEN} s", f"{first:.2f} s", first <= FIRST_OPEN),),
    )


if __name__ == "__main__":
    run_alone(measure, __doc__)
