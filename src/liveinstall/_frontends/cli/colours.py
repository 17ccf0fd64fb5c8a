"""Colours on a terminal, and only there. They repeat what the words say; without them nothing is lost.

NO_COLOR (https://no-color.org) switches them off and FORCE_COLOR (https://force-color.org) on, each when it is set to
anything but nothing. NO_COLOR counts more.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

RED, GREEN, YELLOW = "31", "32", "33"
# How lines begin that say what is done, what waits and what is wrong.
_BEGINNINGS = {
    GREEN: ("Installed, ready to import:", "Removed:", "Nothing is wrong."),
    YELLOW: (
        *("Staged for the next start of Python:", "Would wait for the next start of Python:", "Waits since"),
        *("This process keeps what it has loaded.", "Note:", "Outdated:"),
    ),
    RED: ("Set aside since", "Conflict:", "Broken:", "Cannot be read"),
}
# A finding begins with its kind.
_KINDS = ("missing", "changed", "broken", "duplicate", "left over", "unreadable", "unfinished", "unowned")
_SCHEMES: Mapping[str, str] = {
    **{beginning: colour for colour, beginnings in _BEGINNINGS.items() for beginning in beginnings},
    **{f"{kind}: ": RED for kind in _KINDS},
    "  mended": GREEN,
    "  staged for the next start": YELLOW,
    "  left as it is": RED,
}


def wants_colour(stream: TextIO | Any, variables: Mapping[str, str] | None = None) -> bool:
    """Whether what goes to `stream` may be coloured: it is a terminal that can, or the person says so."""
    variables = os.environ if variables is None else variables
    if variables.get("NO_COLOR"):
        return False
    if variables.get("FORCE_COLOR"):
        return True
    if variables.get("TERM") == "dumb" or (os.name == "nt" and not variables.get("WT_SESSION")):
        return False
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # not a stream, or closed
        return False


def paint(text: str, colour: str) -> str:
    """`text` in a colour."""
    return f"\033[{colour}m{text}\033[0m"


def paint_lines(text: str) -> str:
    """What a value shows of itself: lines that say what is done green, what waits yellow, what is wrong red."""
    return "\n".join(_paint_line(line) for line in text.split("\n"))


def _paint_line(line: str) -> str:
    for beginning, colour in _SCHEMES.items():
        if line.startswith(beginning):
            return paint(beginning, colour) + line[len(beginning) :]
    return line
