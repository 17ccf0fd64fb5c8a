"""Temporary files and directories, with an error message with advice if they cannot be written."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager, suppress

from liveinstall._system.removal import own_directory, remove_opened
from liveinstall.errors import StagingError

TYPE_CHECKING = False
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


class TemporaryDirectory:
    """A temporary directory with the absolute path `name`; as a context manager, it is removed at the end."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> str:
        """Return its path."""
        return self.name

    def __exit__(self, *_: object) -> None:
        """Remove it."""
        self.cleanup()

    def cleanup(self) -> None:
        """Remove it as far as possible."""
        with suppress(OSError), own_directory(self.name) as handle:
            remove_opened(self.name, handle)


def temporary_directory() -> TemporaryDirectory:
    """Create a temporary directory, as a context manager that removes it.

    Returns:
        The directory, for a `with` statement.

    Raises:
        StagingError: It cannot be created.
    """
    try:
        return TemporaryDirectory(new_directory(temporary_root(), PREFIX))
    except OSError as error:
        raise _staging_error(error) from None


def new_directory(parent: str, prefix: str, mode: int = 0o700) -> str:
    """Create a directory with a new name, as `tempfile.mkdtemp()` does; `tempfile` takes 8 ms to load.

    Args:
        parent: The absolute path of the parent directory.
        prefix: The beginning of its name.
        mode: Its permissions, restricted by the umask. Default: only this user can access it.

    Returns:
        Its absolute path.

    Raises:
        OSError: It cannot be created.
    """
    while True:
        path = os.path.join(parent, prefix + os.urandom(6).hex())
        with suppress(FileExistsError):
            os.mkdir(path, mode)
            return path


def temporary_root() -> str:
    """Return `tempfile.gettempdir()`, without loading that module in the usual cases.

    Raises:
        OSError: There is no directory that this process can write to.
    """
    if "tempfile" not in sys.modules and os.name != "nt":
        named = [os.environ[name] for name in ("TMPDIR", "TEMP", "TMP") if os.environ.get(name)]
        first = os.path.abspath([*named, "/tmp"][0])  # noqa: S108
        if os.path.isdir(first) and os.access(first, os.W_OK | os.X_OK):
            return first
    import tempfile

    return tempfile.gettempdir()


def _staging_error(error: OSError) -> StagingError:
    return StagingError(
        f"temporary files cannot be written: {error}.",
        todo="Free space there, or set the environment variable TMPDIR to another directory.",
    )
