"""`LIVEINSTALL_OFFLINE`: no index and no network for any engine; only local files are used."""

from __future__ import annotations

import re

from liveinstall._redact import redact
from liveinstall._system.settings import OFFLINE, is_on
from liveinstall.errors import DownloadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

_URL = r"(?i)[a-z][a-z0-9+.-]+:"  # at least two letters: C: is a drive
_LOCAL = r"(?i)(?:[a-z]+\+)?file:"
ADVICE = f"{OFFLINE} is set, so only local files are used."


def is_offline() -> bool:
    """Whether LIVEINSTALL_OFFLINE is on."""
    return is_on(OFFLINE)


def without_network(options: Mapping[str, Any]) -> dict[str, Any]:
    """Restrict options to local files: no index, and only the local entries of `find_links`.

    Args:
        options: The options of `install()`, by name.

    Returns:
        The restricted options.

    Raises:
        DownloadError: A requirements or constraints file is not local.
    """
    files = [path for name in ("requirement_files", "constraints") for path in options[name]]
    check_local(files)
    links = tuple(link for link in options["find_links"] if _is_local(link))
    return {**options, "no_index": True, "index_url": None, "extra_index_urls": (), "find_links": links}


def check_local(addresses: Iterable[str]) -> None:
    """Check that paths and URLs are local.

    Args:
        addresses: Paths, `file:` URLs or other URLs.

    Raises:
        DownloadError: One of them is not local.
    """
    for address in addresses:
        if not _is_local(address):
            raise DownloadError(f"{redact(address)} is not on this disk.", todo=ADVICE, log="")


def _is_local(address: str) -> bool:
    return ":" not in address or not re.match(_URL, address) or bool(re.match(_LOCAL, address))
