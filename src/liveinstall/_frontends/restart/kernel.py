"""Restart an IPython kernel from within one of its cells, without a dialog and without running the queued cells.

The cell ends with an exception that is not displayed: an error makes the kernel drop the queued cells. When no cell
runs and the reply is sent, the process is replaced by a new kernel with the same arguments, ports and connection file,
which reports through the card's display id (`kernel_report`). Measured and rejected: a shutdown and `exit()` let
queued cells run in the old process, and end in "The kernel appears to have died"; exec within the cell leaves it stuck.
A process of Windows cannot be replaced: there the Jupyter server is asked to restart the kernel (`server_restart`).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import pairwise
from traceback import walk_stack

from _liveinstall_boot import patient
from liveinstall._environment.holders import variables_for_exec
from liveinstall._frontends.detect import ipython
from liveinstall._frontends.jupyter.html import card
from liveinstall._frontends.restart import EXTENSION, server_restart
from liveinstall._system.interpreter import executable
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._system.settings import RESTARTED
from liveinstall._verbs.pending import pending
from liveinstall.errors import LiveInstallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from liveinstall.results import Change

_DELAY = 0.5  # seconds without a running cell: the last reply must be sent before the process is replaced
_STEP = 0.05  # seconds between two checks
_LAUNCHERS = ("ipykernel_launcher", "ipykernel")


class _Leave(BaseException):  # nothing failed, and `except Exception` in a cell must not stop it
    """Ends the cell."""


def can_leave() -> bool:
    """Return whether this process is only a kernel, launched by ipykernel, and can be replaced or is a server's."""
    is_ours = any(one == "-m" and module in _LAUNCHERS for one, module in pairwise(sys.orig_argv))
    return is_ours and (is_replaceable() or server_restart.kernel_of_server() is not None)


def is_replaceable() -> bool:
    """Return whether another program can take the place of this process, with its process id."""
    return os.name != "nt"


@dataclass(frozen=True)
class Output:
    """An output of a cell that reports a restart.

    Attributes:
        display_id: Its display id.
        parent: The header of the message that it belongs to: `shell.parent_header` when it was displayed.
    """

    display_id: str
    parent: dict[str, Any]


def leave(
    changes: Iterable[Change], lost: str, variables: str = "", output: Output | None = None
) -> Callable[[], None]:
    """Show the card, and schedule the replacement of the process for when no cell runs.

    Args:
        changes: The pending changes that the restart applies.
        lost: The sentence about the variables that will be lost or kept.
        variables: The path of the file with the variables to keep; empty if there is none.
        output: The output that becomes the card. Default: a new one.

    Returns:
        The function that ends the cell; it does nothing outside of a cell.
    """
    shell = ipython()
    changes = list(changes)
    summary = "; ".join(map(str, changes))
    data = card("Restarting.", " ".join(filter(None, (summary and f"{summary}.", lost))))
    if output is None:
        handle: Any = import_module("IPython.display").display(data, raw=True, display_id=True)
        output = Output(handle.display_id, shell.parent_header)
        report = _report(output, changes, variables)
    else:
        report = _report(output, changes, variables)
        update(shell.kernel, report, data)
    threading.Thread(target=_replace_when_idle, args=(shell, report), daemon=True).start()
    if threading.current_thread() is threading.main_thread() and _runs_cell(shell):
        return lambda: _end_cell(shell)
    return lambda: None


def _report(output: Output, changes: Iterable[Change], variables: str) -> dict[str, Any]:
    """The report of the new kernel, and its output."""
    return {
        "display_id": output.display_id,
        "parent": _plain(output.parent),
        "changes": [(change.name, change.new_version) for change in changes],
        "transaction": _pending_transaction(),
        "subshells": _subshells(),
        **({"variables": variables} if variables else {}),
    }


def _subshells() -> list[str]:
    """The ids of this kernel's subshells: the front end sends messages of widgets there. They end with the process."""
    with suppress(Exception):
        return list(ipython().kernel.shell_channel_thread.manager.list_subshell())
    return []


def _pending_transaction() -> str:
    with suppress(LiveInstallError):
        return next((item.transaction for item in pending() if item.state == "pending"), "")
    return ""


