"""All real upgrades, with pip in place and with liveinstall: makes docs/real-upgrades.md.

With names of cases only these are run, and the table is printed instead.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from integration.lib.cases import Case, all_ids, read_case
from integration.lib.environments import ROOT, NotOfferedError, build_wheel
from integration.lib.interpreters import find_uv
from integration.lib.runner import MissingPythonError, Outcome, Tool, prepare, run_case

_WORKERS = 2
_TOOLS: tuple[Tool, ...] = ("pip", "liveinstall")
_HEAD = """\
# Real upgrades under a live process

Each row upgrades real packages while a process uses them, then lets that process go on: lazy imports, data files,
child processes, pickles, tracebacks. Without an upgrade all of it works.
Made by `python -m integration.reports.real_upgrades` on
{date}; the cases are in `integration/cases/`.

| what happened | pip install, in place | liveinstall |
|---|---|---|
{counts}

- **an error's name**: the process failed with it. **crash(-11)**: it was ended by that signal.
- **mixed code**: it went on, with modules of the new version loaded beside the old ones.
- **metadata only**: its code stayed whole, but it and its children were told the new version's number. For some data
  files, such as a time zone database, this also means new data under old code.
- **ok**: it and its children saw what they saw before, an unrelated interpreter the new versions. For liveinstall
  it also means that after it had ended, a new process had exactly the new versions, `pip check` found nothing new,
  every file of every RECORD was there, and nothing was left over.
- A case of the kind **during** is a race: in some runs the upgrade in place does no more than change the metadata.

| case | of what kind | upgrade | pip install, in place | liveinstall |
|---|---|---|---|---|
{rows}
"""


def run_both(id: str, wheel: Path) -> dict[Tool, str]:
    """One case with each tool, each in an environment of its own: tool -> what happened, in words."""
    case = read_case(id)
    found: dict[Tool, str] = {}
    for tool in _TOOLS:
        with tempfile.TemporaryDirectory(prefix="liveinstall-case-", ignore_cleanup_errors=True) as directory:
            try:
                environment = prepare(case, Path(directory, "venv"), wheel)
                found[tool] = verdict(run_case(case, tool, environment, Path(directory, "run")))
            except MissingPythonError as error:
                found[tool] = f"not run: {error}"
            except NotOfferedError:
                found[tool] = "not run: the index offers a pinned version no longer"
            except (AssertionError, OSError) as error:
                found[tool] = f"failed: {type(error).__name__}"
                print(f"{id}, {tool}: {error}", file=sys.stderr)
    print(f"{id:28} {found}", file=sys.stderr, flush=True)
    return found


def verdict(outcome: Outcome) -> str:
    """What happened to the live process, else what is wrong at the end, else `ok`."""
    if outcome.upgrade_error:
        return f"not upgraded: {outcome.upgrade_error['type']}"
    if outcome.late_error:
        return outcome.late_error["type"]
    if outcome.mixed:
        return f"mixed code ({len(outcome.mixed)} {'module' if len(outcome.mixed) == 1 else 'modules'})"
    if _is_lied_to(outcome):
        return "metadata only"
    if outcome.restart_error or {n: new for n, (_, new) in outcome.case.changed.items()} != outcome.versions:
        return "wrong after the restart"
    return "ok" if not outcome.remains else f"ok, but {outcome.remains[0].partition(':')[0]}"


def _is_lied_to(outcome: Outcome) -> bool:
    expected = outcome.expected_live
    if outcome.tool == "pip":  # what is new was asked for and may be seen; what was there must not change
        expected = {name: old for name, old in expected.items() if old}
    if any(outcome.child.get(name) != old for name, old in expected.items()):
        return True
    return any(outcome.unrelated.get(name) != new for name, new in outcome.expected_elsewhere.items())


def render(found: Mapping[str, Mapping[Tool, str]]) -> str:
    """The page, from case id -> tool -> what happened."""
    kinds = {tool: Counter(_kind(row[tool]) for row in found.values()) for tool in _TOOLS}
    names = ("ok", "metadata only", "mixed code", "failed or crashed", "not run")
    counts = [f"| {name} | {kinds['pip'][name]} | {kinds['liveinstall'][name]} |" for name in names]
    rows = [_row(read_case(id), found[id]) for id in sorted(found)]
    return _HEAD.format(date=time.strftime("%Y-%m-%d"), counts="\n".join(counts), rows="\n".join(rows))


def _kind(words: str) -> str:
    known = ("ok", "metadata only", "mixed code", "not run")
    return next(
        (kind for kind in known if words == kind or words.startswith((f"{kind}:", f"{kind} ("))), "failed or crashed"
    )


def _row(case: Case, words: Mapping[Tool, str]) -> str:
    changes = ", ".join(
        f"{name} {old} → {new}" if old else f"{name} {new}" for name, (old, new) in case.changed.items()
    )
    return f"| {case.id} | {', '.join(case.kinds)} | {changes} | {words['pip']} | {words['liveinstall']} |"


def main(arguments: Iterable[str] | None = None) -> int:
    """Run the cases, write the page; status 1 if liveinstall harmed a process."""
    parser = argparse.ArgumentParser(prog="python -m integration.reports.real_upgrades", description=__doc__)
    parser.add_argument("ids", nargs="*", metavar="CASE", help="print the table of these cases")
    ids = parser.parse_args(arguments if arguments is None else list(arguments)).ids
    with tempfile.TemporaryDirectory(prefix="liveinstall-wheel-") as directory:
        wheel = build_wheel(Path(directory))
        find_uv()  # it asks sysconfig, which two threads must not ask first at the same time
        with ThreadPoolExecutor(_WORKERS) as pool:
            wanted = ids or all_ids()
            found = dict(zip(wanted, pool.map(lambda id: run_both(id, wheel), wanted), strict=True))
    page = render(found)
    if ids:
        print(page)
    else:
        (ROOT / "docs").mkdir(exist_ok=True)
        (ROOT / "docs" / "real-upgrades.md").write_text(page, encoding="utf-8")
    return int(any(_kind(row["liveinstall"]) not in ("ok", "not run") for row in found.values()))


if __name__ == "__main__":
    sys.exit(main())
