"""Colours, on terminals only. They repeat the text; without them no information is lost.

NO_COLOR (https://no-color.org) disables them and FORCE_COLOR (https://force-color.org) enables them, each if it is set
and not empty. NO_COLOR takes precedence.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TextIO

RED, GREEN, YELLOW = "31", "32", "33"
# How lines begin that report changes, pending changes and problems.
_BEGINNINGS = {
    GREEN: ("Installed, ready to import:", "Removed:", "No problems found."),
    YELLOW: (
        *("Staged for the next start of Python:", "Would be pending until the next start of Python:", "Pending since"),
        *("This session keeps using the loaded version.", "Note:", "Outdated:"),
    ),
    RED: ("Set aside since", "Conflict:", "Broken:", "Cannot be read"),
}
# The line of a finding begins with its kind.
_KINDS = ("missing", "changed", "broken", "duplicate", "left over", "unreadable", "unfinished", "unowned")
_SCHEMES: Mapping[str, str] = {
    **{beginning: colour for colour, beginnings in _BEGINNINGS.items() for beginning in beginnings},
    **{f"{kind}: ": RED for kind in _KINDS},
    "  repaired": GREEN,
    "  staged for the next start": YELLOW,
    "  not repaired": RED,
}


def wants_colour(stream: TextIO | Any, variables: Mapping[str, str] | None = None) -> bool:
    """Return whether output to a stream may be coloured.

    Args:
        stream: The stream; it may be closed or missing.
        variables: The environment variables, by default those of this process.

    Returns:
        True if the stream is a terminal with colours, unless the environment variables override it.
    """
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
    """Return `text` in a colour."""
    return f"\033[{colour}m{text}\033[0m"


def paint_lines(text: str) -> str:
    """Colour the plain text of a value: lines about changes green, about pending changes yellow, about problems red."""
    return "\n".join(_paint_line(line) for line in text.split("\n"))


def _paint_line(line: str) -> str:
    for beginning, colour in _SCHEMES.items():
        if line.startswith(beginning):
            return paint(beginning, colour) + line[len(beginning) :]
    return line
