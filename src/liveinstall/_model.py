"""The values that the rooms hand to each other: frozen, without behaviour that touches the world."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Timing(StrEnum):
    """When a change happens."""

    NOW = "now"
    RESTART = "restart"


class Shown:
    """A value that a front end shows. The front ends put their ways of doing so here; without them it is the repr.

    `show` makes text; `bundle` makes one form of the value for each MIME type, and never raises.
    """

    show: ClassVar[Callable[[Any], str]] = repr
    bundle: ClassVar[Callable[[Any], dict[str, Any]] | None] = None

    def __str__(self) -> str:
        """Summarise for a person."""
        return Shown.show(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """What a notebook shows; IPython asks for it, and chooses itself what it can use."""
        return Shown.bundle(self) if Shown.bundle else {"text/plain": repr(self)}


class Rows(tuple[T, ...], Shown):
    """Values of one kind that show themselves together; in all else a tuple, equal to any with the same values."""

    __slots__ = ()
    empty: ClassVar[str] = "Nothing."


class Followed:
    """What follows a request that has ended well, and a staging. Front ends put it here; without them nothing does."""

    follow: ClassVar[Callable[[Result, str], Result]] = staticmethod(lambda result, _: result)
    staged: ClassVar[Callable[[], None]] = staticmethod(lambda: None)


@dataclass(frozen=True)
class Target:
    """Where the files of an environment go. All paths are absolute; `kind` is venv, user or system."""

    python: str
    kind: str
    site: str
    platlib: str
    scripts: str
    headers: str
    data: str

    def home(self, *, purelib: bool) -> str:
        """The directory that a wheel's root goes to."""
        return self.site if purelib else self.platlib


@dataclass(frozen=True)
class Distribution:
    """An installed distribution: canonical `name`, `version`, and where its metadata directory `info` lies.

    `requires` are its Requires-Dist lines as written; `project` is the source directory of an editable install.
    """

    name: str
    version: str
    info: str
    requires: tuple[str, ...] = ()
    project: str = ""

    @property
    def is_legacy(self) -> bool:
        """Whether setuptools or distutils installed it without a RECORD."""
        return not self.info.endswith(".dist-info")


@dataclass(frozen=True)
class Change:
    """One distribution's change. A version is None where there is none; `reason` is for people."""

    name: str
    old_version: str | None
    new_version: str | None
    timing: Timing = Timing.NOW
    reason: str = ""

    def __str__(self) -> str:
        """`numpy 1.26.4 -> 2.2.6`, `rich 14.0.0`, `rich 14.0.0 removed`."""
        if self.new_version is None:
            return f"{self.name} {self.old_version} removed"
        if self.old_version is None:
            return f"{self.name} {self.new_version}"
        return f"{self.name} {self.old_version} -> {self.new_version}"


@dataclass(frozen=True)
class Retired:
    """Old files that a swap has put away. `root` is laid out like a part, `info` is where its metadata belongs.

    `sha256` is its RECORD's; `roots` are the directories that a wheel's schemes had then, relative to `site`.
    """

    root: str
    info: str
    sha256: str
    site: str
    roots: dict[str, str]


@dataclass(frozen=True)
class Candidate:
    """What was chosen for one distribution: where its files come from and what it needs.

    `url` carries no credentials. `wheel` is a local path, empty until it was fetched; `direct_url` is the content of
    direct_url.json for what did not come from an index. `retired`: it comes from there, and not from a wheel.
    `unpacked`: it comes from this directory, an unpacked wheel in an engine's cache; hard links to its files may be
    `shared` with the cache.
    """

    name: str
    version: str
    requires: tuple[str, ...]
    requested: bool
    extras: tuple[str, ...] = ()
    url: str = ""
    sha256: str = ""
    wheel: str = ""
    direct_url: dict[str, Any] | None = None
    yanked: str | None = None
    retired: Retired | None = None
    unpacked: str = ""
    shared: bool = False


@dataclass(frozen=True)
class Plan(Shown):
    """The changes that a request needs, each with its timing and reason.

    `unchanged` are requested distributions that already satisfy the request, `conflicts` the requirements that the
    environment satisfied before and will not satisfy after all changes, `notes` what else a person should know.
    """

    changes: tuple[Change, ...] = ()
    unchanged: tuple[Change, ...] = ()
    conflicts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def now(self) -> tuple[Change, ...]:
        """What happens at once."""
        return tuple(change for change in self.changes if change.timing is Timing.NOW)

    @property
    def waiting(self) -> tuple[Change, ...]:
        """What waits for the next start of Python."""
        return tuple(change for change in self.changes if change.timing is Timing.RESTART)

    @property
    def restart_required(self) -> bool:
        """Whether anything waits."""
        return bool(self.waiting)


@dataclass(frozen=True)
class Result(Shown):
    """What a request did. `transaction` names what waits, or else what was done now; None if nothing changed.

    `parallel`: what was installed lies beside the environment, which is as it was.
    """

    installed: tuple[Change, ...] = ()
    staged: tuple[Change, ...] = ()
    removed: tuple[Change, ...] = ()
    unchanged: tuple[Change, ...] = ()
    transaction: str | None = None
    conflicts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    dry_run: bool = False
    parallel: bool = False
    seconds: dict[str, float] = field(default_factory=dict, compare=False)

    @property
    def changed(self) -> bool:
        """Whether anything was installed, removed or staged."""
        return bool(self.installed or self.staged or self.removed)

    @property
    def restart_required(self) -> bool:
        """Whether something waits for a restart."""
        return bool(self.staged)


@dataclass(frozen=True)
class Holder:
    """A live process that holds the environment. `since` is a POSIX timestamp in seconds.

    `uses`: top-level names that it has imported, None when that is not known; `sees`: parts that it runs from;
    `distributions`: what that makes, by name. `since` is 0 for one that only the system told of (mapped libraries).
    """

    pid: int
    command: str
    since: float
    mine: bool = False
    uses: tuple[str, ...] | None = None
    sees: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()

    def __str__(self) -> str:
        """`pid 4711 (python -m jupyter ...)`."""
        return f"pid {self.pid} ({self.command})" + (", this process" if self.mine else "")


@dataclass(frozen=True)
class Pending(Shown):
    """A transaction that waits. `since` is a POSIX timestamp; `state` is pending, or failed when it was set aside."""

    transaction: str
    changes: tuple[Change, ...]
    since: float
    pid: int
    command: str
    requests: tuple[str, ...]
    state: str = "pending"
    waits_for: str = ""


class AllPending(Rows[Pending]):
    """All that waits, and what was set aside."""

    empty = "Nothing waits."


@dataclass(frozen=True)
class Origin:
    """Where a distribution came from; `url` carries no credentials. Empty where it is not known."""

    url: str = ""
    sha256: str = ""


def roots_of(target: Target) -> dict[str, str]:
    """Where a wheel's schemes go, relative to the site directory, so that a copied environment recovers too."""
    places = {
        "scripts": target.scripts,
        "headers": target.headers,
        "data": target.data,
        "purelib": target.site,
        "platlib": target.platlib,
    }
    return {scheme: os.path.relpath(path, target.site) for scheme, path in places.items()}
