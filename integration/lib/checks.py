"""The final checks of an environment: complete, without leftovers, and without new problems."""

from __future__ import annotations

import csv
import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path

from integration.lib.environments import Environment

_LEFT_OVER = ("*.part", "*.part.pth", "*.part.start", "_liveinstall_finalizer_*")


def complaints(environment: Environment) -> set[str]:
    """The complaints of `pip check`, without those about liveinstall's own requirements."""
    lines = environment.run("-m", "pip", "check", "--disable-pip-version-check").stdout.splitlines()
    return {line for line in lines if not line.startswith(("No broken", "liveinstall "))}


def what_is_wrong(environment: Environment, before: set[str]) -> tuple[str, ...]:
    """New complaints of pip, leftovers, and missing files of RECORDs; as text."""
    return (
        *(f"pip check: {line}" for line in sorted(complaints(environment) - before)),
        *(f"left over: {name}" for name in left_overs(environment.site)),
        *(f"missing: {path}" for path in missing_files(environment.site)),
    )


def left_overs(site: Path) -> list[str]:
    """The files of liveinstall that exist in site-packages only with pending changes."""
    return sorted(path.name for pattern in _LEFT_OVER for path in site.glob(pattern))


def missing_files(site: Path) -> Iterator[str]:
    """The files that are in a RECORD but not on disk. Bytecode may come and go."""
    for record in sorted(site.glob("*.dist-info/RECORD")):
        with record.open(encoding="utf-8", newline="") as stream:
            for path, *_ in csv.reader(stream):
                if not path.endswith(".pyc") and not (site / path).exists():
                    yield f"{record.parent.name}: {path}"


def tree(root: Path) -> dict[str, str]:
    """Path -> type, mode and content of all files below `root`, without `.liveinstall` and bytecode."""
    found = {}
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if not {".liveinstall", "__pycache__"} & set(relative.parts):
            found[str(relative)] = _fingerprint(path)
    return found


def _fingerprint(path: Path) -> str:
    if path.is_symlink():
        return f"link {path.readlink()}"
    mode = f"{stat.S_IMODE(path.stat().st_mode):o}"
    return mode if path.is_dir() else f"{mode} {hashlib.sha256(path.read_bytes()).hexdigest()}"
