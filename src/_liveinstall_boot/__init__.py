"""Apply pending changes while Python starts; roll back interrupted ones.

This code runs in other programs' interpreters: it imports next to nothing, prints at most one line on stderr, never
raises from `finalize()`, and may run twice. Companions import a copy of this package from the state directory, so that
it exists even while liveinstall itself is being swapped or has been uninstalled; a live process imports the original
and calls the same functions. This package defines every name and format that it reads (see `layout`).

This file has only the entry points: the lines of companions and of the guard import these names, in every environment
that has them.
"""

import os
import sys

# What a start needs, in order of dependency. The copy of this package in a state directory also has each list as one
# file, a bundle, which costs a start less than a file for each module.
FOR_HOLDS = ("layout", "process", "watcher", "holds")
FOR_VIEWS = ("file_access", "codec", "views")
if os.name == "nt":
    FOR_HOLDS = ("file_access", *FOR_HOLDS)
if sys.version_info >= (3, 15):
    FOR_VIEWS = ("startup_files", *FOR_VIEWS)
FOR_SWAPS = ("locks", "patient", "files", "ownership", "handover", "trees", "recover", "swap")
_done, _guarded = set(), set()  # site directories; in a virtual environment site.py runs every .pth file twice


def start():
    """Apply the pending changes of every environment on `sys.path`. Never raises.

    This is the entry point in the `.start` files of companions (Python 3.18 and later), which cannot pass a directory.
    """
    try:
        from .layout import list_transactions

        for entry in list(sys.path):
            if isinstance(entry, str) and entry and list_transactions(entry):
                finalize(entry)
    except BaseException:
        pass


def guard(site):
    """Take a hold on an environment when a process starts; the guard's line calls this. Never raises, prints nothing.

    Args:
        site: the site directory.
    """
    try:
        if site not in _guarded:
            _guarded.add(site)
            _guard(site)
    except BaseException:  # Python must start even if the hold cannot be taken
        pass


def _guard(site):
    _load_bundle(FOR_HOLDS)
    from .holds import take_hold
    from .layout import STATE
    from .process import command, is_manager

    if os.path.isdir(os.path.join(site, STATE)) and not is_manager(sys.orig_argv):
        take_hold(site, command())


def start_guard():
    """Take a hold on every guarded environment on `sys.path`. Never raises.

    This is the entry point in the guard's `.start` file (Python 3.18 and later), which cannot pass a directory.
    """
    try:
        from .layout import GUARDS

        for entry in list(sys.path):
            if isinstance(entry, str) and entry and os.path.exists(os.path.join(entry, GUARDS[1])):
                guard(entry)
    except BaseException:
        pass


def _without_collections(function, site):
    """Call a function without the garbage collector, which would search what is loaded here several times in vain."""
    import gc

    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return function(site)
    finally:
        if was_enabled:
            gc.enable()


def bundle_path(directory, modules):
    """Return the path of a bundle for this kind of interpreter.

    Args:
        directory: the directory of this package, or of a copy.
        modules: one of the lists above.
    """
    return os.path.join(directory, "__pycache__", "%s.%s.bundle" % (modules[-1], sys.implementation.cache_tag))


def encode_bundle(code):
    """Return the content of a bundle.

    Args:
        code: pairs of the name and the code of each module, in order of dependency.
    """
    from marshal import dumps

    data = dumps(code)
    return _checksum(data) + data


def _checksum(data):
    """The magic number of this Python's bytecode, and a digest: damaged bytecode can crash an interpreter."""
    from _frozen_importlib_external import MAGIC_NUMBER
    from _imp import source_hash

    return MAGIC_NUMBER + source_hash(1, data)


def _load_bundle(modules):
    """Load modules from their bundle; without it, or if it is damaged, they are loaded as usual."""
    if "%s.%s" % (__name__, modules[-1]) in sys.modules:
        return
    from _frozen_importlib import ModuleSpec
    from marshal import loads

    try:
        with open(bundle_path(__path__[0], modules), "rb", 0) as stream:
            data = memoryview(stream.read())
        if data[:12] != _checksum(data[12:]):
            return
        for name, code in loads(data[12:]):  # noqa: S302  our own file, next to the bytecode that Python itself trusts
            full = "%s.%s" % (__name__, name)
            if full not in sys.modules:
                module = type(sys)(full)
                module.__spec__ = ModuleSpec(full, None, origin=code.co_filename)
                module.__file__ = code.co_filename
                exec(code, module.__dict__)  # noqa: S102
                sys.modules[full] = globals()[name] = module
    except Exception:
        pass


