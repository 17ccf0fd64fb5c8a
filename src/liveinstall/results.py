"""The values that the verbs return: frozen dataclasses that do no I/O.

This module has the values that every change needs. Those that only describe an environment are in
`liveinstall.reports`. They are available here, too, and that module is loaded on first use (PEP 562), so that a change
spends no time on classes that it never uses.
"""

from __future__ import annotations

from enum import StrEnum

from liveinstall._system.lean_dataclasses import dataclass, field
from liveinstall._system.presenter import dump, presenter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, TypeVar

    from liveinstall.reports import *  # noqa: F403

    T = TypeVar("T")


class Timing(StrEnum):
    """When a change is applied: now, or when Python starts again."""

    NOW = "now"
    RESTART = "restart"


class Shown:
    """A value with a text form and a notebook form, both from the presenter.

    Its `repr` is the text form, too, because prompts show that: for its fields, use `dataclasses.asdict()`.
    """

    def __str__(self) -> str:
        """Return a summary for people."""
        return presenter().text(self)

    def __repr__(self) -> str:
        """Return the same summary. Never raises: debuggers and prompts call it."""
        try:
            return presenter().text(self)
        except Exception:  # noqa: BLE001  a manually created value may be incomplete
            return dump(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Return one form for each MIME type. IPython calls this and displays the form that its front end supports."""
        return presenter().mime_bundle(self)


class Rows(tuple["T", ...], Shown):
    """A tuple of values of one type that is displayed as a table; it equals any tuple with the same values.

    Attributes:
        empty: The text that is displayed for an empty tuple.
    """

    __slots__ = ()
    empty: ClassVar[str] = "Nothing."
    __repr__ = Shown.__repr__  # otherwise that of a tuple


@dataclass(frozen=True)
class Target:
    """The installation scheme of an environment. All paths are absolute.

    Attributes:
        python: The interpreter.
        kind: "venv", "user" or "system".
        site: The site-packages directory for pure Python distributions (`purelib`).
        platlib: The site-packages directory for distributions with compiled code; often the same.
        scripts: The directory of console scripts.
        headers: The directory of C headers.
        data: The directory that data files are relative to.
    """

    python: str
    kind: str
    site: str
    platlib: str
    scripts: str
    headers: str
    data: str

    def home(self, *, purelib: bool) -> str:
        """Return the directory that a wheel's root is installed into.

        Args:
            purelib: The wheel's `Root-Is-Purelib`.

        Returns:
            The absolute path.
        """
        return self.site if purelib else self.platlib


@dataclass(frozen=True)
class Change:
    """The change of one distribution.

    Attributes:
        name: The normalized project name.
        old_version: The version before; None for a new distribution.
        new_version: The version after; None for a removal.
        timing: When the change is applied.
        reason: Why it has this timing, for people; may be empty.
    """

    name: str
    old_version: str | None
    new_version: str | None
    timing: Timing = Timing.NOW
    reason: str = ""

    def __str__(self) -> str:
        """`numpy 1.26.4 -> 2.2.6`, `rich 14.0.0`, `rich 14.0.0 removed`."""
        if self.new_version is None:
            return f"{self.name} {self.old_version} removed" if self.old_version else f"{self.name} removed"
        if self.old_version is None:
            return f"{self.name} {self.new_version}"
        return f"{self.name} {self.old_version} -> {self.new_version}"


@dataclass(frozen=True)
class Overlap:
    """A file that several distributions contain, with different contents.

    Attributes:
        path: The absolute path of the file.
        owner: The distribution whose file is in place.
        others: The other distributions that contain the file.
        kept: Those of the others whose file is kept, and restored when the owner is removed or undone.
        before: The owner before the change; empty if there was no such file.
    """

    path: str
    owner: str
    others: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    before: str = ""


@dataclass(frozen=True, repr=False)
class Plan(Shown):
    """The changes that a request needs.

    Attributes:
        changes: The changes, each with its timing and reason.
        unchanged: The requested distributions that already satisfy the request.
        conflicts: The requirements that the environment satisfies before the changes and not after them.
        notes: Further remarks, for people.
        overlaps: The files that several distributions contain with different contents.
        unlisted: The distributions whose files are not known before their installation, so that `overlaps` may lack
            theirs: they have no wheel yet, or their index does not support range requests; `notes` says which.
        remedy: The requirements that, installed together, leave no conflict, as the resolver has found; empty if there
            is no conflict, or no such set is known.
    """

    changes: tuple[Change, ...] = ()
    unchanged: tuple[Change, ...] = ()
    conflicts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    unlisted: tuple[str, ...] = ()
    remedy: tuple[str, ...] = ()

    @property
    def now(self) -> tuple[Change, ...]:
        """The changes that are applied immediately."""
        return tuple(change for change in self.changes if change.timing is Timing.NOW)

    @property
    def waiting(self) -> tuple[Change, ...]:
        """The changes that will be pending until Python starts again."""
        return tuple(change for change in self.changes if change.timing is Timing.RESTART)

    @property
    def restart_required(self) -> bool:
        """Whether any change needs a restart."""
        return bool(self.waiting)


@dataclass(frozen=True, repr=False)
class Result(Shown):
    """The outcome of a request.

    Attributes:
        installed: The distributions that were installed or upgraded immediately.
        staged: The changes that are pending until Python starts again.
        removed: The distributions that were removed immediately.
        unchanged: The requested distributions that already satisfied the request.
        transaction: The id of the pending transaction, or else of the one that was applied; None if nothing changed.
        conflicts: The requirements that the environment satisfied before the request and does not satisfy after it.
        notes: Further remarks, for people.
        dry_run: Whether this is only a preview: nothing was changed.
        parallel: Whether it was installed into the side-by-side store, with the environment unchanged.
        seconds: The duration of each phase, in seconds, by the phase's name.
        overlaps: The files that several distributions contain with different contents.
        unlisted: After a dry run, see `Plan`.
        remedy: See `Plan`.
        engine: The engine that resolved the request, "pip" or "uv"; empty if none was needed, and with `parallel`.
        engine_reason: Why it was this engine, for people.
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
    unlisted: tuple[str, ...] = ()
    remedy: tuple[str, ...] = ()
    engine: str = field(default="", compare=False)
    engine_reason: str = field(default="", compare=False)

    @property
    def changed(self) -> bool:
        """Whether anything was installed, removed or staged."""
        return bool(self.installed or self.staged or self.removed)

    @property
    def restart_required(self) -> bool:
        """Whether any change of this request is pending until Python starts again."""
        return bool(self.staged)

    def _ipython_display_(self) -> None:
        """Show it in place of its progress, with buttons. NotImplementedError: IPython displays it like any value."""
        if not presenter().show(self):
            raise NotImplementedError

    def _display_(self) -> object:
        """Return what marimo displays for it: with buttons in its editor."""
        return presenter().view(self)


@dataclass(frozen=True)
class Holder:
    """A running process that uses the environment.

    Attributes:
        pid: The process id.
        command: The command line.
        since: When the process began to use the environment, a POSIX timestamp in seconds; 0 if it was found only by
            its memory-mapped libraries.
        mine: Whether it is the current process.
        uses: The top-level import names that it has loaded; None if they are not known.
        sees: The names of the parts (staged wheels) that it imports from.
        distributions: The names of the distributions that it uses.
        notebook: The file name of the notebook that it is the kernel of; empty if it is none, or that is not known.
        host: The machine or container in which `pid` is its process id, if not this one; empty if it is this one.
    """

    pid: int
    command: str
    since: float
    mine: bool = False
    uses: tuple[str, ...] | None = None
    sees: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()
    notebook: str = ""
    host: str = ""

    def __str__(self) -> str:
        """`pid 4711 (python -m jupyter ...)`."""
        host = f", {self.host}" if self.host else ""
        return f"pid {self.pid}{host} ({self.command})" + (", this process" if self.mine else "")


@dataclass(frozen=True, repr=False)
class Pending(Shown):
    """A pending transaction.

    Attributes:
        transaction: The transaction's id.
        changes: The changes that it will make.
        since: When it was staged, a POSIX timestamp in seconds.
        pid: The id of the process that staged it.
        command: The command line of that process.
        requests: The requests that it comes from, as the callers wrote them.
        state: "pending", or "failed" if an attempt to apply it failed and it was set aside.
        waits_for: What it is waiting for, for people; may be empty.
    """

    transaction: str
    changes: tuple[Change, ...]
    since: float
    pid: int
    command: str
    requests: tuple[str, ...]
    state: str = "pending"
    waits_for: str = ""


@dataclass(frozen=True, repr=False)
class ImportTrial(Shown):
    """The outcome of the background trial of the restart: whether modules can be imported after it.

    Attributes:
        transaction: The id of the pending transaction.
        modules: The modules of the changed distributions, and of the loaded ones that depend on them.
        failures: The last line of the traceback of each module that cannot be imported, but can be now.
        is_running: Whether the modules are still being imported.
        seconds: The duration.
    """

    transaction: str
    modules: tuple[str, ...]
    failures: dict[str, str] = field(default_factory=dict)
    is_running: bool = True
    seconds: float = 0.0


class AllPending(Rows[Pending]):
    """All pending transactions, and those that were set aside."""

    empty = "No pending changes."


class Cancelled(Rows[Change]):
    """The changes that were cancelled."""

    empty = "Nothing was cancelled."


@dataclass(frozen=True)
class Origin:
    """The origin of a distribution; empty fields are unknown.

    Attributes:
        url: The URL of the wheel or source, without credentials.
        sha256: The hexadecimal SHA-256 of that file.
    """

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
