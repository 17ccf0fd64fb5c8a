"""Whether pip and uv would choose the same: before a request, by what is configured and requested, and after it.

Only what is known to mean the same to both counts. What uv ignores, although pip does not, is found in its choice:
upper limits of Requires-Python, and dependencies that ask for pre-releases.
"""

from __future__ import annotations

import os
import sys

from liveinstall._engines import configuration
from liveinstall._engines.base import ARCHIVES
from liveinstall._requirements.offline import is_offline
from liveinstall._system.lean_packaging import (
    NAME_CHARACTERS,
    InvalidSpecifier,
    canonicalize_name,
    leading_name,
    parse_specifiers,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from liveinstall._model import Candidate

AGREED = "nothing is configured or requested that pip and uv would treat differently"
# Options of `install()` that engines do not have, or that both treat alike. Those with a value of their own are below.
_ALIKE = (
    *("deps", "upgrade", "requester", "protect", "break_system_packages", "timeout", "verify", "when"),
    *("overlap", "conflicts"),
)
_COMPARED = ("constraints", "index_url", "find_links", "no_index", "prefer")
# Why this process does not use uv any longer: it is outdated, or only pip can use the network. Each request would wait.
_unusable: list[str] = []


def difference(requirements: Sequence[Any], options: Mapping[str, Any]) -> str:
    """Find a reason why pip and uv may treat a request differently.

    Args:
        requirements: The requirements as the caller gave them, unchecked.
        options: The options of `install()`, unchecked.

    Returns:
        The first reason; empty if there is none.
    """
    if _unusable:
        return _unusable[0]
    if not requirements or not all(map(is_plain, requirements)):
        return "a requirement is more than a name with versions"
    given = [name for name, value in options.items() if value and name not in (*_ALIKE, *_COMPARED)]
    if given:
        return f"{given[0]}= is given"
    if is_offline():
        return "LIVEINSTALL_OFFLINE is set"
    return _difference_of_values(options) or _difference_of_sources(options) or _configured()


def do_without_uv(reason: str) -> None:
    """Make `difference()` return a reason from now on in this process, because uv has failed where pip succeeded."""
    _unusable.append(reason)


def is_plain(requirement: object) -> bool:
    """Whether a requirement is a name with optional extras, marker and versions, none of which is a pre-release."""
    if not isinstance(requirement, str):
        return False
    text = requirement.partition(";")[0].strip()
    name = leading_name(text)
    rest, extras = text[len(name) :].lstrip(), ""
    if rest.startswith("["):
        extras, _, rest = rest[1:].partition("]")
    versions = rest.replace(".post", "")
    is_usual = not versions.strip("0123456789.*,<>=!~ ()") and "===" not in versions
    return bool(name) and is_usual and not extras.strip(f"{NAME_CHARACTERS}, ") and not text.lower().endswith(ARCHIVES)


def divergence(candidates: Sequence[Candidate]) -> str:
    """Find a reason why pip may not choose what uv has chosen.

    Args:
        candidates: The distributions that uv has chosen, to be installed from nothing but an index or a directory.

    Returns:
        The first reason; empty if there is none.
    """
    names = {candidate.name for candidate in candidates}
    for candidate in candidates:
        if not _allows_this_python(candidate.requires_python):
            return f"{candidate.name} {candidate.version} requires Python {candidate.requires_python}"
        for line in candidate.requires:
            if canonicalize_name(leading_name(line)) in names and not is_plain(line):
                return f"{candidate.name} {candidate.version} requires {line.partition(';')[0].strip()}"
    return ""


def _allows_this_python(requires_python: str) -> bool:
    try:
        return parse_specifiers(requires_python).contains(".".join(map(str, sys.version_info[:3])), prereleases=True)
    except InvalidSpecifier:
        return False


def _difference_of_values(options: Mapping[str, Any]) -> str:
    constraints = options.get("constraints") or ()
    if not isinstance(constraints, (list, tuple)) or not all(map(is_plain, constraints)):
        return "constraints= has more than names with versions"
    return "" if options.get("prefer", "newest") == "newest" else "prefer= is given"


def _difference_of_sources(options: Mapping[str, Any]) -> str:
    """The default index, one index that needs no password, or directories alone."""
    links, index = options.get("find_links") or (), options.get("index_url")
    if links and not (options.get("no_index") is True and _are_directories(links)):
        return "find_links= has more than directories, or an index is used as well"
    if index:
        if not isinstance(index, str) or not index.startswith("https://") or "@" in index:
            return "index_url= has a password, or is not https"
        if configuration.netrc():
            return f"index_url= is given, and {configuration.netrc()} may have a password for it"
    return ""


def _are_directories(links: object) -> bool:
    """Whether all are directories with nothing but archives for an installer; pip also reads pages in them."""
    return isinstance(links, (list, tuple)) and all(isinstance(link, str) and _has_no_pages(link) for link in links)


def _has_no_pages(directory: str) -> bool:
    try:
        names: Iterable[str] = os.listdir(directory)
    except (OSError, ValueError):
        return False
    return not any(name.lower().endswith((".html", ".htm")) for name in names)


def _configured() -> str:
    try:
        return configuration.one_sided()
    except OSError as error:  # the working directory was removed
        return f"the configuration cannot be determined ({error.strerror})"
