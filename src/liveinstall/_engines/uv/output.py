"""The other output of uv: retries while it runs, and warnings."""

from __future__ import annotations

import re

from liveinstall._redact import redact
from liveinstall.events import Retrying

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from liveinstall.events import Event

_RETRY = r"DEBUG Transient request failure for:? `?([^`,\s]+)`?(?:, retrying)?: *(.*)"
_CAUSE = r"  Caused by: (.*)"
_LAST = r"\(os error -?\d+\)$|timed out|failed to lookup|certificate"
_NUMBER = r" \(os error -?\d+\)$"
_DEBUG = r"(?m)^DEBUG .*\n(?:  Caused by: .*\n)*"
_WARNING = r"(?m)^warning: (.+(?:\n {2,}\S.*)*)"
_YANKED = r"`[^`]+` is yanked"


class Retries:
    """Reports retries from uv's log: a line with the URL, then its causes, of which the last is the reason.

    Args:
        tell: Receives the `Retrying` events.
    """

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self._url, self._reason = "", ""

    def hear(self, line: str) -> None:
        """Process one line of output. A retry is reported at its last cause, or at the line after it."""
        retry = re.match(_RETRY, line) if line.startswith("DEBUG Transient") else None
        cause = re.match(_CAUSE, line) if line.startswith("  Caused") else None
        if cause and self._url:
            self._reason = cause[1].strip()
        if self._url and (not cause or re.search(_LAST, self._reason)):
            self._tell(Retrying(redact(self._url), redact(re.sub(_NUMBER, "", self._reason))))
            self._url = ""
        if retry:
            self._url, self._reason = retry[1], retry[2].strip()


def without_retries(log: str) -> str:
    """Remove the log of retries from uv's output."""
    return re.sub(_DEBUG, "", log) if "DEBUG " in log else log


def warnings(log: str) -> tuple[str, ...]:
    """Return uv's warnings, each once, on one line, without a full stop; not those about yanked versions.

    Args:
        log: uv's output, without credentials.
    """
    found = (" ".join(text.split()).rstrip(".") for text in (re.findall(_WARNING, log) if "warning: " in log else ()))
    return tuple(dict.fromkeys(text for text in found if not re.match(_YANKED, text)))
