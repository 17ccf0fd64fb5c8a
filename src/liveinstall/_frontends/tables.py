"""Tables in plain text, which fit the terminal that shows them."""

from __future__ import annotations

import os
import sys
from itertools import zip_longest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP = "  "
_READABLE = 16  # a column is not wrapped to fewer characters
_LEAST = 20  # a narrower terminal is treated as one of this width


def terminal_columns() -> int:
    """Return the width of the terminal, as `shutil.get_terminal_size()`; `shutil` takes 5 ms to load."""
    columns = os.environ.get("COLUMNS", "")
    try:
        return (int(columns) if columns.isdecimal() else 0) or os.get_terminal_size(1).columns or 80
    except OSError:  # not a terminal
        return 80


def screen_width() -> int | None:
    """Return the columns of the terminal that standard output goes to; None for a file, a pipe or a notebook."""
    try:
        on_terminal = sys.stdout.isatty()
    except (AttributeError, ValueError):  # not a stream, or closed
        return None
    return max(terminal_columns(), _LEAST) if on_terminal else None


def table(rows: Sequence[Sequence[str]], *, titles: Sequence[str] = (), indent: str = "") -> list[str]:
    """Format rows in columns. Columns without content are omitted.

    Where the terminal is too narrow, cells are wrapped between words; where even that is not enough, each row becomes
    its first cell with the others below. Words, such as paths and versions, are never cut.

    Args:
        rows: The cells of each row, all with the same number of cells.
        titles: The titles of the columns. Default: no line with titles.
        indent: The text before each line.

    Returns:
        The lines; none without rows.
    """
    used = [at for at in range(len(rows[0]) if rows else 0) if at == 0 or any(row[at] for row in rows)]
    rows = [[row[at] for at in used] for row in rows]
    titles = [titles[at] for at in used] if titles else []
    width = screen_width()
    room = None if width is None else width - len(indent)
    widths = _widths([titles, *rows] if titles else rows, room)
    if widths is None:
        return [line for row in rows for line in _stacked(row, titles, room or _LEAST, indent)]
    return [indent + line for row in ([titles, *rows] if titles and rows else rows) for line in _lines(row, widths)]


def fitted(text: str) -> str:
    """Wrap the lines of a text between words where they are wider than the terminal that shows them."""
    width = screen_width()
    if width is None:
        return text
    lines = (line for each in text.split("\n") for line in _continued(each, width))
    return "\n".join(lines)


def _continued(line: str, width: int) -> list[str]:
    indent = line[: len(line) - len(line.lstrip())]
    return [indent + part for part in _wrap(line.lstrip(), width - len(indent))] if len(line) > width else [line]


def _widths(rows: Sequence[Sequence[str]], room: int | None) -> list[int] | None:
    """The width of each column; None if they do not fit into `room` columns."""
    columns = [*zip(*rows, strict=True)]
    widths = [max(map(len, column)) for column in columns]
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - room if room is not None else 0
    words = [max(len(word) for cell in column for word in cell.split() or [""]) for column in columns]
    least = [max(word, min(width, _READABLE)) for word, width in zip(words, widths, strict=True)]
    while excess > 0:
        at = max(range(len(widths)), key=lambda each: (widths[each] > least[each], widths[each]))
        if widths[at] <= least[at]:
            return None
        widths[at] -= 1
        excess -= 1
    return widths


def _lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """A row in columns, with as many lines as its longest cell needs."""
    cells = [_wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
    return [
        _GAP.join(f"{part:<{width}}" for part, width in zip(parts, widths, strict=True)).rstrip()
        for parts in zip_longest(*cells, fillvalue="")
    ]


def _stacked(row: Sequence[str], titles: Sequence[str], room: int, indent: str) -> list[str]:
    """A row with its cells below each other."""
    first, *rest = row
    lines = _wrap(first, room)
    for title, cell in zip_longest(titles[1:], rest, fillvalue=""):
        text = f"{title}: {cell}" if title and cell else cell
        lines += [f"{_GAP}{line}" for line in _wrap(text, room - len(_GAP))]
    return [indent + line for line in lines if line]


def _wrap(text: str, width: int) -> list[str]:
    """Lines of a text; one that fits is not changed. Only a word that is wider than `width` makes a wider line."""
    if len(text) <= width:
        return [text]
    import textwrap  # which only terminals that are too narrow need

    return textwrap.wrap(text, max(width, 1), break_long_words=False, break_on_hyphens=False)
