"""Who asked for what: `.liveinstall/requests`, so that what one plugin needs is kept when another asks for more.

It is replaced by one rename under the lock. A file that cannot be read counts as empty: it keeps no one from anything.
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
    """`who` asked for `requirement`, a PEP 508 string."""

    who: str
    requirement: str


def encode_requests(asked: Iterable[RequesterRequirement]) -> str:
    """The text of the file."""
    return encode_rows(_MAGIC, ((each.who, each.requirement.translate(_ONE_CELL)) for each in asked))


def decode_requests(text: str) -> tuple[RequesterRequirement, ...]:
    """Nothing for anything but a whole file of this version."""
    try:
        rows = decode_rows(_MAGIC, text)
    except ValueError:
        return ()
    pairs = ((who, "\t".join(rest)) for who, *rest in rows)
    return tuple(RequesterRequirement(who, requirement) for who, requirement in pairs if who and requirement)


def read_requests(site: str) -> tuple[RequesterRequirement, ...]:
    """What was asked for in the environment of `site`, in order."""
    try:
        with open(os.path.join(site, STATE, REQUESTS), encoding="utf-8", newline="") as stream:
            return decode_requests(stream.read())
    except (OSError, UnicodeDecodeError):
        return ()


def write_requests(site: str, asked: Iterable[RequesterRequirement]) -> None:
    """Replace the file. Needs the lock. It is not flushed: what is lost is recorded again by the next request."""
    with suppress(OSError):
        write_atomically(os.path.join(site, STATE, REQUESTS), encode_requests(asked), flush=False)
