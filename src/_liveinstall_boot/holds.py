"""Holds: what a live process says it uses, so that nobody moves those files.

A hold is a file in `.liveinstall/holds/` under a kernel lock, so it ends with the process, even on kill -9; a forked
child shares it. Lines are appended as the process goes on to import; `uses` comes before the import itself.

    liveinstall-hold 1
    pid 4711
    since 1795232665.1
    command python -m ipykernel_launcher
    parent 4700-1f2e3d4c        the hold of the nearest ancestor, alive or not
    sees numpy-2.2.6.part       a part that is on this process's sys.path, relative to the site directory
    uses numpy                  a top-level name that it has imported, or is about to import
    keeps 20261121T034425-bb8e  a transaction that this process must not see: it staged it, or its parent did

A process that uses something and a swap that moves it agree without a common lock: the process writes `uses` and then
looks for a swap, the swap announces itself as `swapping` and then looks for `uses`. At least one of them sees the
other; the process then waits, the swap gives up.
"""

import atexit
import errno
import os
import sys
import time
from os.path import basename, join

from .layout import HOLDS, STATE
from .process import is_main_interpreter
from .watcher import UNWRITABLE_SUFFIX, Watcher, loaded_names, unwatch, watch

try:
    import fcntl
except ImportError:
    fcntl = None
    import msvcrt

VARIABLE = "LIVEINSTALL_HOLD"  # the path of the hold of this process or of its nearest holding ancestor
MAGIC = "liveinstall-hold 1"
LIMIT = 2**20  # bytes of a hold that are read; the process of a longer one may use anything
SWEPT = 8  # how many other holds a process looks at when it takes its own, to remove those of dead processes
_AWAY = 0x7FFFFFFF  # where Windows locks a hold: a locked byte cannot be read

_own = {}  # site directory -> the Watcher of this process's hold


class Hold:
    """A hold as read from disk. `uses` is None if that cannot be known: the process may use anything."""

    def __init__(self, path, text):
        self.path = path
        self.name = basename(path).rstrip(UNWRITABLE_SUFFIX)
        pid = self.name.partition("-")[0]
        self.pid = int(pid) if pid.isdecimal() and len(pid) < 10 else 0
        self.parent = ""
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
            elif key == "command":
                self.command = "".join(letter if letter.isprintable() else "?" for letter in value)
            elif key == "parent":
                self.parent = value
            elif key == "sees":
                self.sees.append(value)
            elif key == "uses" and self.uses is not None:
                self.uses.add(value)
            elif key == "keeps":
                self.keeps.add(value)

    def blocks(self, record):
        """The names of the distributions in a transaction whose files this process uses; a list, empty if none."""
        if self.uses is None or record.transaction_id in self.keeps:
            return [change.name for change in record.changes]
        found = [change.name for change in record.changes if change.part and change.part in self.sees]
        # Among the names are those of distributions that stay, and lose or get back a file.
        return found + [
            name for name, tops in record.tops.items() if name not in found and not self.uses.isdisjoint(tops)
        ]


def _seconds(text):
    """A point in time that a calendar can show; 0 for all else."""
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return seconds if 0 <= seconds < 10**10 else 0.0  # which nan and inf are not, either


def take_hold(site, command, sees=(), keeps=()):
    """Hold the environment as long as this process lives. Idempotent; needs no lock.

    The file gets its name only when it is locked, so that nobody can take it for a dead process's.

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
    if not is_main_interpreter():
        path = _join_hold(site, sees, keeps)
        if path:
            return path
    if not os.path.isdir(join(site, STATE, HOLDS)):
        os.makedirs(join(site, STATE, HOLDS), exist_ok=True)
    for hold in live_holds(site, start="%d-" % os.getpid()):  # taken by another copy of this module
        sees = [*sees, *(part for part in hold.sees if part not in sees)]
    name = "%d-%s" % (os.getpid(), os.urandom(4).hex())
    path = join(site, STATE, HOLDS, name)
    _sweep_some(site)
    parent = basename(os.environ.get(VARIABLE, "")).partition("\n")[0]
    about = "%s\npid %d\nsince %f\ncommand %s\nparent %s\n" % (MAGIC, os.getpid(), time.time(), command, parent)
    handle, draft = _open_draft(site, path)
    try:
        _lock(handle)
        os.write(handle, about.encode("utf-8", "replace"))
        loaded = loaded_names()
        watcher = Watcher(site, handle, path, loaded.union(sys.stdlib_module_names))
        for key, values in (("sees", sees), ("keeps", keeps), ("uses", loaded)):
            watcher.append(key, values)
        if draft != path:
            os.rename(draft, path)
    except BaseException:
        os.close(handle)
        os.unlink(draft)
        raise
    if not _own and is_main_interpreter():  # the end of another interpreter is not the end of the process
        atexit.unregister(_release_at_exit)
        atexit.register(_release_at_exit)
    _own[site] = watcher
    watch(watcher, _own)
    os.environ[VARIABLE] = path
    return path


def _open_draft(site, path):
    """Make the file of a hold under a name that nobody takes for a hold yet; its descriptor and that name."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
    if os.name == "nt":  # which renames no open file
        return os.open(path, flags, 0o644), path
    draft = join(site, STATE, "hold-" + basename(path))
    try:
        handle = os.open(draft, flags, 0o644)
    except PermissionError:  # another user's environment, where only the directory of the holds is for all
        draft = join(site, STATE, HOLDS, ".hold-" + basename(path))
        handle = os.open(draft, flags, 0o644)
    os.fchmod(handle, 0o644)  # whatever the umask: others must be able to ask whether this process lives
    return handle, draft


