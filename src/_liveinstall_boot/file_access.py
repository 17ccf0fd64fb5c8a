"""Opening files that another user may have created: no FIFO blocks, no link misleads, nothing fills the memory."""

import errno
import os
import stat

LIMIT = 32 * 2**20  # bytes of a file of ours; a longer one is not read, because a start must not take minutes
_CHUNK = 2**16
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def open_regular(path, flags, dir_fd=None, limit=None):
    """An opener for `open()` that takes regular files only: a FIFO would block forever. Raises OSError.

    With `limit` it raises EFBIG for a file of more bytes.
    """
    return _open(path, flags, dir_fd, limit)[0]


def _open(path, flags, dir_fd=None, limit=None):
    """`open_regular()`, and the size of the file."""
    try:
        handle = os.open(path, flags | _NO_WAIT, dir_fd=dir_fd)
    except OSError as error:
        is_directory = os.name == "nt" and os.path.isdir(path)  # which Windows does not open
        if is_directory or error.errno == errno.ENXIO:  # a socket
            raise OSError(errno.EINVAL, "not a regular file", path) from None
        raise
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", path)
    if limit is not None and status.st_size > limit:
        os.close(handle)
        raise OSError(errno.EFBIG, "too long to be a file of ours", path)
    return handle, status.st_size


def open_own_name(path, flags):
    """An opener for `open()` that takes a regular file only under its own name, not through a link. Raises OSError."""
    return open_regular(path, flags | getattr(os, "O_NOFOLLOW", 0))


def open_bounded(path, flags):
    """An opener for `open()` that takes regular files of at most `LIMIT` bytes. Raises OSError, EFBIG if longer."""
    return open_regular(path, flags, limit=LIMIT)


def open_shared(path, flags):
    """Open a file on Windows as POSIX does: it can be renamed and removed while it is open.

    Args:
        path: the path.
        flags: as for `os.open()`: the file is new with O_EXCL, and must exist without; O_APPEND is heeded.

    Returns:
        The descriptor, for bytes.

    Raises:
        OSError: it cannot be opened.
    """
    import _winapi
    import msvcrt

    writing = _winapi.GENERIC_WRITE if flags & (os.O_WRONLY | os.O_RDWR) else 0
    access, sharing = _winapi.GENERIC_READ | writing, 7  # read, write, delete
    new, existing = 1, 3
    handle = _winapi.CreateFile(path, access, sharing, 0, new if flags & os.O_EXCL else existing, 0, 0)
    return msvcrt.open_osfhandle(handle, flags & os.O_APPEND | os.O_NOINHERIT)


def read_bytes(path, limit=LIMIT):
    """The content of a regular file of at most `limit` bytes. Raises OSError."""
    # Without a stream, which takes longer to make than most files to read.
    handle, size = _open(path, _READ, limit=limit)
    try:
        chunks = [os.read(handle, size or _CHUNK)]
        length = len(chunks[0])
        while chunks[-1] and length != size and length < limit:  # a network may return less; /proc knows no sizes
            chunks.append(os.read(handle, _CHUNK))
            length += len(chunks[-1])
        return b"".join(chunks)
    finally:
        os.close(handle)


def create(start):
    """Create a file under a name that cannot be guessed, to be renamed when it is complete.

    Args:
        start: the path, to which something random is added.

    Returns:
        The descriptor and the path of the new file.

    Raises:
        OSError: it cannot be created.
    """
    path = start + os.urandom(8).hex()
    return os.open(path, _NEW, 0o666), path
