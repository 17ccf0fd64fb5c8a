"""The engine that takes exactly the wheels of a lock: nothing is resolved, and no index is used."""

from __future__ import annotations

import os
import sys
import zipfile
from email.parser import HeaderParser

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from liveinstall._environment.installed import in_directory, installed_without_parts
from liveinstall._model import Candidate, Distribution
from liveinstall._planning.satisfied import unsatisfied
from liveinstall.errors import LockError, WheelRefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Self

    from liveinstall._cluster.values import Lock, LockedWheel
    from liveinstall._engines.base import View
    from liveinstall._requirements.request import Request
    from liveinstall.events import Event
    from liveinstall.results import Origin

_DIFFERENT = "Make a lock for this kind of environment."


class LockEngine:
    """Chooses the wheels of a lock that the environment does not have, in the versions of the lock."""

    name, reason = "lock", ""
    unpacks = False

    def __init__(self, lock: Lock, paths: Mapping[str, str]) -> None:
        """Take the lock.

        Args:
            lock: The lock.
            paths: The absolute path of each wheel, checked, by file name.
        """
        self._lock = lock
        self._paths = paths

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to stop."""

    def fresh(self) -> LockEngine:
        """Return an equal engine."""
        return LockEngine(self._lock, self._paths)

    def expect(self, requirements: Sequence[Any], options: Mapping[str, Any]) -> None:
        """There is nothing to start early."""

    def sources(self) -> Mapping[str, Origin]:
        """No origins but those of the candidates."""
        return {}

    def warnings(self) -> Sequence[str]:
        """No program runs that could warn."""
        return ()

    def keep(self) -> None:
        """The files are the caller's."""

    def resolve(
        self,
        request: Request | None,  # noqa: ARG002  the protocol of engines
        view: View,
        directory: str,  # noqa: ARG002  the protocol of engines
        *,
        fetch: bool,  # noqa: ARG002  the protocol of engines
        tell: Callable[[Event], None],  # noqa: ARG002  the protocol of engines
        listed: bool = False,  # noqa: ARG002  the protocol of engines
    ) -> Sequence[Candidate]:
        """Choose the wheels of versions that are not installed.

        Args:
            request: Not used: the request is the lock.
            view: The environment after all pending changes.
            directory: Not used.
            fetch: Not used: the wheels are on this disk.
            tell: Not used.
            listed: Not used.

        Returns:
            The candidates, in the order of the lock.

        Raises:
            LockError: A wheel does not fit this interpreter, or a dependency is neither in the lock nor installed.
        """
        here: dict[str, Distribution] = dict(installed_without_parts(view.hidden))
        for part in view.parts:
            here |= {found.name: found for found in in_directory(part)}
        tags = frozenset(sys_tags())
        chosen: list[Candidate] = []
        for wheel in self._lock.wheels:
            found = here.get(wheel.name)
            if found is None or found.version != wheel.version:
                chosen.append(self._candidate(wheel, tags))
        after = here | {each.name: Distribution(each.name, each.version, "", each.requires) for each in chosen}
        missing = unsatisfied(self._lock.pins, after.get)
        if missing:
            raise LockError(f"the lock does not fit this environment: {missing}.", todo="Make a new lock.", name="")
        return chosen

    def _candidate(self, wheel: LockedWheel, tags: frozenset[Any]) -> Candidate:
        if not tags & parse_wheel_filename(wheel.file)[3]:
            raise LockError(f"{wheel.file} is not for this interpreter and platform.", todo=_DIFFERENT, name=wheel.name)
        metadata = _metadata(self._paths[wheel.file])
        python = metadata.get("Requires-Python", "")
        if not _allows(python):
            version = ".".join(map(str, sys.version_info[:3]))
            raise LockError(f"{wheel} requires Python {python}, not {version}.", todo=_DIFFERENT, name=wheel.name)
        requires = tuple(str(line) for line in metadata.get_all("Requires-Dist", ()))
        path = self._paths[wheel.file]
        return Candidate(*(wheel.name, wheel.version, requires, wheel.requested), sha256=wheel.sha256, wheel=path)


def _allows(requires_python: str) -> bool:
    try:
        return SpecifierSet(requires_python).contains(
            Version(".".join(map(str, sys.version_info[:3]))), prereleases=True
        )
    except InvalidSpecifier:  # as pip: an invalid one is ignored
        return True


def _metadata(path: str) -> Any:
    """The metadata of a wheel. All rules for wheels are checked later, before it is unpacked."""
    name = os.path.basename(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [
                each for each in archive.namelist() if each.count("/") == 1 and each.endswith(".dist-info/METADATA")
            ]
            text = archive.read(entries[0]).decode("utf-8", "replace")
    except (zipfile.BadZipFile, IndexError, KeyError, OSError, NotImplementedError, RuntimeError) as error:
        raise WheelRefusedError(f"{name} is not a complete wheel ({error}).", wheel=name, entry="") from None
    return HeaderParser().parsestr(text)
