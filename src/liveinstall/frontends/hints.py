"""Errors that nobody caught get a note (PEP 678) where a version that waits, or was replaced, is the reason.

It is added when the error is shown, by Python or by IPython: an import that succeeds costs nothing, and what a program
catches is as it was. From the first change that this process makes; never in an application that has a Host.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

from liveinstall.frontends.where import Where, ipython, where

if TYPE_CHECKING:
    from collections.abc import Callable

_MARK = "_liveinstall_explains"  # an attribute of a wrapped hook: the hook itself
_hosts: list[bool] = []  # not empty in an application


def explain(error: BaseException | None) -> None:
    """Add the notes that `error` does not have yet, and leave our own frames out of its traceback.

    It never fails: the error itself is what counts.
    """
    if error is None or not isinstance(error, (ImportError, AttributeError)):
        return
    try:
        from liveinstall.session.hints import notes_on, without_finder

        without_finder(error)

        for note in notes_on(error):
            if note not in getattr(error, "__notes__", ()):
                error.add_note(note)
    except Exception:  # noqa: BLE001, S110  a hint must not hide what it is about
        pass


def watch() -> None:
    """Explain errors where they are shown, by IPython or by Python's hook; each is wrapped once and not replaced."""
    if _hosts:
        return
    shell = ipython()
    if shell is not None:
        if not hasattr(shell.showtraceback, _MARK):
            shell.showtraceback = _explaining(shell.showtraceback, _shown_by_ipython)
    elif not hasattr(sys.excepthook, _MARK) and _may_wrap(where()):
        sys.excepthook = _explaining(sys.excepthook, lambda words: words[1])


def leave_alone() -> None:
    """Explain nothing from now on, because this is an application, and give Python's and IPython's hooks back."""
    _hosts.append(True)
    sys.excepthook = getattr(sys.excepthook, _MARK, sys.excepthook)
    shell = ipython()
    if shell is not None and hasattr(shell.showtraceback, _MARK):
        shell.showtraceback = getattr(shell.showtraceback, _MARK)


def _may_wrap(place: Where) -> bool:
    """Whether the hook is Python's own to show errors with: at its prompts, and in scripts that show none themselves.

    `code`'s consoles write errors elsewhere only while the hook is the default, so programs that have one keep it.
    """
    if place is Where.SCRIPT:
        return sys.excepthook is sys.__excepthook__ and "code" not in sys.modules
    return place is not Where.REPL or sys.flags.inspect == 1 or sys.argv[:1] == [""]  # else a program has opened it


def _explaining(show: Callable[..., Any], error_of: Callable[[tuple[Any, ...]], Any]) -> Callable[..., Any]:
    @wraps(show)
    def explaining(*words: Any, **options: Any) -> Any:
        if not _hosts:
            explain(error_of(words))
        return show(*words, **options)

    setattr(explaining, _MARK, show)
    return explaining


def _shown_by_ipython(words: tuple[Any, ...]) -> BaseException | None:
    """IPython is given the error, or shows the one that is handled."""
    given = words[0] if words else None
    error = given[1] if given else sys.exc_info()[1]
    return error if isinstance(error, BaseException) else None
