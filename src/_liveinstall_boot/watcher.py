"""Recording in a hold the names that this interpreter is about to import, however a module is loaded."""

import os
import sys
import time
from os.path import dirname, isdir, join, realpath

from .layout import LOCK, STATE, WAIT, list_transactions

UNWRITABLE_SUFFIX = "!"  # of a hold that could not be written any further: its process may use anything


class Watcher:
    """Records in the hold the top-level names that are about to be imported.

    It is the first finder on sys.meta_path, and finds nothing. Another finder may be inserted before it, sys.meta_path
    may be restored, and a module may be loaded from a file without a finder. So it is also called before the code of a
    module runs, and then checks for modules that were added to `sys.modules` manually.

    Attributes:
        site: the site directory.
        handle: the descriptor of the hold.
        path: the absolute path of the hold.
        known: the names that need not be recorded: recorded ones, and the standard library's.
        count: the last known number of modules.
        is_shared: whether the first interpreter of this process created the hold.
        view: the parts that this start has added to sys.path, by their absolute paths.
        below: the directories in them that their startup files have added.
    """

    def __init__(self, site, handle, path, known):
        self.site = site
        self.handle = handle
        self.path = path
        self.known = known
        self.count = 0
        self.is_shared = False
        self.view = self.below = ()

    def find_spec(self, name, path=None, target=None):  # noqa: ARG002  the protocol of sys.meta_path
        """Record a top-level name; never finds a module."""
        if self.view:
            self.keep_view()
        if path is None:
            self.note([name])

    def keep_view(self):
        """Add the parts to sys.path again, if it lacks them but has the directory that they will be swapped into.

        `multiprocessing` replaces the path of a spawned child by its parent's, after the start has added the parts. So
        an import would not find the versions that the hold names.
        """
        entries = [entry for entry in sys.path if isinstance(entry, str) and entry]
        missing = [part for part in self.view if part not in entries]
        if not missing:
            self.below = [entry for entry in entries if entry.startswith(tuple(part + os.sep for part in self.view))]
        for part in missing:
            homes = [entry for entry in entries if entry == dirname(part) or realpath(entry) == dirname(part)]
            if homes and isdir(part):
                sys.path.insert(sys.path.index(homes[0]), part)
                sys.path.extend(entry for entry in self.below if entry.startswith(part + os.sep))

    def before_exec(self, spec):
        """Record the top-level names of a module before its code runs; `spec` is its ModuleSpec."""
        name, origin = spec.name, getattr(spec, "origin", None)
        names = [name.partition(".")[0]]
        if isinstance(origin, str) and not _is_named_like(name, origin):  # any directory of the path may be the package
            names += [part.partition(".")[0] for part in origin.replace(os.sep, "/").split("/")]
        count = len(sys.modules)  # before they are read: what another thread adds meanwhile is found the next time
        if count != self.count:  # some modules were loaded without a call of this function
            names += top_names_in_sys_modules()
        self.count = count + 1
        self.note(names)

    def note(self, names):
        """Append the top-level names that are not in the hold yet, and wait for a swap that may have missed them."""
        new = set(names).difference(self.known, [""])
        if new:
            self.append("uses", sorted(new))
            self.known |= new  # after it is written: another thread that finds a recorded name continues at once
            self.wait()

    def append(self, key, values):
        """Append lines to the hold by one write, so that no reader gets a partial line.

        Args:
            key: the first word of each line.
            values: the rest of each line.
        """
        text = lines_of(key, values)
        try:
            if text and os.write(self.handle, text) < len(text):
                self.mark_unknown()
        except OSError:
            self.mark_unknown()

    def mark_unknown(self):
        """Mark this process as one that may use anything; even a full disk allows it. Never raises.

        The hold is renamed, so that it still identifies the process; or emptied, because one without content counts the
        same.
        """
        if self.path.endswith(UNWRITABLE_SUFFIX):
            return
        try:
            rename(self.path, self.path + UNWRITABLE_SUFFIX)
            self.path += UNWRITABLE_SUFFIX
        except OSError:
            try:
                os.ftruncate(self.handle, 0)
            except OSError:
                pass

    def wait(self):
        """Wait, at most `WAIT` seconds, for the end of a swap that may have missed the names recorded just now.

        A killed swap no longer has the lock: no file moves before the next start, so there is no need to wait.
        """
        end = time.monotonic() + WAIT
        while any(state == "swapping" for _, state, _ in list_transactions(self.site)):
            from .locks import is_locked, is_swapping  # imported late, because that takes longer than this function

            if is_swapping() or not is_locked(join(self.site, STATE, LOCK)) or time.monotonic() > end:
                return
            time.sleep(0.01)


def lines_of(key, values):
    """Return lines of a hold, encoded.

    Args:
        key: the first word of each line.
        values: the rest of each line; values with a line feed are omitted.
    """
    return "".join("%s %s\n" % (key, value) for value in values if "\n" not in value).encode("utf-8", "replace")


def clear_of_streams(handle):
    """Return a descriptor of the same hold that is not one of a standard stream, and close the given one if it is.

    It is if a standard stream was closed. A program that opens the stream again would end the hold, or write to it.

    Args:
        handle: the descriptor.

    Raises:
        OSError: there is no other descriptor; the given one is closed.
    """
    low = []
    try:
        while handle < 3:
            low.append(handle)
            handle = os.dup(handle)
    finally:
        for each in low:
            os.close(each)
    return handle


def rename(source, target):
    """Rename a hold. Raises OSError."""
    if os.name == "nt":
        from .patient import rename
    else:
        from os import rename  # a start needs no further file
    rename(source, target)


def top_names_in_sys_modules():
    """Return the top-level names of all modules of this interpreter, including the standard library's."""
    return {name.partition(".")[0] for name in list(sys.modules) if isinstance(name, str)}


def _is_named_like(name, origin):
    """Whether a file has the expected path of a module: `.../a/b.py` or `.../a/b/__init__.py` for `a.b`."""
    parts = origin.replace(os.sep, "/").split("/")
    parts[-1] = parts[-1].partition(".")[0]
    expected = name.split(".")
    return len(parts) == 1 or expected in (parts[-len(expected) :], parts[-len(expected) - 1 : -1])


def _watch_execution(watchers):
    """Call each Watcher before the code of a module runs, with any finder; returns whether that is possible.

    importlib sets the attributes of every module with a spec in one function, before it runs the module. (An audit hook
    would work, too, but makes each `id()` in the process three times as slow.)
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
                except Exception:  # an invalid spec must not fail here
                    watcher.mark_unknown()
            return inner(spec, *args, **kwargs)

        _init_module_attrs.watches = watchers
        bootstrap._init_module_attrs = _init_module_attrs  # noqa: SLF001
    return True


def loaded_names():
    """Return the top-level names that this interpreter has imported, without the standard library's."""
    return top_names_in_sys_modules().difference(sys.stdlib_module_names)


def watch(watcher, watchers):
    """Start recording imports.

    Args:
        watcher: the `Watcher` to start.
        watchers: maps the site directory of each hold of this process to its `Watcher`.
    """
    if not _watch_execution(watchers):
        watcher.mark_unknown()
    if isinstance(sys.meta_path, list):
        sys.meta_path.insert(0, watcher)
    else:
        sys.meta_path = [watcher, *(sys.meta_path or ())]


def unwatch(watcher):
    """Stop recording imports with a `Watcher`; sys.meta_path is changed in place, even if it was replaced since."""
    if isinstance(sys.meta_path, list):
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not watcher]
