"""Restart an IPython kernel from within one of its cells, without a dialog and without running what is queued.

The cell ends with an exception that is shown to nobody: an error makes the kernel drop the queued cells. When its
answer is out, the process is replaced by a new kernel with the same arguments, ports and connection file, which
reports back through the card's display id (`restarted`). Measured and rejected: a shutdown and `exit()` let queued
cells run in the old process, and end in "The kernel appears to have died"; exec within the cell leaves it stuck.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from liveinstall.environment.holds import variables_for_exec
from liveinstall.frontends.cards import card
from liveinstall.frontends.where import ipython

if TYPE_CHECKING:
    from collections.abc import Iterable

    from liveinstall.model import Change

REPORT = "LIVEINSTALL_RESTARTED"  # what the new kernel shall report, and where
EXTENSION = "--ext=liveinstall.frontends.restarted"
_DELAY = 0.5  # seconds: the cell's answer must be out before the process is replaced
_LAUNCHERS = ("ipykernel_launcher", "ipykernel")


class _Leave(BaseException):  # nothing failed, and `except Exception` in a cell must not stop it
    """Ends the cell."""


def is_ours() -> bool:
    """Whether this process is a kernel that ipykernel has launched, and nothing else."""
    return any(one == "-m" and module in _LAUNCHERS for one, module in pairwise(sys.orig_argv))


def leave(changes: Iterable[Change], lost: str) -> None:
    """Show the card, have the process replaced, and end the cell; outside of a cell it returns."""
    display = import_module("IPython.display").display

    shell = ipython()
    changes = list(changes)
    waits = "; ".join(map(str, changes))
    handle: Any = display(
        card("Restarting.", " ".join(filter(None, (waits and f"{waits}.", lost)))), raw=True, display_id=True
    )
    report = {
        "display_id": handle.display_id,
        "parent": _plain(shell.parent_header),
        "changes": [(change.name, change.new_version) for change in changes],
    }
    timer = threading.Timer(_DELAY, _replace, (shell, json.dumps(report, default=str)))
    timer.daemon = True
    timer.start()
    if threading.current_thread() is threading.main_thread() and _runs_cell(shell):
        _end_cell(shell)


def _plain(header: dict[str, Any]) -> dict[str, Any]:
    """What of a message a reply to it refers to."""
    return {"header": header.get("header", {}), "metadata": {}, "content": {}}


def _runs_cell(shell: Any) -> bool:
    return bool(shell.parent_header.get("header", {}).get("msg_type") == "execute_request")


def _end_cell(shell: Any) -> None:
    """Raise what is shown to nobody; the user's own handler of exceptions is put back."""
    before, handler = shell.custom_exceptions, shell.CustomTB

    def show_nothing(shell: Any, *_: Any, **__: Any) -> list[str]:
        shell.custom_exceptions, shell.CustomTB = before, handler
        shell._last_traceback = []  # noqa: SLF001  the kernel's answer has it, and may find none otherwise
        return []

    shell.set_custom_exc((_Leave,), show_nothing)
    raise _Leave


def _replace(shell: Any, report: str) -> None:
    """Become a new kernel."""
    with suppress(Exception):
        shell.history_manager.end_session()
    with suppress(OSError):
        os.chdir(shell.starting_dir)  # as the server would start it
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    words = [word for word in sys.orig_argv[1:] if word != EXTENSION]
    os.execve(sys.executable, [sys.executable, *words, EXTENSION], {**variables_for_exec(), REPORT: report})  # noqa: S606
