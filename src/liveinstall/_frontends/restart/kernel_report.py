"""The counterpart of `kernel`: an IPython extension with which the new kernel reports the restart.

It updates the card in the old kernel's cell to the versions that are installed now, and sends the front end the idle
status of the kernel.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module, invalidate_caches
from importlib.metadata import version

from _liveinstall_boot import patient
from liveinstall._frontends.detect import ipython
from liveinstall._frontends.jupyter.html import card
from liveinstall._frontends.restart.kernel import update
from liveinstall._frontends.restart.session_state import protect
from liveinstall._system.settings import RESTARTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_MISSING = object()
_PAUSE = 0.5  # seconds between two updates of the card
_PATIENCE = 5.0  # seconds that subshells may take
_DELAY = 1.0  # seconds until the front end receives messages again


def load_ipython_extension(shell: Any) -> None:
    """Schedule the report, once; IPython calls it at the start of the new kernel.

    Args:
        shell: The InteractiveShell.
    """
    with suppress(Exception):  # changes by this restart are named when an import fails
        import_module("liveinstall._frontends.import_hints").watch()
    text = os.environ.pop(RESTARTED, "")
    kernel = getattr(shell, "kernel", None)
    if not text:
        return
    report, restored = json.loads(text), ""
    if "variables" in report:  # now, before the first cell
        before = dict(shell.user_ns)
        restored = _restored(kernel, report)
        changed = [name for name, value in shell.user_ns.items() if before.get(name, _MISSING) is not value]
        protect(shell, (name for name in changed if not name.startswith("_")))
    if kernel is None:
        if restored:
            print(restored, file=sys.stderr)
    else:
        timer = threading.Timer(_DELAY, _report, (kernel, report, restored))
        timer.daemon = True
        timer.start()


def continue_restart(path: str, report: str) -> None:
    """Report a restart by the server; the start-up file of the new kernel calls it.

    Args:
        path: The absolute path of that file, which is removed.
        report: The report, as the old kernel wrote it.
    """
    with suppress(OSError):
        patient.unlink(path)
    os.environ[RESTARTED] = report
    load_ipython_extension(ipython())


def _restored(kernel: Any, report: dict[str, Any]) -> str:
    """Restore the variables; the card shows the progress, if it takes long."""
    from liveinstall._frontends.progress import amount
    from liveinstall._frontends.restart.recovery import restore, restore_at_prompt

    if kernel is None:
        return restore_at_prompt(report["variables"])
    shown = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal shown
        if time.monotonic() - shown > _PAUSE:
            shown = time.monotonic()
            with suppress(Exception):
                update(kernel, report, card("Restarted.", f"Restoring the variables: {amount(done, total)}"))

    return restore(report["variables"], show)


def _report(kernel: Any, report: dict[str, Any], restored: str) -> None:
    data = outcome(report["changes"], restored)
    update(kernel, report, data)
    kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"}, parent=report["parent"])
    if report.get("subshells"):
        report["subshells"] = missing_subshells(kernel, report["subshells"])
    with suppress(Exception):  # the buttons are an extra
        import_module("liveinstall._frontends.jupyter.live_card").reopen(report, data)


def missing_subshells(kernel: Any, ids: Iterable[str]) -> list[str]:
    """Create the subshells of the former process: the front end keeps sending the messages of all widgets there.

    A new subshell also has a new id, which its replies contain.

    Args:
        kernel: The IPython kernel.
        ids: The ids of the subshells.

    Returns:
        The ids of those that could not be created.
    """
    ids, created = list(ids), threading.Event()

    def create() -> None:
        with suppress(Exception):
            manager = kernel.shell_channel_thread.manager
            for each in ids:
                made = manager._create_subshell()  # noqa: SLF001  a request for one does not choose its id
                with manager._lock_cache:  # noqa: SLF001
                    manager._cache[each] = manager._cache[made]  # noqa: SLF001
        created.set()

    with suppress(Exception):
        kernel.shell_channel_thread.io_loop.add_callback(create)  # ipykernel requires that thread
        created.wait(_PATIENCE)
        return sorted({*ids} - {*kernel.shell_channel_thread.manager.list_subshell()})
    return ids


def outcome(changes: Iterable[tuple[str, str | None]], restored: str = "") -> dict[str, str]:
    """Create the card with the changes that this process uses.

    Args:
        changes: Pairs of a name and its new version, or None for a removal.
        restored: A sentence about the variables that were kept.

    Returns:
        The card by MIME type.
    """
    invalidate_caches()
    done, not_done = [], []
    for name, new in changes:
        installed = version_of(name)
        if installed == new:
            done.append(f"{name} {new} is installed" if new else f"{name} is removed")
        else:
            not_done.append(f"{name} is still {installed or 'not installed'}")
    if not_done:
        return card("Restarted, but", f"{'; '.join(not_done)}. {_why()} {restored}".rstrip())
    sentence = "; ".join(done) + ("." if done else "")
    return card("Restarted" + ("," if done else "."), " ".join(filter(None, (sentence, restored))))


def version_of(name: str) -> str | None:
    """Return the version of a distribution that imports find in this process; None without it or its metadata."""
    try:
        return version(name)
    except Exception:  # noqa: BLE001  a damaged environment: metadata that is missing raises differently in each Python
        return None


def _why() -> str:
    """The reasons why transactions are still pending, or were set aside."""
    with suppress(Exception):
        pending = import_module("liveinstall._verbs.pending").pending()
        labels = {"failed": "Set aside", "pending": "Waiting for"}
        return " ".join(f"{labels[item.state]}: {item.waits_for.rstrip('.')}." for item in pending)
    return ""
