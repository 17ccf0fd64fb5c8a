"""Errors that nobody caught get a note (PEP 678) where a version that waits, or was replaced, is the reason.

It is added when the error is shown, by Python or by IPython: an import that succeeds costs nothing, and what a program
catches is as it was. From the first change that this process makes.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

from liveinstall.frontends.where import ipython

if TYPE_CHECKING:
    from collections.abc import Callable

_MARK = "_liveinstall_explains"


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
    """Explain errors where they are shown: in Python's hook and in IPython, each wrapped once and not replaced."""
    if not hasattr(sys.excepthook, _MARK):
        sys.excepthook = _explaining(sys.excepthook, lambda words: words[1])
    shell = ipython()
    if shell is not None and not hasattr(shell.showtraceback, _MARK):
        shell.showtraceback = _explaining(shell.showtraceback, _shown_by_ipython)


def _explaining(show: Callable[..., Any], error_of: Callable[[tuple[Any, ...]], Any]) -> Callable[..., Any]:
    @wraps(show)
    def explaining(*words: Any, **options: Any) -> Any:
        explain(error_of(words))
        return show(*words, **options)

    setattr(explaining, _MARK, True)
    return explaining


def _shown_by_ipython(words: tuple[Any, ...]) -> BaseException | None:
    """IPython is given the error, or shows the one that is handled."""
    given = words[0] if words else None
    error = given[1] if given else sys.exc_info()[1]
    return error if isinstance(error, BaseException) else None