def _finalize(site):
    """Returns the (directory, name) of the new .pth files that site.py has not listed, or None if all is as before."""
    if hasattr(os, "geteuid") and os.stat(site).st_uid != os.geteuid():
        return None  # root in a user's environment: the owner of files would change
    _load_bundle(FOR_HOLDS)
    _load_bundle(FOR_VIEWS)
    from .layout import list_transactions
    from .process import is_main_interpreter

    if not is_main_interpreter():  # all interpreters of a process share one hold: never swap files of the first one
        from .views import added, join_view

        join_view(site)
        return [] if added else None
    transactions = list_transactions(site)
    is_interrupted = any(state in ("swapping", "committed") for _, state, _ in transactions)
    if not is_interrupted:
        from .views import added, adopt_view

        if adopt_view(site):
            return [] if added else None
    _load_bundle(FOR_SWAPS)
    from .locks import lock_or_wait

    try:
        handle, waited = lock_or_wait(site)
    except OSError as error:  # locking is impossible (ENOLCK, EROFS, EACCES): never continue without the lock
        _note_all(site, "the lock is not available: %s" % error)
        return None
    new_files = None if handle is None else _swap(site, handle)
    if waited or is_interrupted or not transactions:  # site.py may have listed files in the middle of a swap
        from .swap import forget_listings

        forget_listings()
        new_files = [(site, name) for name in sorted(os.listdir(site)) if name.endswith(".pth")]
    return new_files


def _swap(site, handle):
    """Apply the pending changes under the lock, and release it; returns the new .pth files as `_finalize()` does."""
    try:
        _forget_owner(site)
        from .swap import finalize_all

        return finalize_all(site)
    finally:
        os.close(handle)


def _run(site, new_files):
    """Run new startup files, those of the parts that were added to sys.path included."""
    from .views import added

    parts, added[:] = added[:], []
    if sys.version_info >= (3, 15):
        from .startup_files import update

        if update(site, parts):
            return
    add = getattr(sys.modules.get("site"), "addpackage", None)
    for directory, name in new_files + [(part, name) for part, _ in parts for name in sorted(os.listdir(part))]:
        if add and name.endswith(".pth"):
            add(directory, name, None)


def _report(site, error):
    try:
        from .process import say

        say("liveinstall: staged changes stay pending (%s)" % error)
        _note_all(site, str(error))
    except BaseException:
        pass


def _note_all(site, reason):
    """Record why the pending transactions were not tried, or why a try was interrupted."""
    from .layout import list_transactions
    from .recover import note

    for transaction_id, state, _ in list_transactions(site):
        if state in ("pending", "swapping"):
            note(site, transaction_id, reason)


def _forget_owner(site):
    """Remove the owner file that a killed process has left next to the lock, which this process has now."""
    from .files import unlink
    from .layout import OWNER, STATE

    unlink(os.path.join(site, STATE, OWNER))


def _block_sigint():
    """Keep Ctrl-C from interrupting a swap; returns the function that unblocks it."""
    import _signal

    if not hasattr(_signal, "pthread_sigmask"):
        if _signal.getsignal(_signal.SIGINT) is None:  # of a program that embeds Python: it could not be put back
            return lambda: None
        try:
            before = _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
        except ValueError:  # in a subinterpreter or another thread, which receives no signals
            return lambda: None
        return lambda: _signal.signal(_signal.SIGINT, before)
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, [_signal.SIGINT])
    return lambda: _signal.pthread_sigmask(_signal.SIG_SETMASK, before)


# Last in this file: a copy that was cut short lacks it, and companions are silent.
def finalize(site):
    """Apply the pending changes of an environment; companions call this. Never raises.

    Prints at most one line on stderr, when a transaction was set aside.

    Args:
        site: the site directory.
    """
    try:
        site = os.path.realpath(site)  # recorded paths are relative to the directory itself, not to a symlink to it
        if site in _done:
            return
        _done.add(site)
        unblock = _block_sigint()
        try:
            new_files = _without_collections(_finalize, site)
            if new_files is not None:
                _run(site, new_files)
        finally:
            unblock()
    except BaseException as error:  # SystemExit or KeyboardInterrupt here would be fatal to the interpreter
        _report(site, error)
