"""Real upgrades under a running process: each file in `cases/` is one verified case."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_FOLDER = Path(__file__).parents[1] / "cases"
_OLDEST = (3, 11)  # of the Pythons that liveinstall supports


@dataclass(frozen=True)
class Case:
    """A case: code is run before and after an upgrade in one process, then `after_restart` in a new one.

    `old` and `new` are the pins (canonical name -> version) of the environment before and after; `variables` are
    environment variables in which `{SCRATCH}` stands for a folder.
    """

    id: str
    kinds: tuple[str, ...]
    python: str
    requirements: tuple[str, ...]
    old: dict[str, str]
    new: dict[str, str]
    preload: str
    late: str
    after_restart: str
    bonus: str
    variables: dict[str, str]

    @property
    def changed(self) -> dict[str, tuple[str | None, str | None]]:
        """The changes of the upgrade: name -> (version before, version after)."""
        return {
            name: (self.old.get(name), self.new.get(name))
            for name in sorted({*self.old, *self.new})
            if self.old.get(name) != self.new.get(name) and name in self.new
        }

    @property
    def runs_on(self) -> str:
        """The Python to run on: its own, or the oldest that liveinstall supports."""
        own = tuple(map(int, self.python.split(".")))
        return ".".join(map(str, max(own, _OLDEST)))


def read_case(id: str) -> Case:
    """Read one case by its id, which is its file's name."""
    data: dict[str, Any] = json.loads((_FOLDER / f"{id}.json").read_text(encoding="utf-8"))
    return Case(
        id=data["id"],
        kinds=tuple(data["kinds"]),
        python=data["python"],
        requirements=tuple(data["requirement_new"]),
        old=_pins(data["lock_old"]),
        new=_pins(data["lock_new"]),
        preload=data["preload"],
        late=data["late"],
        after_restart=data["after_restart"],
        bonus=data["bonus"] or "",
        variables=data["env"],
    )


def all_ids() -> list[str]:
    """The ids of all cases, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def _pins(lines: list[str]) -> dict[str, str]:
    requirements = map(Requirement, lines)
    return {canonicalize_name(found.name): str(found.specifier).removeprefix("==") for found in requirements}
