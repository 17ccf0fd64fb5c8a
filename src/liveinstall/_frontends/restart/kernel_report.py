"""The counterpart of `kernel`: an IPython extension with which the new kernel reports the restart.

It updates the card in the old kernel's cell to the versions that are installed now, and sends the front end the idle
status of the kernel.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from importlib import import_module, invalidate_caches
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from liveinstall._frontends.jupyter.html import card
from liveinstall._frontends.restart.kernel import update
from liveinstall._system.settings import RESTARTED

if TYPE_CHECKING:
    from collections.abc import Iterable

_DELAY = 1.0  # seconds until the front end receives messages again


def load_ipython_extension(shell: Any) -> None:
    """Schedule the report, once; IPython calls it at the start of the new kernel.

    Args:
        shell: The InteractiveShell.
    """
    text = os.environ.pop(RESTARTED, "")
    kernel = getattr(shell, "kernel", None)
    if not text:
        return
    report, restored = json.loads(text), ""
    if "variables" in report:
        from liveinstall._frontends.restart.keep import restore

        restored = restore(report["variables"])  # now, before the first cell
    if kernel is None:
        print(restored, file=sys.stderr)
    else:
        timer = threading.Timer(_DELAY, _report, (kernel, report, restored))
        timer.daemon = True
        timer.start()


def _report(kernel: Any, report: dict[str, Any], restored: str) -> None:
    update(kernel, report, outcome(report["changes"], restored))
    kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"}, parent=report["parent"])


def outcome(changes: Iterable[tuple[str, str | None]], restored: str = "") -> dict[str, str]:
    """Create the card that says which changes this process uses.

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
