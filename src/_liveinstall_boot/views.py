"""Which versions a starting interpreter sees while somebody still uses what a swap would move.

What its holding ancestor sees; without one, or where the ancestor uses nothing of it, the newest: then the parts
themselves go on its sys.path, and it holds them. Package managers are shown the disk: with a part on its path pip would
empty the part.
"""

import os
import sys
from os.path import basename, dirname, isdir, join, normpath, realpath

from .codec import StaleError, read_record
from .holds import VARIABLE, live_holds, release, take_hold
from .layout import list_transactions
from .process import command, is_manager


def held(site, record):
    """(pid, names) of each other live process whose hold keeps a transaction from being swapped."""
    return _blocking(live_holds(site, others=True), record)


def _blocking(holds, record):
    found = [(hold.pid, hold.blocks(record)) for hold in holds]
    return [item for item in found if item[1]]


def in_use(site, record):
    """The same, and of each that has a library mapped and has not said what it uses."""
    places = {name: [normpath(join(site, path)) for path in paths] for name, paths in record.libraries.items()}
    holds = live_holds(site, others=True)
    said = {hold.pid for hold in holds if hold.uses is not None}
    return _blocking(holds, record) + [(pid, [name]) for pid, name in mapped(places) if pid not in said]


def mapped(places):
    """(pid, name) of each other process that has mapped a file below the places (name -> [paths]), as Linux tells.

    Such a process may never have heard of us. Only processes of the same user are asked.
    """
    wanted = [(os.fsencode(place), name) for name, paths in places.items() for place in paths]
    if not wanted or not sys.platform.startswith("linux"):
        return []
    found, me = [], os.geteuid()
    for pid in os.listdir("/proc"):
        if pid.isdigit() and int(pid) != os.getpid():
            try:
                if os.stat("/proc/" + pid).st_uid == me:
                    with open("/proc/%s/maps" % pid, "rb", 0) as stream:
                        text = stream.read()
                    found += [(int(pid), name) for place, name in wanted if place in text]
            except OSError:
                pass  # it has ended, or is none of ours
    return found


def adopt_view(site, swap_blocked=False):
    """Take the view that is due when what waits cannot be swapped; False when no hold is in the way.

    `swap_blocked`: something else is in the way. (Asking who has mapped a library takes longer than all of this: only who is
    about to swap does.)
    """
    waiting, holds = _waiting(site), live_holds(site)
    ancestor = _ancestor(holds, waiting)
    others = [hold for hold in holds if hold.pid != os.getpid()]
    if not swap_blocked and not ancestor and not any(_blocking(others, record) for record in waiting):
        return False
    if is_manager(sys.orig_argv):
        return True
    if ancestor:
        sees = ancestor.sees
        unseen = [record.transaction_id for record in waiting if not set(_parts([record])) <= set(sees)]
        take_hold(site, command(), sees, () if "resource_tracker" in command() else unseen)
    else:
        sees = _parts(waiting)
        take_hold(site, command(), sees)
        if _parts(_waiting(site)) != sees:
            release(site)  # it was swapped, changed or cancelled just now
            return adopt_view(site, swap_blocked)
    _show(site, sees)
    return True


def _waiting(site):
    found = []
    for transaction_id, state, tries in list_transactions(site):
        if state == "pending":
            try:
                found.append(read_record(site, transaction_id, state, tries))
            except (OSError, StaleError):
                pass
    return found


def _parts(records):
    return [change.part for record in records for change in record.changes if change.part]


def _ancestor(holds, waiting):
    """The hold of the nearest ancestor, if it has a view of its own: it sees a part, or uses what a swap would move."""
    holds = {hold.name: hold for hold in holds}
    name = basename(os.environ.get(VARIABLE, ""))
    while name in holds and holds[name].pid == os.getpid():  # the guard has taken this process's own
        name = holds[name].parent
    hold = holds.get(name)
    return hold if hold and (hold.sees or any(hold.blocks(record) for record in waiting)) else None


def _show(site, sees):
    """Put parts on sys.path, each in front of the directory that it will be moved to, and run their .pth files."""
    add = getattr(sys.modules.get("site"), "addpackage", None)
    for part in sees:
        path = normpath(join(site, part))
        if isdir(path) and path not in sys.path:
            homes = [number for number, entry in enumerate(sys.path) if entry and realpath(entry) == dirname(path)]
            sys.path.insert(homes[0] if homes else len(sys.path), path)
            for name in sorted(os.listdir(path)):
                if add and name.endswith(".pth"):
                    add(path, name, None)
