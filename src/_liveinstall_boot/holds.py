"""Holds: records of the distributions that a live process uses, so that no swap moves those files.

A hold is a file in `.liveinstall/holds/` with a kernel lock, so it ends with the process, even on kill -9; a forked
child shares it. Lines are appended for further imports; `uses` is written before the import itself.

    liveinstall-hold 1
    pid 4711
    host 6f1c...-9a3b 4026531836 node-3      the machine and namespace of that pid: see `process.host()`
    since 1795232665.1
    command python -m ipykernel_launcher
    parent 4700-1f2e3d4c        the hold of the nearest ancestor, alive or not
    sees numpy-2.2.6.part       a part that is on this process's sys.path, relative to the site directory
    uses numpy                  a top-level name that it has imported, or is about to import
    keeps 20261121T034425-bb8e  a transaction that must not be swapped while it lives: it or its parent staged it

A process that uses a package and a swap that moves it need no common lock: the process writes `uses` and then checks
for a swap; the swap announces itself as `swapping` and then checks for `uses`. At least one of them notices the other;
then the process waits, or the swap gives up.
"""

import atexit
import errno
import os
import sys
import time
from os.path import basename, join

from .layout import HOLDS, STATE
from .watcher import UNWRITABLE_SUFFIX, Watcher, clear_of_streams, lines_of, loaded_names, rename, unwatch, watch

try:
    import fcntl
except ImportError:
    fcntl = None
    import msvcrt

    from .file_access import open_shared

VARIABLE = "LIVEINSTALL_HOLD"  # the path of the hold of this process or of its nearest holding ancestor
MAGIC = "liveinstall-hold 1"
LIMIT = 2**20  # bytes of a hold that are read; the process of a longer one may use anything
SWEPT = 8  # the number of other holds that a process checks when it takes its own, to remove those of dead processes
_LOCKED_BYTE = 0x7FFFFFFF  # the offset of the lock on Windows, beyond the content: a locked byte cannot be read

_own = {}  # site directory -> the Watcher of this process's hold


class Hold:
    """A hold as read from disk.

    Attributes:
        path: the absolute path of the file.
        name: its file name, without the suffix of an unwritable hold.
        pid: the id of the process; 0 if it is not known.
        host: where that id counts, as `process.host()` returns it; empty if that is not known.
        parent: the name of the hold of the nearest ancestor; empty if there is none.
        since: when the hold was taken, in seconds since the epoch; 0 if that is not known.
        command: the command line of the process, for people.
        notebook: the file name of the notebook that the process is the kernel of; empty if that is not known.
        sees: the parts on its `sys.path`, relative to the site directory.
        uses: the top-level names that it uses; None if they are not known, so that it may use anything.
        keeps: the ids of transactions that must not be swapped while it lives.
    """

    def __init__(self, path, text):
        self.path = path
        self.name = basename(path).rstrip(UNWRITABLE_SUFFIX)
        pid = self.name.partition("-")[0]
        self.pid = int(pid) if pid.isdecimal() and len(pid) < 10 else 0
        self.parent = self.notebook = self.host = ""
        self.since, self.command, self.sees, self.uses, self.keeps = 0.0, "unknown", [], set(), set()
        lines = text.split("\n")
        if lines[0] != MAGIC:
            self.uses = None
            return
        if path.endswith(UNWRITABLE_SUFFIX):
            self.uses = None
        for line in lines[1:]:
            key, _, value = line.partition(" ")
            if key == "since":
                self.since = _seconds(value)
            elif key in ("command", "notebook", "host"):
                setattr(self, key, "".join(letter if letter.isprintable() else "?" for letter in value))
            elif key == "parent":
                self.parent = value
            elif key == "sees":
                self.sees.append(value)
            elif key == "uses" and self.uses is not None:
                self.uses.add(value)
            elif key == "keeps":
                self.keeps.add(value)

    def is_mine(self):
        """Whether it is of this process. Processes in two containers, or on two machines, may have the same id."""
        if self.pid != os.getpid():
            return False
        if not self.host:  # emptied, or from an earlier version: it is the one that this process has named
            paths = [watcher.path for watcher in _own.values()] + [os.environ.get(VARIABLE, "")]
            return self.name in [basename(path).rstrip(UNWRITABLE_SUFFIX) for path in paths]
        return not self.is_elsewhere()

    def is_elsewhere(self):
        """Whether its process is known to be on another machine, or in another container."""
        from .process import host

        return bool(self.host) and self.host.split(" ")[:2] != host().split(" ")[:2]

    def blocks(self, record):
        """Return the names of the distributions in a transaction whose files this process uses, as a list."""
        if self.uses is None or record.transaction_id in self.keeps:
            return [change.name for change in record.changes]
        seen = [change.name for change in record.changes if change.part and change.part in self.sees]
        # `tops` also has distributions that do not change themselves, but lose or regain a shared file.
        return seen + [
            name for name, tops in record.tops.items() if name not in seen and not self.uses.isdisjoint(tops)
        ]


