"""Metadata in the classes of `importlib_metadata`, the backport, or of a vendored copy, instead of Python's classes.

Both libraries call the same finder, and each promises its users a Distribution of its own class, which matters for
`isinstance`, for `origin` and for missing keys.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import PathDistribution

from liveinstall._system.caller import attribute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import Distribution
    from typing import Any


@cache
def converter(library: str) -> Callable[[Distribution], Distribution]:
    """Return a converter from Python's distributions to those of another library.

    Args:
        library: The name of the library's module.

    Returns:
        The converter. It changes nothing if the module has no own Distribution classes.
    """
    own_class, path_class = attribute(library, "Distribution"), attribute(library, "PathDistribution")
    if not isinstance(own_class, type) or not isinstance(path_class, type):
        return lambda distribution: distribution

    class Converted(own_class):  # type: ignore[misc, valid-type]
        """A distribution with files that only its importer can read."""

        def __init__(self, distribution: Distribution) -> None:
            self._distribution = distribution

        @property
        def _normalized_name(self) -> Any:
            return self._distribution._normalized_name  # type: ignore[attr-defined]  # noqa: SLF001

        def read_text(self, filename: str) -> str | None:
            return self._distribution.read_text(filename)

        def locate_file(self, path: Any) -> Any:
            return self._distribution.locate_file(path)

    def convert(distribution: Distribution) -> Any:
        if isinstance(distribution, own_class):
            return distribution
        if type(distribution) is PathDistribution:
            return path_class(distribution._path)  # noqa: SLF001  `at()` would return the same
        return Converted(distribution)

    return convert
