"""The undo of the real upgrades on one Python, of what uv, pip and an old pip installed.

Each case is run with one of the three installers, in turn, and on the next Python with the next one. Prints what was
wrong for each case, and at the end the row of this Python for the table in docs/how-to/undo.md. With names only
these are run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from integration.lib.cases import all_ids, read_case
from integration.lib.environments import NotOfferedError, build_wheel
from integration.lib.interpreters import CURRENT, find_uv
from integration.lib.runner import MissingPythonError
from integration.lib.undoing import INSTALLERS, prepare, undo

_WORKERS = 2
_MEMORY, _ENOUGH = Path("/dev/shm"), 4 << 30


def run(wheel: Path, version: str, pair: tuple[str, str]) -> tuple[str, str, str]:
    """Undo one case; its id, the installer of its environment, and one of `right`, `not run` and `wrong`."""
    id, installer = pair
    case = read_case(id)
    with tempfile.TemporaryDirectory(prefix="liveinstall-undo-", dir=_fast_directory()) as directory:
        try:
            wrong = undo(case, prepare(case, installer, version, Path(directory, "venv"), wheel), version)
        except (MissingPythonError, NotOfferedError) as error:
            print(f"{id:28} {installer:8} not run: {str(error)[-200:]}", flush=True)
            return id, installer, "not run"
        except (AssertionError, OSError) as error:
            wrong = [f"{type(error).__name__}: {error}"]
    print(f"{id:28} {installer:8} {'; '.join(wrong) or 'right'}", flush=True)
    return id, installer, "wrong" if wrong else "right"


def _fast_directory() -> Path | None:
    """Memory, if there is some: a disk may take longer to remove an environment than all the rest takes."""
    return _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH else None


def pairs_of(version: str, *, all_installers: bool) -> list[tuple[str, str]]:
    """The cases with their installers; another one on the next Python, so that three have them all."""
    first, several = int(version.partition(".")[2]), len(INSTALLERS)
    turns = range(several if all_installers else 1)
    return [(id, INSTALLERS[(first + at + turn) % several]) for turn in turns for at, id in enumerate(all_ids())]


def row(version: str, outcomes: list[tuple[str, str, str]]) -> str:
    """What the table says about this Python: right ones of those that ran, and the names of those that did not."""
    cells = [version]
    for installer in INSTALLERS:
        mine = [word for _, used, word in outcomes if used == installer and word != "not run"]
        cells.append(f"{mine.count('right')} of {len(mine)}")
    left = [f"`{id}`" for id in sorted({id for id, _, word in outcomes if word == "not run"})]
    return f"| {' | '.join([*cells, f'{len(left)}: ' + ', '.join(left) if left else 'none'])} |"


def main(arguments: Iterable[str] | None = None) -> int:
    """Run the cases; status 1 if one was wrong."""
    parser = argparse.ArgumentParser(prog="python -m integration.reports.undo", description=__doc__)
    parser.add_argument("ids", nargs="*", metavar="CASE", help="only these cases")
    parser.add_argument("--all-installers", action="store_true", help="each case three times, once with each installer")
    parser.add_argument("--python", default=CURRENT, metavar="VERSION", help="the Python of the environments")
    options = parser.parse_args(arguments if arguments is None else list(arguments))
    pairs = pairs_of(options.python, all_installers=options.all_installers)
    pairs = [pair for pair in pairs if pair[0] in (options.ids or all_ids())]
    with tempfile.TemporaryDirectory(prefix="liveinstall-wheel-") as directory:
        wheel = build_wheel(Path(directory))
        find_uv()  # it uses sysconfig, which two threads must not initialise at the same time
        with ThreadPoolExecutor(_WORKERS) as pool:
            outcomes = list(pool.map(partial(run, wheel, options.python), pairs))
    print(f"| Python | installed by {' | by '.join(INSTALLERS)} | not run: no wheel for this Python |")
    print(row(options.python, outcomes))
    return int(any(word == "wrong" for _, _, word in outcomes))


if __name__ == "__main__":
    sys.exit(main())