def _seconds(text):
    """A time in the range of a calendar; 0 for all other text."""
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return seconds if 0 <= seconds < 10**10 else 0.0  # the comparison is false for nan and inf, too


def take_hold(site, command, sees=(), keeps=()):
    """Take a hold on an environment as long as this process lives. Idempotent; needs no lock.

    The file gets its name only when it is locked, so that it cannot be mistaken for the hold of a dead process.

    Args:
        site: the site directory.
        command: what this process runs, for people.
        sees: the parts that are on this process's `sys.path`, relative to the site directory.
        keeps: the ids of transactions that must not be swapped while this process lives.

    Returns:
        The path of the hold.

    Raises:
        OSError: the hold cannot be written.
    """
    watcher = _own.get(site)
    if watcher:
        watcher.append("sees", sees)
        watcher.append("keeps", keeps)
        return watcher.path
    if not os.path.isdir(join(site, STATE, HOLDS)):
        os.makedirs(join(site, STATE, HOLDS), exist_ok=True)
    paths = _paths(site)
    for hold in _own_among(paths):  # of another copy of this module, or another interpreter
        path = _join_hold(site, hold, sees, keeps)
        if path:
            return path
        sees = [*sees, *(part for part in hold.sees if part not in sees)]
    name = "%d-%s" % (os.getpid(), os.urandom(4).hex())
    path = join(site, STATE, HOLDS, name)
    _sweep_some(paths)
    loaded = loaded_names()
    text = _about(command).encode("utf-8", "replace")
    text += lines_of("sees", sees) + lines_of("keeps", keeps) + lines_of("uses", loaded)
    handle, draft = _open_draft(site, path)
    try:
        _lock(handle)
        if os.write(handle, text) < len(text):
            os.ftruncate(handle, 0)  # a process with an empty hold may use anything
        watcher = Watcher(site, handle, path, loaded.union(sys.stdlib_module_names))
        rename(draft, path)
    except BaseException:
        os.close(handle)
        os.unlink(draft)
        raise
    from .process import is_main_interpreter

    if not _own and is_main_interpreter():  # the process outlives a subinterpreter
        atexit.unregister(_release_at_exit)
        atexit.register(_release_at_exit)
    _own[site] = watcher
    watch(watcher, _own)
    os.environ[VARIABLE] = path
    return path


def _about(command):
    """The first lines of a hold of this process."""
    from .process import host

    facts = MAGIC, os.getpid(), host(), time.time(), command, _name_in(VARIABLE)
    about = "%s\npid %d\nhost %s\nsince %f\ncommand %s\nparent %s\n" % facts
    if "ipykernel" in command:  # a child of the kernel inherits the variable
        about += "notebook %s\n" % _name_in("JPY_SESSION_NAME")
    return about


def _name_in(variable):
    """The file name at the end of the path in an environment variable; empty without the variable."""
    return basename(os.environ.get(variable, "")).partition("\n")[0]


def _open_draft(site, path):
    """Make the file of a hold under a name that does not count as a hold yet; its descriptor and that name."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
    draft = join(site, STATE, "hold-" + basename(path))
    if not fcntl:
        return clear_of_streams(open_shared(draft, flags)), draft
    try:
        handle = os.open(draft, flags, 0o644)
    except PermissionError:  # another user's environment, where only the directory of the holds is writable for all
        draft = join(site, STATE, HOLDS, ".hold-" + basename(path))
        handle = os.open(draft, flags, 0o644)
    handle = clear_of_streams(handle)
    os.fchmod(handle, 0o644)  # regardless of the umask: other users must be able to check whether this process runs
    return handle, draft


def share(site):
    """Let every user of the machine take holds on an environment; no user can remove or change those of other users.

    Args:
        site: the site directory.

    Raises:
        OSError: the directory of the holds cannot be made, or belongs to another user.
    """
    os.makedirs(join(site, STATE, HOLDS), exist_ok=True)
    os.chmod(join(site, STATE, HOLDS), 0o1777)  # noqa: S103  sticky: only the owner of a file can remove it


def _join_hold(site, hold, sees, keeps):
    """Let a subinterpreter write to a hold of its process; the path of the hold, or None in the first interpreter.

    The descriptor is a copy of the first interpreter's, so the hold lasts until both are closed.
    """
    from .process import is_main_interpreter
    from .subinterpreter import copy_of_descriptor

    if is_main_interpreter():
        return None
    try:
        handle = copy_of_descriptor(hold.path)
    except OSError:
        return None
    loaded = loaded_names()
    watcher = Watcher(site, handle, hold.path, loaded.union(sys.stdlib_module_names))
    watcher.is_shared = True
    watcher.append("sees", [part for part in sees if part not in hold.sees])
    watcher.append("keeps", [key for key in keeps if key not in hold.keeps])
    watcher.append("uses", loaded if hold.uses is None else loaded.difference(hold.uses))
    _own[site] = watcher
    watch(watcher, _own)
    watcher.wait()
    return hold.path


def own_hold(site):
    """Return the `Watcher` of this process's own hold on an environment, or None."""
    return _own.get(site)


