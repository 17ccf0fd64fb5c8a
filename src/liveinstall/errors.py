"""All errors: one base class, typed attributes, and messages that say what failed and what is unchanged.

Each class has a section in `docs/errors.md`, named like the class.
"""

from __future__ import annotations

from liveinstall._redact import redact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OS_CODE = r"\[(?:Errno|WinError) -?\d+\] ?"  # what follows it is the same in words


class LiveInstallError(Exception):
    """The base class of all errors of liveinstall.

    The class attribute `unchanged` is a sentence that says which state was kept; `usual_todo` is one that says how to
    proceed after most errors of the class. No attribute contains credentials: they are removed from requirements and
    from the output of programs, because errors are displayed, logged and sent.

    Args:
        what: A sentence that says what failed.
        todo: A sentence that says how to proceed. Default: `usual_todo` of the class, which may be empty.
        **details: The attributes that a subclass declares; they become attributes of the error.
    """

    unchanged = "Nothing was changed."
    usual_todo = ""

    def __init__(self, what: str, *, todo: str = "", **details: Any) -> None:
        import re  # which most calls do without

        self.what = re.sub(_OS_CODE, "", redact(what))
        super().__init__(self.what)
        self.todo = redact(todo) or self.usual_todo
        self.details = {name: _without_secrets(value) for name, value in details.items()}
        for name, value in self.details.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        """Join the sentences about the failure, the unchanged state and the next step."""
        return " ".join(map(_with_stop, filter(None, (self.what, self.unchanged, self.todo))))

    def _render_traceback_(self) -> list[str]:
        """The lines that IPython shows instead of a traceback: the message says what a user can do, frames do not."""
        return [f"{type(self).__name__}: {self}", *getattr(self, "__notes__", ())]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the keyword arguments, which `Exception` omits."""
        return _rebuild, (type(self), self.what, self.todo, self.details)


def _with_stop(text: str) -> str:
    """A text with one full stop at its end, unless it ends like a sentence or an example."""
    text = text.rstrip()
    if text.endswith(("..", "?.", "!.")) and not text.endswith("..."):
        return text[:-1]
    return text if text[-1:] in ".!?:`" else f"{text}."


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if type(value) is dict:
        return {key: _without_secrets(each) for key, each in value.items()}
    return type(value)(map(_without_secrets, value)) if type(value) in (tuple, list) else value


def _rebuild(kind: type[LiveInstallError], what: str, todo: str, details: dict[str, Any]) -> LiveInstallError:
    return kind(what, todo=todo, **details)


class RequirementError(LiveInstallError, ValueError):
    """A requirement, an option or a combination of options is invalid. `requirement` is the offending text."""

    requirement: str


class TargetError(LiveInstallError):
    """The running interpreter's environment cannot be modified. `site` is its site-packages directory, or empty."""

    site: str


class NotWritableError(TargetError):
    """The environment's directories cannot be written to."""


class ExternallyManagedError(TargetError):
    """The environment is managed by another package manager (PEP 668)."""


class DisabledError(LiveInstallError):
    """Changes are disabled for this process by the environment variable `LIVEINSTALL_DISABLE`."""


class DeclinedError(LiveInstallError):
    """The `consent` callback of a Host declined the request of `plugin`. `plan` has the declined changes."""

    plugin: str
    plan: Any


class EngineError(LiveInstallError):
    """The engine (pip or uv) failed. `log` is its output, without credentials."""

    log: str = ""


class ResolutionError(EngineError):
    """No set of versions satisfies the requirements."""

    usual_todo = "Check the names, the versions and the package sources."


class ProtectedError(ResolutionError):
    """A request would break a requirement of the host or of another requester. `requesters` names them."""

    requesters: tuple[str, ...] = ()


class DownloadError(EngineError):
    """An index or a file could not be downloaded, or its hash differs from the expected one."""

    usual_todo = "Check the address and the network, and try again."


class BuildError(EngineError):
    """A source distribution could not be built."""


class RequestCancelledError(LiveInstallError):
    """The request was cancelled from another thread. Its child processes have exited."""


class EngineTimeoutError(EngineError):
    """The engine exceeded the caller's timeout and was stopped."""


class WheelRefusedError(LiveInstallError):
    """A wheel violates a rule of safe unpacking. `entry` is the offending member of the archive."""

    usual_todo = "Download the file again; if that does not help, report it to its project."
    wheel: str
    entry: str


class FileConflictError(LiveInstallError):
    """A file at `path` would be overwritten. `owner` is its distribution; empty if no RECORD lists it."""

    path: str
    owner: str


