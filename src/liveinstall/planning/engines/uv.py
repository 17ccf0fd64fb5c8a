"""uv as the engine: one `uv pip install` into a directory of its own resolves, downloads, builds and unpacks.

It links from its cache by name, so the links tell where in the cache the unpacked wheels lie. Nothing else of the cache
is known here, and nothing in it is changed.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from liveinstall.errors import EngineError
from liveinstall.planning.engines import process
from liveinstall.planning.engines.uv_program import find_uv
from liveinstall.planning.engines.uv_request import arguments, sources
from liveinstall.planning.engines.uv_view import show
from liveinstall.planning.offline import is_offline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

    from liveinstall.model import Candidate, Source
    from liveinstall.planning.engines import View
    from liveinstall.planning.engines.uv_origins import Origins
    from liveinstall.planning.requests import Request

_MEMORY = "/dev/shm"  # noqa: S108  Linux: a file system in memory, for everybody
_QUIET = ("--no-progress", "--color=never")
# What would contradict what is asked for here; what they say is asked for here instead, or does not apply.
_DROPPED = ("UV_COMPILE_BYTECODE", "UV_LINK_MODE", "UV_NO_CACHE", "UV_SYSTEM_PYTHON", "UV_PYTHON", "VIRTUAL_ENV")


class UvEngine:
    """uv in a child process."""

    def __enter__(self) -> Self:
        """Find uv: it starts in no time, so nothing is started before the request is known."""
        self._uv = find_uv()
        self._origins: Origins | None = None
        self._own = TemporaryDirectory(prefix="liveinstall-")  # it goes when nobody writes to it any more
        if not self._uv:
            self._own.cleanup()
            raise EngineError("uv was not found.", todo='Install it: python -m pip install uv. Or use engine="pip".')
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what nobody waits for any more."""
        if self._origins:
            self._origins.stop()
        self._own.cleanup()

    def keep(self) -> None:
        """Nothing that was fetched lies outside of the cache."""

    def resolve(
        self,
        request: Request,
        view: View,
        directory: str,
        *,
        fetch: bool,
        tell: object = None,  # noqa: ARG002
    ) -> Sequence[Candidate]:
        """See `Engine.resolve`. uv does not say how far a download is, so `tell` hears nothing.

        Without `fetch` uv fetches all the same: nothing else tells what a wheel needs.
        """
        variables = _variables(self._own.name)
        asked = list(arguments(request, directory))
        _note(directory, "own", self._own.name)
        with _links(directory) as target:
            show(view, target)
            where = [f"--target={target}", f"--python={sys.executable}", "--link-mode=symlink", "--no-compile-bytecode"]
            child = process.Child([self._uv, "pip", "install", *_QUIET, *where, *asked], env=variables)
            try:
                from liveinstall.planning.engines import uv_results  # while uv works

                status, log = child.ask("", timeout=request.timeout)
            finally:
                child.stop()
            if status:
                raise uv_results.failure(log, self._version())
            found = uv_results.candidates(target, request, log)
        indexed = [f"{candidate.name}=={candidate.version}" for candidate in found if candidate.direct_url is None]
        if fetch and indexed:
            lock = [self._uv, "pip", "compile", "--quiet", *_QUIET, f"--python={sys.executable}", *sources(request)]
            lock += ["--offline"]  # it was just asked for
            self._origins = uv_results.Origins(lock, indexed, self._own.name, variables)
        return found

    def sources(self) -> Mapping[str, Source]:
        """Where what came from an index came from, by name, as far as uv knows."""
        return self._origins.read() if self._origins else {}

    def _version(self) -> str:
        return process.run([self._uv, "--version"], timeout=10)[1].strip()


def _variables(directory: str) -> dict[str, str]:
    """The child's variables. A cache that uv would remove at its end is made in `directory` instead."""
    kept = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    if is_offline():
        kept["UV_OFFLINE"] = "1"  # uv.toml may name pages
    if os.environ.get("UV_NO_CACHE", "").lower() in ("1", "true", "yes", "on", "y", "t"):
        kept["UV_CACHE_DIR"] = os.path.join(directory, "cache")
    return kept


@contextmanager
def _links(directory: str) -> Iterator[str]:
    """Where uv shall make its links, which nobody needs for long: in memory, or else in `directory`.

    On a disk thousands of links take longer than all the rest.
    """
    memory = _MEMORY if os.path.isdir(_MEMORY) and os.access(_MEMORY, os.W_OK) else directory
    with TemporaryDirectory(prefix="liveinstall-", dir=memory) as place:
        _note(directory, "links", place)
        yield place


def _note(directory: str, name: str, place: str) -> None:
    """Let whoever cleans `directory` up after a kill find another one."""
    with suppress(OSError):
        os.symlink(place, os.path.join(directory, f"elsewhere-{name}"))
