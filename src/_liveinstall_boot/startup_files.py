"""The `.pth` and `.start` files of a starting interpreter, from Python 3.15 on (PEP 829).

There `site` reads all of these files first, extends sys.path, runs the import lines, and then the entry points. What it
has read is in a `StartupState`. While a companion's line runs, that object is up the stack; it is updated to what is on
disk now, as if `site` had read it only now. Its dictionary of import lines is being iterated over: only the lists in it
may change, as new keys would be fatal to the interpreter.

If anything differs from Python 3.15, nothing is changed, and the caller runs the new files itself.
"""

import os
import sys
from os.path import basename, dirname, exists, isfile, join, normcase, realpath

from .layout import COMPANIONS

_RUN = "import site; site.addpackage(%r, %r, None)"  # path lines that are on sys.path already have no effect in it
_updated = set()  # the site directories that an earlier companion of this start has updated


def update(site, parts):
    """Let the start in progress use the startup files that are on disk now, and those of parts.

    Args:
        site: the site directory of the running companion, without symlinks.
        parts: a list of (path, RECORD): each part that this start has added to sys.path, and the path of the RECORD of
            the installed version that it hides, or "".

    Returns:
        Whether that was possible.
    """
    try:
        batch, running = _batch()
        places = [
            entry for entry in sys.path if isinstance(entry, str) and normcase(entry) in batch._processed_sitedirs
        ]
        places = [entry for entry in places if realpath(entry) == site or entry not in _updated]
        hidden = _hidden(batch, parts)
        shown = {path for path, _ in parts}
        for site_dir in places:
            here = sorted(path for path in shown if dirname(path) == realpath(site_dir))
            shown.difference_update(here)  # once, even if two entries lead to the same directory
            _update(batch, running, site_dir, here, hidden)
        _updated.update(places)
    except Exception:  # not the `site` that this was written for
        return False
    return True


def run(files):
    """Process new startup files at once: first all path lines, then import lines, and last entry points.

    Args:
        files: the (directory, name) of each.

    Returns:
        Whether that was possible.
    """
    try:
        batch = sys.modules["site"].StartupState()
        for directory, name in files:
            _read_file(batch, directory, name)
    except Exception:
        return False
    batch.process()
    return True


def _batch():
    """The batch in which a companion's line is running, and the companion's path. Raises if there is none."""
    frame = sys._getframe(2)
    while frame.f_code.co_name != "_exec_imports" or not frame.f_locals["filename"].endswith(COMPANIONS):
        frame = frame.f_back
    return frame.f_locals["self"], frame.f_locals["filename"]


def _hidden(batch, parts):
    """The startup files of the installed versions that parts hide."""
    known = {*batch._importexecs, *batch._entrypoints, *(path for path, _ in batch._path_entries if path)}
    known = [path for path in known if not path.endswith(COMPANIONS)]
    hidden = set()
    for part, record in parts if known else ():
        if isfile(record):
            with open(record, encoding="utf-8", errors="replace") as stream:
                text = "\n" + stream.read()
            names = [path for path in known if "\n%s," % basename(path) in text]
            hidden.update(path for path in names if realpath(dirname(path)) == dirname(part))
    return hidden


def _read_file(batch, directory, name):
    if name.endswith(".pth") and name[0] != ".":
        batch._read_pth_file(directory, name)
    elif name.endswith(".start") and name[0] != ".":
        batch._read_start_file(directory, name)


def _read(batch, directory, hidden=(), unknown=()):
    """What `site` would read in a directory now; `unknown` are entries of sys.path that it would not have yet."""
    paths = {normcase(path) for path in sys.path if isinstance(path, str)}
    fresh = type(batch)(paths - {normcase(path) for path in unknown})
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return fresh
    for name in names:
        if join(directory, name) not in hidden:
            _read_file(fresh, directory, name)
    return fresh


def _update(batch, running, site_dir, parts, hidden):
    """Update what belongs to one site directory, and to the parts that will be swapped into it."""
    ledger = [entry for entry in batch._path_entries if entry[0] and dirname(entry[0]) == site_dir]
    start = sys.path.index(site_dir)
    old_paths = [path for _, path in ledger if path in sys.path and sys.path.index(path) > start]
    fresh = _read(batch, site_dir, hidden, old_paths)
    shown = [_read(batch, part) for part in parts]
    points = {path: lines for read in (fresh, *shown) for path, lines in read._entrypoints.items()}
    lines = _import_lines(batch, running, site_dir, fresh, shown, points)
    points = _in_order(batch, site_dir, points)
    # Everything was read; what follows does not fail.
    for path, new in lines.items():
        batch._importexecs[path][:] = new
    batch._entrypoints.clear()
    batch._entrypoints.update(points)
    batch._path_entries[:] = [entry for entry in batch._path_entries if entry not in ledger] + fresh._path_entries
    new_paths = [path for _, path in fresh._path_entries if exists(path)]
    if new_paths != old_paths:
        at = min((sys.path.index(path) for path in old_paths), default=start + 1)
        for path in old_paths:
            sys.path.remove(path)
        sys.path[at:at] = new_paths
    for part, read in zip(parts, shown, strict=True):
        at = sys.path.index(part) + 1
        sys.path[at:at] = [path for _, path in read._path_entries if exists(path)]


def _import_lines(batch, running, site_dir, fresh, shown, points):
    """The new lists of import lines, for the running file and those that come after it in this directory."""
    order = list(batch._importexecs)
    later = [path for path in order[order.index(running) + 1 :] if dirname(path) == site_dir]
    lines = {path: list(fresh._importexecs.get(path, ())) for path in later}
    lines[running] = list(batch._importexecs[running])
    new = [path for path in fresh._importexecs if path not in batch._importexecs]
    new += [path for read in shown for path in read._importexecs]
    for path in sorted(new, key=basename):
        if _start_file(path) not in points:  # else `site` would ignore these lines
            # It has no list of its own: the file before it runs it, or the hidden one of the same name.
            before = [key for key in later if basename(key) <= basename(path) and _start_file(key) not in points]
            lines[before[-1] if before else running].append(_RUN % (dirname(path), basename(path)))
    return lines


def _start_file(path):
    return path[: -len(".pth")] + ".start"


def _in_order(batch, site_dir, points):
    """All entry points, those of a site directory replaced by `points`, which are sorted by name as `site` does."""
    result = [item for item in batch._entrypoints.items() if dirname(item[0]) != site_dir]
    later = set(sys.path[sys.path.index(site_dir) + 1 :])
    at = next((number for number, item in enumerate(result) if dirname(item[0]) in later), len(result))
    return result[:at] + sorted(points.items(), key=lambda item: basename(item[0])) + result[at:]
