"""Renaming, removing and flushing files. A swap writes no data: a full disk can still rename."""

import errno
import os
import time
from os.path import dirname, isdir, islink, join, lexists

from .codec import open_regular
from .layout import MANIFEST


def _patiently(name, *paths):
    """Do one operation; on Windows a scanner or an indexer may have the file open for a moment."""
    for pause in (0.02, 0.1, 0.3, 0.6, None):
        try:
            return getattr(os, name)(*paths)
        except PermissionError:
            if os.name != "nt" or pause is None:
                raise
            time.sleep(pause)
    return None


def rename(source, target, over=False):
    """Rename a file or directory.

    What counts is the result on disk: NFS may report a rename as failed that it has done, if the answer got lost.

    Args:
        source: the path of today.
        target: the new path.
        over: replace a file that is there.

    Raises:
        OSError: it is not renamed.
    """
    try:
        _patiently("replace" if over else "rename", source, target)
    except OSError:
        if lexists(source) or not lexists(target):
            raise


def _remove(name, path):
    try:
        _patiently(name, path)
    except FileNotFoundError:
        pass


def unlink(path):
    """Remove a file if it exists. Raises OSError."""
    _remove("unlink", path)


def touch(touched, *paths):
    """Note in `touched` the directories of these paths, whose entries have changed and must be flushed."""
    for path in paths:
        touched.setdefault(dirname(path), 1)


def in_order(touched):
    """The order to flush directories in: from the top, since what moved into a new one is safe only if that one is."""
    return sorted(touched, key=lambda directory: (touched[directory], len(directory)))


def make_directories(path, touched):
    """Make a directory and its parents, and note in `touched` to flush them before what moves into them."""
    if not isdir(path):
        make_directories(dirname(path), touched)
        try:
            os.mkdir(path)
        except OSError:
            if not isdir(path):
                raise
        touched[dirname(path)] = 0


def move(source, target, touched, out=False):
    """Rename; file by file where a directory cannot be renamed (a lower layer of overlayfs gives EXDEV).

    METADATA, which makes a dist-info look installed, then goes out first and comes in last.

    Args:
        source: a file or directory.
        target: its new path.
        touched: the directories to flush are noted here.
        out: whether the dist-info goes out.

    Raises:
        OSError: not everything was moved.
    """
    touch(touched, source, target)
    try:
        rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV or islink(source) or not isdir(source):
            raise
        os.makedirs(target, os.stat(source).st_mode & 0o7777, exist_ok=True)
        for name in sorted(os.listdir(source), key=lambda name: name == "METADATA", reverse=out):
            move(join(source, name), join(target, name), touched, out)
        os.rmdir(source)


def place(source, target, touched, spared=None):
    """Move a file or directory into place, merging directories.

    Args:
        source: a file or directory.
        target: its new path.
        touched: the directories to flush are noted here.
        spared: overwrites files only if this is given, and never those in it.

    Raises:
        OSError: a file that no plan knows is in the way (EEXIST), or a move failed.
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
        except PermissionError:  # bytecode that is open elsewhere is not worth an undo: its source shows that it is old
            if not source.endswith(".pyc"):
                raise
    elif not source.endswith(".pyc"):
        raise OSError(errno.EEXIST, "a file that no plan knows is in the way", target)


def remove_empty(base, paths, touched):
    """Remove the directories that these paths have left empty, deepest first.

    Args:
        base: the directory that `paths` are relative to; it stays.
        paths: files that are gone.
        touched: the directories to flush are noted here.
    """
    directories = set()
    for path in paths:
        path = dirname(path)
        while path and path not in directories:
            directories.add(path)
            path = dirname(path)
    for path in sorted(directories, key=len, reverse=True):
        if _is_removed(join(base, path)):
            touch(touched, join(base, path))


def _is_removed(path):
    """Remove a directory if it is empty. An error may be temporary; if not, nothing is undone and it stays."""
    for _ in range(2):
        try:
            os.rmdir(path)
            return True
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                break
    return False


def flush(directories):
    """Make renames in these directories durable, in this order. Only POSIX can flush a directory. Raises OSError."""
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
    """Remove a directory of ours and everything in it, if it exists; the manifest, which marks a part as ours, last."""
    try:
        entries = list(os.scandir(path))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in sorted(entries, key=lambda entry: entry.name == MANIFEST):
        if entry.is_dir(follow_symlinks=False):
            remove_tree(entry.path)
        else:
            unlink(entry.path)
    _remove("rmdir", path)


def sha256(path):
    """The SHA-256 of a file, hexadecimal. Raises OSError."""
    try:  # the C module itself: importing hashlib takes 5 ms
        from _sha2 import sha256
    except ImportError:
        try:
            from _sha256 import sha256
        except ImportError:
            from hashlib import sha256
    with open(path, "rb", opener=open_regular) as stream:
        return sha256(stream.read()).hexdigest()
