"""The text format of small files that another version may read: a magic line, rows of cells, `end`.

Cells are separated by tabs. Both directions are pure; what a row means is up to the caller. (The boot package has a
codec of its own, because it imports nothing.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def encode_rows(magic: str, rows: Iterable[Sequence[str]]) -> str:
    """The text of a file.

    Args:
        magic: The first line, with the number of the format.
        rows: The cells of each row.

    Returns:
        The text, which ends with a line `end`.

    Raises:
        ValueError: A cell has a tab or a line break in it.
    """
    rows = [tuple(row) for row in rows]
    if any("\t" in cell or "\n" in cell for row in rows for cell in row):
        raise ValueError("text with a tab or a line break in it cannot be recorded")
    return "\n".join([magic, *map("\t".join, rows), "end", ""])


def decode_rows(magic: str, text: str) -> list[list[str]]:
    """The cells of each row of a file that is whole and of this format.

    Args:
        magic: The first line that is expected.
        text: The content of the file.

    Returns:
        The cells of each row.

    Raises:
        ValueError: The text is cut short, of another version, or something else.
    """
    lines = text.split("\n")
    if lines[0] != magic or lines[-2:] != ["end", ""]:
        raise ValueError("not a whole record of this version")
    return [line.split("\t") for line in lines[1:-2]]
