"""The installed distributions of which an index has a newer version, from pip's or uv's `list --outdated`."""

from __future__ import annotations

import json
import os

from liveinstall._engines.select import engine_name
from liveinstall._engines.uv.program import find_uv
from liveinstall._redact import is_secret, learn, redact
from liveinstall._requirements.offline import ADVICE, is_offline
from liveinstall._system.caller import place_of
from liveinstall._system.child_process import run
from liveinstall._system.interpreter import executable
from liveinstall._system.lean_dataclasses import NamedTuple
from liveinstall.errors import DownloadError, EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


class Outdated(NamedTuple):
    """A distribution with a newer version, with the keys of pip's JSON. `latest_filetype`: "wheel" or "sdist"."""

    name: str
    version: str
    latest_version: str
    latest_filetype: str


class IndexOptions(NamedTuple):
    """Where to look for versions: as for `install()`."""

    index_url: str | None = None
    extra_index_urls: Sequence[str] = ()
    find_links: Sequence[str] = ()
    no_index: bool = False
    pre: bool = False


def find_outdated(engine: str, options: IndexOptions, timeout: float | None = None) -> list[Outdated]:
    """Ask an engine which installed distributions are outdated.

    Args:
        engine: "pip", "uv" or "auto".
        options: Where to look.
        timeout: In seconds; None for no limit.

    Returns:
        The outdated distributions, in the engine's order and spelling.

    Raises:
        RequirementError: There is no engine of this name.
        DownloadError: LIVEINSTALL_OFFLINE is set, and an index would be needed.
        EngineError: The engine failed.
    """
    if is_offline() and not options.no_index:
        raise DownloadError("an index is needed to find newer versions.", todo=ADVICE, log="")
    learn([options.index_url or "", *options.extra_index_urls, *options.find_links])
    name = engine_name(engine)
    command, variables = (_uv if name == "uv" else _pip)(options)
    status, log = run(command, timeout=timeout, env={**os.environ, **variables})
    answer = next((line for line in reversed(log.splitlines()) if line.startswith("[")), "")
    if status or not answer:
        reason = redact(" ".join(log.split("\n")[-3:]).strip()) or "it printed nothing"
        raise EngineError(f"{name} could not list the outdated distributions: {reason.rstrip('.')}.", log=log)
    return [_row(item) for item in json.loads(answer)]


def _row(item: dict[str, Any]) -> Outdated:
    return Outdated(*(str(item.get(field, "")) for field in Outdated._fields))


def _pip(options: IndexOptions) -> tuple[list[str], dict[str, str]]:
    """The command, and the variables with what may contain credentials: every user can list arguments."""
    if not place_of("pip"):
        raise EngineError("pip is not installed.", todo="Install it: python -m ensurepip", log="")
    command = [executable(), "-P", "-m", "pip", "list", "--outdated", "--format=json", "--no-input", "--no-color"]
    command += ["--disable-pip-version-check", *_shared(options), *(["--pre"] if options.pre else [])]
    return command, _variables(options, "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", " ")


def _uv(options: IndexOptions) -> tuple[list[str], dict[str, str]]:
    uv = find_uv()
    if not uv:
        raise EngineError("uv was not found.", todo='Install it (python -m pip install uv), or use engine="pip".')
    command = [uv, "pip", "list", "--outdated", "--format=json", "--color=never", f"--python={executable()}"]
    command += [*_shared(options), *(["--prerelease=allow"] if options.pre else [])]
    return command, _variables(options, "UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", ",")


def _shared(options: IndexOptions) -> list[str]:
    links = [f"--find-links={link}" for link in options.find_links if not is_secret(link)]
    return [*(["--no-index"] if options.no_index else []), *links]


def _variables(options: IndexOptions, index: str, extra: str, links: str, separator: str) -> dict[str, str]:
    values = {
        index: options.index_url or "",
        extra: " ".join(options.extra_index_urls),
        links: separator.join(link for link in options.find_links if is_secret(link)),
    }
    return {name: value for name, value in values.items() if value}
