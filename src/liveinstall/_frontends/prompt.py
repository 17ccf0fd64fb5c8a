"""`liveinstall.repl()`: at a prompt, one reminder of each transaction that newly waits. Never in scripts.

The user's own prompt and hooks are wrapped and not replaced: Python's prompt by a string that writes the reminder when
it is shown, IPython by its event after each cell, ptpython around its reading of a line.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from _liveinstall_boot.layout import list_transactions, record_path
from liveinstall._environment.target import current_site
from liveinstall._frontends.detect import FrontEnd, detect, ipython
from liveinstall._system.settings import REMINDERS, is_on

if TYPE_CHECKING:
    from collections.abc import Callable

_PROMPTS = (FrontEnd.REPL, FrontEnd.INSPECT, FrontEnd.IPYTHON, FrontEnd.PTPYTHON)


class _Reminder:
    """What is in place in this process. `told`: the transactions that were reminded of, as they were then."""

    restore: Callable[[], None] | None = None
    refused = False
    told: set[str] = set()  # noqa: RUF012


def repl(on: bool = True) -> bool:
    """Remind at the prompt, once, of each transaction that newly waits; `repl(False)` ends that and puts all back.

    After the first staging at a prompt it begins by itself, unless it was ended so, or the environment variable
    LIVEINSTALL_REPL is 0. Returns whether it reminds now: never in scripts, nor in notebooks, which show cards.
    """
    _Reminder.refused = not on
    if not on:
        restore, _Reminder.restore = _Reminder.restore, None
        if restore:
            restore()
    elif _Reminder.restore is None:
        _Reminder.restore = _wrap(detect())
    return _Reminder.restore is not None


def begin() -> None:
    """After a staging: begin by itself, if nobody minds. Never raises: what is staged is staged."""
    with suppress(Exception):
        if _Reminder.restore is None and not _Reminder.refused and is_on(REMINDERS, default=True):
            _Reminder.restore = _wrap(detect())


def remind() -> None:
    """Write what newly waits on stderr, once. Never raises: a prompt must come."""
    with suppress(Exception):
        text = news()
        if text:
            # The prompt from 3.13 on has its terminal in raw mode by now, where a line feed does not return.
            print(text, end="\r\n" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


def news() -> str:
    """What waits and was not told yet; empty if nothing. Looks at the names in one directory, unless there is news."""
    site = current_site()
    waits = {transaction_id for transaction_id, state, _ in list_transactions(site) if state == "pending"}
    marks = {f"{transaction_id} {_stamp(site, transaction_id)}" for transaction_id in waits}
    if marks <= _Reminder.told:
        return ""
    _Reminder.told |= marks
    from liveinstall._frontends.restart.restart import waiting

    changes = [str(change) for change in waiting() if not _is_here(change.name, change.new_version)]
    if not changes:
        return ""
    return f"liveinstall: {'; '.join(changes)} waits for a restart: liveinstall.restart()"


def _stamp(site: str, transaction_id: str) -> int:
    """When a transaction that waits was last changed: a later request is merged into it."""
    tries = next((tries for one, _, tries in list_transactions(site) if one == transaction_id), 0)
    return os.stat(record_path(site, transaction_id, "pending", tries)).st_mtime_ns


def _is_here(name: str, new: str | None) -> bool:
    """Whether this process runs on it already, from its part."""
    from liveinstall._frontends.restart.kernel_report import version_of

    return new is not None and version_of(name) == new


def _wrap(place: FrontEnd) -> Callable[[], None] | None:
    """Put the reminder before the prompt of this place; the function that puts back what was there."""
    if place not in _PROMPTS:
        return None
    if place is FrontEnd.IPYTHON:
        return _wrap_ipython(ipython())
    if place is FrontEnd.PTPYTHON:
        return _wrap_reading(sys.modules["__main__"].get_ptpython())
    return _wrap_ps1() if hasattr(sys, "ps1") else _wrap_at_prompt()


class _Prompt(str):
    """The user's own prompt, which reminds when it is shown. A string: the prompt from 3.13 on looks into it."""

    __slots__ = ("own",)
    own: Any

    def __str__(self) -> str:
        remind()
        return str(self.own)

    def find(self, *arguments: Any) -> int:
        """Remind too: the prompt from 3.13 on, where it shows no colours, takes the string and searches it."""
        remind()
        return super().find(*arguments)


def _wrap_at_prompt() -> Callable[[], None]:
    """Where a script still runs and a prompt follows: `sys.ps1` says that one is there, so it must not be set yet.

    Python calls `sys.__interactivehook__` just before its first prompt.
    """
    had = hasattr(sys, "__interactivehook__")
    own: Any = getattr(sys, "__interactivehook__", None)
    wrapped: list[Callable[[], None]] = []

    def hook() -> None:
        if own is not None:
            own()
        if not wrapped:
            wrapped.append(_wrap_ps1())

    sys.__interactivehook__ = hook

    def restore() -> None:
        for undo in wrapped:
            undo()
        if getattr(sys, "__interactivehook__", None) is not hook:
            return
        if had:
            sys.__interactivehook__ = own
        else:
            del sys.__interactivehook__

    return restore


def _wrap_ps1() -> Callable[[], None]:
    own: Any = getattr(sys, "ps1", ">>> ")  # Python sets it only once, when it is not there
    prompt = _Prompt(own)
    prompt.own = own
    sys.ps1 = prompt

    def restore() -> None:
        if getattr(sys, "ps1", None) is prompt:  # else the user has set another one since
            sys.ps1 = own

    return restore


def _wrap_ipython(shell: Any) -> Callable[[], None]:
    def after_cell(*_: Any) -> None:
        remind()

    shell.events.register("post_run_cell", after_cell)

    def restore() -> None:
        with suppress(ValueError):
            shell.events.unregister("post_run_cell", after_cell)

    return restore


def _wrap_reading(prompt: Any) -> Callable[[], None]:
    own = prompt.read
    had = "read" in vars(prompt)

    def read(*arguments: Any, **options: Any) -> Any:
        remind()
        return own(*arguments, **options)

    prompt.read = read

    def restore() -> None:
        if vars(prompt).get("read") is not read:
            return
        if had:
            prompt.read = own
        else:
            del prompt.read

    return restore
