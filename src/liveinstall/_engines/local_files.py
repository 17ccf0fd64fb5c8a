"""Files on this disk that engines are given, or give: what is the same for all of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


def local_wheel(url: str) -> str:
    """The path of a wheel that is on this disk already, or nothing."""
    if not (url.startswith("file:") and url.endswith(".whl")):
        return ""
    from urllib.request import url2pathname

    return url2pathname(urlsplit(url).path)  # it also decodes %20 and the like


def constraint_files(constraints: tuple[str, ...], written: str) -> Iterator[str]:
    """Constraints are files, or requirements such as "numpy<2", which engines only take from a file: `written`."""
    lines = [
        text for text in constraints if not (os.path.isabs(text) or text.startswith(("http://", "https://", "file:")))
    ]
    yield from (text for text in constraints if text not in lines)
    if lines:
        Path(written).write_text("\n".join(lines) + "\n", encoding="utf-8")
        yield written
