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

import errno
import os
import sys
import time
from os.path import join

try:
    import fcntl
except ImportError:
    fcntl = None
    import msvcrt

STATE = ".liveinstall"  # in site-packages: all that is neither a part nor a companion
LOCK, TRANSACTIONS, HISTORY, RETIRED, HOLDS = "lock", "transactions", "history", "retired", "holds"
OWNER = "owner"  # beside the lock while a live process has it and is not swapping yet, which may last
PART, COMPANIONS = ".part", (".part.pth", ".part.start")
MANIFEST = ".manifest"  # in a part
GUARDS = ("_liveinstall_guard.pth", "_liveinstall_guard.start")
FINALIZER = "_liveinstall_finalizer_"  # in the state directory, and a digest of the copy
TRIES = 3
WAIT = 10.0  # seconds that a start waits for a swap in progress

_done = set()


# --- state on disk ----------------------------------------------------------------------------------------------------


def transactions(site):
    """(id, state, tries) of each transaction that is not history, oldest first; foreign names are left alone."""
    try:
        names = sorted(os.listdir(join(site, STATE, TRANSACTIONS)))
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = []
    for name in names:
        id, _, suffix = name.partition(".")
        state = suffix.rstrip("0123456789")
        if state in ("pending", "swapping", "committed", "failed"):
            found.append((id, state, int(suffix[len(state) :] or 0)))
    return found


def record_path(site, id, state, tries=0):
    return join(site, STATE, TRANSACTIONS, "%s.%s%s" % (id, state, tries or ""))


# --- locks ------------------------------------------------------------------------------------------------------------


def try_lock(path, flags=0):
    """Lock the file at `path` without waiting: its descriptor, or None when somebody else has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o666)
    try:
        if fcntl:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        if os.path.samestat(os.fstat(handle), os.stat(path)):
            return handle
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES, errno.ENOENT, errno.EDEADLK):
            os.close(handle)
            raise
    os.close(handle)
    return None


def lock_or_wait(site):
    """The lock's descriptor, or None, and whether it was waited for: only for a swap, and never longer than WAIT."""
    end = time.monotonic() + WAIT
    waited = False
    while True:
        handle = try_lock(join(site, STATE, LOCK))
        if handle is not None or not _is_swapped_now(site) or time.monotonic() > end:
            return handle, waited
        waited = True
        time.sleep(0.01)


def _is_swapped_now(site):
    """Whether who has the lock swaps, or is a start that is about to: whoever went on then would see both versions."""
    states = {state for _, state, _ in transactions(site)}
    return "swapping" in states or ("pending" in states and not os.path.exists(join(site, STATE, OWNER)))


# --- the start --------------------------------------------------------------------------------------------------------


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
        _say("liveinstall: what is staged waits on (%s)" % error)
        try:
            _note_all(site, str(error))
        except BaseException:
            pass


def start():
    """What a companion names in its .start file (Python 3.18 and later), which tells no directory: all that wait."""
    for entry in list(sys.path):
        if entry and transactions(entry):
            finalize(entry)


def guard(site):
    """What the guard's line calls: hold the environment from the start on. Never raises, and says nothing."""
    try:
        from .holds import command, is_manager, take_hold

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
    waiting = transactions(site)
    interrupted = any(state in ("swapping", "committed") for _, state, _ in waiting)
    if not interrupted:
        from .views import keep_view

        if keep_view(site):
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

            finalize_all(site, _say)
    finally:
        if handle is not None:
            os.close(handle)
    if waited or interrupted or not waiting:  # site.py may have listed in the middle of a swap, and missed files
        from .swap import see

        see([(site, name) for name in sorted(os.listdir(site)) if name.endswith(".pth")])


def _note_all(site, reason):
    """Keep why nothing was tried, or not to its end."""
    from .recover import note

    for id, state, _ in transactions(site):
        if state in ("pending", "swapping"):
            note(site, id, reason)


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


def _say(line):
    try:
        sys.stderr.write(line.replace("\n", " ") + "\n")
    except BaseException:  # closed, or None
        pass
