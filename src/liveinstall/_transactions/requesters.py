"""The requirements of each requester, in `.liveinstall/requests`: later requests have to satisfy them too.

The file is replaced by one rename under the lock. An unreadable file counts as empty, so that it blocks no request.
"""

from __future__ import annotations

import os
from contextlib import suppress

from _liveinstall_boot.file_access import read_bytes
from _liveinstall_boot.layout import STATE
from liveinstall._system.durability import write_atomically
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._system.text_format import decode_rows, encode_rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

REQUESTS = "requests"
_MAGIC = "liveinstall-requests 1"
_ONE_CELL = str.maketrans("\t\n", "  ")  # tabs and line breaks separate the cells of the file


@dataclass(frozen=True)
class RequesterRequirement:
    """A recorded requirement.

    Attributes:
        who: The name of the requester.
        requirement: The requirement, as defined by PEP 508.
    """

    who: str
    requirement: str


def encode_requests(asked: Iterable[RequesterRequirement]) -> str:
    """Encode the content of the file."""
    return encode_rows(_MAGIC, ((item.who, item.requirement.translate(_ONE_CELL)) for item in asked))


def decode_requests(text: str) -> tuple[RequesterRequirement, ...]:
    """Parse the content of the file; empty unless it is complete and of this version."""
    try:
        rows = decode_rows(_MAGIC, text)
    except ValueError:
        return ()
    pairs = ((who, "\t".join(rest)) for who, *rest in rows)
    return tuple(RequesterRequirement(who, requirement) for who, requirement in pairs if who and requirement)


def read_requests(site: str) -> tuple[RequesterRequirement, ...]:
    """Read the recorded requirements, in the order of the requests; empty if the file is unreadable."""
    try:
        return decode_requests(read_bytes(os.path.join(site, STATE, REQUESTS)).decode("utf-8"))
    except (OSError, UnicodeDecodeError):
        return ()


def write_requests(site: str, asked: Iterable[RequesterRequirement]) -> None:
    """Replace the file. Needs the lock. It is not flushed: the next request records a lost requirement again.

    Args:
        site: The site-packages directory.
        asked: The requirements.
    """
    with suppress(OSError):
        write_atomically(os.path.join(site, STATE, REQUESTS), encode_requests(asked), flush=False)
