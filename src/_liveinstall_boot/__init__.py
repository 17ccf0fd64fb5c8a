"""Put staged changes in place while Python starts; roll back what a kill interrupted.

This is guest code in somebody's interpreter: it imports next to nothing, prints at most one line on stderr, never
raises from `finalize()`, and may run twice. Companions import a copy of this package from the state directory, so that
it exists even while liveinstall itself is being swapped or has been uninstalled; a live process imports the original
and calls the same functions. This package owns every name and format that it reads (see `layout`).

This file has the entry points only: the lines of companions and of the guard, in every environment that has them,
import these names from here.
"""

import os
import sys

_done = set()


def finalize(site):
    """Swap what is pending in an environment; companions call this. Never raises.

    At most one line goes to stderr, when a transaction was set aside.

    Args:
        site: the site directory.
    """
    try:
        site = os.path.realpath(site)  # recorded paths are relative to the directory itself, not to a link to it
        if site in _done:
            return
        _done.add(site)
        restore = _hold_off_sigint()
        try:
            _finalize(site)
        finally:
            restore()
    except BaseException as error:  # SystemExit or KeyboardInterrupt here would be fatal to the interpreter
        _report(site, error)


def start():
    """Finalize every environment on `sys.path` that has something pending.

    Companions name this in their `.start` file (Python 3.18 and later), which knows no directory.
    """
    try:
        from .layout import list_transactions

        for entry in list(sys.path):
            if isinstance(entry, str) and entry and list_transactions(entry):
                finalize(entry)
    except BaseException:
        pass


def guard(site):
    """Hold the environment from the start of this process on; the guard's line calls it. Never raises, prints nothing.

    Args:
        site: the site directory.
    """
    try:
        from .holds import take_hold
        from .layout import STATE
        from .process import command, is_manager

        if os.path.isdir(os.path.join(site, STATE)) and not is_manager(sys.orig_argv):
            take_hold(site, command())
    except BaseException:  # Python must start even if the environment cannot be held
        pass


def start_guard():
    """Hold every guarded environment on `sys.path`.

    The guard names this in its `.start` file (Python 3.18 and later), which knows no directory.
    """
    try:
        from .layout import GUARDS

        for entry in list(sys.path):
            if isinstance(entry, str) and entry and os.path.exists(os.path.join(entry, GUARDS[1])):
                guard(entry)
    except BaseException:
        pass


def _finalize(site):
    if hasattr(os, "geteuid") and os.stat(site).st_uid != os.geteuid():
        return  # root in a user's environment: files would change hands
    from .layout import list_transactions
    from .process import is_main_interpreter

    if not is_main_interpreter():  # a process is one holder: it never swaps under its own first interpreter
        from .views import join_view

        join_view(site)
        return
    found = list_transactions(site)
    interrupted = any(state in ("swapping", "committed") for _, state, _ in found)
    if not interrupted:
        from .views import adopt_view

        if adopt_view(site):
            return
    from .locks import lock_or_wait

    try:
        handle, waited = lock_or_wait(site)
    except OSError as error:  # no lock to be had (ENOLCK, EROFS, EACCES): never go on without it
        _note_all(site, "the lock cannot be had: %s" % error)
        return
    try:
        if handle is not None:
            _forget_owner(site)
            from .swap import finalize_all

            finalize_all(site)
    finally:
        if handle is not None:
            os.close(handle)
    if waited or interrupted or not found:  # site.py may have listed in the middle of a swap, and missed files
        from .swap import refresh_imports

        refresh_imports([(site, name) for name in sorted(os.listdir(site)) if name.endswith(".pth")])


def _report(site, error):
    try:
        from .process import say

        say("liveinstall: what is staged stays pending (%s)" % error)
        _note_all(site, str(error))
    except BaseException:
        pass


def _note_all(site, reason):
    """Keep why nothing was tried, or why a try was cut short."""
    from .layout import list_transactions
    from .recover import note

    for transaction_id, state, _ in list_transactions(site):
        if state in ("pending", "swapping"):
            note(site, transaction_id, reason)


def _forget_owner(site):
    """Remove the file that a killed process has left beside the lock, which is ours now."""
    from .layout import OWNER, STATE

    try:
        os.unlink(os.path.join(site, STATE, OWNER))
    except FileNotFoundError:
        pass


def _hold_off_sigint():
    """Keep Ctrl-C from cutting a swap in two; returns the function that lets it through again."""
    import _signal

    if not hasattr(_signal, "pthread_sigmask"):
        try:
            before = _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
        except ValueError:  # in a subinterpreter or another thread, which no signal is delivered to
            return lambda: None
        return lambda: _signal.signal(_signal.SIGINT, before)
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, [_signal.SIGINT])
    return lambda: _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
