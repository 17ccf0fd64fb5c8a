"""The other output of pip, printed or logged: downloads and retries while it runs, and warnings."""

from __future__ import annotations

import re

from liveinstall._engines.answers import read_json, texts, understanding
from liveinstall._redact import redact
from liveinstall._system.lean_packaging import canonicalize_name
from liveinstall.events import Downloading, Retrying

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from liveinstall.events import Event

_DOWNLOAD_LINE = re.compile(r"\s*Downloading (\S+)")
_RETRY_LINE = re.compile(
    r"\s*(?:WARNING: )?Retrying \(Retry\(total=(\d+).*?\)\) after connection broken by (.*): (\S+)\s*$"
)
_YANKED = re.compile(
    r"The candidate selected for download or install is a yanked version: '(\S+)' candidate \(version (\S+) at "
    r".*\) Reason for being yanked: (.+)$"
)
_SAYS_NOTHING = ("Ignored the following", "ResolutionImpossible: for help")
_NO_MATCH = re.compile("No matching distribution found for ")
_NONE_FOUND = re.compile(r"Could not find a version that satisfies .*\(from versions: none\)$")
_FOUND = re.compile(r"Could not find a version that satisfies .*\(from versions: (?!none\))")
_HASHES = re.compile("THESE PACKAGES DO NOT MATCH THE HASHES .* tampered with them. ")
_CARET = re.compile(r"\n[^\n]*\n *[\^~]+(?= |\n|$)")  # the line of a parser's message that points at the one before
_PROGRESS_LINE = re.compile(r"Progress (\d+) of (\d+)$")


class Listener:
    """Reports downloads and retries: "Downloading NAME (SIZE)", then lines "Progress BYTES of BYTES"; "Retrying (...)".

    The output is used for the progress display only; no decision depends on it.

    Args:
        tell: Receives the `Downloading` and `Retrying` events.
    """

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self._file = ""

    def hear(self, line: str) -> None:
        """Process one line of output."""
        download = _DOWNLOAD_LINE.match(line)
        if download:
            self._file = redact(download[1].rpartition("/")[2])
        progress = _PROGRESS_LINE.match(line)
        if progress and self._file and not self._file.endswith(".metadata"):
            total = int(progress[2])  # 0 if the server does not report it
            self._tell(Downloading(self._file, int(progress[1]), total or None))
        retry = _RETRY_LINE.match(line)
        if retry:
            self._tell(_retrying(redact(retry[2]), int(retry[1]), redact(retry[3].strip())))


def _retrying(reason: str, remaining: int, path: str) -> Retrying:
    """The event for a retry; its reason is the text of an exception of urllib3 within others."""
    host = re.search(r"host='([^']+)'", reason)
    return Retrying(host[1] if host else path, reason_of(reason), remaining)


def reason_of(text: str) -> str:
    """Return the innermost reason in the text of an exception of pip, such as `Connection refused`, or the status."""
    status = re.match(r"(\d{3} (?:Client|Server) Error: .+?)(?: for url: \S+)?\.?$", text)
    if status:
        return status[1]
    return re.sub(r"^\[Errno -?\d+\] ", "", re.split(r": (?=\S)", text)[-1].strip(" '\")>.")).partition(". (")[0]


def warnings(path: str) -> tuple[str, ...]:
    """Read pip's warnings to its user from its answer.

    Args:
        path: The absolute path of the answer.

    Returns:
        The texts, each once, without a full stop, and without credentials.
    """
    with understanding("pip's answer"):
        found = texts(read_json(path), "warnings")
    lines = (" ".join(text.split()).rstrip(".") for text in found)
    return tuple(dict.fromkeys(redact(line) for line in lines if not _YANKED.match(line)))


def essential(lines: Iterable[str]) -> list[str]:
    """Return pip's messages about a failure, each once, on one line, and without redundant ones.

    Args:
        lines: The messages, without credentials.

    Returns:
        The texts, without full stops.
    """
    texts = dict.fromkeys(_on_one_line(line) for line in lines)
    kept = [_HASHES.sub("a hash differs: ", text) for text in texts if text and not text.startswith(_SAYS_NOTHING)]
    has_versions = any(_FOUND.search(text) for text in kept)
    kept = [text for text in kept if not (_NO_MATCH.match(text) if has_versions else _NONE_FOUND.search(text))]
    return kept or [text for text in texts if text]


def _on_one_line(text: str) -> str:
    text = " ".join(_CARET.sub("", text).split()).rstrip(".")
    return text.replace(") Hint: ", "). Hint: ").replace(" ?", "?")


def unreachable(text: str) -> str:
    """Return pip's message about an index that did not answer as `URL: reason`."""
    text = " ".join(text.split())
    match = re.match(r"Could not fetch URL (\S+): (.+?)(?: - skipping)?\.?$", text)
    return f"{match[1]}: {reason_of(match[2])}" if match else text.rstrip(".")


def yanked_reasons(warnings: Iterable[str]) -> dict[tuple[str, str], str]:
    """Return the reasons of the yanked versions that pip has warned about, by name and version."""
    found = filter(None, (_YANKED.match(" ".join(text.split())) for text in warnings))
    return {(canonicalize_name(match[1]), match[2]): redact(match[3]) for match in found if match[3] != "<none given>"}
