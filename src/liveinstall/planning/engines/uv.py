"""uv as the engine: one `uv pip install` into a directory of its own resolves, downloads, builds and unpacks.

It links from its cache by name, so the links tell where in the cache the unpacked wheels lie. Nothing else of the cache
is known here, and nothing in it is changed.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from liveinstall.errors import EngineError
from liveinstall.model import Candidate
from liveinstall.planning.engines import process
from liveinstall.planning.engines.pip import local_wheel
from liveinstall.planning.engines.uv_errors import failure, yanked
from liveinstall.planning.engines.uv_origins import Origins
from liveinstall.planning.engines.uv_program import find_uv
from liveinstall.planning.engines.uv_request import arguments, sources
from liveinstall.planning.engines.uv_view import show
from liveinstall.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

    from liveinstall.model import Source
    from liveinstall.planning.engines import View
    from liveinstall.planning.requests import Request

_QUIET = ("--no-progress", "--color=never")
# What would contradict what is asked for here; what they say is asked for here instead, or does not apply.
_DROPPED = ("UV_COMPILE_BYTECODE", "UV_LINK_MODE", "UV_NO_CACHE", "UV_SYSTEM_PYTHON", "UV_PYTHON", "VIRTUAL_ENV")


class UvEngine:
    """uv in a child process."""

    def __enter__(self) -> Self:
        """Find uv: it starts in no time, so nothing is started before the request is known."""
        self._uv = find_uv()
        self._origins: Origins | None = None
        if not self._uv:
            raise EngineError("uv was not found.", todo='Install it: python -m pip install uv. Or use engine="pip".')
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what nobody waits for any more."""
        if self._origins:
            self._origins.stop()

    def resolve(self, request: Request, view: View, directory: str, *, fetch: bool) -> Sequence[Candidate]:
        """See `Engine.resolve`. Without `fetch` uv fetches all the same: nothing else tells what a wheel needs."""
        target, variables = os.path.join(directory, "target"), _variables(directory)
        asked = list(arguments(request, directory))
        show(view, target)
        where = [f"--target={target}", f"--python={sys.executable}", "--link-mode=symlink", "--no-compile-bytecode"]
        command = [self._uv, "pip", "install", *_QUIET, *where, *asked]
        status, log = process.run(command, timeout=request.timeout, variables=variables)
        if status:
            raise failure(log, self._version())
        found = [_candidate(info, request, yanked(log)) for info in _new(target)]
        indexed = [f"{candidate.name}=={candidate.version}" for candidate in found if candidate.direct_url is None]
        if fetch and indexed:
            lock = [self._uv, "pip", "compile", "--quiet", *_QUIET, f"--python={sys.executable}", *sources(request)]
            self._origins = Origins(lock, indexed, directory, variables)
        return found

    def sources(self) -> Mapping[str, Source]:
        """Where what came from an index came from, by name, as far as uv knows."""
        return self._origins.read() if self._origins else {}

    def _version(self) -> str:
        return process.run([self._uv, "--version"], timeout=10)[1].strip()


def _variables(directory: str) -> dict[str, str]:
    """The child's variables. A cache that uv would remove at its end is made in `directory` instead."""
    kept = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    if os.environ.get("UV_NO_CACHE", "").lower() in ("1", "true", "yes", "on", "y", "t"):
        kept["UV_CACHE_DIR"] = os.path.join(directory, "cache")
    return kept


def _new(target: str) -> Iterator[str]:
    """The metadata directories that uv has put in: only there is an INSTALLER."""
    for name in sorted(os.listdir(target)):
        info = os.path.join(target, name)
        if name.endswith(".dist-info") and os.path.isfile(os.path.join(info, "INSTALLER")):
            yield info


def _candidate(info: str, request: Request, warned: Mapping[str, str]) -> Candidate:
    tree, (name, version, requires) = _tree(info), _metadata(info)
    direct = _direct(info)
    local = local_wheel(direct["url"]) if direct else ""
    extras = {canonicalize_name(r.name): sorted(r.extras) for r in _parsed(request.requirements)}
    return Candidate(
        name=canonicalize_name(name),
        version=version,
        requires=requires,
        requested=os.path.exists(os.path.join(info, "REQUESTED")),
        extras=tuple(extras.get(canonicalize_name(name), ())),
        url=redact(direct["url"]) if direct else "",
        wheel=local,
        direct_url=direct,
        yanked=warned.get(f"{canonicalize_name(name)}=={version}"),
        unpacked="" if local else tree,
        shared=os.environ.get("UV_LINK_MODE", "hardlink") in ("hardlink", "symlink"),
    )


def _tree(info: str) -> str:
    """The unpacked wheel in uv's cache: what METADATA links to lies two levels below it."""
    try:
        return os.path.dirname(os.path.dirname(os.readlink(os.path.join(info, "METADATA"))))
    except OSError as error:
        raise EngineError(
            f"uv could not make links to its cache ({error}).",
            todo='Let it (on Windows: developer mode), or use engine="pip".',
        ) from error


def _metadata(info: str) -> tuple[str, str, tuple[str, ...]]:
    """Name, version and Requires-Dist lines."""
    from email.parser import BytesHeaderParser

    with open(os.path.join(info, "METADATA"), "rb") as stream:
        fields = BytesHeaderParser().parse(stream)
    return str(fields["Name"]), str(fields["Version"]), tuple(map(str, fields.get_all("Requires-Dist", ())))


def _direct(info: str) -> dict[str, Any] | None:
    """direct_url.json (PEP 610) of what did not come from an index."""
    try:
        with open(os.path.join(info, "direct_url.json"), encoding="utf-8") as stream:
            found: dict[str, Any] = json.load(stream)
    except FileNotFoundError:
        return None
    return {**found, "url": _without_user(found["url"])}


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else url


def _parsed(texts: Sequence[str]) -> Iterator[Requirement]:
    for text in texts:
        try:
            yield Requirement(text)
        except InvalidRequirement:
            continue  # a path
