"""Put staged changes in place while Python starts; roll back what a kill interrupted.

Guest code in somebody's interpreter: it imports next to nothing, prints at most one line on stderr, never raises from
`finalize()`, and may run twice. Companions import a copy of this package from the state directory
(`FINALIZER`), so that it is there even while liveinstall itself is being swapped or has been uninstalled; the live
side imports the original and calls the same functions. This package owns every name and format that it reads.

A transaction is one file in `.liveinstall/transactions/`, whose suffix is its state; each step is one rename:

    <id>.pending ----> <id>.swapping ----> <id>.committed ----> history/<id>.<when>
         ^------ rolled back -----'

Before `committed` recovery rolls back, from it on recovery rolls forward. `pending1`, `swapping2` ... count the failed
tries; after the third the transaction is set aside as `failed`. What has been moved is never counted: it is observed.
A file is new and in place when its part lacks it; it is old and retired when the retired tree has it.
"""

import os
import sys
from os.path import join

from .layout import GUARDS, OWNER, STATE, list_transactions
from .locks import lock_or_wait
from .process import say

_done = set()


def finalize(site):
    """What a companion's line calls. Never raises; at most one line on stderr, when a transaction was set aside."""
    if site in _done:
        return
    _done.add(site)
    site = os.path.realpath(site)  # a link may lead here, and what is recorded is relative to the directory itself
    try:
        restore = _hold_off_sigint()
        try:
            _finalize(site)
        finally:
            restore()
    except BaseException as error:  # SystemExit or KeyboardInterrupt here would be fatal to the interpreter
        say("liveinstall: what is staged waits on (%s)" % error)
        try:
            _note_all(site, str(error))
        except BaseException:
            pass


def start():
    """What a companion names in its .start file (Python 3.18 and later), which tells no directory: all that wait."""
    for entry in list(sys.path):
        if entry and list_transactions(entry):
            finalize(entry)


def guard(site):
    """What the guard's line calls: hold the environment from the start on. Never raises, and says nothing."""
    try:
        from .holds import take_hold
        from .process import command, is_manager

        if os.path.isdir(join(site, STATE)) and not is_manager(sys.orig_argv):
            take_hold(site, command())
    except BaseException:  # a hold that cannot be had must not keep Python from starting
        pass


def start_guard():
    """What the guard's .start file names (Python 3.18 and later), which tells no directory."""
    for entry in list(sys.path):
        if entry and os.path.exists(join(entry, GUARDS[1])):
            guard(entry)


def _finalize(site):
    if hasattr(os, "geteuid") and os.stat(site).st_uid != os.geteuid():
        return  # root in a user's environment: files would change hands
    waiting = list_transactions(site)
    interrupted = any(state in ("swapping", "committed") for _, state, _ in waiting)
    if not interrupted:
        from .views import adopt_view

        if adopt_view(site):
            return
    try:
        handle, waited = lock_or_wait(site)
    except OSError as error:  # no lock to be had (ENOLCK, EROFS, EACCES): never go on without it
        _note_all(site, "the lock cannot be had: %s" % error)
        return
    try:
        if handle is not None:
            _forget_owner(site)
            from .swap import finalize_all

            finalize_all(site, say)
    finally:
        if handle is not None:
            os.close(handle)
    if waited or interrupted or not waiting:  # site.py may have listed in the middle of a swap, and missed files
        from .swap import refresh_imports

        refresh_imports([(site, name) for name in sorted(os.listdir(site)) if name.endswith(".pth")])


def _note_all(site, reason):
    """Keep why nothing was tried, or not to its end."""
    from .recover import note

    for transaction_id, state, _ in list_transactions(site):
        if state in ("pending", "swapping"):
            note(site, transaction_id, reason)


def _forget_owner(site):
    """Remove what a killed process has left beside the lock, which is ours now."""
    try:
        os.unlink(join(site, STATE, OWNER))
    except FileNotFoundError:
        pass


def _hold_off_sigint():
    """Keep Ctrl-C from cutting a swap in two; the function that lets it through again."""
    import _signal

    if not hasattr(_signal, "pthread_sigmask"):
        before = _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
        return lambda: _signal.signal(_signal.SIGINT, before)
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, [_signal.SIGINT])
    return lambda: _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
