"""Who asked for what: `.liveinstall/requests`, so that what one plugin needs is kept when another asks for more.

It is replaced by one rename under the lock. A file that cannot be read counts as empty: it keeps no one from anything.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import _liveinstall_boot as boot

if TYPE_CHECKING:
    from collections.abc import Iterable

REQUESTS = "requests"
_MAGIC = "liveinstall-requests 1"


@dataclass(frozen=True)
class RequesterRequirement:
    """`who` asked for `requirement`, a PEP 508 string."""

    who: str
    requirement: str


def encode_requests(asked: Iterable[RequesterRequirement]) -> str:
    """A magic line, one row for each, `end`."""
    return "\n".join([_MAGIC, *(f"{each.who}\t{each.requirement}" for each in asked), "end", ""])


def decode_requests(text: str) -> tuple[RequesterRequirement, ...]:
    """Nothing for anything but a whole file of this version."""
    lines = text.split("\n")
    if lines[0] != _MAGIC or lines[-2:] != ["end", ""]:
        return ()
    rows = (line.partition("\t") for line in lines[1:-2])
    return tuple(RequesterRequirement(who, requirement) for who, _, requirement in rows if who and requirement)


def read_requests(site: str) -> tuple[RequesterRequirement, ...]:
    """What was asked for in the environment of `site`, in order."""
    try:
        with open(os.path.join(site, boot.STATE, REQUESTS), encoding="utf-8", newline="") as stream:
            return decode_requests(stream.read())
    except (OSError, UnicodeDecodeError):
        return ()


def write_requests(site: str, asked: Iterable[RequesterRequirement]) -> None:
    """Replace the file. Needs the lock. It is not flushed: what is lost is recorded again by the next request."""
    path = os.path.join(site, boot.STATE, REQUESTS)
    draft = f"{path}.draft"
    with suppress(OSError):
        with open(draft, "w", encoding="utf-8", newline="") as stream:
            stream.write(encode_requests(asked))
        os.replace(draft, path)
