"""Every hostile wheel with each installer: a page that `python -m integration.reports.reliability` makes.

`python -m integration.reports.hostile_wheels KIND ...` prints the table of some kinds.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from integration.lib.environments import Environment, add_liveinstall, build_wheel, user_variables
from integration.lib.hostile import KINDS, VICTIM, build, build_good
from integration.lib.interpreters import CURRENT, find_python, find_uv
from integration.reports.popular_wheels import popular_block
from integration.reports.real_wheels import PAGE, real_block

TOOLS = ("liveinstall", "pip", "uv", "installer")
_SECONDS = 120
_ESCAPED = "accepted, wrote outside"
_CHANGED = "accepted, changed other files"
OUTCOMES = ("refused", "refused, files left", "accepted", _CHANGED, _ESCAPED, "did not end")
_HEAD = """\
# Hostile wheels

A wheel is checked before anything of it is unpacked, and what is unpacked is compared with its RECORD while it is
written. A wheel that breaks a rule is refused by the name of the entry that breaks it, and nothing of it stays.

Each row is a good wheel with one thing wrong, given to each installer as a file, in an environment of its own that has
one other distribution in it. Made by `python -m integration.reports.reliability`; the wheels are made by
`integration/lib/hostile.py`. The same wheels run in the unit tests.

{versions} {counts}
- **refused**: it failed and changed nothing. **files left**: it failed and left something behind.
- **accepted** is not always harmful: some tools leave out, rename or overwrite what a row is about, and some kinds do
  harm only on Windows, or where case does not count. **changed other files**: files that were there before are
  different now. **wrote outside**: a file lies outside of the environment.
- pip and uv trust an index to have checked wheels, and check hashes of whole files; that is not tried here.
- Of the kinds *shown* and *left out*, accepting them is right: real wheels do this. liveinstall shows in the result's
  notes what runs at every start of Python. It never takes over a wheel's bytecode, or what the wheel says of who
  installed it and from where.
- A wheel of *two files* has names that differ only in case. Where the file system folds case,
  which is observed and not derived from the platform, it is refused, as are two distributions with such names.

{real}
{popular}
Rules that real wheels break are not rules here: a script with the name of a command of the same wheel is left out, as
pip does, because the command is what was meant; blank rows in RECORD, which `installer` itself refuses, do not count.
Though none of these does it, a missing size, a padded hash, or `True` for `true` in WHEEL pass too.

## Every kind

| kind | it has | {tools} |
|---|---|{lines}
{rows}
"""


def make_template(tool: str, place: Path, wheel: Path) -> Path:
    """An environment in `place` with the victim, and with what the tool needs; to be copied. `wheel`: liveinstall's."""
    base = find_python(CURRENT)
    assert base
    environment = Environment.make(place / tool, base)
    environment.add(build_good(VICTIM, place / "good"))
    if tool == "liveinstall":
        add_liveinstall(environment, wheel)
        environment.run("-m", "liveinstall", "finalize", check=True)  # its state directory is made by its first use
    elif tool != "uv":
        environment.add(tool)
    environment.run("-m", "compileall", "-q", str(environment.site), check=True)  # or each run compiles the tool anew
    return environment.path


def try_kind(kind: str, tool: str, template: Path, place: Path) -> str:
    """What a tool does with a kind, in a copy of the template below `place`."""
    world = place / "world"
    environment = Environment.at(Path(shutil.copytree(template, world / "home" / "user" / "venv", symlinks=True)))
    made = build(kind, place / "wheels", outside=world / "outside")
    before = dict(_files(world))
    try:
        done = _install(tool, environment, made)
    except subprocess.TimeoutExpired:
        return "did not end"
    if tool == "liveinstall" and done.returncode:
        assert json.loads(done.stdout)["error"]["type"].endswith("Error"), done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
    return _verdict(environment, refused=done.returncode != 0, before=before, after=dict(_files(world)))


def _install(tool: str, environment: Environment, wheel: Path) -> subprocess.CompletedProcess[str]:
    python, uv = str(environment.python), find_uv() or "uv"
    commands = {
        "liveinstall": [python, "-m", "liveinstall", "install", "--json", "--no-index", "--overlap=refuse", str(wheel)],
        "pip": [python, "-m", "pip", "install", "--no-index", "--no-deps", "--disable-pip-version-check", str(wheel)],
        "uv": [uv, "pip", "install", "--no-cache", "--no-index", "--no-deps", "--python", python, str(wheel)],
        "installer": [python, "-m", "installer", str(wheel)],
    }
    variables = user_variables(PYTHONDONTWRITEBYTECODE="1")
    return subprocess.run(commands[tool], check=False, capture_output=True, text=True, env=variables, timeout=_SECONDS)