class DamagedError(LiveInstallError):
    """An installed distribution cannot be replaced safely: no RECORD, a damaged one, or two dist-infos."""

    name: str


class RestartRequiredError(LiveInstallError):
    """With `when="now"`, a running process uses a distribution that would change. `reasons`: name -> reason."""

    reasons: dict[str, str]


class ConflictError(LiveInstallError):
    """The request would break installed distributions. `conflicts` lists them, `remedy` is as in `Result`."""

    conflicts: tuple[str, ...] = ()
    remedy: tuple[str, ...] = ()


class StagingError(LiveInstallError):
    """The files of a change could not be written, for example because the disk is full. No files were left behind."""


class CommitError(LiveInstallError):
    """The swap of old and new files failed and was rolled back."""

    unchanged = "The old versions are in place."


class LockTimeoutError(LiveInstallError, TimeoutError):
    """Another process is changing the environment. `holder` describes it, if it is known."""

    holder: str


class NotPendingError(LiveInstallError, LookupError):
    """`cancel()` was called for a distribution without pending changes."""


class UndoError(LiveInstallError):
    """A transaction cannot be undone. `transaction` is its id; may be empty."""

    transaction: str


class NotHappenedError(UndoError, LookupError):
    """`undo()` was called with an unknown transaction, or with one that is still pending."""

    usual_todo = "liveinstall.history() lists the changes that liveinstall has made."


class MovedOnError(UndoError):
    """The distribution `name` has been changed since the transaction."""

    name: str


class RetiredError(UndoError):
    """The old files of the distribution `name` are missing or damaged. `path` is such a file; may be empty."""

    name: str
    path: str


class CannotRestartError(LiveInstallError):
    """Python cannot be restarted from within the current front end. `place` is its name."""

    place: str


class CannotKeepError(LiveInstallError):
    """Variables cannot be kept over a restart. `lost` has the reason for each of them.

    `sizes`, if they are too large, has the bytes of each.
    """

    unchanged = "Nothing was restarted, and nothing is lost."
    lost: dict[str, str]
    sizes: dict[str, int] = {}  # noqa: RUF012


class OwnerError(LiveInstallError, ImportError):
    """A location cannot be imported from, for example a wheel for another Python. `place` is the location."""

    unchanged = ""
    place: str


class TrialError(LiveInstallError):
    """A preview could not be made or exceeded its timeout. `stdout` and `stderr` have the output until then."""

    stdout: str = ""
    stderr: str = ""


class VerificationError(LiveInstallError):
    """The distributions to be installed cannot be imported. `failures`: module -> traceback of the import."""

    unchanged = "Nothing was staged or changed."
    failures: dict[str, str]


class LockError(LiveInstallError):
    """A lock for a cluster cannot be made or read, or does not fit an environment or its wheels.

    `name` is the distribution or file that it fails for, or empty.
    """

    name: str


class PreparedError(LiveInstallError):
    """A prepared change is unknown, or no longer fits its environment. `prepared` is its id."""

    prepared: str


class ClusterError(LiveInstallError):
    """A request on a cluster failed. `outcome` has a row for each environment; None if it did not come that far."""

    unchanged = "Every environment is as before."
    outcome: Any


class HomeError(LiveInstallError):
    """A home (linked environment) cannot be made, run or removed. `path` is its directory."""

    path: str


class StagedImportError(LiveInstallError, ModuleNotFoundError):
    """The imported module is staged, and available only after Python has started again. `name` is the module."""

    unchanged = ""

    def __init__(self, what: str, *, todo: str = "", **details: Any) -> None:
        LiveInstallError.__init__(self, what, todo=todo, **details)
        self.name = details.get("name")


class StoreError(LiveInstallError):
    """A directory is not a store of wheels, or cannot be read or written. `store` is its path."""

    store: str


class RegistryError(LiveInstallError):
    """A registry is missing, unreadable, or lists missing versions. `registry` is its file or name."""

    registry: str


class RegistryConflictError(RegistryError):
    """A registry gives two locations for one name. `lines` are the two contradicting lines."""

    lines: tuple[str, ...] = ()


class ActivationError(LiveInstallError):
    """`require()` cannot activate the requirements in this process.

    `name` is the distribution that it fails for. `chains` has a chain of requirements for each dependent that needs it.
    """

    unchanged = "Nothing was activated."
    name: str
    chains: tuple[tuple[str, ...], ...] = ()


class NotStoredError(ActivationError, LookupError):
    """`require()` found no matching version in the store or in the environment. `install=True` fetches one."""


class AlreadyLoadedError(ActivationError):
    """`require()` needs another version than the one that this process has loaded. `running` is the loaded version."""

    running: str = ""