def held_sites():
    """Return the site directories on which this process has a hold, as a list."""
    return list(_own)


def release(site):
    """Release this process's hold on an environment, if it has one."""
    watcher = _own.pop(site, None)
    if watcher:
        unwatch(watcher)
        if not watcher.is_shared and os.environ.get(VARIABLE) == watcher.path:
            del os.environ[VARIABLE]
        os.close(watcher.handle)  # first, because Windows cannot unlink an open file
        is_alive(watcher.path)


def live_holds(site, others=False):
    """List the holds of live processes, and remove those of dead ones.

    Args:
        site: the site directory.
        others: omit the holds of this process.

    Returns:
        A list of `Hold`.
    """
    return [hold for hold in _live(_paths(site)) if not (others and hold.is_mine())]


def _live(paths):
    return [Hold(path, _text(path)) for path in paths if is_alive(path)]


def own_holds(site):
    """List the holds of this process that are on disk, even those that another copy of this module has taken."""
    return _own_among(_paths(site))


def _own_among(paths):
    start = "%d-" % os.getpid()
    return [hold for hold in _live([path for path in paths if basename(path).startswith(start)]) if hold.is_mine()]


def _paths(site):
    """The paths of all holds, even of dead processes; only regular files count."""
    try:
        with os.scandir(join(site, STATE, HOLDS)) as entries:
            return sorted(
                entry.path for entry in entries if entry.name[0] != "." and entry.is_file(follow_symlinks=False)
            )
    except (FileNotFoundError, NotADirectoryError):
        return []


def _text(path):
    from .file_access import open_own_name

    try:
        with open(path, encoding="utf-8", errors="replace", opener=open_own_name) as stream:
            text = stream.read(LIMIT)
            return "" if stream.read(1) else text
    except OSError:
        return ""


def _sweep_some(paths):
    """Check a few holds and remove those of dead processes, which would accumulate if nothing lists all holds."""
    first = os.getpid() % len(paths) if paths else 0
    for path in (paths[first:] + paths[:first])[:SWEPT]:
        is_alive(path, patient=False)


def _release_at_exit():
    """Remove the holds of this process; if a daemon thread may still import, they end with the process instead."""
    if len(sys._current_frames()) == 1:  # noqa: SLF001  importing `threading` would add 3 ms to each start
        for site in held_sites():
            try:
                release(site)
            except OSError:
                pass


def _lock(handle):
    """Lock a new hold before its name is public."""
    if fcntl:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)


def _is_locked(handle, patient):
    """Whether a process has the lock of a hold. Several may check at once, and must not mistake each other for it.

    Therefore a check takes a shared lock; on Windows, where `msvcrt` has none, it tries again if it is patient.
    """
    for pause in (0.0005, 0.002, 0.005, 0) if patient and not fcntl else (0,):
        try:
            if fcntl:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            else:
                _lock(handle)
            return False
        except OSError:
            time.sleep(pause)
    return True


def is_alive(path, patient=True):
    """Return whether the process of a hold lives; the hold of a dead process is removed.

    Args:
        path: the path of the hold.
        patient: on Windows, make sure that no other check is taken for the process.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW) if fcntl else open_shared(path, os.O_RDWR)
    except OSError as error:  # it belongs to another user: assume that the process lives
        return error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
    try:
        if _is_locked(handle, patient):
            return True
    finally:
        os.close(handle)  # first, because Windows cannot unlink an open file
    try:
        os.unlink(path)
    except OSError:
        pass
    return False
