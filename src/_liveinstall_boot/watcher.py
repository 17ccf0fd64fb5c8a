"""Noting in a hold what this interpreter is about to import, whichever way a module gets loaded."""

import os
import sys
import time
from os.path import join

from .layout import LOCK, STATE, WAIT, list_transactions

UNWRITABLE_SUFFIX = "!"  # ends the name of a hold that could no longer be written: its process may use anything


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
            names += top_names_in_sys_modules()
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


def top_names_in_sys_modules():
    """The top-level names of all modules that this interpreter has, the standard library's too."""
    return {name.partition(".")[0] for name in list(sys.modules) if isinstance(name, str)}


def _is_named_like(name, origin):
    """Whether a file is where a module of this name is expected: `a.b` in `.../a/b.py` or `.../a/b/__init__.py`."""
    parts = origin.replace(os.sep, "/").split("/")
    parts[-1] = parts[-1].partition(".")[0]
    expected = name.split(".")
    return len(parts) == 1 or expected in (parts[-len(expected) :], parts[-len(expected) - 1 : -1])


def _watch_execution(watchers):
    """Call each Watcher before the code of a module runs, whoever found it; returns whether that is possible here.

    importlib gives every module that has a spec its attributes in one function, before it runs the module. (An audit
    hook would hear as much, but makes each `id()` in the process three times as slow.)
    """
    bootstrap = sys.modules.get("_frozen_importlib")
    inner = getattr(bootstrap, "_init_module_attrs", None)
    if inner is None:
        return False
    if getattr(inner, "watches", None) is not watchers:

        def _init_module_attrs(spec, *args, **kwargs):
            for watcher in list(watchers.values()):
                try:
                    watcher.before_exec(spec)
                except Exception:  # a spec that is none must not fail here
                    watcher.mark_unknown()
            return inner(spec, *args, **kwargs)

        _init_module_attrs.watches = watchers
        bootstrap._init_module_attrs = _init_module_attrs  # noqa: SLF001
    return True


def loaded_names():
    """The top-level names that this interpreter has imported, but for the standard library's."""
    return top_names_in_sys_modules().difference(sys.stdlib_module_names)


def watch(watcher, watchers):
    """Let a `Watcher` note imports from now on. `watchers`: site directory -> `Watcher`, of all holds."""
    if not _watch_execution(watchers):
        watcher.mark_unknown()
    if isinstance(sys.meta_path, list):
        sys.meta_path.insert(0, watcher)
    else:
        sys.meta_path = [watcher, *(sys.meta_path or ())]


def unwatch(watcher):
    """End `watch()`; a list that others have put in the place of sys.meta_path is changed, not replaced."""
    if isinstance(sys.meta_path, list):
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not watcher]
