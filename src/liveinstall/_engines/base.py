"""The border to what resolves, downloads and builds. An engine changes no environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    from liveinstall._model import Candidate
    from liveinstall._requirements.request import Request
    from liveinstall.events import Event
    from liveinstall.results import Origin


class View(NamedTuple):
    """The environment as the engine shall see it: what will be installed once all that waits has happened.

    `parts` are directories put in front of sys.path, `hidden` metadata directories that shall not be seen. `here` are
    those that are seen now and will be.
    """

    parts: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    here: tuple[str, ...] = ()


class Engine(Protocol):
    """Resolves a request and fetches its wheels.

    Entering it as a context starts what can be started before the request is known; leaving it ends that.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def fresh(self) -> Engine:
        """Another engine of the same kind, not entered yet: each can be asked to resolve once."""
        ...

    def expect(self, requirements: Sequence[Any], options: Mapping[str, Any]) -> None:
        """What will probably be asked, unchecked, as it was typed: an engine may begin with it. Never raises."""
        ...

    def sources(self) -> Mapping[str, Origin]:
        """Where what was resolved came from, by name, as far as it became known only after `resolve()`."""
        ...

    def keep(self) -> None:
        """What was fetched is in use now: leaving the context removes none of it."""
        ...

    def resolve(
        self, request: Request, view: View, directory: str, *, fetch: bool, tell: Callable[[Event], None]
    ) -> Sequence[Candidate]:
        """What has to be installed, in the engine's order; with `fetch` each candidate's is a local file or tree.

        `directory`: an empty directory for files, which the caller removes. `tell` hears of downloads. Raises
        EngineError, RequestCancelledError.
        """
        ...
