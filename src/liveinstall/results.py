"""What users get: frozen values, without behaviour that touches the world.

Here are those that every change needs. Those that only describe an environment are in `liveinstall.reports`, which is
loaded when one of its names is first used here (PEP 562): a change spends no time on classes that it never uses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from liveinstall._system.presenter import presenter

if TYPE_CHECKING:
    from liveinstall.reports import *  # noqa: F403

T = TypeVar("T")


class Timing(StrEnum):
    """When a change happens."""

    NOW = "now"
    RESTART = "restart"


class Shown:
    """A value that shows itself as text and in notebooks, by way of the presenter."""

    def __str__(self) -> str:
        """Summarise for a person."""
        return presenter().text(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """One form for each MIME type; IPython calls it and chooses the form that its front end can show."""
        return presenter().mime_bundle(self)


class Rows(tuple[T, ...], Shown):
    """Values of one kind that show themselves together; in all else a tuple, equal to any with the same values."""

    __slots__ = ()
    empty: ClassVar[str] = "Nothing."


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
class Overlap:
    """A file that distributions bring with different contents. `path` is absolute; `owner` has its file in place.

    `others` bring it too; the files of those that are `kept` come back when the owner is removed or undone. `before`
    had it before, and is empty where there was no such file.
    """

    path: str
    owner: str
    others: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    before: str = ""


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
    overlaps: tuple[Overlap, ...] = ()

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
    overlaps: tuple[Overlap, ...] = ()

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


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from liveinstall import reports

    try:
        return getattr(reports, name)
    except AttributeError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
