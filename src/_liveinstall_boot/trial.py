"""The start of an interpreter in a trial: it takes a hold on the files that it uses, and refuses to change packages.

A trial's directory consists of links into the real environment: pip would remove and write files through them.
"""

import os
import sys

from .holds import take_hold
from .layout import STATE
from .process import MANAGERS, command, program, say

_OURS = {"liveinstall", "_pip_child"}  # these do their own checks
_KNOWN = (MANAGERS - _OURS) | {"easy_install"}
# These have many other uses: only commands that are known to change something are refused.
_MORE = {"uv", "pipx", "rye", "hatch"}
_READ = {"list", "freeze", "show", "check", "debug", "inspect", "help", "hash", "index", "cache", "info", "config"}
_WRITE = {"install", "uninstall", "sync", "add", "remove", "update", "upgrade", "create", "run", "inject"}
# A program that imports these, even one from `-c`, is about to change packages.
_COMMANDS = {"pip._internal.commands.install", "pip._internal.commands.uninstall"}


class _Refusal:
    """A finder on sys.meta_path that prevents the import of those pip commands that change something."""

    @staticmethod
    def find_spec(name, path=None, target=None):  # noqa: ARG004  the protocol of sys.meta_path
        if name in _COMMANDS:
            raise ImportError("a trial of liveinstall changes no packages", name=name)


def begin(site, sees, before, after):
    """Prepare an interpreter of a trial; the trial's `.pth` line calls this. Never raises.

    Args:
        site: the site directory to take a hold on, or "".
        sees: the parts that the trial uses, relative to `site`.
        before: further site directories, which precede the trial's own on `sys.path`.
        after: further site directories, which follow it.
    """
    try:
        sys.dont_write_bytecode = True  # children that ignore the variable would write bytecode through the links
        if changes_packages(sys.orig_argv):
            say("liveinstall: a trial changes no packages; this was not run: " + command())
            os._exit(1)
        if program(sys.orig_argv)[0] not in _OURS:
            sys.meta_path.insert(0, _Refusal)
        add = getattr(sys.modules.get("site"), "addsitedir", None)
        for path in before + after:
            if add and path not in sys.path:
                at = len(sys.path)
                add(path)
                if path in before:
                    new, sys.path[at:] = sys.path[at:], []
                    trial = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
                    own = [number for number, entry in enumerate(sys.path) if entry.startswith(trial)] or [at]
                    sys.path[own[0] : own[0]] = new
        if site and os.path.isdir(os.path.join(site, STATE)):
            take_hold(site, command(), sees)
    except BaseException:  # Python must start even if this fails
        pass


def changes_packages(arguments):
    """Return whether an interpreter with these arguments runs a package manager that would change something.

    Args:
        arguments: a command line as in `sys.orig_argv`.
    """
    name, words = program(arguments)
    if name not in _KNOWN | _MORE:
        return False
    is_query = name in _MORE or _READ.intersection(words) or {"--version", "-V", "--help"}.intersection(words)
    return not is_query or not _WRITE.isdisjoint(words)
