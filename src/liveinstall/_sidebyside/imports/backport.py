"""Metadata for `importlib_metadata`, the backport, and for copies of it: in its own classes instead of Python's.

Both libraries call the same finder, and each promises its users a Distribution of its own class
(`isinstance`, `origin`, what
a missing key does).
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import PathDistribution
from typing import TYPE_CHECKING, Any

from liveinstall._system.caller import attribute

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import Distribution


@cache
def converter(library: str) -> Callable[[Distribution], Distribution]:
    """Return a converter from Python's Distributions to those of the module `library`; no change if it has none."""
    own, by_path = attribute(library, "Distribution"), attribute(library, "PathDistribution")
    if not isinstance(own, type) or not isinstance(by_path, type):
        return lambda found: found

    class Converted(own):  # type: ignore[misc, valid-type]
        """A distribution whose files only its owner can read."""

        def __init__(self, found: Distribution) -> None:
            self._found = found

        @property
        def _normalized_name(self) -> Any:
            return self._found._normalized_name  # type: ignore[attr-defined]  # noqa: SLF001

        def read_text(self, filename: str) -> str | None:
            return self._found.read_text(filename)

        def locate_file(self, path: Any) -> Any:
            return self._found.locate_file(path)

    def convert(found: Distribution) -> Any:
        if isinstance(found, own):
            return found
        if type(found) is PathDistribution:
            return by_path(found._path)  # noqa: SLF001  `at()` would return the same
        return Converted(found)

    return convert
