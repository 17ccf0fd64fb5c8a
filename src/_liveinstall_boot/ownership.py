"""The files that a RECORD owns, and the files that are removed with a distribution."""

import os
from _imp import source_hash
from os.path import isdir, join, normpath, relpath
from stat import S_ISDIR
from time import time_ns

from .codec import record_paths
from .files import remove_empty, unlink
from .layout import STATE
from .process import boot

_LONGEST_REQUEST = 3600 * 10**9  # ns: a running request has not begun longer ago
_RECENT = 3 * 10**9  # ns: a directory that was changed so recently may have changed again without another time


def owned(site_dir, record_text):
    """List the files that a RECORD owns.

    Args:
        site_dir: the directory that the RECORD's paths are relative to.
        record_text: the content of RECORD.

    Returns:
        A set of the paths below `site_dir`, with slashes, and a list of the absolute paths elsewhere.

    Raises:
        StaleError: the RECORD is damaged.
    """
    # `normpath()` is slow, and not necessary for nearly all paths; most distributions have none that needs it.
    paths = unusual = record_paths(record_text)
    text = "\n".join(["", *paths, ""])
    if os.sep == "/" and not any(mark in text for mark in (":", "//", "/\n")):
        is_usual = not any(mark in text for mark in ("\n.", "\n/", "/."))
        unusual = [] if is_usual else [path for path in paths if path[:1] in (".", "/") or "/." in path]
    inside, outside = set(paths), []
    inside.difference_update(unusual)
    for path in unusual:
        path = normpath(path).replace(os.sep, "/")
        if path.startswith(("/", "../")) or path[1:2] == ":":
            outside.append(normpath(join(site_dir, path)))
        elif path != os.curdir:
            inside.add(path)
    return inside, outside


def paths_to_retire(site_dir, info, names, times):
    """List the paths to remove with a distribution besides its dist-info; whole directories if it owns all files.

    Args:
        site_dir: the directory that the paths are relative to.
        info: the name of the dist-info.
        names: the paths that the distribution owns, from `owned()` and `by_directory()`.
        times: a dictionary; the searched directories are added to it with their times, for `is_unchanged()`.

    Returns:
        A list of paths below `site_dir`.
    """
    moves = list(names.get("", ()))
    for top in sorted(_tops(names, info) | _caches(names)):
        if isdir(join(site_dir, top)):
            _note_times(site_dir, top, times)
            collect(site_dir, top, names, moves, times)
    return moves


def _tops(names, info):
    """The top-level directories in which a distribution owns files, without its dist-info."""
    return {directory.split("/", 1)[0] for directory in names if directory} - {info}


def _caches(names):
    """The directory for the bytecode of top-level modules, if a distribution has any; it may not exist yet."""
    return {"__pycache__"} if any(path.endswith(".py") for path in names.get("", ())) else set()


def plan(site, site_dir, info, inside, outside):
    """Search at staging for what to remove with a distribution, so that the swap need not if nothing has changed.

    Args:
        site: the site directory with the state, in which this request has created files just now.
        site_dir: the site directory of the distribution.
        info: the name of the dist-info.
        inside: the paths that the distribution owns, from `owned()`.
        outside: its absolute paths elsewhere, from `owned()`.

    Returns:
        A list for `planned()`: a checksum of the rest, the identity of boot and directory, the number of the paths, the
        paths, and the searched directories, each after its time. It is empty if the swap has to search itself, because
        some directories are not removed as a whole, have just changed, or are on a file system where that is unknown.
    """
    names, times, now = by_directory(inside), {}, time_ns()
    here, written = boot(site_dir), _times_of_directory(join(site, STATE))
    if os.name == "nt" or not here or not written or written[0] < now - _LONGEST_REQUEST:
        return []
    try:
        paths = paths_to_retire(site_dir, info, names, times)
    except (OSError, RecursionError):  # the swap will report it
        return []
    tops = _tops(names, info)
    is_whole = tops.issubset(paths) and times.keys() >= tops | _caches(names)
    is_old = all(changed < min(now - _RECENT, written[0]) for changed, _ in times.values())
    elsewhere = [relpath(path, site_dir) for path in outside]
    fields = [here, str(len(paths) + len(elsewhere)), *paths, *elsewhere]
    fields += ["%d %s" % (changed, directory) for directory, (changed, _) in times.items()]
    are_apart = all(path.startswith("../") for path in elsewhere)  # `../site-packages/a.py` is not
    is_writable = not any(mark in field for field in fields for mark in "\t\n\r")
    return [_checksum(fields), *fields] if is_whole and is_old and are_apart and is_writable else []


