"""The base environment of a home: its packages follow those of the home on sys.path, and are planned over."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from _liveinstall_boot.holds import VARIABLE as HOLD
from liveinstall._environment.installed import in_directory, installed, names_in
from liveinstall._homes import base_start
from liveinstall._homes.base_python import SCRIPTS, python_of, version
from liveinstall._homes.links import opened
from liveinstall._planning.decide import Situation, conflicts
from liveinstall._planning.graph import Node
from liveinstall._planning.satisfied import parse_line
from liveinstall._requirements.habits import flat
from liveinstall._requirements.requirement import text_of
from liveinstall._staging.launchers import first_lines
from liveinstall._system.programs import is_program, run_captured
from liveinstall.errors import HomeError, RequirementError, ResolutionError, TrialError
from liveinstall.results import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from liveinstall._homes.links import LinkTree
    from liveinstall._homes.record import HomeRecord
    from liveinstall._model import Distribution
    from liveinstall._sidebyside.store.store import Stored

_MODULE = "_liveinstall_base"  # the name of `base_start` in a home
_PTH = "~liveinstall-base.pth"  # sorts after the others: what they add to sys.path precedes the base environment
_SCRIPT = "liveinstall-base-script"
_TIMEOUT = 60  # seconds
_OF_THIS_PROCESS = ("PYTHONPATH", "PYTHONHOME", HOLD)  # a later process of the home does not have them
# -P: without the current directory. The first line of the output may be another program's.
_LOOK = """
import json, os, site, sys
user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
sites = [each for each in dict.fromkeys(user + site.getsitepackages()) if os.path.isdir(each)]
library = os.path.dirname(os.__file__)
own = (library, os.path.dirname(library))
path = [each for each in sys.path if each in sites or (each != library and os.path.dirname(each) not in own)]
print("\\n" + json.dumps([sys.version.split()[0], sys.implementation.cache_tag, sites, path]))
"""


@dataclass(frozen=True)
class BaseEnvironment:
    """An environment that a home is created over.

    Attributes:
        prefix: Its directory, absolute.
        sites: Its site-packages directories, in the order of its sys.path.
        path: Its sys.path, on which its distributions are found.
    """

    prefix: str
    sites: tuple[str, ...]
    path: tuple[str, ...]

    @classmethod
    def at(cls, prefix: str | os.PathLike[str], place: str) -> BaseEnvironment:
        """Ask the interpreter of an environment.

        Args:
            prefix: The directory of the environment, relative to the current directory.
            place: The path of the home, for errors.

        Raises:
            HomeError: There is no environment, or it is for another Python than the running one.
        """
        directory = os.path.abspath(prefix)
        python = python_of(directory)
        if os.name != "nt" and not os.path.exists(python):
            python = os.path.join(directory, "bin", f"python{sys.version_info[0]}")
        elif os.name == "nt" and not os.path.exists(python):  # not a virtual environment
            python = os.path.join(directory, "python.exe")
        variables = {name: value for name, value in os.environ.items() if name not in _OF_THIS_PROCESS}
        try:
            status, out, err = run_captured([python, "-P", "-c", _LOOK], variables, timeout=_TIMEOUT)
            if status:
                raise HomeError(f"the interpreter of {directory} fails: {err.strip()[-500:]}", path=place)
            found, tag, sites, path = json.loads(out.splitlines()[-1])
        except (TrialError, ValueError, IndexError) as error:
            raise HomeError(
                f"{directory} has no interpreter that works: {getattr(error, 'what', 'its output is unreadable.')}",
                todo="Name the directory of an environment (its sys.prefix).",
                path=place,
            ) from None
        if (found, tag) != (version(), sys.implementation.cache_tag):
            raise HomeError(
                f"{directory} is an environment for Python {found} ({tag}), and the home is for {version()}.",
                todo="Create the home with the Python of that environment.",
                path=place,
            )
        return cls(directory, tuple(sites), tuple(path))

    @property
    def scripts(self) -> str:
        """The directory of its scripts."""
        return os.path.join(self.prefix, SCRIPTS)

    def distributions(self) -> dict[str, Distribution]:
        """Return its distributions, by name."""
        return installed(self.path)

    def add_to(self, tree: LinkTree, packages: str, place: str) -> None:
        """Add to the tree of a home what makes its interpreters and scripts use this environment.

        Args:
            tree: The tree, with its own packages and scripts.
            packages: The path of its site-packages.
            place: The path of the home, absolute.
        """
        directory = opened(tree, packages)
        arguments = f"{self.prefix!a}, {list(self.sites)!a}, {os.path.join(place, SCRIPTS)!a}"
        directory[f"{_MODULE}.py"] = Path(base_start.__file__).read_bytes()
        directory[_PTH] = f"import {_MODULE}; {_MODULE}.begin({arguments})\n".encode("ascii")
        if os.name == "nt":
            return
        scripts = opened(tree, SCRIPTS)
        for name, is_own_program in self._scripts():
            scripts.setdefault(name, os.path.join(self.scripts, name) if is_own_program else _SCRIPT)
        run = f"from {_MODULE} import run_script\n\nrun_script({self.scripts!a})\n"
        scripts[_SCRIPT] = first_lines(python_of(place)) + run.encode("ascii")

    def _scripts(self) -> Iterator[tuple[str, bool]]:
        """Yield the name of each script and program of its distributions, and whether it needs no interpreter.

        The directory is not only theirs if this is not a virtual environment: then only scripts for its Python count.
        """
        is_virtual = os.path.isfile(os.path.join(self.prefix, "pyvenv.cfg"))
        for name in sorted(names_in(self.scripts)):
            path = os.path.join(self.scripts, name)
            if not name.lower().startswith(("python", "activate", "deactivate")) and os.access(path, os.X_OK):
                is_own_program = is_program(path)
                if is_virtual or not is_own_program:
                    yield name, is_own_program


@dataclass(frozen=True)
class BasePlan:
    """What the plan of a home has to respect: the distributions of the base environment.

    Attributes:
        base: These distributions, by name.
        pins: Requirements for exactly the versions of those that must not be replaced.
    """

    base: Mapping[str, Distribution]
    pins: tuple[str, ...]

    @classmethod
    def over(cls, environment: BaseEnvironment | None, requirements: Iterable[Any], keep: Iterable[str]) -> BasePlan:
        """Look at the base environment.

        Args:
            environment: The base environment; None if there is none.
            requirements: The request.
            keep: The names of the distributions that must not be replaced.

        Raises:
            RequirementError: One is not in the base environment, or another version of it is required.
        """
        base = environment.distributions() if environment else {}
        names = [canonicalize_name(name) for name in keep]
        for name in names:
            if name not in base:
                raise RequirementError(
                    f"keep={name!r}: the base environment does not have {name}.",
                    todo="Omit it." if environment else "Name the base environment with over=.",
                    requirement=name,
                )
            _check_allowed(base[name], [text_of(each) for each in flat(requirements)])
        return cls(base, tuple(f"{name}=={base[name].version}" for name in names))

    @property
    def versions(self) -> list[tuple[str, str]]:
        """The names and versions of the base environment, for the record of the home."""
        return sorted((name, each.version) for name, each in self.base.items())

    def check(self, entries: Sequence[Stored]) -> tuple[str, ...]:
        """Find the requirements of the base environment that its own versions satisfy, and those of the home do not.

        Args:
            entries: The distributions for the home.

        Returns:
            Texts for people.

        Raises:
            ResolutionError: A distribution that must not be replaced would be, or one of its requirements would break.
        """
        new = [distribution for entry in entries for distribution in in_directory(entry.path)] if self.base else []
        before = {name: Node(each.version, each.requires) for name, each in self.base.items()}
        after = before | {each.name: Node(each.version, each.requires) for each in new}
        changes = tuple(
            Change(each.name, before[each.name].version if each.name in before else None, each.version) for each in new
        )
        found = conflicts(changes, Situation(before, after))
        kept = {pin.partition("==")[0] for pin in self.pins}
        broken = [str(change) for change in changes if change.name in kept]
        broken += [text for text in found if text.partition(" ")[0] in kept]
        if broken:
            raise ResolutionError(
                f"the request does not fit a distribution that must stay as it is: {'; '.join(broken)}.",
                todo="Change the request, or the base environment.",
                log="",
            )
        return found


def _check_allowed(distribution: Distribution, requirements: Iterable[str]) -> None:
    """Check that no requirement excludes the version of a distribution. Raises RequirementError."""
    for line in requirements:
        name, _, is_allowed = parse_line(line, frozenset())
        if name == distribution.name and is_allowed and not is_allowed(distribution.version):
            raise RequirementError(
                f"{line} was requested, but {name} has to stay at {distribution.version}, as in the base environment.",
                todo="Omit it, or change the base environment.",
                requirement=line,
            )


def differences(record: HomeRecord) -> tuple[Change, ...]:
    """Compare a base environment with its state when a home was created over it.

    Args:
        record: The record of the home.

    Returns:
        What has changed in it since then.
    """
    old = dict(record.below)
    new = {name: each.version for name, each in installed(record.path).items()} if record.over else {}
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    return tuple(Change(name, old.get(name), new.get(name)) for name in names)
