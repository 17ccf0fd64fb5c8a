"""pip as the engine: `pip install --dry-run --report` resolves, `pip wheel` fetches the distributions of the report.

Importing pip in the child process takes longer than all imports in this process. So the child is started as early as
possible, and the other modules are imported meanwhile.
"""

from __future__ import annotations

import os
from contextlib import suppress

from liveinstall._system.caller import place_of
from liveinstall._system.child_process import Child
from liveinstall._system.interpreter import executable
from liveinstall.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Self

    from liveinstall._engines.base import View
    from liveinstall._model import Candidate
    from liveinstall._requirements.request import Request
    from liveinstall.events import Event
    from liveinstall.results import Origin

_CHILD = os.path.join(os.path.dirname(__file__), "_pip_child.py")


class PipEngine:
    """pip in a child process of the running interpreter."""

    name, reason = "pip", ""
    unpacks = False

    def __enter__(self) -> Self:
        """See `Engine.__enter__`. The child process is started as soon as the request is expected."""
        self._checkouts: list[str] = []
        self._warnings: tuple[str, ...] = ()
        self._child: Child | None = None
        return self

    def __exit__(self, kind: object = None, *_: object) -> None:
        """Stop the child process if it still runs. After a failure its checkouts are removed too."""
        if self._child:
            self._child.stop()
        if kind and self._checkouts:
            from shutil import rmtree

            for path in self._checkouts:
                rmtree(path, ignore_errors=True)

    def expect(self, requirements: object, options: Mapping[str, Any]) -> None:  # noqa: ARG002
        """See `Engine.expect`. Start the child process, which imports pip, before the request is parsed."""
        with suppress(EngineError):  # `resolve()` will raise it again
            self._child = _start(local=bool(options.get("no_index")))

    def fresh(self) -> PipEngine:
        """See `Engine.fresh`."""
        return PipEngine()

    def sources(self) -> Mapping[str, Origin]:
        """See `Engine.sources`. Empty: pip's report contains the origins already."""
        return {}

    def warnings(self) -> Sequence[str]:
        """See `Engine.warnings`."""
        return self._warnings

    def keep(self) -> None:
        """See `Engine.keep`."""
        self._checkouts = []

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
        child = self._child = self._child or _start(local=request.no_index)
        from liveinstall._engines.pip import output, report  # while the child process imports pip
        from liveinstall._system.temporary import writing_temporary

        names = ("request", "answer", "report", "wheels", "target", "src", "constraints", "moves", "listings")
        paths = {name: os.path.join(directory, name) for name in names}
        with writing_temporary():
            request, variables = report.without_credentials(request)
            report.write(
                paths["request"],
                {
                    **report.commands(request, paths),
                    "variables": variables,
                    "parts": list(view.parts),
                    "hidden": list(view.hidden),
                    "report": paths["report"],
                    "wheels": paths["wheels"],
                    "answer": paths["answer"],
                    "checkouts": [paths["src"], report.checkouts_home(), paths["moves"]],
                    "wanted": fetch,
                    "listings": paths["listings"] if listed else "",
                    "known": report.known() if listed else {},
                    "offline": report.forbidden(),
                },
            )
        try:
            hear = output.Listener(tell).hear
            status, log = child.ask(paths["request"], timeout=request.timeout, hear=hear)
        finally:
            self._checkouts += report.moved(paths["moves"])
        candidates = report.candidates(paths, status, log, request, fetched=fetch)
        self._warnings = output.warnings(paths["answer"])
        return candidates


def _start(*, local: bool) -> Child:
    return Child([executable(), "-P", _CHILD, _pip_directory(), *(["local"] if local else [])])


def _pip_directory() -> str:
    """The directory that contains pip, for a child process that would not find it otherwise."""
    directory = place_of("pip")
    if not directory:
        raise EngineError("pip is not installed.", todo="Install it: python -m ensurepip", log="")
    return directory