def planned(site_dir, fields):
    """Return what `plan()` has found, if that is certainly all that a search would find now.

    Args:
        site_dir: the site directory of the distribution.
        fields: from `plan()`.

    Returns:
        The paths below `site_dir`, the absolute paths elsewhere, and the dictionary for `is_unchanged()`; or None if
        there is no plan or it is damaged, a directory has changed since, the machine was booted (a power loss may lose
        a time), or this is a copy (which may have more files).
    """
    if len(fields) < 3 or fields[0] != _checksum(fields[1:]) or fields[1] != boot(site_dir):
        return None
    end = 3 + int(fields[2])
    paths, times = fields[3:end], {}
    for field in fields[end:]:
        found, _, directory = field.partition(" ")
        _note_times(site_dir, directory, times)
        if directory not in times or str(times[directory][0]) != found:
            return None
    moves = [path for path in paths if not path.startswith("../")]
    outside = [normpath(join(site_dir, path)) for path in paths if path.startswith("../")]
    return moves, outside, times


def _checksum(fields):
    return source_hash(len(fields), "\t".join(fields).encode("utf-8", "surrogateescape")).hex()


def by_directory(paths):
    """Group paths with slashes: returns directory -> set of the names in it."""
    names = {}
    for path in paths:
        directory, _, name = path.rpartition("/")
        try:
            names[directory].add(name)
        except KeyError:
            names[directory] = {name}
    return names


def collect(base, directory, names, moves, times):
    """Find the owned files in a directory, as whole directories if possible.

    Args:
        base: the directory that all paths are relative to.
        directory: the directory to search.
        names: the paths that are owned, from `by_directory()`; bytecode of an owned source is owned, too.
        moves: a list, to which the paths are appended.
        times: a dictionary, to which the directories below this one are added with their times before they are listed.

    Returns:
        Whether everything in the directory is owned.
    """
    entries, start = os.listdir(join(base, directory)), directory + "/" if directory else ""
    own = names.get(directory, set())
    parent, _, last = directory.rpartition("/")
    if last == "__pycache__":
        own = own | _bytecode(entries, names.get(parent, ()))
    others = [] if own.issuperset(entries) else [name for name in entries if name not in own]
    inner, is_whole = [], True
    for name in others:
        path = start + name
        _note_times(base, path, times)
        if path not in times or not collect(base, path, names, inner, times):
            is_whole = False
    if is_whole and (inner or len(others) < len(entries)):
        moves.append(directory)
    else:
        moves += inner + [start + name for name in entries if name in own]
    return is_whole


def is_unchanged(base, directory, times):
    """Return whether certainly no entry was added to a directory, or below it, since `paths_to_retire()`.

    It takes a tenth of the time of searching them again.

    Args:
        base: where the directory is now: the directory that all paths are relative to.
        directory: the directory.
        times: from `paths_to_retire()`.
    """
    # Windows may set the times of directories later. What was moved as a file, and is a directory, was never searched.
    if os.name == "nt" or directory not in times:
        return False
    recent = time_ns() - _RECENT
    try:
        return all(
            modified < recent and os.stat(join(base, path)).st_mtime_ns == modified
            for path, (_, modified) in times.items()
            if path == directory or path.startswith(directory + "/")
        )
    except OSError:
        return False


def _note_times(base, path, times):
    """Add a directory to `times`; nothing is added for a link or anything else."""
    found = _times_of_directory(join(base, path))
    if found:
        times[path] = found


def _times_of_directory(path):
    """The times of the last change (ctime) and of the last modification of a directory, in nanoseconds.

    None for anything else, and for a link. Most file systems let no program set the time of the last change.
    """
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return (status.st_ctime_ns, status.st_mtime_ns) if S_ISDIR(status.st_mode) else None


def _bytecode(entries, sources):
    """The bytecode of these sources among the entries of a `__pycache__`."""
    return {name for name in entries if name[-4:] == ".pyc" and name.partition(".")[0] + ".py" in sources}


def forget_bytecode(site_dir, paths, touched):
    """Remove the .pyc files that an interpreter has written for these sources.

    Args:
        site_dir: the directory that `paths` are relative to.
        paths: files, relative; those that are not sources are ignored.
        touched: the directories to flush are added here.
    """
    sources, caches = by_directory(path.replace(os.sep, "/") for path in paths if path.endswith(".py")), []
    for directory in sources:
        cache = join(site_dir, directory, "__pycache__")
        if isdir(cache):
            caches.append(join(directory, "__pycache__", ""))
            for name in _bytecode(os.listdir(cache), sources[directory]):
                try:
                    unlink(join(cache, name))
                except PermissionError:
                    pass
    remove_empty(site_dir, caches, touched)


def top_names(paths):
    """Find the top-level names among the paths of a RECORD.

    Args:
        paths: paths with slashes, relative to the site directory.

    Returns:
        A set of import names, and a set of the top-level paths that contain shared libraries.
    """
    names, libraries = set(), set()
    for path in paths:
        top, slash, _ = path.partition("/")
        if not top.endswith((".dist-info", ".egg-info", ".pth", ".start")) and top not in ("", "__pycache__"):
            names.add(top.partition(".")[0])
            if ".so" in path or path.endswith((".dylib", ".pyd", ".dll")):
                libraries.add(top + slash)
    return names, libraries
