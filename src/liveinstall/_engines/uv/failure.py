"""Conversion of uv's failures to typed errors. uv reports failures only as text, so the text determines the type."""

from __future__ import annotations

import re

from liveinstall.errors import BuildError, DownloadError, EngineError, ResolutionError, WheelRefusedError

TYPE_CHECKING = False
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
_NOTHING = "it printed nothing"
_NO_SOLUTION = re.compile(r"No solution found|Requirements contain|not found in the package registry")


def failure(log: str, version: str) -> LiveInstallError:
    """Convert a failure of uv to a typed error with uv's message.

    Args:
        log: uv's output, without credentials.
        version: uv's version, for the message about an unsupported option.

    Returns:
        The error.
    """
    message = _shorten(said(log))
    if _USAGE.search(message):
        return EngineError(
            f"uv does not support an option of the request: {message}.",
            todo=f"This is {version or 'an unknown version of uv'}; 0.8 or newer is needed.",
            log=log,
        )
    if message == _NOTHING:
        return EngineError(f"uv failed, and {message}.", todo="Check whether it works: uv --version", log=log)
    if _CONFIGURATION.search(message):
        return EngineError(f"uv cannot read its configuration: {message}.", todo="Correct that file.", log=log)
    if _FIRST.search(message):  # uv reports it as a failed build or a missing solution
        return DownloadError(f"a download failed: {message}.", log=log)
    if _NO_SOLUTION.search(message) and not _UNREADABLE.search(message):
        return ResolutionError(f"uv could not resolve the requirements: {message}.", log=log)
    if _BUILD.search(message):
        return BuildError(f"a source distribution could not be built: {message}.", log=log)
    if _WHEEL.search(message):
        return WheelRefusedError(f"uv cannot read a wheel: {message}.", wheel="", entry="", log=log)
    if _DOWNLOAD.search(message):
        return DownloadError(f"a download failed: {message}.", log=log)
    return ResolutionError(f"uv could not resolve the requirements: {message}.", log=log)


def said(log: str) -> str:
    """Extract uv's message about its failure, on one line, without progress and decoration."""
    lines = [_DECORATION.sub("", line).strip() for line in log.splitlines()]
    kept = [line.removeprefix("error: ") for line in lines if line and not _NOISE.match(line)]
    text = " ".join(" ".join(kept).split()).replace(" cause: ", ": ")  # it was on a line of its own
    return text.rstrip(".") or _NOTHING


def _shorten(text: str, limit: int = 1500) -> str:
    return text if len(text) <= limit else f"{text[: limit // 2]} ... {text[-limit // 2 :]}"
