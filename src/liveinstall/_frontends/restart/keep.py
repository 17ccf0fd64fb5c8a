"""Keeping variables over a restart: they are written to a file, loaded in a preview first, and restored at the start.

Nothing ends before a process of the environment as it will be has loaded the file, and has said which variables come
back. What does not come back is shown with its reason, and the user decides.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any

from _liveinstall_boot import patient
from liveinstall._frontends.detect import FrontEnd, ipython
from liveinstall._frontends.restart import variables_file
from liveinstall._frontends.restart.lost_variables import lost_message, variables
from liveinstall._frontends.restart.variable_groups import group
from liveinstall._system.interpreter import executable
from liveinstall._system.programs import run_captured
from liveinstall.errors import CannotKeepError, TrialError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALL = "all"
_HIDDEN = {"exit", "quit", "get_ipython", "get_ptpython", "In", "Out", "open"}
_PREVIEW = "from liveinstall._frontends.restart.keep import print_failures; print_failures({!r}, {!r})"
_NAMED = 5  # variables that a sentence lists by name


def namespace() -> dict[str, Any]:
    """Return the user's namespace: that of the notebook or prompt."""
    shell = ipython()
    found: dict[str, Any] = vars(sys.modules["__main__"]) if shell is None else shell.user_ns
    return found


def save(keep: str | Iterable[str], front_end: FrontEnd, *, is_pending: bool) -> tuple[str, str]:
    """Write variables to a file and load it in a preview of the environment after the restart.

    Args:
        keep: The names of the variables, or "all" for all that the user has, functions and modules included.
        front_end: The front end, which must be able to restore them.
        is_pending: Whether the restart applies changes.

    Returns:
        The path of the file, and a sentence about what is kept and lost.

    Raises:
        CannotKeepError: A name is unknown, variables cannot be written or would not come back, and nobody agreed to
            lose them. No file is left.
    """
    _check_front_end(front_end)
    values = _chosen(keep)
    modules = {name: value.__name__ for name, value in values.items() if isinstance(value, ModuleType)}
    groups, lost = group({name: value for name, value in values.items() if name not in modules})
    try:
        path = variables_file.write(groups, modules)
    except OSError as error:
        raise CannotKeepError(f"the variables cannot be written: {error}.", lost={}) from error
    try:
        lost |= _preview(path, [name for name in values if name not in lost], is_pending=is_pending)
        _ask(lost)
    except BaseException:
        patient.unlink(path)
        raise
    kept = [name for name in values if name not in lost]
    sentence = f"Kept: {_names(kept)} ({os.path.getsize(path) / 1e6:.1f} MB)." if kept else "Nothing is kept."
    others = {name: value for name, value in variables().items() if name not in kept}
    return path, f"{sentence} {lost_message(others)}".rstrip()


def _check_front_end(front_end: FrontEnd) -> None:
    reason = ""
    if front_end is FrontEnd.INSPECT:
        reason = "the script runs again at the start, and sets them itself"
    elif front_end in (FrontEnd.REPL, FrontEnd.PTPYTHON) and sys.flags.ignore_environment:
        reason = "this Python ignores environment variables (-E or -I), so it cannot be told what to restore"
    if reason:
        raise CannotKeepError(f"variables cannot be kept here: {reason}.", lost={})


def _chosen(keep: str | Iterable[str]) -> dict[str, Any]:
    """The variables to keep, by name."""
    found = namespace()
    if keep == ALL:
        shell = ipython()
        hidden = _HIDDEN | set(shell.user_ns_hidden if shell is not None else ())
        return {name: value for name, value in list(found.items()) if not name.startswith("_") and name not in hidden}
    names = [keep] if isinstance(keep, str) else list(keep)
    unknown = [name for name in names if name not in found]
    if unknown:
        todo = 'Check the spelling; keep="all" keeps every variable.'
        raise CannotKeepError(f"there is no variable {' or '.join(map(repr, unknown))}.", todo=todo, lost={})
    return {name: found[name] for name in names}


def _preview(path: str, names: Iterable[str], *, is_pending: bool) -> dict[str, str]:
    """The variables of the file that a process of the environment after the restart cannot load, with the reasons."""
    code = _PREVIEW.format(path, sys.prefix)
    if is_pending:
        from liveinstall._verbs.trial import trial

        try:
            found = trial(code)
        except TrialError as error:
            raise CannotKeepError(
                "no preview of the restart is possible here, so no variables are kept.", lost={}
            ) from error
        status, out, err = found.returncode, found.stdout, found.stderr
    else:
        status, out, err = run_captured([executable(), "-c", code], os.environ)
    with suppress(ValueError, IndexError):
        failures: dict[str, str] = json.loads(out.strip().rpartition("\n")[2])
        return failures
    reason = (err.strip().rpartition("\n")[2] or f"the preview exited with status {status}").rstrip(".")
    return dict.fromkeys(names, reason)


def print_failures(path: str, prefix: str) -> None:
    """Print which variables of a file cannot be loaded, as JSON; the preview calls it.

    Args:
        path: The path of the file.
        prefix: `sys.prefix` of the environment; that of the preview is another one.
    """
    failures = variables_file.load(path, mapped=True, prefix=prefix).failures
    print("\n" + json.dumps(failures), flush=True)
    os._exit(0)  # not the destructors of the user's objects


def _sentence(lost: Mapping[str, str]) -> str:
    rows = "; ".join(f"{name} ({reason})" for name, reason in lost.items())
    return f"{len(lost)} variable{'s' if len(lost) > 1 else ''} would not come back: {rows}"


def _names(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _ask(lost: Mapping[str, str]) -> None:
    """Ask whether to restart without these variables; an error unless the answer is yes."""
    answer = ""
    if lost:
        with suppress(EOFError, KeyboardInterrupt, RuntimeError):  # RuntimeError: a kernel whose front end has no input
            answer = input(f"{_sentence(lost)}. Restart all the same? [y/N] ")
    if lost and answer.strip().lower() not in ("y", "yes"):
        todo = "To restart without them, name the others: liveinstall.restart(keep=[...])."
        raise CannotKeepError(f"{_sentence(lost)}.", todo=todo, lost=lost)


def restore(path: str) -> str:
    """Restore the variables of a file in the user's namespace; the file is removed if all of them came back.

    Args:
        path: The path of the file.

    Returns:
        A sentence about what came back and what did not.
    """
    try:
        loaded = variables_file.load(path)
    except OSError as error:
        return f"The variables were not restored: {error}."
    namespace().update(loaded.values)
    if loaded.failures:
        return (
            f"Restored: {_names(list(loaded.values)) or 'nothing'}. {_sentence(loaded.failures)}. They are in {path}."
        )
    with suppress(OSError):
        patient.unlink(path)
    return f"Restored: {_names(list(loaded.values))}."


def recover() -> tuple[str, ...]:
    """Restore the variables of the last `restart(keep=...)` after which this environment's Python did not start.

    Returns:
        The names of the restored variables; none if there is nothing to recover.
    """
    before = namespace()
    for path in variables_file.left()[:1]:
        loaded = variables_file.load(path)
        before.update(loaded.values)
        if not loaded.failures:
            patient.unlink(path)
        return tuple(loaded.values)
    return ()
