"""What is told of an environment: frozen values for those who ask, which no change needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from liveinstall.results import Change, Holder, Origin, Overlap, Pending, Rows, Shown, Target


@dataclass(frozen=True)
class Ran(Shown):
    """How a program ended: its exit status (negative: a signal), what it said, and the `seconds` that it took."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float = field(default=0.0, compare=False)

    @property
    def ok(self) -> bool:
        """Whether it ended with status 0."""
        return self.returncode == 0


@dataclass(frozen=True)
class Trial(Ran):
    """How it ended in the environment as it will be; the seconds are with the making.

    `changes` are those that were in place, `notes` why something that waits was not.
    """

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Home(Shown):
    """An environment made of links: its directory, its interpreter, and the exact version of Python that it is for.

    `distributions`: (name, version) of each that it has. `requests`: what was asked for.
    """

    path: str
    python: str
    version: str
    distributions: tuple[tuple[str, str], ...] = ()
    requests: tuple[str, ...] = ()


@dataclass(frozen=True)
class Guard:
    """Whether every interpreter of an environment holds what it uses, from its start on."""

    site: str
    guarded: bool


@dataclass(frozen=True)
class Past(Shown):
    """A transaction that happened. `when` is a POSIX timestamp in seconds; `sources` tells by name whence each came.

    `why_not` says why it can no longer be undone; it is empty when it can. (Whether each of its old files is still
    whole is only seen by undoing it.)
    """

    transaction: str
    changes: tuple[Change, ...]
    when: float
    pid: int
    command: str
    requests: tuple[str, ...]
    sources: dict[str, Origin]
    why_not: str = ""

    @property
    def undoable(self) -> bool:
        """Whether it can be undone."""
        return not self.why_not


class History(Rows[Past]):
    """All that happened, newest first."""

    empty = "Nothing has happened."


@dataclass(frozen=True)
class Finding(Shown):
    """Something that other tools, or a kill, have left broken.

    `kind`: duplicate, broken, missing, changed, replaced (by another distribution), left over, unowned, unreadable or
    unfinished. `name` is the distribution, where it is known; `path` is absolute; `what` is wrong, and what a repair
    does to `mend` it: empty if nothing.
    `outcome` of a repair: mended, staged, or why not; empty if none was tried.
    """

    kind: str
    name: str
    path: str
    what: str
    mend: str
    outcome: str = ""


class Findings(Rows[Finding]):
    """All that is broken."""

    empty = "Nothing is wrong."


@dataclass(frozen=True)
class Stale:
    """A distribution that this process has loaded in another version than the one that is installed."""

    name: str
    running: str
    installed: str

    def __str__(self) -> str:
        """`running numpy 1.26.4, installed 2.2.6`."""
        return f"running {self.name} {self.running}, installed {self.installed or 'none'}"


@dataclass(frozen=True)
class Check(Shown):
    """What is wrong with an environment: requirements that do not hold, what is damaged, and what runs outdated."""

    broken: tuple[str, ...] = ()
    damaged: tuple[Finding, ...] = ()
    stale: tuple[Stale, ...] = ()
    overlaps: tuple[Overlap, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.broken or self.damaged or self.stale)


@dataclass(frozen=True)
class Listed(Shown):
    """A distribution: the version that is `installed`, what this process has `loaded`, and what is `pending`.

    Each is empty where there is none; a pending removal is "removed". `project` is the source directory of an editable
    install, `place` the directory that it is imported from. `overlaps`: the files that others bring too.
    """

    name: str
    installed: str
    loaded: str = ""
    pending: str = ""
    project: str = ""
    place: str = ""
    overlaps: tuple[Overlap, ...] = ()


class Listing(Rows[Listed]):
    """Distributions, by name."""

    empty = "Nothing is installed."


@dataclass(frozen=True)
class VersionInUse:
    """A version that a process imports. `place` is its directory in a store, empty for the default environment."""

    name: str
    version: str
    place: str = ""

    def __str__(self) -> str:
        """`cherrypy 2.3.0 (beside the environment)`."""
        return f"{self.name} {self.version} ({'beside' if self.place else 'in'} the environment)"


InUse = VersionInUse  # its name up to 0.1.0, for pickles


@dataclass(frozen=True)
class StoredVersion:
    """A version in a store, whether or not a process imports it. `place` is its directory."""

    name: str
    version: str
    place: str

    def __str__(self) -> str:
        """`cherrypy 2.3.0 (beside the environment)`."""
        return f"{self.name} {self.version} (beside the environment)"


@dataclass(frozen=True)
class RegistryLookup:
    """Whether interpreters of an environment look for a registry when they start.

    `guarded` is the same as `enabled`: the key that the JSON of 0.1.0 has.
    """

    site: str
    enabled: bool
    guarded: bool = field(init=False)

    def __post_init__(self) -> None:
        """Keep the former key."""
        object.__setattr__(self, "guarded", self.enabled)


@dataclass(frozen=True)
class Activation(Shown):
    """What is active in this process beside the default environment, and `why`, in words.

    `source` is the registry's file, or what stands for it. `distributions` are those that `require()` was asked for
    and all that they need, or all of a registry. `conflicts`: requirements of the default environment that what is
    active does not satisfy. `exclusive`: the default environment is shut out.
    """

    why: str
    source: str
    distributions: tuple[VersionInUse, ...]
    conflicts: tuple[str, ...] = ()
    exclusive: bool = False


@dataclass(frozen=True)
class Registered(Shown):
    """A registry: its `name` and file, the distributions and top-level names that it has, and what is wrong with it.

    `problems` are looked for by `registry check` only. `enabled`: starts of Python look for registries.
    """

    name: str
    path: str
    distributions: tuple[StoredVersion, ...] = ()
    names: tuple[str, ...] = ()
    exclusive: bool = False
    problems: tuple[str, ...] = ()
    enabled: bool = True


@dataclass(frozen=True)
class Versions(Shown):
    """All versions of one distribution: in the `default` environment, `stored` beside it, `pending` and `active`.

    What there is none of is empty. `active` is what an import finds in this process, or has found already; `stored` are
    those that this interpreter can use, the newest first.
    """

    name: str
    default: str = ""
    stored: tuple[str, ...] = ()
    pending: str = ""
    active: str = ""


@dataclass(frozen=True)
class Status(Shown):
    """An environment at a glance. `unreadable` are files of ours on disk that could not be read.

    `guarded`: every interpreter of the environment holds what it uses. `active`: what is active in this process beside
    the environment. `registries`: whether starts of Python look for a registry; `ignored`: the one that
    LIVEINSTALL_REGISTRY names, where they do not. `python`: the interpreter that child processes are started with;
    `python_from` says how it was found where this process is a program that embeds Python, and is empty elsewhere.
    """

    target: Target
    pending: tuple[Pending, ...]
    holders: tuple[Holder, ...]
    distributions: int
    unreadable: tuple[str, ...] = ()
    guarded: bool = False
    active: Activation | None = None
    registries: bool = False
    ignored: str = ""
    python: str = ""
    python_from: str = ""

    @cached_property
    def restart_required(self) -> bool:
        """Whether something waits for a restart."""
        return any(item.state == "pending" for item in self.pending)
