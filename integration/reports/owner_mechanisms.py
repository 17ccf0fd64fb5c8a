"""Real distributions by each way of having them side by side: docs/side-by-side-packages.md.

`python -m integration.reports.owner_mechanisms WHEELS` makes the page from a directory of wheels, with all that they
need; with NAMES it prints the table of these distributions. What a process sees is compared with what it sees in an
environment that the same wheels are installed in.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name, parse_wheel_filename

from integration.lib._owner_checks import CHECKS
from integration.lib.environments import ROOT, Environment, add_liveinstall, build_wheel, user_variables
from integration.lib.interpreters import find_python, find_uv

PAGE = ROOT / "docs" / "side-by-side-packages.md"
CHILD = Path(__file__).parents[1] / "lib" / "_owner_checks.py"
MECHANISMS = ("registry", "wheel", "archive", "home")
NAMES = (
    *("numpy", "pandas", "scipy", "django", "sympy", "matplotlib", "google-cloud-storage", "google-cloud-core"),
    *("protobuf", "googleapis-common-protos", "grpcio", "pydantic", "pydantic-core", "cryptography", "pillow"),
    *("jinja2", "babel", "nltk", "requests", "attrs", "rich", "click", "flask", "sqlalchemy", "aiohttp", "pyyaml"),
    *("lxml", "psutil", "pytz", "tzdata", "python-dateutil", "packaging", "setuptools", "pyzmq", "tornado"),
    *("ipython", "jsonschema", "networkx", "scikit-learn", "orjson", "zope-interface", "azure-core"),
    *("opentelemetry-api", "ruamel-yaml", "sphinx", "pygments", "shapely", "h5py", "gevent", "boto3", "faker"),
)
_SECONDS = 300
# Not imported: what tests, needs a screen, or does something when it is imported.
_SKIPPED = ("test", "conftest", "__main__", "setup", "pyinstaller", "gui", "qt", "wx", "tkinter", "antigravity")
_HEAD = """\
# Side by side: real distributions

Each distribution, with all that it needs, by each way to have it without installing it: a **registry** whose entries
lie in a store, **wheel** files as they are ([owners](owners.md)), a code **archive** of the entries, and a **home** of
links ([homes](homes.md)). In each a process imports what can be imported and looks at it in every way that the checks
below know; what it sees is compared with what it sees where the same wheels are installed by uv. Made by
`python -m integration.reports.owner_mechanisms` on {date} with Python {python}.

| check | registry | wheel | archive | home |
|---|---|---|---|---|
{counts}

The checks: **imports**: every module (at most 120 of each), with the type of its error if it has one where it is
installed; **metadata**, its files among it; **entry_points** by their group, loaded; **resources**: what lies in its
packages, and content; **getsource**, **traceback** (its lines), **pickle** (classes are themselves), **reload**,
**main** (what `-m` runs), **iter_modules** at the top level and below, **spawn** (a child of multiprocessing), a
**subinterpreter** (not tried where there are extension modules, which may end the process), **libraries**: the shared
ones that are mapped, **listing** of the directory of `__file__`.

- **all**: each check sees what it sees where it is installed.
- **refused**: with the reason below. **differs**: what differs, with the reason.

