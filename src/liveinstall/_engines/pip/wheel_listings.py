"""The lists of files of wheels that were not fetched, from pip's child process; remembered for this process."""

from __future__ import annotations

from liveinstall._engines.answers import read_json, text
from liveinstall._model import WheelListing
from liveinstall._system.lean_dataclasses import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from liveinstall._model import Candidate

_MOST = 500  # lists to remember; most have less than 20 KB
_remembered: dict[str, tuple[str, WheelListing]] = {}  # URL -> SHA-256 of the wheel, its list


def known() -> dict[str, str]:
    """Return the wheels with cached lists: URL -> SHA-256 of the wheel, hexadecimal."""
    return {url: sha256 for url, (sha256, _) in _remembered.items()}


def listed(candidates: Iterable[Candidate], items: Sequence[Mapping[str, Any]], path: str) -> Iterator[Candidate]:
    """Add the lists of files to candidates with wheels that are not on this disk.

    Args:
        candidates: The chosen distributions.
        items: Their items in pip's report.
        path: The absolute path of the file that the child process has written, see `_pip_wheels.listings`.

    Returns:
        The same distributions.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is damaged.
        KeyError: A field is missing.
        TypeError: A field has another type.
    """
    answers = read_json(path)
    for candidate, item in zip(candidates, items, strict=True):
        url = text(item["download_info"], "url")
        answer = answers.get(url)
        if answer is None:
            sha256, listing = _remembered.get(url, ("", None))
            yield replace(candidate, listing=listing if sha256 == candidate.sha256 else None)
        elif "why" in answer:
            yield replace(candidate, unlisted=text(answer, "why"))
        else:
            listing = WheelListing(text(answer, "info"), text(answer, "record"), purelib=bool(answer["purelib"]))
            if candidate.sha256:
                _remember(url, candidate.sha256, listing)
            yield replace(candidate, listing=listing)


def _remember(url: str, sha256: str, listing: WheelListing) -> None:
    while len(_remembered) >= _MOST:
        del _remembered[next(iter(_remembered))]  # the oldest
    _remembered[url] = sha256, listing
