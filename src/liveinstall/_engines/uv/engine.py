"""uv as the engine: one `uv pip install` into a temporary directory resolves, downloads, builds and unpacks.

uv makes symbolic links to the unpacked wheels in its cache. Nothing else about the cache's layout is
assumed, and nothing in it is changed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial

from liveinstall._engines.uv.arguments import arguments, source_options
from liveinstall._engines.uv.program import find_uv
from liveinstall._engines.uv.run import QUIET, Run, early
from liveinstall._requirements.offline import is_offline
from liveinstall._system import child_process
from liveinstall._system.interpreter import executable
from liveinstall._system.temporary import temporary_directory, writing_temporary
from liveinstall._system.workplace import note_elsewhere
from liveinstall.errors import EngineError
from liveinstall.events import ignore_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Self

    from liveinstall._engines.base import View
    from liveinstall._engines.uv.directories import DirectoryOrigins
    from liveinstall._engines.uv.origins import Origins
    from liveinstall._model import Candidate
    from liveinstall._requirements.request import Request
    from liveinstall.events import Event
    from liveinstall.results import Origin

# Variables that would contradict our arguments; they are replaced by arguments, or do not apply.
_DROPPED = ("UV_COMPILE_BYTECODE", "UV_LINK_MODE", "UV_NO_CACHE", "UV_SYSTEM_PYTHON", "UV_PYTHON", "VIRTUAL_ENV")
# The modules of uv that log retries, at the level DEBUG; there is no option for it.
_RETRIES = "uv_client::retry=debug,uv_client::base_client=debug"


class UvEngine:
    """uv in a child process.

    Attributes:
        more: Further arguments of `uv pip install`.
        more_variables: Further environment variables of uv.
    """

    name, reason = "uv", ""
    unpacks = True
    more: tuple[str, ...] = ()
    more_variables: Mapping[str, str] = {}

    def __enter__(self) -> Self:
        """Find uv."""
        self._uv = find_uv()
        self._run: Run | None = None
        self._ended: list[Run] = []
        self._origins: Origins | DirectoryOrigins | None = None
        self._warnings: tuple[str, ...] = ()
        self._start_origins: Callable[[], Origins | DirectoryOrigins] | None = None
        self._own = temporary_directory()  # removed on exit, when no process writes to it any longer
        if not self._uv:
            self._own.cleanup()
            raise EngineError("uv was not found.", todo='Install it (python -m pip install uv), or use engine="pip".')
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the processes that are still running."""
        if self._run:
            self._end(self._run)
        if self._origins:
            self._origins.stop()
        for run in self._ended:
            run.stop()
            run.finish()
        self._own.cleanup()

    def expect(self, requirements: Sequence[Any], options: Mapping[str, Any]) -> None:
        """See `Engine.expect`."""
        variables = {**_variables(self._own.name), **self.more_variables}
        self._run = early(self._uv, requirements, options, variables, self._own.name, more=self.more)

    def fresh(self) -> UvEngine:
        """See `Engine.fresh`."""
        return UvEngine()

    def warnings(self) -> Sequence[str]:
        """See `Engine.warnings`."""
        return self._warnings

    def keep(self) -> None:
        """See `Engine.keep`. Nothing to do: all fetched files are in uv's cache."""

    def resolve(
        self,
        request: Request,
        view: View,
        directory: str,
        *,
        fetch: bool,
        tell: Callable[[Event], None] = ignore_event,
        listed: bool = False,  # noqa: ARG002
    ) -> Sequence[Candidate]:
        """See `Engine.resolve`. uv does not report download progress, so `tell` receives only `Retrying` events.

        Wheels are fetched even without `fetch`, because uv does not report their dependencies in another way. So their
        files are known even without `listed`.
        """
        variables = {**_variables(self._own.name), **self.more_variables}  # with the current hold of this process
        with writing_temporary():
            run = self._started([*self.more, *arguments(request, directory)], view, variables)
        _note(directory, "own", self._own.name)
        _note(directory, "links", run.target)
        from liveinstall._engines.uv import output, report  # while uv runs

        status, log = run.child.ask("", timeout=request.timeout, hear=output.Retries(tell).hear)
        log = output.without_retries(log)
        if status:
            from liveinstall._engines.uv.failure import failure

            raise failure(log, child_process.run([self._uv, "--version"], timeout=10)[1].strip())
        candidates = report.candidates(run.target, request, log, partial(self._cache, variables))
        self._warnings = output.warnings(log)
        self._run = None
        self._ended.append(run)  # its links are removed later: the origins are more urgent
        if self._origins:  # of an earlier request
            self._origins.stop()
            self._origins = None
        indexed = {f"{each.name}=={each.version}": each.unpacked for each in candidates if each.direct_url is None}
        if indexed:
            command = [
                self._uv,
                "pip",
                "compile",
                "--quiet",
                *QUIET,
                f"--python={executable()}",
                *source_options(request.sources),
            ]
            command += ["--offline"]  # the index pages are in the cache now
            self._start_origins = partial(report.origins, request, command, indexed, self._own.name, variables)
            if fetch:
                with writing_temporary():
                    self._origins = self._start_origins()
        return candidates

    def _started(self, arguments: Sequence[str], view: View, variables: Mapping[str, str]) -> Run:
        """The run that was started early, if it matches the request, else a new one."""
        inputs = (self._uv, arguments, view, variables)
        if self._run and not self._run.is_for(*inputs):
            self._end(self._run)
        self._run = self._run or Run(*inputs, self._own.name)
        return self._run

    def _cache(self, variables: Mapping[str, str]) -> str:
        status, output = child_process.run([self._uv, "cache", "dir", "--color=never"], timeout=10, env=variables)
        return "" if status else output.strip()

    def _end(self, run: Run) -> None:
        self._run = None
        self._ended.append(run)
        run.stop()

    def sources(self) -> Mapping[str, Origin]:
        """See `Engine.sources`: the origins of distributions from an index, as far as uv reports them."""
        for run in self._ended:
            run.stop()
        if self._origins is None and self._start_origins:
            with writing_temporary():
                self._origins = self._start_origins()  # after a dry run, only on request
        return self._origins.read() if self._origins else {}


def _variables(directory: str) -> dict[str, str]:
    """The child's environment variables. With UV_NO_CACHE the cache is in `directory`, because uv would remove it."""
    kept = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    kept.setdefault("RUST_LOG", _RETRIES)
    if is_offline():
        kept["UV_OFFLINE"] = "1"  # uv.toml may contain URLs
    if os.environ.get("UV_NO_CACHE", "").lower() in ("1", "true", "yes", "on", "y", "t"):
        kept["UV_CACHE_DIR"] = os.path.join(directory, "cache")
    return kept


def _note(directory: str, name: str, elsewhere: str) -> None:
    """Add a link to another directory, so that a sweep of `directory` after a kill removes it, too."""
    with suppress(OSError):
        note_elsewhere(directory, name, elsewhere)
