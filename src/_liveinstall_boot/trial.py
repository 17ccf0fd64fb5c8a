"""What an interpreter of a trial does at its start: it holds what it runs from, and is no package manager.

A trial's directory is made of links into the real environment: pip would remove and write through them.
"""

import os
import sys

from . import STATE, _say
from .holds import command, is_manager, take_hold

VARIABLE = "LIVEINSTALL_TRIAL"  # the directory of the trial that this process and its children belong to
_READ = {"list", "freeze", "show", "check", "debug", "inspect", "help", "hash", "index", "cache", "info", "config"}
_OURS = {"liveinstall", "_pip_child"}  # these ask for themselves whether they may


def begin(site, sees, before, after):
    """What the line of a trial calls. Never raises. `before`, `after`: further site directories, around the trial's."""
    try:
        if changes_packages(sys.orig_argv):
            _say("liveinstall: a trial changes no packages; this has not been done: " + command())
            os._exit(1)
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
    """Whether an interpreter's arguments run a package manager, and not only to ask it something."""
    if not is_manager(arguments):
        return False
    words = [os.path.basename(word) for word in arguments[1:] if not word.startswith("-")][:2]
    joined = {word[2:].partition(".")[0] for word in arguments[1:2] if word.startswith("-m")}
    return not ((_READ | _OURS).intersection(words) or _OURS & joined or {"--version", "-V", "--help"} & set(arguments))
