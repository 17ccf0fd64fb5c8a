"""uv where pip would do the same: if uv fails, or may have chosen something else, pip resolves the same request.

So no request fails, or has another result, only because uv was there.
"""

from __future__ import annotations

import os
from contextlib import ExitStack

from liveinstall._engines.agreement import divergence, do_without_uv, is_plain
from liveinstall._redact import redact
from liveinstall._system.lean_packaging import leading_name
from liveinstall.errors import DownloadError, EngineError, EngineTimeoutError, WheelRefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Self

    from liveinstall._engines.base import Engine, View
    from liveinstall._engines.uv.engine import UvEngine
    from liveinstall._model import Candidate
    from liveinstall._requirements.request import Request
    from liveinstall.events import Event
    from liveinstall.results import Origin

_MOST = 200  # characters of uv's message
_RETRIES = {"UV_HTTP_RETRIES": "1"}  # pip tries it again anyway; by default uv gives up after 14 seconds


class FallbackEngine:
    """uv, then pip if necessary.

    Args:
        uv: The engine for uv, not entered yet.
        pip: Creates the engine for pip.

    Attributes:
        name: The name of the engine that has resolved the request, or is about to.
        reason: Why it was chosen.
    """

    name, reason = "uv", ""

    def __init__(self, uv: UvEngine, pip: Callable[[], Engine]) -> None:
        self._uv, self._pip = uv, pip
        self._current: Engine = uv
        uv.more_variables = _RETRIES
        self._entered = ExitStack()
        self._notes: tuple[str, ...] = ()

    @property
    def unpacks(self) -> bool:
        """See `Engine.unpacks`."""
        return self._current.unpacks

    def __enter__(self) -> Self:
        """Enter the engine for uv."""
        self._entered.enter_context(self._uv)
        return self

    def __exit__(self, *failure: object) -> None:
        """Exit all engines that were entered."""
        self._entered.__exit__(*failure)  # type: ignore[arg-type]

    def fresh(self) -> Engine:
        """Return the engine for pip: what is resolved in addition is not installed, so uv would download in vain."""
        return self._pip()

    def expect(self, requirements: Sequence[Any], options: Mapping[str, Any]) -> None:
        """See `Engine.expect`. uv may trust an index page for minutes, pip does not, so these pages are refreshed."""
        if not options.get("no_index"):
            self._uv.more = tuple(f"--refresh-package={leading_name(each)}" for each in requirements)
        self._uv.expect(requirements, options)

    def sources(self) -> Mapping[str, Origin]:
        """See `Engine.sources`."""
        return self._current.sources()

    def warnings(self) -> Sequence[str]:
        """See `Engine.warnings`. A failure of uv is one."""
        return (*self._current.warnings(), *self._notes)

    def keep(self) -> None:
        """See `Engine.keep`."""
        self._current.keep()

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
        """See `Engine.resolve`."""
        failure: Exception | None = None
        found: Sequence[Candidate] = ()
        reason = _irregular(request)
        try:
            if not reason:
                found = self._uv.resolve(request, view, directory, fetch=fetch, tell=tell, listed=listed)
                reason = divergence(found)
            if not reason:
                return found
        except EngineTimeoutError:
            raise
        except (EngineError, WheelRefusedError) as error:
            failure, reason = error, f"uv failed: {error.what[:_MOST].rstrip('.')}"
        self.name, self.reason = "pip", reason
        self._current = self._entered.enter_context(self._pip())
        directory = os.path.join(directory, "pip")
        os.mkdir(directory)
        found = self._current.resolve(request, view, directory, fetch=fetch, tell=tell, listed=listed)
        if failure:
            self._notes = (f"pip was used, because {reason}",)
        if type(failure) in (EngineError, DownloadError):
            do_without_uv(reason)
        return found


def _irregular(request: Request) -> str:
    """A requirement or constraint that is not plain, as a reason: another requester may have added it."""
    texts = (*request.requirements, *request.constraints)
    return next((f"{redact(text)} is required" for text in texts if not is_plain(text)), "")
