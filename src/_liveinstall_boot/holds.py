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

from .layout import HOLDS, LOCK, STATE, WAIT, list_transactions
from .process import is_main_interpreter

try:
    import fcntl
except ImportError:
    fcntl = None
    import msvcrt

VARIABLE = "LIVEINSTALL_HOLD"  # the path of the hold of this process or of its nearest holding ancestor
MAGIC = "liveinstall-hold 1"
UNWRITABLE_SUFFIX = "!"  # ends the name of a hold that could no longer be written: its process may use anything
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
        return [
            change.name
            for change in record.changes
            if (change.part and change.part in self.sees) or not self.uses.isdisjoint(record.tops.get(change.name, ()))
        ]


def _seconds(text):
    """A point in time that a calendar can show; 0 for all else."""
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return seconds if 0 <= seconds < 10**10 else 0.0  # which nan and inf are not, either


class Watcher:
    """Notes in the hold what is about to be imported.

    First on sys.meta_path, where it finds nothing. Another finder may come before it, sys.meta_path may be restored, a
    module may be loaded from a file without any finder: so it is also called before the code of a module runs, and then
    looks for modules that were put into `sys.modules` by hand.
    """

    def __init__(self, site, handle, path, known):
        self.site = site
        self.handle = handle
        self.path = path
        self.known = known
        self.count = 0  # how many modules there are, as far as known here
        self.is_shared = False  # whether the first interpreter of this process has made it

    def find_spec(self, name, path=None, target=None):  # noqa: ARG002  the protocol of sys.meta_path
        if path is None:
            self.note([name])

    def before_exec(self, spec):
        """Note what a module, whose code is about to run, belongs to."""
        name, origin = spec.name, getattr(spec, "origin", None)
        names = [name.partition(".")[0]]
        if isinstance(origin, str) and not _is_named_like(name, origin):  # then any directory on the way may be the one
            names += [part.partition(".")[0] for part in origin.replace(os.sep, "/").split("/")]
        if len(sys.modules) != self.count:  # not only those that this function was told of
            names += _top_names()
        self.count = len(sys.modules) + 1
        self.note(names)

    def note(self, names):
        """Append top-level names that are not in the hold yet, and wait for a swap that may not have seen them."""
        new = set(names).difference(self.known, [""])
        if new:
            self.known |= new
            self.append("uses", sorted(new))
            self.wait()

    def append(self, key, values):
        """Append lines to the hold, with one write, so that no reader sees half a line."""
        text = "".join("%s %s\n" % (key, value) for value in values if "\n" not in value).encode("utf-8", "replace")
        try:
            if text and os.write(self.handle, text) < len(text):
                self.mark_unknown()
        except OSError:
            self.mark_unknown()

    def mark_unknown(self):
        """Say that this process may use anything: a full disk can still rename, and must not fail an import."""
        if self.path.endswith(UNWRITABLE_SUFFIX):
            return
        try:
            os.rename(self.path, self.path + UNWRITABLE_SUFFIX)
            self.path += UNWRITABLE_SUFFIX
        except OSError:
            pass

    def wait(self):
        """Wait, at most `WAIT` seconds, for the end of a swap, which may not have seen what was just noted.

        A swap that was killed has no lock any longer: nothing moves before the next start, so nothing is waited for.
        """
        end = time.monotonic() + WAIT
        while any(state == "swapping" for _, state, _ in list_transactions(self.site)):
            from .locks import is_locked, is_swapping  # which costs a guarded start more than this function

            if is_swapping() or not is_locked(join(self.site, STATE, LOCK)) or time.monotonic() > end:
                return
            time.sleep(0.01)


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
        loaded = _loaded()
        watcher = Watcher(site, handle, path, loaded.union(sys.stdlib_module_names))
        for key, values in (("sees", sees), ("keeps", keeps), ("uses", loaded)):
            watcher.append(key, values)
        if draft != path:
            os.rename(draft, path)
    except BaseException:
        os.close(handle)
        os.unlink(draft)
        raise
    if not _own:
        atexit.unregister(_release_at_exit)
        atexit.register(_release_at_exit)
    _own[site] = watcher
    _watch(watcher)
    os.environ[VARIABLE] = path
    return path


def _top_names():
    return {name.partition(".")[0] for name in list(sys.modules) if isinstance(name, str)}


def _is_named_like(name, origin):
    """Whether a file is where a module of this name is expected: `a.b` in `.../a/b.py` or `.../a/b/__init__.py`."""
    parts = origin.replace(os.sep, "/").split("/")
    parts[-1] = parts[-1].partition(".")[0]
    expected = name.split(".")
    return len(parts) == 1 or expected in (parts[-len(expected) :], parts[-len(expected) - 1 : -1])


def _watch_execution():
    """Call each Watcher before the code of a module runs, whoever found it; returns whether that is possible here.

    importlib gives every module that has a spec its attributes in one function, before it runs the module. (An audit
    hook would hear as much, but makes each `id()` in the process three times as slow.)
    """
    bootstrap = sys.modules.get("_frozen_importlib")
    inner = getattr(bootstrap, "_init_module_attrs", None)
    if inner is None:
        return False
    if getattr(inner, "watches", None) is not _own:

        def _init_module_attrs(spec, *args, **kwargs):
            for watcher in list(_own.values()):
                try:
                    watcher.before_exec(spec)
                except Exception:  # a spec that is none must not fail here
                    watcher.mark_unknown()
            return inner(spec, *args, **kwargs)

        _init_module_attrs.watches = _own
        bootstrap._init_module_attrs = _init_module_attrs  # noqa: SLF001
    return True


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


def _loaded():
    """The top-level names that this interpreter has imported, but for the standard library's."""
    return _top_names().difference(sys.stdlib_module_names)


def _watch(watcher):
    if not _watch_execution():
        watcher.mark_unknown()
    if isinstance(sys.meta_path, list):
        sys.meta_path.insert(0, watcher)
    else:
        sys.meta_path = [watcher, *(sys.meta_path or ())]


def _join_hold(site, sees, keeps):
    """Let a subinterpreter write to the hold of its process; the path of that, or None if the process has none.

    The descriptor is a copy of the first interpreter's, so the hold lasts as long as either has it.
    """
    for hold in live_holds(site, start="%d-" % os.getpid()):
        try:
            handle = _copy_of_descriptor(hold.path)
        except OSError:
            continue
        loaded = _loaded()
        watcher = Watcher(site, handle, hold.path, loaded.union(sys.stdlib_module_names))
        watcher.is_shared = True
        watcher.append("sees", [part for part in sees if part not in hold.sees])
        watcher.append("keeps", [key for key in keeps if key not in hold.keeps])
        watcher.append("uses", loaded if hold.uses is None else loaded.difference(hold.uses))
        _own[site] = watcher
        _watch(watcher)
        watcher.wait()
        return hold.path
    return None


def _copy_of_descriptor(path):
    wanted = os.stat(path)
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        numbers = range(3, 1024)
    for number in numbers:
        try:
            if os.path.samestat(os.fstat(number), wanted):
                return os.dup(number)
        except OSError:
            pass
    return os.open(path, os.O_WRONLY | os.O_APPEND)


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
        if any(finder is watcher for finder in sys.meta_path or ()):
            sys.meta_path = [finder for finder in sys.meta_path if finder is not watcher]
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