def _plain(header: dict[str, Any]) -> dict[str, Any]:
    """The part of a message's header that a reply refers to."""
    return {"header": header.get("header", {}), "metadata": {}, "content": {}}


def _runs_cell(shell: Any) -> bool:
    return bool(shell.parent_header.get("header", {}).get("msg_type") == "execute_request")


def _end_cell(shell: Any) -> None:
    """Raise an exception that is not displayed; the user's own exception handler is restored."""
    before, handler = shell.custom_exceptions, shell.CustomTB

    def show_nothing(shell: Any, *_: Any, **__: Any) -> list[str]:
        shell.custom_exceptions, shell.CustomTB = before, handler
        shell._last_traceback = []  # noqa: SLF001  the kernel's reply includes it, and it may not exist otherwise
        return []

    shell.set_custom_exc((_Leave,), show_nothing)
    raise _Leave


def _replace_when_idle(shell: Any, report: dict[str, Any]) -> None:
    """Replace the process once nothing runs: neither a `finally:` of this cell nor another cell."""
    idle = 0.0
    while idle < _DELAY:
        time.sleep(_STEP)
        idle = 0.0 if is_busy(shell) else idle + _STEP
    try:
        os.stat(report.get("variables", os.curdir))  # it is missing if an interrupt came just before this thread began
        leave = _replace if is_replaceable() else _ask_server
        leave(shell, json.dumps(report, default=str))
    except OSError as error:
        if "variables" in report:
            with suppress(OSError):
                patient.unlink(report["variables"])
        update(shell.kernel, report, card("Not restarted.", f"{error}. Choose Kernel > Restart Kernel."))


def is_busy(shell: Any) -> bool:
    """Return whether a cell runs: in some thread, or as a task that awaits something."""
    names = {"run_cell", "run_cell_async"}
    for frame in sys._current_frames().values():  # noqa: SLF001
        if any(one.f_code.co_name in names for one, _ in walk_stack(frame)):
            return True
    with suppress(Exception):
        tasks = asyncio.all_tasks(shell.kernel.io_loop.asyncio_loop)
        return any(getattr(task.get_coro(), "__name__", "") in names for task in tasks)
    return False


def update(kernel: Any, report: dict[str, Any], data: dict[str, str]) -> None:
    """Replace the content of a restart's card.

    Args:
        kernel: The IPython kernel.
        report: What identifies the card: its display id and the message that it belongs to.
        data: The new content by MIME type.
    """
    content = {"data": data, "metadata": {}, "transient": {"display_id": report["display_id"]}}
    kernel.session.send(kernel.iopub_socket, "update_display_data", content, parent=report["parent"])


def _ask_server(shell: Any, report: str) -> None:
    """Let the server end this process and start a new kernel; after an OSError this kernel continues."""
    kernel = server_restart.kernel_of_server()
    if kernel is None:
        raise OSError("The Jupyter server does not accept a request to restart this kernel")
    server_restart.restart(kernel, shell.profile_dir.startup_dir, report)


def _replace(shell: Any, report: str) -> None:
    """Replace the process by a new kernel; after an OSError this kernel continues."""
    directory = ""
    with suppress(OSError):
        directory = os.getcwd()
    with suppress(Exception):
        shell.history_manager.end_session()
    arguments, python = [word for word in sys.orig_argv[1:] if word != EXTENSION], executable()
    try:
        with variables_for_exec() as variables, _original_streams():
            with suppress(OSError):
                os.chdir(shell.starting_dir)  # where the server would start it
            os.execve(python, [python, *arguments, EXTENSION], {**variables, RESTARTED: report})  # noqa: S606
    except OSError:
        with suppress(Exception):
            os.chdir(directory)
            shell.history_manager.new_session()
        raise


@contextmanager
def _original_streams() -> Iterator[None]:
    """Restore the original output streams of the process: ipykernel's pipes do not survive the replacement."""
    kept = []
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
            target: Any = stream
            copy, number = target._original_stdstream_copy, target._original_stdstream_fd  # noqa: SLF001
            kept.append((os.dup(number), number))
            os.dup2(copy, number)
    try:
        yield
    finally:
        for copy, number in kept:
            os.dup2(copy, number)
            os.close(copy)
