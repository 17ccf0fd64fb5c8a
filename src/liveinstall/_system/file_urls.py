"""Paths from `file:` URLs."""

from __future__ import annotations

import os


def path_of(url: str) -> str:
    """Convert a `file:` URL to a path; on Windows also of a drive (`file:///C:/x`) or a share (`file://server/x`).

    Args:
        url: The URL; escapes such as `%20` are decoded.

    Returns:
        The path.
    """
    if os.name != "nt" and url.startswith("file:///") and not any(special in url for special in "%?#"):
        return url.removeprefix("file://")
    from urllib.parse import urlsplit
    from urllib.request import url2pathname  # takes 15 ms

    parts = urlsplit(url)
    return url2pathname(
        parts.path if os.name != "nt" or parts.netloc in ("", "localhost") else f"//{parts.netloc}{parts.path}"
    )
