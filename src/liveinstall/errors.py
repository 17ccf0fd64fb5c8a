"""Every error of liveinstall: one root, typed attributes, a message that says what failed and what is unchanged.

Each class has a section in `docs/errors.md`, named like the class.
"""

from __future__ import annotations

from typing import Any

from liveinstall._redact import redact


class LiveInstallError(Exception):
    """The root of all errors here.

    Attributes: `what` failed, what one can `todo` about it, and what is `unchanged`; each a sentence or empty.
    Keyword arguments beyond these become attributes; each subclass declares its own. None of them has a secret: what
    somebody has asked for, and what programs have said, may have some, and errors are shown, logged and sent on.
    """

    unchanged = "Nothing was changed."

    def __init__(self, what: str, *, todo: str = "", **details: Any) -> None:
        super().__init__(redact(what))
        self.what = redact(what)
        self.todo = redact(todo)
        self.details = {name: _without_secrets(value) for name, value in details.items()}
        for name, value in self.details.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        """Join what failed, what is unchanged and what to do."""
        return " ".join(part for part in (self.what, self.unchanged, self.todo) if part)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the keyword arguments, which `Exception` would lose."""
        return _rebuild, (type(self), self.what, self.todo, self.details)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if type(value) is dict:
        return {key: _without_secrets(each) for key, each in value.items()}
    return type(value)(map(_without_secrets, value)) if type(value) in (tuple, list) else value


def _rebuild(kind: type[LiveInstallError], what: str, todo: str, details: dict[str, Any]) -> LiveInstallError:
    return kind(what, todo=todo, **details)


class RequirementError(LiveInstallError, ValueError):
    """A requirement, option or combination of options that cannot be understood."""

    requirement: str


class TargetError(LiveInstallError):
    """The running interpreter has no environment that could be changed."""

    site: str


class NotWritableError(TargetError):
    """The environment's directories cannot be written to."""


class ExternallyManagedError(TargetError):
    """Another package manager owns this environment (PEP 668)."""


class DisabledError(LiveInstallError):
    """Changes are switched off for this process by whoever deploys it: `LIVEINSTALL_DISABLE`."""


class DeclinedError(LiveInstallError):
    """Whoever was asked for consent said no. `plugin` is whose request it was, `plan` what would have happened."""

    plugin: str
    plan: Any


class EngineError(LiveInstallError):
    """The engine (pip or uv) failed. `log` is what it said, without credentials."""

    log: str = ""


class ResolutionError(EngineError):
    """No set of versions satisfies the request."""


class ProtectedError(ResolutionError):
    """A request would break what another requester asked for, or what the host protects. `requesters` says who."""

    requesters: tuple[str, ...] = ()


class DownloadError(EngineError):
    """An index or a file could not be reached, or what came was not what was promised."""


class BuildError(EngineError):
    """A source distribution could not be built."""


class RequestCancelledError(LiveInstallError):
    """The request was cancelled from another thread. Its child processes have ended."""


class EngineTimeoutError(EngineError):
    """The engine did not finish in the time that the caller allowed. It was stopped."""


class WheelRefusedError(LiveInstallError):
    """A wheel breaks a rule of safe unpacking. `entry` is the offending name in it."""

    wheel: str
    entry: str


class FileConflictError(LiveInstallError):
    """A file of another distribution, or of nobody, is in the way. `owner` is the distribution or empty."""

    path: str
    owner: str


class DamagedError(LiveInstallError):
    """An installed distribution cannot be replaced safely: no RECORD, a damaged one, or two dist-infos."""

    name: str


class RestartRequiredError(LiveInstallError):
    """`when="now"` was asked for, but a change would disturb what is running. `reasons`: name -> why."""

    reasons: dict[str, str]


class StagingError(LiveInstallError):
    """What a change needs could not be written: the disk is full, or refuses. Nothing was left behind."""


class CommitError(LiveInstallError):
    """A swap failed and was rolled back."""

    unchanged = "The old versions are in place."


class LockTimeoutError(LiveInstallError, TimeoutError):
    """Another process is changing the environment. `holder` says which, where it is known."""

    holder: str


class NotPendingError(LiveInstallError, LookupError):
    """`cancel()` was asked for something that does not wait."""


class UndoError(LiveInstallError):
    """A transaction cannot be undone. `transaction` is its id, or empty."""

    transaction: str


class NotHappenedError(UndoError, LookupError):
    """`undo()` was asked for a transaction that has not happened: nobody knows it, or it only waits."""


class MovedOnError(UndoError):
    """What the transaction put in is no longer what is there. `name` is the distribution."""

    name: str


class RetiredError(UndoError):
    """The old files that undoing needs are gone or damaged. `name` is the distribution, `path` the file or empty."""

    name: str
    path: str


class CannotRestartError(LiveInstallError):
    """`restart()` was called where nobody can restart Python from within. `place`: where."""

    place: str


class OwnerError(LiveInstallError, ImportError):
    """A place that modules come from cannot be used: a wheel that is not for this Python, an archive of another one."""

    unchanged = ""
    place: str


class TrialError(LiveInstallError):
    """A trial could not be made, or did not end in its time. `stdout` and `stderr`: what it had said until then."""

    stdout: str = ""
    stderr: str = ""


class VerificationError(LiveInstallError):
    """What was to be installed cannot be imported. `failures`: module -> the traceback of its import."""

    unchanged = "Nothing was staged or changed."
    failures: dict[str, str]


class HomeError(LiveInstallError):
    """A home cannot be made, run or removed. `path` is its directory."""

    path: str


class StagedImportError(LiveInstallError, ModuleNotFoundError):
    """A module was imported that only the next start of Python will have."""

    unchanged = ""

    def __init__(self, what: str, *, todo: str = "", **details: Any) -> None:
        LiveInstallError.__init__(self, what, todo=todo, **details)
        self.name = details.get("name")


class StoreError(LiveInstallError):
    """A store of wheels cannot be used, written to, or is none. `store` is its directory."""

    store: str


class RegistryError(LiveInstallError):
    """A registry is not there, cannot be read, or names what is not there. `registry` is its file, or its name."""

    registry: str


class RegistryConflictError(RegistryError):
    """A registry has one name in two places. `lines` are the two that contradict each other."""

    lines: tuple[str, ...] = ()


class ActivationError(LiveInstallError):
    """`require()` cannot give this process what it was asked for.

    `name`: the distribution that it fails for. `chains`: for each who needs it, the requirements that lead there.
    """

    unchanged = "Nothing was activated."
    name: str
    chains: tuple[tuple[str, ...], ...] = ()


class NotStoredError(ActivationError, LookupError):
    """`require()` found no version that fits, in the store or in the environment. It can be fetched."""


class AlreadyLoadedError(ActivationError):
    """`require()` would need another version of what this process has loaded. `running` is the version that it has."""

    running: str = ""
