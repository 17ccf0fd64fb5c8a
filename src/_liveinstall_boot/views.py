"""Which versions a starting interpreter sees while somebody still uses what a swap would move.

What its holding ancestor sees; without one, the newest: then the parts themselves go on its sys.path, and it holds
them.
Package managers are shown the disk: with a part on its path pip would empty the part.
"""

import os
import sys
from os.path import basename, dirname, isdir, join, normpath

from . import transactions
from .codec import Stale
from .files import read_record
from .holds import VARIABLE, live_holds, mapped, release, take_hold

_MANAGERS = {"pip", "liveinstall", "ensurepip", "conda", "mamba", "poetry", "pdm", "pipenv", "_pip_child"}


def in_use(site, record):
    """Who keeps a transaction from being swapped: (hold or None, pid, names) of each other live process."""
    found = [(hold, hold.pid, hold.blocks(record)) for hold in live_holds(site, others=True)]
    found = [item for item in found if item[2]]
    known = {pid for _, pid, _ in found}
    places = {name: [normpath(join(site, path)) for path in paths] for name, paths in record.libraries.items()}
    return found + [(None, pid, [name]) for pid, name in mapped(places) if pid not in known]


def keep_view(site):
    """Take the view that is due when what waits cannot be swapped; False when nobody is in the way."""
    waiting = _waiting(site)
    ancestor = _ancestor(site)
    if not (ancestor and ancestor.sees) and not any(in_use(site, record) for record in waiting):
        return False
    if is_manager(sys.orig_argv):
        return True
    if ancestor:
        sees = ancestor.sees
        unseen = [record.id for record in waiting if not set(_parts([record])) <= set(sees)]
        take_hold(site, command(), sees, () if "resource_tracker" in command() else unseen)
    else:
        sees = _parts(waiting)
        take_hold(site, command(), sees)
        if _parts(_waiting(site)) != sees:
            release(site)  # it was swapped, changed or cancelled just now
            return keep_view(site)
    _show(site, sees)
    return True


def _waiting(site):
    found = []
    for id, state, tries in transactions(site):
        if state == "pending":
            try:
                found.append(read_record(site, id, state, tries))
            except (OSError, Stale):
                pass
    return found


def _parts(records):
    return [change.part for record in records for change in record.changes if change.part]


def _ancestor(site):
    path = os.environ.get(VARIABLE, "")
    for hold in live_holds(site, others=True):
        if basename(path) == basename(hold.path) and os.path.samefile(path, hold.path):
            return hold
    return None


def _show(site, sees):
    """Put parts on sys.path, each in front of the directory that it will be moved to, and run their .pth files."""
    add = getattr(sys.modules.get("site"), "addpackage", None)
    for part in sees:
        path = normpath(join(site, part))
        if isdir(path) and path not in sys.path:
            home = dirname(path)
            sys.path.insert(sys.path.index(home) if home in sys.path else len(sys.path), path)
            for name in sorted(os.listdir(path)):
                if add and name.endswith(".pth"):
                    add(path, name, None)


def command():
    return " ".join(sys.orig_argv).replace("\n", " ")[:120]


def is_manager(arguments):
    """Whether an interpreter's arguments run a package manager, by -m or as a script."""
    rest = iter(arguments[1:])
    for word in rest:
        if not word.startswith("-"):
            name = basename(word).lower().removesuffix(".exe").removesuffix(".py")
            return name.rstrip("0123456789.") in _MANAGERS
        if word.startswith("--"):
            continue
        for at, letter in enumerate(word):
            if letter == "c":
                return False
            if letter == "m":
                return (word[at + 1 :] or next(rest, "")).partition(".")[0] in _MANAGERS
            if letter in "WX":
                word[at + 1 :] or next(rest, "")
                break
    return False
