"""Temporary files and directories, with an error message with advice if they cannot be written."""

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
    """Convert errors of a block that writes temporary files.

    Raises:
        StagingError: The disk is full, the quota is exceeded, or the file system is read-only.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _staging_error(error) from None


def temporary_directory() -> TemporaryDirectory[str]:
    """Create a temporary directory, as a context manager that removes it.

    Returns:
        The directory, for a `with` statement.

    Raises:
        StagingError: It cannot be created.
    """
    try:
        return TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
    except OSError as error:
        raise _staging_error(error) from None


def _staging_error(error: OSError) -> StagingError:
    return StagingError(
        f"temporary files cannot be written: {error}.",
        todo="Free space there, or set the environment variable TMPDIR to another directory.",
    )
