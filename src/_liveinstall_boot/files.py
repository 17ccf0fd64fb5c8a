"""Renaming, removing and flushing files. A swap writes no data, because renaming works even on a full disk."""

import errno
import os
import sys
from os.path import dirname, isdir, islink, join, lexists

from .file_access import open_regular
from .layout import MANIFEST
from .patient import rename as _rename
from .patient import replace as _replace
from .patient import rmdir as _rmdir
from .patient import unlink as _unlink


def rename(source, target, over=False):
    """Rename a file or directory.

    The result on disk decides: NFS may report an error for a successful rename, if the reply was lost.

    Args:
        source: the old path.
        target: the new path.
        over: replace an existing file.

    Raises:
        OSError: it was not renamed.
    """
    try:
        (_replace if over else _rename)(source, target)
    except OSError:
        if lexists(source) or not lexists(target):
            raise


def unlink(path):
    """Remove a file if it exists. Raises OSError."""
    try:
        _unlink(path)
    except FileNotFoundError:
        pass


def touch(touched, *paths):
    """Add the directories of these paths to `touched`: their entries have changed and must be flushed."""
    for path in paths:
        touched.setdefault(dirname(path), 1)


def in_order(touched):
    """Sort directories for `flush()`: a new directory must be durable before the entries that moved into it."""
    return sorted(touched, key=lambda directory: (touched[directory], len(directory)))


def flush_touched(touched):
    """Make all changes in these directories durable, and forget them. Raises OSError."""
    flush(in_order(touched))
    touched.clear()


def make_directories(path, touched):
    """Make a directory and its parents, and add them to `touched`, to be flushed before the files that move into them.

    Args:
        path: the directory.
        touched: the directories to flush are added here.

    Raises:
        OSError: it cannot be made.
    """
    if not isdir(path):
        make_directories(dirname(path), touched)
        try:
            os.mkdir(path)
        except OSError:
            if not isdir(path):
                raise
        touched[dirname(path)] = 0


def move(source, target, touched, out=False):
    """Rename a file or directory; file by file if the directory cannot be renamed (overlayfs: EXDEV for a lower layer).

    METADATA, which makes a dist-info look installed, then moves out first and in last.

    Args:
        source: a file or directory.
        target: its new path.
        touched: the directories to flush are added here.
        out: whether a dist-info moves out of the site directory.

    Raises:
        OSError: not everything was moved.
    """
    touch(touched, source, target)
    try:
        rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV or islink(source) or not isdir(source):
            raise
        _move_content(source, target, touched, out)
        flush_touched(touched)
        _remove_directories(source)


def _move_content(source, target, touched, out):
    os.makedirs(target, os.stat(source).st_mode & 0o7777, exist_ok=True)
    touch(touched, target)
    for name in sorted(os.listdir(source), key=lambda name: name == "METADATA", reverse=out):
        if isdir(join(source, name)) and not islink(join(source, name)):
            _move_content(join(source, name), join(target, name), touched, out)
        else:
            touch(touched, join(source, name), join(target, name))
            rename(join(source, name), join(target, name))


def _remove_directories(path):
    """Remove a directory and those in it, which have no other content. Raises OSError."""
    for name in os.listdir(path):
        _remove_directories(join(path, name))
    _rmdir(path)


def place(source, target, touched, spared=None):
    """Move a file or directory into place, merging directories.

    Args:
        source: a file or directory.
        target: its new path.
        touched: the directories to flush are added here.
        spared: overwrites files only if this is given, and never those in it.

    Raises:
        OSError: an unexpected file is in the way (EEXIST), or a move failed.
    """
    if not lexists(target):
        make_directories(dirname(target), touched)
        move(source, target, touched)
    elif isdir(source) and not islink(source) and isdir(target) and not islink(target):
        for name in sorted(os.listdir(source), key=lambda name: name == "METADATA"):
            place(join(source, name), join(target, name), touched, spared)
    elif target in (spared or ()):
        pass
    elif spared is not None:
        touch(touched, source, target)
        try:
            rename(source, target, over=True)
        # Bytecode that is open elsewhere must not fail the roll-back: its source invalidates it.
        except PermissionError:
            if not source.endswith(".pyc"):
                raise
    elif not source.endswith(".pyc"):
        raise OSError(errno.EEXIST, "a file that is not in the plan is in the way", target)


def remove_empty(base, paths, touched):
    """Remove the directories that these paths have left empty, deepest first.

    All moves so far are flushed before: a power loss that lost the move of a file and kept the removal of the directory
    that it was in would lose the file.

    Args:
        base: the directory that `paths` are relative to; it stays.
        paths: files that no longer exist.
        touched: the directories to flush; those to flush are added here.
    """
    directories = set()
    for path in {path.rpartition("/")[0] if os.sep == "/" else dirname(path) for path in paths}:
        while path and path not in directories:
            directories.add(path)
            path = dirname(path)
    must_flush = bool(touched)
    for path in sorted(directories, key=len, reverse=True):
        if must_flush and _is_empty(join(base, path)):
            flush_touched(touched)
            must_flush = False
        if _is_removed(join(base, path)):
            touch(touched, join(base, path))


def _is_empty(path):
    try:
        return not os.listdir(path)
    except OSError:
        return False


def _is_removed(path):
    """Remove a directory if it is empty. An error may be temporary; if it is not, the directory stays."""
    for _ in range(2):
        try:
            os.rmdir(path)
            return True
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                break
    return False


def flush(directories):
    """Make renames in these directories durable, in this order; on POSIX only. Raises OSError."""
    if os.name == "nt":
        return
    for directory in directories:
        try:
            handle = os.open(directory, os.O_RDONLY)
        except OSError:
            continue  # it was moved as a whole, and its parent is flushed
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EROFS):
                raise
        finally:
            os.close(handle)


def remove_tree(path):
    """Remove one of our directories with its content, if it exists; the manifest, which identifies a part, last.

    Of a link only the link itself is removed.
    """
    if islink(path):
        unlink(path)
        return
    try:
        entries = list(os.scandir(path))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in sorted(entries, key=lambda entry: entry.name == MANIFEST):
        if entry.is_dir(follow_symlinks=False):
            remove_tree(entry.path)
        else:
            unlink(entry.path)
    try:
        _rmdir(path)
    except FileNotFoundError:
        pass


def sha256(path):
    """Return the SHA-256 of a file, hexadecimal. Raises OSError."""
    with open(path, "rb", opener=open_regular) as stream:
        return new_sha256(stream.read()).hexdigest()


def new_sha256(data=b""):
    """Return a SHA-256 object, as `hashlib.sha256()` does, which is faster for long contents."""
    try:  # the C module itself, because importing hashlib takes 5 ms
        if sys.version_info >= (3, 12):
            from _sha2 import sha256
        else:
            from _sha256 import sha256
    except ImportError:
        from hashlib import sha256
    return sha256(data)
