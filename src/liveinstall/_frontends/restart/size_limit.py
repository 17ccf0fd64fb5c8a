"""The limit of the size of kept variables: the caller's or the environment's, and the free disk space."""

from __future__ import annotations

import io
import re
import shutil

from liveinstall._frontends.restart.lost_variables import format_size
from liveinstall._system.settings import KEEP_LIMIT, text_of
from liveinstall.errors import CannotKeepError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_SPARE = 2**26  # bytes of the file system that stay free
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?B?)", re.IGNORECASE)
_NAMED = 3


def bytes_of(limit: int | str | None) -> int | None:
    """Return a limit in bytes; None if there is none.

    Args:
        limit: A number of bytes, or text such as "2 GB"; None for that of the environment variable.

    Raises:
        CannotKeepError: The text is not a size.
    """
    source = "limit=" if limit is not None else KEEP_LIMIT
    text = str(limit) if limit is not None else text_of(KEEP_LIMIT)
    if not text:
        return None
    match = _SIZE.fullmatch(text.strip())
    if isinstance(limit, bool) or not match:
        raise CannotKeepError(f"{source} is not a size: {text!r}.", todo='Write it like "2 GB" or 500000000.', lost={})
    unit = match[2].upper()
    return int(float(match[1]) * _UNITS[unit if unit.endswith("B") or not unit else f"{unit}B"])


class Room:
    """The bytes that a file in a directory may have."""

    def __init__(self, place: str, limit: int | None) -> None:
        self.free = max(shutil.disk_usage(place).free - _SPARE, 0)
        self.limit = limit

    def check(self, sizes: Mapping[str, int], needed: int | None = None) -> None:
        """Check that variables fit.

        Args:
            sizes: The bytes of each, by name.
            needed: The bytes of all together. Default: the sum.

        Raises:
            CannotKeepError: They do not. It names the largest.
        """
        total = sum(sizes.values()) if needed is None else needed
        if self.limit is not None and total > self.limit:
            raise _too_large(f"the limit is {format_size(self.limit)}", sizes, total)
        if total > self.free:
            raise _too_large(f"{format_size(self.free)} are free on the disk", sizes, total)


def _too_large(allowed: str, sizes: Mapping[str, int], total: int) -> CannotKeepError:
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:_NAMED]
    named = ", ".join(f"{name} ({format_size(size)})" for name, size in largest)
    what = f"the variables need {format_size(total)}, and {allowed}. The largest: {named}."
    todo = "Keep fewer, liveinstall.restart(keep=[...]), or allow more: limit= or LIVEINSTALL_KEEP_LIMIT."
    return CannotKeepError(what, todo=todo, lost={}, sizes=dict(sizes))


class Limited(io.BytesIO):
    """A stream in memory that refuses to become longer than what fits into the file."""

    def __init__(self, name: str, room: Room | None) -> None:
        super().__init__()
        self._name, self._room, self._count = name, room, 0

    def write(self, data: Any) -> int:
        """See BytesIO."""
        self.count(len(data))
        return super().write(data)

    def count(self, size: int) -> None:
        """Count bytes of a buffer, which is not written here.

        Args:
            size: Its bytes.

        Raises:
            CannotKeepError: It is too much.
        """
        self._count += size
        if self._room is not None:
            self._room.check({self._name: self._count})
