"""Local files in the input and output of all engines."""

from __future__ import annotations

import os

from liveinstall._system.file_urls import path_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def local_wheel(url: str) -> str:
    """Return the path of a local wheel from its `file:` URL; empty for other URLs."""
    if not (url.startswith("file:") and url.endswith(".whl")):
        return ""
    return path_of(url)


def constraint_files(constraints: tuple[str, ...], written: str) -> Iterator[str]:
    """Yield the constraints files for an engine.

    Args:
        constraints: Absolute paths and URLs of files, or requirements such as "numpy<2".
        written: The absolute path of the file to write the requirements to, because engines accept only files.

    Yields:
        The paths and URLs of the files.

    Raises:
        OSError: The file cannot be written.
    """
    lines = [
        text for text in constraints if not (os.path.isabs(text) or text.startswith(("http://", "https://", "file:")))
    ]
    yield from (text for text in constraints if text not in lines)
    if lines:
        with open(written, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")
        yield written
