"""Temporary files and directories. Where they cannot be written, an error says so and what helps."""

from __future__ import annotations

from contextlib import contextmanager
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING

from liveinstall.errors import LiveInstallError, StagingError

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "liveinstall-"


@contextmanager
def writing_temporary() -> Iterator[None]:
    """Raise StagingError for an OSError within: the disk is full, read-only, or there is no directory."""
    try:
        yield
    except LiveInstallError:
        raise
    except OSError as error:
        raise StagingError(
            f"temporary files cannot be written: {error}.",
            todo="Make room there, or let the environment variable TMPDIR name another directory.",
        ) from error


def temporary_directory() -> TemporaryDirectory[str]:
    """A directory of one's own until the end of a `with`. Raises: StagingError."""
    with writing_temporary():
        gettempdir()
        return TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
