"""The values that read-only verbs return. Changes need none of them, so they are in a separate module."""

from __future__ import annotations

from functools import cached_property

from liveinstall._system.lean_dataclasses import dataclass, field
from liveinstall.results import Change, Holder, ImportTrial, Origin, Overlap, Pending, Rows, Shown, Target


@dataclass(frozen=True, repr=False)
class Ran(Shown):
    """The outcome of a program that was run to its end.

    Attributes:
        returncode: The exit status; the negative number of the signal if one has killed the program.
        stdout: The standard output.
        stderr: The standard error output.
        seconds: The duration, in seconds.
    """

    returncode: int
    stdout: str
    stderr: str
    seconds: float = field(default=0.0, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the exit status is 0."""
        return self.returncode == 0


@dataclass(frozen=True, repr=False)
class Trial(Ran):
    """The outcome of a program in a preview of the environment after the restart.

    The fields of `Ran` come first; `seconds` includes the creation of the preview.

    Attributes:
        changes: The pending changes that were applied in the preview.
        notes: The reasons why other pending changes were not applied, for people.
    """

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Home(Shown):
    """A virtual environment with packages that are linked from a store.

    Attributes:
        path: Its directory, absolute.
        python: Its interpreter, absolute.
        version: The exact version of Python that it was created for, such as "3.12.1".
        distributions: The (name, version) of each distribution in it.
        requests: The requirements that it was created for.
        overlaps: The files that several of its distributions contain with different contents; known at its creation.
        over: The directory of its base environment; empty if it has none.
        conflicts: The requirements of distributions of the base environment that the home's versions do not satisfy,
            for people; known at its creation.
        base_changes: What has changed in the base environment since then; known from `homes.look()`.
    """

    path: str
    python: str
    version: str
    distributions: tuple[tuple[str, str], ...] = ()
    requests: tuple[str, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    over: str = ""
    conflicts: tuple[str, ...] = ()
    base_changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Guard:
    """Whether a setting that takes effect at each start of Python is enabled for an environment.

    Attributes:
        site: The site-packages directory of the environment.
        guarded: Whether it is enabled.
    """

    site: str
    guarded: bool


@dataclass(frozen=True, repr=False)
class Past(Shown):
    """A transaction that was applied.

    Attributes:
        transaction: The transaction's id.
        changes: The changes that it made.
        when: When it was applied, a POSIX timestamp in seconds.
        pid: The id of the process that requested it.
        command: The command line of that process.
        requests: The requests as the callers wrote them.
        sources: The origin of each installed distribution, by name.
        why_not: The reason why it can no longer be undone; empty if it can. The kept files have been compared with
            their RECORD, as `undo()` does.
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
    """All applied transactions, newest first."""

    empty = "No transactions yet."


@dataclass(frozen=True, repr=False)
class Finding(Shown):
    """Damage that another tool or a killed process has left.

    Attributes:
        kind: "duplicate", "broken", "missing", "changed", "replaced" (by another distribution), "left over",
            "unowned", "unreadable" or "unfinished".
        name: The distribution; empty if unknown.
        path: The absolute path of the file or directory.
        what: A description of the damage.
        mend: The repair that `repair()` makes; empty if there is none.
        outcome: The outcome of a repair: "repaired", "staged", or the reason why it failed; empty if none was tried.
    """

    kind: str
    name: str
    path: str
    what: str
    mend: str
    outcome: str = ""


class Findings(Rows[Finding]):
    """All damage that was found."""

    empty = "No problems found."


@dataclass(frozen=True)
class Stale:
    """A distribution of which this process has loaded another version than the installed one.

    Attributes:
        name: The distribution.
        running: The loaded version.
        installed: The installed version; empty if none is installed.
    """

    name: str
    running: str
    installed: str

    def __str__(self) -> str:
        """`running numpy 1.26.4, installed 2.2.6`."""
        return f"running {self.name} {self.running}, installed {self.installed or 'none'}"


@dataclass(frozen=True, repr=False)
class Check(Shown):
    """The problems of an environment.

    Attributes:
        broken: The requirements of installed distributions that are not satisfied.
        damaged: The files that do not match their RECORD, and other damage.
        stale: The distributions of which this process has loaded another version than the installed one.
        overlaps: The files that several distributions contain with different contents.
    """

    broken: tuple[str, ...] = ()
    damaged: tuple[Finding, ...] = ()
    stale: tuple[Stale, ...] = ()
    overlaps: tuple[Overlap, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no problem was found."""
        return not (self.broken or self.damaged or self.stale)


@dataclass(frozen=True, repr=False)
class Listed(Shown):
    """A distribution with its versions; none where a field is empty.

    Attributes:
        name: The normalized project name.
        installed: The installed version.
        loaded: The version that this process has loaded.
        pending: The pending version; "removed" for a pending removal.
        project: The source directory of an editable install.
        place: The directory that it is installed in, absolute.
        overlaps: Its files that other distributions contain, too.
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

    empty = "No distributions found."


class Requirements(Rows[str]):
    """Lines of a requirements file."""

    empty = "Nothing is installed."


@dataclass(frozen=True)
class VersionInUse:
    """A version of a distribution and its location.

    Attributes:
        name: The distribution.
        version: The version.
        place: Its directory in a store, absolute; empty for the default environment.
    """

    name: str
    version: str
    place: str = ""

    def __str__(self) -> str:
        """`cherrypy 2.3.0 (side by side)`."""
        return f"{self.name} {self.version} ({'side by side' if self.place else 'in the environment'})"


InUse = VersionInUse  # the former name, up to version 0.1.0, for pickles


@dataclass(frozen=True)
class StoredVersion:
    """A version in a store, whether or not a process imports it.

    Attributes:
        name: The distribution.
        version: The version.
        place: Its directory, absolute.
    """

    name: str
    version: str
    place: str

    def __str__(self) -> str:
        """`cherrypy 2.3.0 (side by side)`."""
        return f"{self.name} {self.version} (side by side)"


@dataclass(frozen=True)
class RegistryLookup:
    """Whether the interpreters of an environment activate a registry at start-up.

    Attributes:
        site: The site-packages directory of the environment, absolute.
        enabled: Whether registries are enabled.
        guarded: The same as `enabled`: the key in the JSON of version 0.1.0.
    """

    site: str
    enabled: bool
    guarded: bool = field(init=False)

    def __post_init__(self) -> None:
        """Set the former key."""
        object.__setattr__(self, "guarded", self.enabled)


@dataclass(frozen=True, repr=False)
class Activation(Shown):
    """The versions that are active in this process in addition to the default environment.

    Attributes:
        why: The cause of the activation, for people.
        source: The registry's file, or the call that has activated the versions.
        distributions: The distributions that `require()` activated, with their dependencies, or all of a registry.
        conflicts: The requirements of the default environment that the active versions do not satisfy.
        exclusive: Whether the default environment cannot be imported from.
    """

    why: str
    source: str
    distributions: tuple[VersionInUse, ...]
    conflicts: tuple[str, ...] = ()
    exclusive: bool = False


@dataclass(frozen=True, repr=False)
class Registered(Shown):
    """A registry: a named set of versions.

    Attributes:
        name: Its name.
        path: Its file, absolute.
        distributions: The versions in it.
        names: The top-level import names that it provides.
        exclusive: Whether no other packages can be imported while it is active.
        problems: The problems that `registries.check()` has found; other functions only report an unreadable file.
        enabled: Whether registries are enabled for this environment at the start of Python.
    """

    name: str
    path: str
    distributions: tuple[StoredVersion, ...] = ()
    names: tuple[str, ...] = ()
    exclusive: bool = False
    problems: tuple[str, ...] = ()
    enabled: bool = True


@dataclass(frozen=True, repr=False)
class Versions(Shown):
    """All versions of one distribution; none where a field is empty.

    Attributes:
        name: The normalized project name.
        default: The version in the default environment.
        stored: The versions in the side-by-side store that this interpreter can use, newest first.
        pending: The pending version; "removed" for a pending removal.
        active: The version that this process has imported, or would import.
    """

    name: str
    default: str = ""
    stored: tuple[str, ...] = ()
    pending: str = ""
    active: str = ""


@dataclass(frozen=True, repr=False)
class Status(Shown):
    """A summary of an environment.

    Attributes:
        target: The environment's installation scheme.
        pending: The pending transactions.
        holders: The running processes that use the environment.
        distributions: The number of installed distributions.
        unreadable: The state files of liveinstall that could not be read and are ignored.
        guarded: Whether all interpreters of the environment protect the packages that they use.
        active: The side-by-side versions that are active in this process; None without any.
        registries: Whether registries are enabled at the start of Python.
        ignored: The registry that LIVEINSTALL_REGISTRY names although registries are not enabled; else empty.
        python: The interpreter that child processes are started with.
        python_from: How it was found, if this process is a program that embeds Python; else empty.
        trial: The outcome of this process's background trial of the restart; None if there is none yet.
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
    trial: ImportTrial | None = None

    @cached_property
    def restart_required(self) -> bool:
        """Whether any change is pending until Python starts again."""
        return any(item.state == "pending" for item in self.pending)
