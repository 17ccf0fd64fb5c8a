"""`python -m integration.reports.real_wheels`: no real wheel is refused; the result is in the docs.

A line of real_wheels.txt is a requirement, or `[name] options`: options of `pip download` for the lines below, so that
wheels for other systems and older Pythons are included. With `--wheels DIR` the wheels in DIR are not downloaded again.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from integration.lib.environments import ROOT, user_variables
from liveinstall._model import Candidate
from liveinstall._staging.bytecode import BytecodeCompiler
from liveinstall._staging.part import stage
from liveinstall._staging.stage import remove_parts
from liveinstall.errors import LiveInstallError
from liveinstall.results import Target

LIST = Path(__file__).with_name("real_wheels.txt")
PAGE = ROOT / "docs" / "hostile-wheels.md"
_BLOCK = re.compile(r"<!-- real wheels -->\n.*?<!-- end of real wheels -->\n", re.DOTALL)
_AT_ONCE = 20


@dataclass(frozen=True)
class Group:
    """Requirements that are fetched with the same options."""

    name: str
    options: tuple[str, ...]
    requirements: tuple[str, ...]


def groups() -> Iterator[Group]:
    """The parsed list."""
    head, lines = "", []
    for line in [*LIST.read_text(encoding="utf-8").splitlines(), "["]:
        if line.startswith("["):
            if head:
                name, _, options = head[1:].partition("]")
                yield Group(name, tuple(shlex.split(options)), tuple(lines))
            head, lines = line, []
        elif line and not line.startswith("#"):
            lines.append(line)


def fetch(group: Group, directory: Path) -> list[str]:
    """Download the wheels of a group that are not in `directory` yet; returns those that the index does not have."""
    directory.mkdir(parents=True, exist_ok=True)
    here = {parse_wheel_filename(path.name)[:2] for path in directory.glob("*.whl")}
    missing = [text for text in group.requirements if not any(_fits(text, *wheel) for wheel in here)]
    refused = []
    for start in range(0, len(missing), _AT_ONCE):
        batch = missing[start : start + _AT_ONCE]
        if not _download(batch, group, directory):
            refused += [text for text in batch if not _download([text], group, directory)]
    return refused


def _fits(text: str, name: str, version: object) -> bool:
    requirement = Requirement(text)
    return canonicalize_name(requirement.name) == name and requirement.specifier.contains(str(version), True)


def _download(batch: list[str], group: Group, directory: Path) -> bool:
    options = ["--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "-q", "-d", str(directory)]
    arguments = [sys.executable, "-m", "pip", "download", *options, *group.options, *batch]
    return subprocess.run(arguments, check=False, env=user_variables(), capture_output=True).returncode == 0


def check(wheel: Path, place: Path) -> tuple[str, ...]:
    """Stage a wheel as an install would, and remove it again; its notes. LiveInstallError if it is refused."""
    name, version, *_ = parse_wheel_filename(wheel.name)
    site = str(place / "site")
    target = Target(sys.executable, "venv", site, site, str(place / "bin"), str(place / "include"), str(place))
    candidate = Candidate(name, str(version), (), requested=True, wheel=str(wheel))
    part = stage(candidate, target, "id", compiler=BytecodeCompiler())
    remove_parts([part])
    return part.notes


def check_all(wheels: Iterable[Path]) -> tuple[Counter[str], list[str], list[str]]:
    """The number of accepted wheels by the kind of their tags; the refused ones; and the notes."""
    fine: Counter[str] = Counter()
    refused, notes = [], []
    with tempfile.TemporaryDirectory(prefix="liveinstall-real-") as place:
        for wheel in wheels:
            try:
                notes += check(wheel, Path(place))
                fine["pure" if wheel.stem.endswith("none-any") else "built"] += 1
            except LiveInstallError as error:
                refused.append(f"{wheel.name}: {error.what}")
    return fine, refused, notes


def real_block() -> str:
    """The result in the current page."""
    found = _BLOCK.search(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else None
    return found[0] if found else "<!-- real wheels -->\n<!-- end of real wheels -->\n"


def _words(fine: Counter[str], refused: list[str], notes: list[str], size: int) -> str:
    at_start = sorted(note.split()[1] for note in notes if note.endswith("start of Python"))
    giving_way = sorted(note.split()[1] for note in notes if "is replaced by the command" in note)
    return f"""\
<!-- real wheels -->
## Real wheels

The same rules, and the comparison with RECORD, over {fine.total() + len(refused)} real wheels of current and old
versions, for Linux, Windows and macOS ({fine["pure"]} pure, {fine["built"]} with built code, {size / 1e9:.1f} GB;
`python -m integration.reports.real_wheels`, which reads `integration/real_wheels.txt`):
**{len(refused)} refused**. {len(at_start)} have a file that runs at every start of Python, which is reported
({", ".join(at_start[:3])} ...); {len(giving_way)} scripts are replaced by a command of the same name
({", ".join(giving_way[:2])} ...).
<!-- end of real wheels -->
"""


def main(arguments: Iterable[str] | None = None) -> int:
    """Fetch and check; status 1 if a wheel was refused."""
    parser = argparse.ArgumentParser(prog="python -m integration.reports.real_wheels", description=__doc__)
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="download to this directory, and keep the wheels")
    options = parser.parse_args(arguments if arguments is None else list(arguments))
    with tempfile.TemporaryDirectory(prefix="liveinstall-wheels-") as temporary:
        directory = options.wheels or Path(temporary)
        for group in groups():
            for text in fetch(group, directory / group.name):
                print(f"not offered: {text} ({group.name})", file=sys.stderr)
        wheels = sorted(directory.rglob("*.whl"))
        fine, refused, notes = check_all(wheels)
        words = _words(fine, refused, notes, sum(wheel.stat().st_size for wheel in wheels))
    print(words, *refused, sep="\n")
    PAGE.write_text(_BLOCK.sub(lambda _: words, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return int(bool(refused))


if __name__ == "__main__":
    sys.exit(main())
