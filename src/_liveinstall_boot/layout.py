"""Every name and path on disk that a start reads, and which transactions there are."""

import os
from os.path import join

STATE = ".liveinstall"  # in site-packages: all that is neither a part nor a companion
LOCK, TRANSACTIONS, HISTORY, RETIRED, HOLDS = "lock", "transactions", "history", "retired", "holds"
OWNER = "owner"  # beside the lock while a live process has it and is not swapping yet, which may last
PART, COMPANIONS = ".part", (".part.pth", ".part.start")
MANIFEST = ".manifest"  # in a part
GUARDS = ("_liveinstall_guard.pth", "_liveinstall_guard.start")
FINALIZER = "_liveinstall_finalizer_"  # in the state directory, and a digest of the copy
TRIES = 3
WAIT = 10.0  # seconds that a start waits for a swap in progress


def list_transactions(site):
    """(id, state, tries) of each transaction that is not history, oldest first; foreign names are left alone."""
    try:
        names = sorted(os.listdir(join(site, STATE, TRANSACTIONS)))
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = []
    for name in names:
        transaction_id, _, suffix = name.partition(".")
        state = suffix.rstrip("0123456789")
        if state in ("pending", "swapping", "committed", "failed"):
            found.append((transaction_id, state, int(suffix[len(state) :] or 0)))
    return found


def record_path(site, transaction_id, state, tries=0):
    return join(site, STATE, TRANSACTIONS, "%s.%s%s" % (transaction_id, state, tries or ""))
