"""The requirements of each requester, in `.liveinstall/requests`: later requests have to satisfy them too.

The file is replaced by one rename under the lock. An unreadable file counts as empty, so that it blocks no request.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from _liveinstall_boot.layout import STATE
from liveinstall._system.durability import write_atomically
from liveinstall._system.text_format import decode_rows, encode_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

REQUESTS = "requests"
_MAGIC = "liveinstall-requests 1"
_ONE_CELL = str.maketrans("\t\n", "  ")


@dataclass(frozen=True)
class RequesterRequirement:
    """A recorded requirement: the requester's name, and a PEP 508 string."""

    who: str
    requirement: str


def encode_requests(asked: Iterable[RequesterRequirement]) -> str:
    """The content of the file."""
    return encode_rows(_MAGIC, ((each.who, each.requirement.translate(_ONE_CELL)) for each in asked))


def decode_requests(text: str) -> tuple[RequesterRequirement, ...]:
    """Parse the content of the file; empty unless it is complete and of this version."""
    try:
        rows = decode_rows(_MAGIC, text)
    except ValueError:
        return ()
    pairs = ((who, "\t".join(rest)) for who, *rest in rows)
    return tuple(RequesterRequirement(who, requirement) for who, requirement in pairs if who and requirement)


def read_requests(site: str) -> tuple[RequesterRequirement, ...]:
    """The recorded requirements of the environment, in the order of the requests."""
    try:
        with open(os.path.join(site, STATE, REQUESTS), encoding="utf-8", newline="") as stream:
            return decode_requests(stream.read())
    except (OSError, UnicodeDecodeError):
        return ()


def write_requests(site: str, asked: Iterable[RequesterRequirement]) -> None:
    """Replace the file. Needs the lock. It is not flushed: a lost requirement is recorded again by the next request."""
    with suppress(OSError):
        write_atomically(os.path.join(site, STATE, REQUESTS), encode_requests(asked), flush=False)
