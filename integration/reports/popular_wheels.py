"""`python -m integration.reports.popular_wheels`: the policy over old and new wheels of the most downloaded projects.

Of each project in popular_wheels.txt it takes five versions, from the oldest to the newest, and of each one wheel, for
various systems and Pythons. Small wheels are fetched and staged as an install does it; of large ones only the archive's
directory, its headers and the dist-info are read, by HTTP ranges. With `--log FILE` it continues where it was stopped.
A refused wheel is passed to pip, and pip's verdict decides; the result is in the docs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from packaging.utils import parse_wheel_filename

from integration.lib.environments import user_variables
from integration.lib.remote_wheels import Index, RemoteFile, RemoteWheel, TooMuchError, pip_index
from integration.reports.real_wheels import PAGE, check
from liveinstall._staging.policy import check_wheel, unreadable
from liveinstall.errors import LiveInstallError

LIST = Path(__file__).with_name("popular_wheels.txt")
VERSIONS = 5
WHOLE = 4 * 2**20  # bytes: up to here a wheel is fetched and staged
LIMIT = 64 * 2**20  # bytes that are fetched of one wheel
_BLOCK = re.compile(r"<!-- popular wheels -->\n.*?<!-- end of popular wheels -->\n", re.DOTALL)
_REASON = """
A wheel with an incorrect RECORD is refused because RECORD is the only means of detecting files that are
damaged, missing or added, and later checks, repairs and removals rely on it. Other
versions of these projects are accepted. If you need one of these wheels, pip can install it.
"""
_EMPTY = "<!-- popular wheels -->\n<!-- end of popular wheels -->\n"


@dataclass(frozen=True)
class Verdict:
    """The verdict for a wheel.

    `outcome` is "accepted", "refused", "refused by pip too", "too large" (more than LIMIT would have to be fetched),
    "not read" (the network), or "no wheels" (then `wheel` is the project). `why` is the reason; `staged` says whether
    it was fetched as a whole and staged, so that its files were compared with RECORD; `fetched` is in bytes.
    """

    wheel: str
    outcome: str
    why: str = ""
    staged: bool = False
    fetched: int = 0


def names() -> list[str]:
    """The parsed list."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def choose(index: Index, name: str, count: int = VERSIONS) -> list[RemoteWheel]:
    """One wheel each of `count` versions, from the oldest to the newest, not always for the same system."""
    found = index.versions(name)
    versions = [version for version in found if not version.is_prerelease] or list(found)
    last = len(versions) - 1
    picked = sorted({round(number * last / max(1, count - 1)) for number in range(count)}) if versions else []
    wheels = [found[versions[position]] for position in picked]
    return [offered[(number + len(name)) % len(offered)] for number, offered in enumerate(wheels)]


def judge(index: Index, wheel: RemoteWheel) -> Verdict:
    """Check a wheel; if it is refused, see whether pip installs it."""
    name = wheel.file_name
    try:
        with index.open(wheel, limit=LIMIT) as remote, tempfile.TemporaryDirectory(prefix="liveinstall-real-") as place:
            whole = remote.size <= WHOLE
            why = _staged(remote, name, Path(place)) if whole else _read(remote, name)
            outcome = "refused" if why else "accepted"
            if why and not pip_installs(_saved(remote, name, Path(place)), Path(place) / "pip"):
                outcome = "refused by pip too"
            return Verdict(name, outcome, why, whole, remote.fetched)
    except TooMuchError as error:
        return Verdict(name, "too large", str(error))
    except OSError as error:
        return Verdict(name, "not read", type(error).__name__)


def _saved(remote: RemoteFile, name: str, place: Path) -> Path:
    path = place / name
    path.write_bytes(remote.fetch_all())
    return path


def _staged(remote: RemoteFile, name: str, place: Path) -> str:
    """Stage it; the reason if it is refused."""
    try:
        check(_saved(remote, name, place), place)
    except LiveInstallError as error:
        return error.what
    return ""


def _read(remote: RemoteFile, name: str) -> str:
    """Check it without its content; the reason if it is refused."""
    try:
        with zipfile.ZipFile(remote) as archive:
            check_wheel(archive, name, size=remote.size)
    except LiveInstallError as error:
        return error.what
    except unreadable() as error:
        return f"{name} is not a complete wheel ({error})."
    return ""


