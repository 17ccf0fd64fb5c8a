"""Advice after a failed resolution, from the engine's message, the requested names and this Python."""

from __future__ import annotations

import os
import re
import sys

from liveinstall._requirements.similar_names import project_of, similar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from liveinstall._requirements.request import Request

_MISSING = re.compile(r"(?i)no matching distribution|from versions: none|not found")
_NO_VERSION = re.compile(r"(?i)from versions: (?!none)|there (?:is|are) no versions? of|only .* available")
_OTHER_PYTHON = re.compile(r"(?i)requires a different python|requires-python|current python version|not satisfy python")
_OTHER_PLATFORM = re.compile(
    r"(?i)not a supported wheel|matching (?:platform|python|abi)|incompatible with the current"
)
_CONTRADICTION = re.compile(r"(?i)conflicting dependencies|are incompatible|unsatisfiable|resolutionimpossible")


def advice(what: str, request: Request, installed: Iterable[str]) -> str:
    """Return advice after a failed resolution.

    Args:
        what: The engine's message.
        request: The request.
        installed: The normalized names of the installed distributions.

    Returns:
        A sentence or two; empty if only the usual advice applies.
    """
    if "Invalid requirement" in what or "Couldn't parse requirement" in what:
        return "Correct that line."
    python = f"this is Python {'.'.join(map(str, sys.version_info[:3]))}"
    if _OTHER_PLATFORM.search(what):
        return "Request the project by its name: then the engine chooses a file for this Python and platform."
    if _OTHER_PYTHON.search(what):
        return f"Request another version, or use another Python: {python}."
    if _MISSING.search(what) and not _NO_VERSION.search(what):
        named = " ".join(filter(None, (_meant(name, installed, python) for name in _named(what, request))))
        return named or " ".join(_places(request))
    if _NO_VERSION.search(what) and not _CONTRADICTION.search(what):
        return "Request a version that exists, or omit the version."
    if _CONTRADICTION.search(what):
        return "Change one of these requirements, or omit its version."
    return ""


def _named(what: str, request: Request) -> Iterator[str]:
    """The requested names that the message contains."""
    for name in sorted(request.names):
        if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", what):
            yield name


def _meant(name: str, installed: Iterable[str], python: str) -> str:
    """A sentence about a name that no source has."""
    if name == "python":
        return f"Python itself is not installed by an engine, and {python}. Use another Python."
    if name.replace("-", "_") in sys.stdlib_module_names:
        return f"{name} is a module of Python itself: import it without an installation."
    meant = project_of(name) or similar(name, installed)
    return f"Did you mean {meant} instead of {name}?" if meant else ""


def _places(request: Request) -> Iterator[str]:
    """Sentences about the sources that were searched."""
    missing = [link for link in request.find_links if "://" not in link and not os.path.exists(link)]
    if missing:
        yield f"There is no {' and no '.join(missing)}."
    if request.index_url and "://" not in request.index_url and not os.path.isdir(request.index_url):
        yield f"index_url={request.index_url!r} is not a URL."
    if request.no_index:
        yield "Check the name, and what find_links= has: no_index=True excludes all indexes."
    else:
        yield "Check the name and the index."