{notes}
| distribution | registry | wheel | archive | home |
|---|---|---|---|---|
{rows}
"""
# What differs by design: (mechanism, check) -> why. Anything else that differs is a defect.
LIMITS = {
    ("wheel", "listing"): "a wheel that is imported straight is no directory",
}


@dataclass(frozen=True)
class Bench:
    """A store, a cache, and an environment that has only liveinstall."""

    path: Path
    wheels: Path
    empty: Environment

    @property
    def variables(self) -> dict[str, str]:
        """Of every child."""
        kept = {"LIVEINSTALL_STORE": str(self.path / "store"), "LIVEINSTALL_CACHE": str(self.path / "cache")}
        path = os.pathsep.join(
            [os.path.dirname(find_uv() or ""), os.environ.get("PATH", "")]
        )  # the engine is found there
        return user_variables(PYTHONNOUSERSITE="1", MPLBACKEND="Agg", PATH=path, **kept)


def prepare(path: Path, wheels: Path) -> Bench:
    """Make the environment below `path`."""
    base = find_python("3.11")
    assert base
    empty = Environment.make(path / "empty", base)
    add_liveinstall(empty, build_wheel(path))
    made = Bench(path, wheels, empty)
    empty.run("-m", "liveinstall", "registry", "enable", check=True, env=made.variables)
    return made


_CLOSURE = """\
import json, sys
from liveinstall._sidebyside.selection.fetch import fetch
from liveinstall._sidebyside.store.store import Store
found = fetch([sys.argv[1]], Store.default(""), engine="uv", no_index=True, find_links=[sys.argv[2]])
print(json.dumps([[one.name, one.version, one.path] for one in found]))
"""


def examine(bench: Bench, name: str, checks: Sequence[str] = CHECKS) -> dict[str, dict[str, Any]]:
    """Mechanism -> what a process saw; `plain` among them."""
    done = bench.empty.run("-c", _CLOSURE, name, str(bench.wheels), env=bench.variables)
    if done.returncode:
        return {kind: {"refused": done.stderr.strip().splitlines()[-1]} for kind in ("plain", *MECHANISMS)}
    closure = json.loads(done.stdout)
    question = _question(bench, name, closure, checks)
    found = {"plain": _installed(bench, name, closure, question)}
    for kind in MECHANISMS:
        try:
            found[kind] = _by(bench, kind, name, closure, question)
        except (subprocess.TimeoutExpired, AssertionError) as error:
            found[kind] = {"refused": f"{type(error).__name__}: {error}"[:500]}
    return found


def _question(bench: Bench, name: str, closure: Sequence[Sequence[str]], checks: Sequence[str]) -> dict[str, Any]:
    place = Path(next(path for one, _, path in closure if one == name))
    files = sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())
    modules, tops = [], set()
    for path in files:
        stem = path.partition(".")[0].removesuffix("/__init__")
        if path.endswith((".py", ".so")) and all(part.isidentifier() for part in stem.split("/")):
            tops.add(stem.partition("/")[0])
            if not any(word in stem.lower() for word in _SKIPPED):
                modules.append(stem.replace("/", "."))
    modules = sorted(dict.fromkeys(modules), key=lambda module: (module.count("."), module))
    return {"name": name, "tops": sorted(tops), "modules": modules, "files": files, "places": [], "checks": checks}


def _installed(bench: Bench, name: str, closure: Sequence[Sequence[str]], question: dict[str, Any]) -> dict[str, Any]:
    """Ask where the same wheels are installed, and nothing else."""
    base, uv = find_python("3.11"), find_uv()
    assert base and uv
    plain = Environment.make(bench.path / f"plain-{name}", base)
    wheels = [_wheels(bench)[one] for one, _, _ in closure]
    install = [uv, "pip", "install", "-q", "--no-deps", "--no-index", "--python", str(plain.python)]
    subprocess.run([*install, *wheels], check=True, env=user_variables())
    try:
        return _ask(bench, plain.python, question)
    finally:
        plain.remove()


def _wheels(bench: Bench) -> dict[str, str]:
    return {canonicalize_name(parse_wheel_filename(p.name)[0]): str(p) for p in bench.wheels.glob("*.whl")}


def _by(
    bench: Bench, kind: str, name: str, closure: Sequence[Sequence[str]], question: dict[str, Any]
) -> dict[str, Any]:
    """Have the distribution in one way, and ask."""
    paths, pins = [path for _, _, path in closure], [f"{one}=={version}" for one, version, _ in closure]
    python = bench.empty.python
    if kind == "wheel":
        return _ask(bench, python, {**question, "places": [_wheels(bench)[one] for one, _, _ in closure]})
    if kind == "archive":
        archive = str(bench.path / f"{name}.archive")
        bench.empty.run("-m", "liveinstall", "archive", "create", archive, *paths, check=True, env=bench.variables)
        answer = _ask(bench, python, {**question, "places": [archive]})
        Path(archive).unlink()
        return answer
    offline = ["--no-index", "--find-links", str(bench.wheels), "--engine", "uv"]
    if kind == "registry":
        registry = str(bench.path / f"{name}.registry")
        words = ["registry", "create", registry, *pins, *offline]
        bench.empty.run("-m", "liveinstall", *words, check=True, env=bench.variables)
        return _ask(bench, python, question, LIVEINSTALL_REGISTRY=registry)
    home = bench.path / f"home-{name}"
    bench.empty.run("-m", "liveinstall", "home", "create", str(home), *pins, *offline, check=True, env=bench.variables)
    try:
        return _ask(bench, home / "bin" / "python", question)
    finally:
        bench.empty.run("-m", "liveinstall", "home", "remove", str(home), env=bench.variables)


def _ask(bench: Bench, python: Path, question: dict[str, Any], **variables: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="liveinstall-owners-") as directory:
        asked = Path(directory, "question.json")
        asked.write_text(json.dumps(question), encoding="utf-8")
        command = [str(python), str(CHILD), str(asked)]
        env = {**bench.variables, **variables, "HOME": directory}
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=env, cwd=directory, timeout=_SECONDS
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        return {"refused": f"status {done.returncode}: {done.stderr.strip()[-300:]}"}
    answer: dict[str, Any] = json.loads(lines[-1])
    if "liveinstall:" in done.stderr:
        answer["said"] = done.stderr.strip()[-300:]
    return answer


def compare(found: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Mechanism -> check -> empty if it is as where it is installed, else what differs."""
    plain = found["plain"]
    verdicts: dict[str, dict[str, str]] = {}
    for kind in MECHANISMS:
        answer = found[kind]
        if "refused" in answer:
            verdicts[kind] = {"refused": answer["refused"]}
            continue
        verdicts[kind] = {}
        for check in (check for check in CHECKS if check in plain):
            here = answer.get(check)
            verdicts[kind][check] = "" if here == plain[check] else _difference(plain[check], here)
            if str(plain[check]).startswith("failed"):  # nothing was compared
                verdicts[kind][check] = f"where it is installed the check itself {plain[check]}"
    return verdicts


