"""Temporary files and directories. Where they cannot be written, an error says so and what helps."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from liveinstall.errors import StagingError

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "liveinstall-"
_FULL = (errno.ENOSPC, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC))


@contextmanager
def writing_temporary() -> Iterator[None]:
    """Raise StagingError when the disk is full, or does not let us write."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _told(error) from error


def temporary_directory() -> TemporaryDirectory[str]:
    """A directory of one's own until the end of a `with`. Raises: StagingError."""
    try:
        return TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
    except OSError as error:
        raise _told(error) from error


def _told(error: OSError) -> StagingError:
    return StagingError(
        f"temporary files cannot be written: {error}.",
        todo="Make room there, or let the environment variable TMPDIR name another directory.",
    )
