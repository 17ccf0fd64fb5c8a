"""What an interpreter of a trial does at its start: it holds what it runs from, and is no package manager.

A trial's directory is made of links into the real environment: pip would remove and write through them.
"""

import os
import sys

from . import STATE, _say
from .holds import command, is_manager, take_hold

VARIABLE = "LIVEINSTALL_TRIAL"  # the directory of the trial that this process and its children belong to
_CHANGES = {"install", "uninstall", "sync", "add", "remove", "update", "upgrade", "create", "inject", "self", "init"}
_MORE = {"uv", "pipx", "rye", "hatch"}  # managers that elsewhere need not be kept from a part
_OURS = {"liveinstall", "_pip_child"}  # these ask for themselves whether they may
_IN_PIP = ("pip._internal.commands.install", "pip._internal.commands.uninstall")


class _Refusal:
    """First on sys.meta_path: pip's commands that change something are not there, however pip was started."""

    def find_spec(self, name, path=None, target=None):  # noqa: ARG002  the protocol of sys.meta_path
        if name in _IN_PIP:
            raise ImportError("liveinstall: a trial changes no packages, so there is no " + name)


def begin(site, sees, before, after):
    """What the line of a trial calls. Never raises. `before`, `after`: further site directories, around the trial's."""
    try:
        if changes_packages(sys.orig_argv):
            _say("liveinstall: a trial changes no packages; this has not been done: " + command())
            os._exit(1)
        sys.dont_write_bytecode = True  # also where the variable does not count (-E, -I)
        if not any(isinstance(finder, _Refusal) for finder in sys.meta_path):
            sys.meta_path.insert(0, _Refusal())
        add = getattr(sys.modules.get("site"), "addsitedir", None)
        for path in before + after:
            if add and path not in sys.path:
                at = len(sys.path)
                add(path)
                if path in before:
                    new, sys.path[at:] = sys.path[at:], []
                    here = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
                    own = [number for number, entry in enumerate(sys.path) if entry.startswith(here)] or [at]
                    sys.path[own[0] : own[0]] = new
        if site and os.path.isdir(os.path.join(site, STATE)):
            take_hold(site, command(), sees)
    except BaseException:  # what cannot be had must not keep Python from starting
        pass


def changes_packages(arguments):
    """Whether an interpreter's arguments run a package manager that is to change something."""
    runs = list(arguments[1:])
    while runs and runs[0].startswith("-") and not runs[0].startswith(("-m", "-c")):
        runs = runs[2:] if runs[0] in ("-W", "-X") else runs[1:]
    if not runs or runs[0].startswith("-c"):
        return False
    first = runs[0][2:] or (runs[1] if len(runs) > 1 else "") if runs[0].startswith("-m") else runs[0]
    name = os.path.basename(first).partition(".")[0].rstrip("0123456789")
    if name in _OURS or not (is_manager(arguments) or name in _MORE):
        return False
    return not _CHANGES.isdisjoint(runs[1:])
