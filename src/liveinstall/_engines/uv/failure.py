"""The typed error for a failure of uv. uv reports failures only as text, so the text decides the type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from liveinstall.errors import BuildError, DownloadError, EngineError, ResolutionError, WheelRefusedError

if TYPE_CHECKING:
    from liveinstall.errors import LiveInstallError

_NOISE = re.compile(
    r"^(Using |Resolved |Prepared |Installed |Uninstalled |Updat|Building |Built |Download|Audited |For more "
    r"information|warning: |[+~-] |Usage: )"
)
_DECORATION = re.compile("^[\\s×✗╰├│─▶→↳]+|\x1b\\[[0-9;]*m")  # noqa: RUF001  uv's own
_USAGE = re.compile(r"unexpected argument|unrecognized subcommand|invalid value|cannot be used with|unknown field")
_BUILD = re.compile(r"[Bb]uild backend|Failed to build|build requirements|build-system|Failed to prepare metadata")
_WHEEL = re.compile(
    r"(?i)invalid zip|zip (file|archive)|failed to extract|corrupt|wheel is invalid|`?RECORD`?( file|[`']?: No such)|"
    r"invalid wheel|not a valid wheel|failed to install|metadata name|missing an? .*dist-info"
)
_DOWNLOAD = re.compile(
    r"(?i)request failed|failed to (fetch|download)|error sending request|connect|dns|certificate|timed? ?out|"
    r"hash mismatch|hashes|HTTP status|network|tunnel|Failed to clone|git operation|error decoding response"
)
_UNREADABLE = re.compile(r"(?i)was invalid: failed to read from zip")
_FIRST = re.compile(r"(?i)hash mismatch|authentication credentials|401 Unauthorized|403 Forbidden")
_CONFIGURATION = re.compile(r"Failed to parse:? `?\S*uv\.toml|`?tool\.uv`?")
_NOTHING = "it said nothing"
_NO_SOLUTION = re.compile(r"No solution found|Requirements contain|not found in the package registry")


def failure(log: str, version: str) -> LiveInstallError:
    """The typed error for a failure of uv, with uv's message.

    Args:
        log: uv's output, without credentials.
        version: uv's version, for the message about an unsupported option.
    """
    words = _shorten(said(log))
    if _USAGE.search(words):
        return EngineError(
            f"uv did not understand the request: {words}.",
            todo=f"This is {version or 'a uv of unknown version'}; 0.8 or newer is needed.",
            log=log,
        )
    if words == _NOTHING:
        return EngineError(f"uv stopped, and {words}.", todo="See whether it works: uv --version", log=log)
    if _CONFIGURATION.search(words):
        return EngineError(f"uv cannot read its configuration: {words}.", todo="Mend that file.", log=log)
    if _FIRST.search(words):  # uv says it where it could not build, or found no solution
        return DownloadError(f"a download failed: {words}.", log=log)
    if _NO_SOLUTION.search(words) and not _UNREADABLE.search(words):
        return ResolutionError(f"uv found no solution: {words}.", log=log)
    if _BUILD.search(words):
        return BuildError(f"a source distribution could not be built: {words}.", log=log)
    if _WHEEL.search(words):
        return WheelRefusedError(f"uv cannot read a wheel: {words}.", wheel="", entry="", log=log)
    if _DOWNLOAD.search(words):
        return DownloadError(f"a download failed: {words}.", log=log)
    return ResolutionError(f"uv could not resolve the request: {words}.", log=log)


def said(log: str) -> str:
    """The message of uv about its failure, on one line, without progress and decoration."""
    lines = [_DECORATION.sub("", line).strip() for line in log.splitlines()]
    kept = [line.removeprefix("error: ") for line in lines if line and not _NOISE.match(line)]
    return " ".join(" ".join(kept).split()).rstrip(".") or _NOTHING


def _shorten(words: str, most: int = 1500) -> str:
    return words if len(words) <= most else f"{words[: most // 2]} ... {words[-most // 2 :]}"
