"""`liveinstall.repl()`: one reminder of each new pending transaction at an interactive prompt; never in scripts.

The user's own prompt and hooks are wrapped, not replaced: Python's prompt by a string that writes the reminder when it
is displayed, IPython by its event after each cell, ptpython by a wrapper of the function that reads a line.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from _liveinstall_boot.layout import list_transactions, record_path
from liveinstall._environment.target import current_site
from liveinstall._frontends import restart_trial
from liveinstall._frontends.detect import FrontEnd, detect, ipython
from liveinstall._system.settings import REMINDERS, is_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PROMPTS = (FrontEnd.REPL, FrontEnd.INSPECT, FrontEnd.IPYTHON, FrontEnd.PTPYTHON)


class _Reminder:
    """The state of the reminders in this process. `reported`: the reported transactions, with their timestamps."""

    restore: Callable[[], None] | None = None
    refused = False
    reported: set[str] = set()  # noqa: RUF012


def repl(on: bool = True) -> bool:
    """Enable or disable reminders: at the prompt, each new pending transaction is reported once.

    They are enabled automatically when a request at a prompt leaves changes pending, unless they were disabled by this
    function or the environment variable LIVEINSTALL_REPL is 0.

    Args:
        on: False disables reminders and restores the prompt.

    Returns:
        Whether reminders are enabled now; never in scripts, nor in notebooks, which display results as cards.
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
    """Enable reminders after a staging, unless the user disabled them. Never raises: the staging has succeeded."""
    with suppress(Exception):
        if _Reminder.restore is None and not _Reminder.refused and is_on(REMINDERS, default=True):
            _Reminder.restore = _wrap(detect())


def remind() -> None:
    """Write new pending changes, and the outcome of a trial of the restart, to stderr, once.

    Never raises: the prompt must be displayed.
    """
    with suppress(Exception):
        for text in filter(None, (news(), restart_trial.news())):
            # From 3.13 on the terminal is in raw mode by now, in which a line feed does not return to column 1.
            print(text, end="\r\n" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


def said() -> None:
    """Note that the user has read which changes are pending: a reminder of them would repeat it. Never raises."""
    with suppress(Exception):
        if detect() in _PROMPTS:
            _Reminder.reported |= _stamps(current_site())


def news() -> str:
    """Return the reminder of pending changes that were not yet reported; empty if there are none.

    If there are none, it only lists one directory.
    """
    stamps = _stamps(current_site())
    if stamps <= _Reminder.reported:
        return ""
    _Reminder.reported |= stamps
    from liveinstall._frontends.restart.restart import waiting

    changes = [str(change) for change in waiting() if not _is_here(change.name, change.new_version)]
    if not changes:
        return ""
    return f"liveinstall: {'; '.join(changes)} pending until a restart: liveinstall.restart()"


def _stamps(site: str) -> set[str]:
    """The pending transactions, with the times of their last changes."""
    pending = {transaction_id for transaction_id, state, _ in list_transactions(site) if state == "pending"}
    return {f"{transaction_id} {_stamp(site, transaction_id)}" for transaction_id in pending}


def _stamp(site: str, transaction_id: str) -> int:
    """The time of a pending transaction's last change, in nanoseconds: later requests are merged into it."""
    tries = next((tries for one, _, tries in list_transactions(site) if one == transaction_id), 0)
    return os.stat(record_path(site, transaction_id, "pending", tries)).st_mtime_ns


def _is_here(name: str, new: str | None) -> bool:
    """Whether this process already uses the new version, from its staged part."""
    from liveinstall._frontends.restart.kernel_report import version_of

    return new is not None and version_of(name) == new


def _wrap(front_end: FrontEnd) -> Callable[[], None] | None:
    """Add the reminder to the prompt of this front end; the function that restores the prompt."""
    if front_end not in _PROMPTS:
        return None
    if front_end is FrontEnd.IPYTHON:
        return _wrap_ipython(ipython())
    if front_end is FrontEnd.PTPYTHON:
        return _wrap_reading(sys.modules["__main__"].get_ptpython())
    return _wrap_ps1() if hasattr(sys, "ps1") else _wrap_at_prompt()


class _Prompt(str):
    """The user's own prompt; displaying it triggers the reminder. A str, because Python 3.13 inspects its content."""

    __slots__ = ("own",)
    own: Any

    def __str__(self) -> str:
        remind()
        return str(self.own)

    def find(self, *arguments: Any) -> int:
        """Trigger the reminder too: from 3.13 on, a prompt without colours uses the string itself and searches it."""
        remind()
        return super().find(*arguments)


def _wrap_at_prompt() -> Callable[[], None]:
    """Wrap the prompt that will follow a script (`python -i`): `sys.ps1` marks an open prompt and must not be set yet.

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
    own: Any = getattr(sys, "ps1", ">>> ")  # Python sets it only if it does not exist
    prompt = _Prompt(own)
    prompt.own = own
    sys.ps1 = prompt

    def restore() -> None:
        if getattr(sys, "ps1", None) is prompt:  # otherwise the user has set another one since
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
