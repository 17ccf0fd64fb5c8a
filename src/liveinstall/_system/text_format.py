"""The text format of small files that another version may read: a magic line, rows of cells, `end`.

Cells are separated by tabs. Both directions are pure functions; the caller defines the meaning of the rows. (The boot
package has its own codec, because it imports nothing from this package.)
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def encode_rows(magic: str, rows: Iterable[Sequence[str]]) -> str:
    """Encode the content of a file.

    Args:
        magic: The first line, with the version of the format.
        rows: The cells of each row.

    Returns:
        The text, which ends with a line `end`.

    Raises:
        ValueError: A cell contains a tab or a line break.
    """
    rows = [tuple(row) for row in rows]
    if any("\t" in cell or "\n" in cell for row in rows for cell in row):
        raise ValueError("text that contains a tab or a line break cannot be recorded")
    return "\n".join([magic, *map("\t".join, rows), "end", ""])


def decode_rows(magic: str, text: str) -> list[list[str]]:
    """Decode the content of a complete file of this format.

    Args:
        magic: The expected first line.
        text: The content of the file.

    Returns:
        The cells of each row.

    Raises:
        ValueError: The text is truncated, of another version, or of another format.
    """
    lines = text.split("\n")
    if lines[0] != magic or lines[-2:] != ["end", ""]:
        raise ValueError("not a complete record of this version")
    return [line.split("\t") for line in lines[1:-2]]
