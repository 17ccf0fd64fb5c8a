"""Put staged changes in place while Python starts; roll back what a kill interrupted.

Guest code in somebody's interpreter: it imports next to nothing, prints at most one line on stderr, never raises from
`finalize()`, and may run twice. Companions import a copy of this package from the state directory
(`FINALIZER`), so that it is there even while liveinstall itself is being swapped or has been uninstalled; the live
side imports the original and calls the same functions. This package owns every name and format that it reads.

A transaction is one file in `.liveinstall/transactions/`, whose suffix is its state; each step is one rename:

    <id>.pending ----> <id>.swapping ----> <id>.committed ----> history/<id>
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
FINALIZER = "_liveinstall_finalizer_"  # in the state directory, and a digest of the copy
TRIES = 3
WAIT = 10.0  # seconds that a start waits for a swap in progress
HOLD_VARIABLE = "LIVEINSTALL_HOLD"  # the path of the hold of this process or of its nearest holding ancestor
HOLD_MAGIC = "liveinstall-hold 1"
HELD_AWAY = 0x7FFFFFFF  # where Windows locks a hold: a locked byte cannot be read

_done = set()
_mine = {}  # site -> (descriptor, path) of this process's hold


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


def try_lock(path):
    """Lock the file at `path` without waiting: its descriptor, or None when somebody else has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
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


def take_hold(site, command):
    """Hold the environment as long as this process lives; the hold's path. Idempotent, and needs no lock.

    The file gets its name only when it is locked, so that nobody can take it for a dead process's.
    """
    if site in _mine:
        return _mine[site][1]
    os.makedirs(join(site, STATE, HOLDS), exist_ok=True)
    name = "%d-%s" % (os.getpid(), os.urandom(4).hex())
    path = join(site, STATE, HOLDS, name)
    draft = path if os.name == "nt" else join(site, STATE, "hold-" + name)  # Windows renames no open file
    about = "%s\npid %d\nsince %f\ncommand %s\n" % (HOLD_MAGIC, os.getpid(), time.time(), command)
    handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        _lock_hold(handle)
        os.write(handle, about.encode("utf-8", "replace"))
        if draft != path:
            os.rename(draft, path)
    except BaseException:
        os.close(handle)
        os.unlink(draft)
        raise
    _mine[site] = (handle, path)
    os.environ[HOLD_VARIABLE] = path
    return path


def _lock_hold(handle):
    if fcntl:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        os.lseek(handle, HELD_AWAY, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)


def _descends_from_holder(site):
    """Whether a living process that holds this environment has started this one, at whatever remove."""
    path = os.environ.get(HOLD_VARIABLE, "")
    try:
        here = os.path.samefile(os.path.dirname(path), join(site, STATE, HOLDS))
    except OSError:
        return False
    return here and _is_alive(path)


def live_holds(site):
    """The paths of the holds whose processes live; what the dead have left is removed. Needs the lock."""
    directory = join(site, STATE, HOLDS)
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    return [join(directory, name) for name in names if _is_alive(join(directory, name))]


def _is_alive(path):
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    except PermissionError:  # another user's: without the right to ask, believe it
        return True
    try:
        _lock_hold(handle)
        os.unlink(path)
        return False
    except OSError:
        return True
    finally:
        os.close(handle)


# --- the start --------------------------------------------------------------------------------------------------------


def finalize(site):
    """What a companion's line calls. Never raises; at most one line on stderr, when a transaction was set aside."""
    if site in _done:
        return
    _done.add(site)
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


def _finalize(site):
    if hasattr(os, "geteuid") and os.stat(site).st_uid != os.geteuid():
        return  # root in a user's environment: files would change hands
    waiting = transactions(site)
    interrupted = any(state in ("swapping", "committed") for _, state, _ in waiting)
    if waiting and not interrupted and _descends_from_holder(site):
        take_hold(site, " ".join(sys.orig_argv).replace("\n", " ")[:120])  # it sees the old version, also when alone
        return
    try:
        handle, waited = lock_or_wait(site)
    except OSError as error:  # no lock to be had (ENOLCK, EROFS, EACCES): never go on without it
        _note_all(site, "the lock cannot be had: %s" % error)
        return
    try:
        if handle is not None and (interrupted or not live_holds(site)):
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
    from .swap import note

    for id, state, _ in transactions(site):
        if state == "pending":
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
