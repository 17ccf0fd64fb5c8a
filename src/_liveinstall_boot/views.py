"""The versions that a starting interpreter imports while a live process uses files that a swap would move.

They are the versions of its nearest ancestor with a hold. If there is none, or if it uses none of those files, they are
the newest: the parts themselves are added to sys.path, and the interpreter takes a hold on them. Package managers use
the files on disk instead: pip would remove the files of a part on its path.
"""

import os
import sys
from os.path import basename, dirname, isdir, join, normpath, realpath

from .codec import StaleError, read_record
from .file_access import read_bytes
from .holds import VARIABLE, live_holds, own_hold, own_holds, release, take_hold
from .layout import PART, STARTUP_FILES, list_transactions
from .process import command, is_manager

added = []  # the (path, RECORD) of each part that this start has added to sys.path, and of the version that it hides


def held(site, record):
    """List the processes with holds that block the swap of a transaction.

    Args:
        site: the site directory.
        record: the transaction.

    Returns:
        A list of (pid, names of the distributions in use) of other live processes.
    """
    return _blocking(live_holds(site, others=True), record)


def _blocking(holds, record):
    users = [(hold.pid, hold.blocks(record)) for hold in holds]
    return [user for user in users if user[1]]


def in_use(site, record):
    """List the processes that block the swap of a transaction with a hold or a mapped library.

    Args:
        site: the site directory.
        record: the transaction.

    Returns:
        A list like that of `held()`.
    """
    users = held(site, record)
    known = {(pid, name) for pid, names in users for name in names}
    return users + [(pid, [name]) for pid, name in mapping(site, record) if (pid, name) not in known]


def mapping(site, record):
    """List the other processes that have mapped libraries that a transaction replaces.

    Args:
        site: the site directory.
        record: the transaction.

    Returns:
        A sorted list of (pid, name of the distribution).
    """
    libraries = {name: [normpath(join(site, path)) for path in paths] for name, paths in record.libraries.items()}
    return sorted(set(mapped(libraries)))


def mapped(places):
    """List the other processes that have mapped files below certain paths; on Linux only.

    Such a process may have no hold. Root gets the processes of all users, other users only their own.

    Args:
        places: maps the name of a distribution to a list of absolute paths.

    Returns:
        A list of (pid, name).
    """
    prefixes = [(os.fsencode(path), name) for name, paths in places.items() for path in paths]
    if not prefixes or not sys.platform.startswith("linux"):
        return []
    users, user_id = [], os.geteuid()
    for pid in os.listdir("/proc"):
        if pid.isdigit() and int(pid) != os.getpid():
            try:
                if user_id == 0 or os.stat("/proc/" + pid).st_uid == user_id:
                    text = read_bytes("/proc/%s/maps" % pid, sys.maxsize)
                    users += [(int(pid), name) for prefix, name in prefixes if prefix in text]
            except OSError:
                pass  # it has exited, or belongs to another user
    return users


def adopt_view(site, swap_blocked=False):
    """Let this process import a consistent set of versions if pending changes cannot be swapped now.

    Args:
        site: the site directory.
        swap_blocked: something other than a hold, such as a mapped library, blocks the swap. (Only a process that is
            about to swap examines the mapped files of all processes: that takes longer than everything here.)

    Returns:
        Whether a view was adopted; if not, no hold blocks a swap.
    """
    pending, holds = _pending(site), live_holds(site)
    ancestor = _ancestor(holds, pending)
    others = [hold for hold in holds if not hold.is_mine()]
    if not swap_blocked and not ancestor and not any(_blocking(others, record) for record in pending):
        return False
    if is_manager(sys.orig_argv):
        return True
    if ancestor:
        sees = ancestor.sees
        unseen = [record.transaction_id for record in pending if not set(_parts([record])) <= set(sees)]
        take_hold(site, command(), sees, () if "resource_tracker" in command() else unseen)
    else:
        sees = _parts(pending)
        take_hold(site, command(), sees)
        if _parts(_pending(site)) != sees:
            release(site)  # the transaction was swapped, changed or cancelled just now
            return adopt_view(site, swap_blocked)
    _add_to_path(site, sees, pending)
    return True


def join_view(site):
    """Let a subinterpreter import the versions of its process, and record its imports in the process's hold.

    Pending transactions that are not part of that view must not be swapped while the process lives.

    Args:
        site: the site directory.
    """
    pending = _pending(site)
    sees = [part for hold in own_holds(site) for part in hold.sees]
    unseen = [record.transaction_id for record in pending if not set(_parts([record])) <= set(sees)]
    if not is_manager(sys.orig_argv):
        take_hold(site, command(), sees, unseen)
    _add_to_path(site, sees, pending)


def _leads_to(entry, directory):
    return isinstance(entry, str) and entry and realpath(entry) == directory


def _pending(site):
    records = []
    for transaction_id, state, tries in list_transactions(site):
        if state == "pending":
            try:
                records.append(read_record(site, transaction_id, state, tries))
            except (OSError, StaleError):
                pass
    return records


def _parts(records):
    return [change.part for record in records for change in record.changes if change.part]


def _ancestor(holds, pending):
    """The hold of the nearest ancestor, if it has a view of its own: it uses a part or files that a swap would move."""
    holds = {hold.name: hold for hold in holds}
    name = basename(os.environ.get(VARIABLE, ""))
    while name in holds and holds[name].is_mine():  # this process's own hold, taken by the guard
        name = holds[name].parent
    hold = holds.get(name)
    if hold and not _is_trusted(hold.path):
        return None
    return hold if hold and (hold.sees or any(hold.blocks(record) for record in pending)) else None


def _is_trusted(path):
    """Whether a hold is owned by this user or root: it determines sys.path entries, and other users may write holds."""
    try:
        return not hasattr(os, "geteuid") or os.lstat(path).st_uid in (0, os.geteuid())
    except OSError:
        return False


def _add_to_path(site, sees, records=()):
    """Add parts to sys.path, each before the directory that it will be swapped into."""
    watcher = own_hold(site)
    if watcher:
        watcher.view = [normpath(join(site, part)) for part in sees if part.endswith(PART)]
    old_infos = {}
    for record in records:
        if not any(path.endswith(STARTUP_FILES) for path in record.owners):  # else an installed distribution needs it
            old_infos.update((change.part, change.old_info) for change in record.changes)
    for part in sees:
        path = normpath(join(site, part))
        if path.endswith(PART) and isdir(path) and path not in sys.path:
            positions = [number for number, entry in enumerate(sys.path) if _leads_to(entry, dirname(path))]
            sys.path.insert(positions[0] if positions else len(sys.path), path)
            added.append((path, join(site, old_infos[part], "RECORD") if old_infos.get(part) else ""))
