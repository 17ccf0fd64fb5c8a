"""Every name and path on disk that belongs to liveinstall, and the list of transactions.

A transaction is one file in `.liveinstall/transactions/`; its suffix is its state, and each step is one rename:

    <id>.pending ----> <id>.swapping ----> <id>.committed ----> history/<id>.<when>
         ^------ rolled back -----'

Before `committed` recovery rolls back, from then on it rolls forward. `pending1`, `swapping2` ... count the failed
tries; after the third the transaction is set aside as `failed`. The progress of a swap is never recorded but observed:
a new file is in place if its part lacks it; an old file is retired if the retired tree has it.
"""

import os
import sys
from os.path import join

STATE = ".liveinstall"  # in the site directory: everything of ours but parts, companions and the guard
LOCK, TRANSACTIONS, HISTORY, RETIRED, HOLDS = "lock", "transactions", "history", "retired", "holds"
REPLACED = "replaced"  # the files of installed distributions at paths that another distribution owns
OWNER = "owner"  # next to the lock while a live process has it for a change and is not swapping yet: may take long
PART, COMPANIONS = ".part", (".part.pth", ".part.start")
MANIFEST = ".manifest"  # in a part
STARTUP_FILES = (".pth", ".start") if sys.version_info >= (3, 15) else (".pth",)  # those that site.py reads
GUARDS = ("_liveinstall_guard.pth", "_liveinstall_guard.start")
FINALIZER = "_liveinstall_finalizer_"  # the copy of this package in the state directory, and a digest of its content
TRIAL_VARIABLE = "LIVEINSTALL_TRIAL"  # the directory of the trial that this process and its children belong to
TRIES = 3  # failed swaps after which a transaction is set aside
WAIT = 10.0  # seconds that a start, or an import in a process with a hold, waits for a swap in progress


def list_transactions(site):
    """List the transactions that are not history yet, oldest first.

    Args:
        site: the site directory.

    Returns:
        A list of (transaction_id, state, tries). Unknown names are omitted, and anything but regular files.
    """
    try:
        with os.scandir(join(site, STATE, TRANSACTIONS)) as entries:
            names = sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return []
    transactions = []
    for name in names:
        transaction_id, _, suffix = name.partition(".")
        state = suffix.rstrip("0123456789")
        tries = suffix[len(state) :]
        if transaction_id and state in ("pending", "swapping", "committed", "failed") and tries[:1] != "0":
            transactions.append((transaction_id, state, int(tries or 0)))
    return transactions


def record_path(site, transaction_id, state, tries=0):
    """Return the path of a transaction's record.

    Args:
        site: the site directory.
        transaction_id: its id.
        state: its state: pending, swapping, committed or failed.
        tries: the number of its failed tries.
    """
    return join(site, STATE, TRANSACTIONS, "%s.%s%s" % (transaction_id, state, tries or ""))