def share(site):
    """Let every user of the machine hold an environment: holds that belong to others cannot be removed or changed.

    Args:
        site: the site directory.

    Raises:
        OSError: the directory of the holds cannot be made, or is another user's.
    """
    os.makedirs(join(site, STATE, HOLDS), exist_ok=True)
    os.chmod(join(site, STATE, HOLDS), 0o1777)  # noqa: S103  sticky: nobody removes another's


def _join_hold(site, sees, keeps):
    """Let a subinterpreter write to the hold of its process; the path of that, or None if the process has none.

    The descriptor is a copy of the first interpreter's, so the hold lasts as long as either has it.
    """
    from .subinterpreter import copy_of_descriptor

    for hold in live_holds(site, start="%d-" % os.getpid()):
        try:
            handle = copy_of_descriptor(hold.path)
        except OSError:
            continue
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
    return None


def own_hold(site):
    """The `Watcher` of this process's own hold of an environment, or None."""
    return _own.get(site)


def held_sites():
    """The site directories that this process holds, as a list."""
    return list(_own)


def release(site):
    """End this process's hold of an environment, if it has one."""
    watcher = _own.pop(site, None)
    if watcher:
        unwatch(watcher)
        if not watcher.is_shared and os.environ.get(VARIABLE) == watcher.path:
            del os.environ[VARIABLE]
        os.close(watcher.handle)  # first, because Windows unlinks no open file
        _is_alive(watcher.path)


def live_holds(site, others=False, start=""):
    """The holds of live processes; those of dead ones are removed.

    Args:
        site: the site directory.
        others: leave out the holds of this process.
        start: only those whose file names begin with this.

    Returns:
        A list of `Hold`.
    """
    found = []
    for path in _paths(site, start):
        if _is_alive(path):
            hold = Hold(path, _text(path))
            if not (others and hold.pid == os.getpid()):
                found.append(hold)
    return found


def _paths(site, start=""):
    """The paths of all holds, of dead processes too; what is not a regular file is not a hold."""
    try:
        with os.scandir(join(site, STATE, HOLDS)) as entries:
            return sorted(
                entry.path
                for entry in entries
                if entry.name.startswith(start) and entry.name[0] != "." and entry.is_file(follow_symlinks=False)
            )
    except (FileNotFoundError, NotADirectoryError):
        return []


def _text(path):
    from .codec import open_regular

    try:
        with open(path, encoding="utf-8", errors="replace", opener=open_regular) as stream:
            text = stream.read(LIMIT)
            return "" if stream.read(1) else text
    except OSError:
        return ""


def _sweep_some(site):
    """Remove the holds of dead processes among a few, so that they cannot pile up where nobody looks at all of them."""
    paths = _paths(site)
    first = os.getpid() % len(paths) if paths else 0
    for path in (paths[first:] + paths[:first])[:SWEPT]:
        _is_alive(path)


def _release_at_exit():
    """Remove the holds of this process; if a daemon thread may still import, they end with the process instead."""
    if len(sys._current_frames()) == 1:  # noqa: SLF001  `threading` costs a start 3 ms
        for site in held_sites():
            try:
                release(site)
            except OSError:
                pass


def _lock(handle, asking=False):
    """Lock a hold without waiting. To ask, a shared lock is enough: so the next to ask does not see a holder."""
    if fcntl:
        fcntl.flock(handle, (fcntl.LOCK_SH if asking else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    else:
        os.lseek(handle, _AWAY, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)


def _is_alive(path):
    flags = os.O_RDWR if os.name == "nt" else os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
    try:
        handle = os.open(path, flags)
    except OSError as error:  # another user's: assume that it lives
        return error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
    try:
        _lock(handle, asking=True)
    except OSError:
        return True
    finally:
        os.close(handle)  # first, because Windows unlinks no open file
    try:
        os.unlink(path)
    except OSError:
        pass
    return False
