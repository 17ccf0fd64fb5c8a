"""The protocol of engines, which resolve, download and build. An engine never changes an environment."""

from __future__ import annotations

from liveinstall._system.lean_dataclasses import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol, Self

    from liveinstall._model import Candidate
    from liveinstall._requirements.request import Request
    from liveinstall.events import Event
    from liveinstall.results import Origin
else:
    Protocol = object  # a real protocol takes longer to create than the rest of this module

# The ends of what may be a file for one engine and the name of a project for another.
ARCHIVES = (".whl", ".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".xz", ".txz", ".lzma", ".zst")


class View(NamedTuple):
    """The environment that an engine resolves for: the distributions after all pending changes.

    Attributes:
        parts: The directories of staged parts, which precede `sys.path`.
        hidden: The metadata directories to ignore, because they will be replaced or removed.
        here: The metadata directories of the installed distributions that stay.
    """

    parts: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    here: tuple[str, ...] = ()


class Engine(Protocol):
    """Resolves a request and fetches its wheels.

    As a context manager it stops on exit what it has started on entry, or for an expected request.

    Attributes:
        name: "pip" or "uv".
        reason: Why it was chosen, for people.
        unpacks: Whether it unpacks most wheels itself, so that they are linked, and need no `installer`.
    """

    name: str
    reason: str

    @property
    def unpacks(self) -> bool: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def fresh(self) -> Engine:
        """Return a new engine of the same kind, not entered yet: each can resolve only once."""

    def expect(self, requirements: Sequence[Any], options: Mapping[str, Any]) -> None:
        """Announce the probable request, so that the engine can begin with it. Never raises.

        Args:
            requirements: The requirements as the caller gave them, unchecked.
            options: The options of `install()`, unchecked.
        """

    def sources(self) -> Mapping[str, Origin]:
        """The origins of the resolved distributions, by name, that became known only after `resolve()`."""

    def warnings(self) -> Sequence[str]:
        """Return the engine's warnings of `resolve()`, such as a missing extra: texts without a full stop."""

    def keep(self) -> None:
        """Keep the fetched files on exit, because they are in use now."""

    def resolve(
        self,
        request: Request,
        view: View,
        directory: str,
        *,
        fetch: bool,
        tell: Callable[[Event], None],
        listed: bool = False,
    ) -> Sequence[Candidate]:
        """Resolve a request.

        Args:
            request: The request.
            view: The environment to resolve for.
            directory: An empty directory for files, absolute; the caller removes it.
            fetch: Whether to fetch the wheels: then each candidate has a local file or an unpacked wheel.
            tell: Receives `Downloading` and `Retrying` events.
            listed: Whether to list the files of wheels that are not fetched.

        Returns:
            The distributions to install, in the engine's order.

        Raises:
            EngineError: The engine failed.
            RequestCancelledError: The request was cancelled.
        """
