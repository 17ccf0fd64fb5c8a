"""Every name and path on disk that belongs to liveinstall, and which transactions there are.

A transaction is one file in `.liveinstall/transactions/`, whose suffix is its state; each step is one rename:

    <id>.pending ----> <id>.swapping ----> <id>.committed ----> history/<id>.<when>
         ^------ rolled back -----'

Before `committed` recovery rolls back, from it on recovery rolls forward. `pending1`, `swapping2` ... count the failed
tries; after the third the transaction is set aside as `failed`. Progress within a swap is never counted but observed:
a file is new and in place when its part lacks it; it is old and retired when the retired tree has it.
"""

import os
from os.path import join

STATE = ".liveinstall"  # in the site directory: everything of ours but parts, companions and the guard
LOCK, TRANSACTIONS, HISTORY, RETIRED, HOLDS = "lock", "transactions", "history", "retired", "holds"
OWNER = "owner"  # beside the lock while a live process has it and is not swapping yet, which may take long
PART, COMPANIONS = ".part", (".part.pth", ".part.start")
MANIFEST = ".manifest"  # in a part
GUARDS = ("_liveinstall_guard.pth", "_liveinstall_guard.start")
FINALIZER = "_liveinstall_finalizer_"  # the copy of this package in the state directory, and a digest of its content
TRIES = 3  # failed swaps after which a transaction is set aside
WAIT = 10.0  # seconds that a start, or an import in a holder, waits for a swap in progress


def list_transactions(site):
    """List the transactions that are not history yet, oldest first.

    Args:
        site: the site directory.

    Returns:
        A list of (transaction_id, state, tries). Foreign names are left out, and what is not a regular file.
    """
    try:
        with os.scandir(join(site, STATE, TRANSACTIONS)) as entries:
            names = sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = []
    for name in names:
        transaction_id, _, suffix = name.partition(".")
        state = suffix.rstrip("0123456789")
        tries = suffix[len(state) :]
        if transaction_id and state in ("pending", "swapping", "committed", "failed") and tries[:1] != "0":
            found.append((transaction_id, state, int(tries or 0)))
    return found


def record_path(site, transaction_id, state, tries=0):
    """The path of a transaction's record; `state` and `tries` as `list_transactions()` returns them."""
    return join(site, STATE, TRANSACTIONS, "%s.%s%s" % (transaction_id, state, tries or ""))