def _files(root: Path) -> Iterator[tuple[str, str]]:
    """Path -> content of each file below `root`, less bytecode and liveinstall's state."""
    for path in root.rglob("*"):
        relative = path.relative_to(root)
        if not {".liveinstall", "__pycache__"} & set(relative.parts) and (path.is_symlink() or not path.is_dir()):
            content = path.read_bytes() if path.is_file() else b""
            yield str(relative), hashlib.sha256(content).hexdigest()


def _verdict(environment: Environment, *, refused: bool, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    if refused:
        return "refused" if before == after else "refused, files left"
    if any(after.get(path) != content for path, content in before.items()):
        return _CHANGED
    home = str(Path(*environment.path.parts[-3:])) + "/"
    return "accepted" if all(path.startswith(home) for path in set(after) - set(before)) else _ESCAPED


def is_right(kind: str, outcome: str) -> bool:
    """Whether that is what must be done with a wheel of this kind."""
    return outcome == ("refused" if KINDS[kind].expected == "refused" else "accepted")


def run(kinds: Iterable[str], tools: Iterable[str] = TOOLS) -> dict[str, dict[str, str]]:
    """Kind -> tool -> what it did."""
    found: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory(prefix="liveinstall-templates-") as directory:
        wheel = build_wheel(Path(directory))
        templates = {tool: make_template(tool, Path(directory), wheel) for tool in tools}
        for kind in kinds:
            found[kind] = {}
            for tool, template in templates.items():
                with tempfile.TemporaryDirectory(prefix="liveinstall-hostile-", ignore_cleanup_errors=True) as place:
                    found[kind][tool] = try_kind(kind, tool, template, Path(place).resolve())
            print(f"{kind:28} {found[kind]}", file=sys.stderr, flush=True)
    return found


def counts(found: Mapping[str, Mapping[str, str]]) -> str:
    """How many of the kinds that must be refused each tool refused, accepted ..., as a table."""
    evil = [kind for kind in found if KINDS[kind].expected == "refused"]
    numbers = {tool: Counter(found[kind][tool] for kind in evil) for tool in TOOLS}
    rows = [f"| {outcome} | {' | '.join(str(numbers[tool][outcome]) for tool in TOOLS)} |" for outcome in OUTCOMES]
    head = [f"| what it did | {' | '.join(TOOLS)} |", "|---|" + "---|" * len(TOOLS)]
    return "\n".join([f"Of the {len(evil)} kinds that must be refused:", "", *head, *rows, ""])


def render(found: Mapping[str, Mapping[str, str]], versions: str) -> str:
    """The page; what it says of real wheels stays."""
    rows = [
        f"| {kind} | {KINDS[kind].group}: {KINDS[kind].aim} | {' | '.join(row[tool] for tool in TOOLS)} |"
        for kind, row in found.items()
    ]
    return _HEAD.format(
        versions=versions,
        tools=" | ".join(TOOLS),
        lines="---|" * len(TOOLS),
        counts=counts(found),
        rows="\n".join(rows),
        real=real_block(),
        popular=popular_block(),
    )


def write(found: Mapping[str, Mapping[str, str]]) -> None:
    """Make the page."""
    PAGE.write_text(render(found, _versions()), encoding="utf-8")


def _versions() -> str:
    found = [f"{name} {importlib.metadata.version(name)}" for name in ("pip", "uv", "installer")]
    return f"Python {sys.version.split()[0]}, {', '.join(found)}."


def main(arguments: Iterable[str] | None = None) -> int:
    """Run some kinds, print the page; status 1 if liveinstall did what it must not."""
    parser = argparse.ArgumentParser(prog="python -m integration.reports.hostile_wheels", description=__doc__)
    parser.add_argument("kinds", nargs="+", metavar="KIND")
    found = run(parser.parse_args(arguments if arguments is None else list(arguments)).kinds)
    print(render(found, _versions()))
    return int(not is_good(found))


def is_good(found: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether liveinstall did with each kind what must be done."""
    return all(is_right(kind, row["liveinstall"]) for kind, row in found.items())


if __name__ == "__main__":
    sys.exit(main())