def pip_installs(wheel: Path, target: Path) -> bool:
    """Whether pip installs its name and version, as if it were for this system and Python."""
    name, version, *_ = wheel.stem.split("-")
    wheel.rename(wheel.with_name(f"{name}-{version}-py3-none-any.whl"))
    options = ["--no-deps", "--no-compile", "--ignore-requires-python", "-q", "--target", str(target)]
    source = ["--no-index", "--find-links", str(wheel.parent), f"{name}=={version}"]
    command = [sys.executable, "-m", "pip", "--isolated", "install", "--disable-pip-version-check", *options, *source]
    variables = user_variables(PIP_CONFIG_FILE=os.devnull)
    return subprocess.run(command, check=False, env=variables, capture_output=True).returncode == 0


def judge_all(index: Index, projects: Iterable[str], log: Path, *, workers: int, seconds: float) -> list[Verdict]:
    """The verdicts for the chosen wheels of the projects, without those that are already in the log."""
    known = {verdict.wheel: verdict for verdict in read_log(log)}
    ends = time.monotonic() + seconds

    def run(name: str) -> list[Verdict]:
        if time.monotonic() > ends:
            return []
        chosen = choose(index, name)
        return [known.get(wheel.file_name) or judge(index, wheel) for wheel in chosen] or [Verdict(name, "no wheels")]

    verdicts: list[Verdict] = []
    with ThreadPoolExecutor(workers) as pool, log.open("a", encoding="utf-8") as stream:
        for found in pool.map(run, projects):
            verdicts += found
            for verdict in found:
                if verdict.wheel not in known:
                    stream.write(json.dumps(asdict(verdict)) + "\n")
            stream.flush()
    return verdicts


def read_log(log: Path) -> Iterator[Verdict]:
    """The verdicts of earlier runs; refused and unread wheels are tried again."""
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
        verdict = Verdict(**json.loads(line))
        if verdict.outcome in ("accepted", "too large"):
            yield verdict


def popular_block() -> str:
    """The result in the current page."""
    found = _BLOCK.search(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else None
    return found[0] if found else _EMPTY


def render(verdicts: Sequence[Verdict]) -> str:
    """The result for the page."""
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    read = [verdict for verdict in verdicts if verdict.outcome in ("accepted", "refused", "refused by pip too")]
    staged = sum(verdict.staged for verdict in read)
    projects = len({parse_wheel_filename(verdict.wheel)[0] for verdict in read})
    text = f"""\
<!-- popular wheels -->
## The most downloaded projects

The same rules for {len(read):,} wheels of {projects} of the most downloaded projects, {VERSIONS} versions of each from
the oldest to the newest, for all systems (`python -m integration.reports.popular_wheels`). {staged:,} of at most
{WHOLE // 2**20} MiB were staged as for an installation, and compared with RECORD; of {len(read) - staged:,} larger ones
the archive's directory, all headers and the dist-info were read. Refused: **{outcomes["refused"]} that pip installs**,
and {outcomes["refused by pip too"]} that pip refuses too. Not read: {outcomes["too large"]} that would have needed
more than {LIMIT // 2**20} MiB, and {outcomes["not read"]} because of the network;
{outcomes["no wheels"]} projects have no wheels.
"""
    refused = [verdict for verdict in read if verdict.why]
    if refused:
        text += "\n| wheel | reason | pip |\n|---|---|---|\n"
        for verdict in refused:
            why = verdict.why.partition(" is refused: ")[2] or verdict.why
            text += f"| {verdict.wheel} | {why} | {'installs it' if verdict.outcome == 'refused' else 'refuses it'} |\n"
        text += _REASON
    return text + "<!-- end of popular wheels -->\n"


def main(arguments: Iterable[str] | None = None) -> int:
    """Judge them all, and write the page; status 1 if pip installs a refused wheel whose RECORD is not at fault."""
    parser = argparse.ArgumentParser(prog="python -m integration.reports.popular_wheels", description=__doc__)
    parser.add_argument("--log", type=Path, metavar="FILE", help="verdicts of earlier runs, and of this one")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument(
        "--seconds", type=float, default=3600, metavar="N", help="begin with no project after this time"
    )
    parser.add_argument("names", nargs="*", metavar="PROJECT", help="only these, and leave the page as it is")
    options = parser.parse_args(arguments if arguments is None else list(arguments))
    with pip_index() as index, tempfile.TemporaryDirectory(prefix="liveinstall-log-") as temporary:
        log = options.log or Path(temporary) / "log"
        projects = options.names or names()
        verdicts = judge_all(index, projects, log, workers=options.workers, seconds=options.seconds)
    words = render(verdicts)
    print(words)
    if not options.names:
        PAGE.write_text(_BLOCK.sub(lambda _: words, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return int(any(verdict.outcome == "refused" and "RECORD" not in verdict.why for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
