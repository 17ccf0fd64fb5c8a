"""Questions to the user: in the cell of a notebook, or at the prompt; never in scripts."""

from __future__ import annotations

import sys
import threading

from liveinstall._frontends.detect import FrontEnd, detect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from liveinstall.errors import ConflictError


def is_attended() -> bool:
    """Return whether a person follows and decides: at the prompt of a terminal, or in a notebook."""
    front_end = detect()
    return front_end.is_interactive and (front_end.is_kernel or front_end is FrontEnd.IDLE or _has_terminal())


def ask(question: str) -> str | None:
    """Ask the user, and return the answer in lower case; None if there is no user to ask, or no answer.

    A kernel finds the front end of a question only in its main thread.

    Args:
        question: The text, which ends with the possible answers.
    """
    can_ask = threading.current_thread() is threading.main_thread() and (detect().is_kernel or _has_terminal())
    return read_answer(_last_line(question)) if can_ask else None


def read_answer(question: str) -> str:
    """Display a question, and return the answer in lower case; empty text if there is none.

    The prompt of the first releases of Python 3.13 may fail to display a question (IndexError); then the answer is read
    without that prompt's line editor.

    Args:
        question: The text, in one line.
    """
    try:
        return input(question).strip().lower()
    except IndexError:
        print(question, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower()
    except (EOFError, KeyboardInterrupt, RuntimeError, OSError):  # RuntimeError: a kernel whose front end has no input
        return ""


def _last_line(question: str) -> str:
    """The last line of a question. In a terminal the others are written first: some prompts show them at each key."""
    first, _, last = question.rpartition("\n")
    if detect().is_kernel or not first:
        return question
    print(first, file=sys.stderr)
    return last


def _has_terminal() -> bool:
    """Whether questions can be read and answered: on standard error, where `input()` falls back to, or output."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def about_conflict(error: ConflictError) -> tuple[str, ...] | None:
    """Ask how to handle a conflict; see `Presenter.consent()`."""
    conflicts = "\n".join(f"Conflict: {text}." for text in error.conflicts)
    if not error.remedy:
        answer = ask(f"{conflicts}\nInstall anyway? [y/N] ")
        return () if answer in ("y", "yes") else None
    fitting = ", ".join(error.remedy)
    answer = ask(f"{conflicts}\nInstall versions that fit: {fitting} (f), install anyway (a), or nothing (n)? [f/a/N] ")
    return {"f": error.remedy, "fit": error.remedy, "a": (), "all": ()}.get(answer or "")