def _difference(plain: Any, here: Any) -> str:
    """Where two answers part."""
    if isinstance(plain, dict) and isinstance(here, dict):
        for key in sorted({*plain, *here}):
            if plain.get(key) != here.get(key):
                return f"{key}: {_difference(plain.get(key), here.get(key))}"
    if isinstance(plain, list) and isinstance(here, list):
        for one, other in zip(plain, here, strict=False):
            if one != other:
                return _difference(one, other)
    return f"{str(plain)[:90]} -> {str(here)[:160]}"


def run(bench: Bench, names: Iterable[str], workers: int = 2) -> dict[str, dict[str, dict[str, str]]]:
    """Distribution -> mechanism -> check -> what differs."""

    def one(name: str) -> tuple[str, dict[str, dict[str, str]]]:
        begin = time.monotonic()
        verdicts = compare(examine(bench, name))
        short = {kind: [f"{check}: {what}" for check, what in row.items() if what] for kind, row in verdicts.items()}
        print(f"{name:24} {time.monotonic() - begin:4.0f} s {short}", file=sys.stderr, flush=True)
        return name, verdicts

    with ThreadPoolExecutor(workers) as pool:
        return dict(pool.map(one, names))


def unexplained(found: Mapping[str, Mapping[str, Mapping[str, str]]]) -> list[str]:
    """What differs and has no reason in LIMITS."""
    return [
        f"{name}, {kind}, {check}: {what}"
        for name, row in found.items()
        for kind, checks in row.items()
        for check, what in checks.items()
        if what and check != "refused" and (kind, check) not in LIMITS
    ]


def render(found: Mapping[str, Mapping[str, Mapping[str, str]]]) -> str:
    """The page."""
    notes, rows = [], []
    same: Counter[tuple[str, str]] = Counter()
    tried: Counter[tuple[str, str]] = Counter()
    for name, row in found.items():
        cells = []
        for kind in MECHANISMS:
            tried.update((kind, check) for check in row[kind] if check != "refused")
            same.update((kind, check) for check, what in row[kind].items() if not what)
            wrong = {check: what for check, what in row[kind].items() if what}
            cells.append("all" if not wrong else "refused" if "refused" in wrong else "differs: " + ", ".join(wrong))
            notes += [f"- {name}, {kind}, {check}: {_reason(kind, check, what)}" for check, what in wrong.items()]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    counts = [
        f"| {check} | {' | '.join(f'{same[kind, check]} of {tried[kind, check]}' for kind in MECHANISMS)} |"
        for check in CHECKS
    ]
    text = "\n".join(["## What differs", "", *notes, "", "## Every distribution", ""]) if notes else ""
    date, python = time.strftime("%Y-%m-%d"), "3.11"
    return _HEAD.format(date=date, python=python, counts="\n".join(counts), notes=text, rows="\n".join(rows))


def _reason(kind: str, check: str, what: str) -> str:
    why = LIMITS.get((kind, check), "")
    told = " ".join(what.replace("|", "/").split())
    return f"{why} ({told})" if why else told


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the page, or print the table of some; status 1 if something differs without a reason."""
    parser = argparse.ArgumentParser(prog="python -m integration.reports.owner_mechanisms", description=__doc__)
    parser.add_argument("wheels", type=Path, help="a directory of wheels: all that is needed, one version of each")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="liveinstall-table-", ignore_cleanup_errors=True) as directory:
        found = run(prepare(Path(directory).resolve(), options.wheels.resolve()), options.names or NAMES)
    page = render(found)
    if options.names:
        print(page)
    else:
        PAGE.write_text(page, encoding="utf-8")
    wrong = unexplained(found)
    print(*wrong, sep="\n", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
