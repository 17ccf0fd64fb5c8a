"""The other end of `restart_kernel`: an IPython extension by which a new kernel says that it is there.

It turns the card of the old kernel's cell into what is in place now, and tells the front end that the kernel is idle.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from importlib import import_module, invalidate_caches
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from liveinstall._frontends.jupyter.html import card
from liveinstall._frontends.restart.kernel import update
from liveinstall._system.settings import RESTARTED

if TYPE_CHECKING:
    from collections.abc import Iterable

_DELAY = 1.0  # seconds until the front end listens again


def load_ipython_extension(shell: Any) -> None:
    """Report soon, once."""
    text = os.environ.pop(RESTARTED, "")
    kernel = getattr(shell, "kernel", None)
    if text and kernel is not None:
        timer = threading.Timer(_DELAY, _report, (kernel, json.loads(text)))
        timer.daemon = True
        timer.start()


def _report(kernel: Any, report: dict[str, Any]) -> None:
    update(kernel, report, outcome(report["changes"]))
    kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"}, parent=report["parent"])


def outcome(changes: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """The card: which of `changes` (name, new version or None for a removal) are in place in this process."""
    invalidate_caches()
    done, not_done = [], []
    for name, new in changes:
        here = version_of(name)
        if here == new:
            done.append(f"{name} {new} is in place" if new else f"{name} is removed")
        else:
            not_done.append(f"{name} is still {here or 'not there'}")
    if not_done:
        return card("Restarted, but", f"{'; '.join(not_done)}. {_why()}".rstrip())
    return card("Restarted" + ("," if done else "."), "; ".join(done) + ("." if done else ""))


def version_of(name: str) -> str | None:
    """The version that imports find in this process."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _why() -> str:
    """What it waits for now, or why it was set aside."""
    with suppress(Exception):
        pending = import_module("liveinstall._verbs.pending").pending()
        return "; ".join(item.waits_for for item in pending)
    return ""
