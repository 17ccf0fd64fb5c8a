"""Keeping variables over a restart: they are written to a file, and loaded in a preview of the restarted Python.

Python is only restarted after a process in the preview has loaded the file, and has reported which variables can be
restored. The others are shown with the reason, and the user decides. `recovery` restores them.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager, suppress
from types import ModuleType

from _liveinstall_boot import patient
from liveinstall._frontends.detect import FrontEnd, ipython
from liveinstall._frontends.progress import Progression, amount, display
from liveinstall._frontends.question import read_answer
from liveinstall._frontends.restart import session_state, variables_file
from liveinstall._frontends.restart.lost_variables import is_hidden, lost_message, variables
from liveinstall._frontends.restart.size_limit import Room, bytes_of
from liveinstall._frontends.restart.variable_groups import group
from liveinstall._system.interpreter import executable
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._system.programs import run_captured
from liveinstall.errors import CannotKeepError, TrialError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from liveinstall._frontends.restart.variable_groups import Group

ALL = "all"
_HIDDEN = {"exit", "quit", "get_ipython", "get_ptpython", "In", "Out", "open"}
_PREVIEW = "from liveinstall._frontends.restart.keep import print_failures; print_failures({!r}, {!r})"
_NAMED = 5  # variables that a sentence lists by name


@dataclass(frozen=True)
class PreparedRestart:
    """Variables that were written to a file, and the outcome of their preview of the restart.

    Attributes:
        path: The path of the file.
        kept: The names of the variables that can be restored.
        lost: For each variable that should be kept but cannot be restored, the reason.
        size: The bytes of the file.
        others: A sentence about the other variables; empty if there are none.
    """

    path: str
    kept: tuple[str, ...]
    lost: Mapping[str, str]
    size: int
    others: str = ""

    @property
    def sentence(self) -> str:
        """A sentence about the kept and lost variables."""
        kept = f"Kept: {names(self.kept)} ({amount(self.size, None)})." if self.kept else "Nothing is kept."
        return f"{kept} {self.others}".rstrip()

    @property
    def warning(self) -> str:
        """The variables that cannot be restored, with the reasons; empty if all can."""
        return sentence_of(self.lost) if self.lost else ""

    def discard(self) -> None:
        """Remove the file: no restart follows."""
        with suppress(OSError):
            patient.unlink(self.path)

    def ask(self) -> None:
        """Ask whether to restart without the variables that cannot be restored.

        Raises:
            CannotKeepError: Some cannot be restored, and the answer was not yes. The file is removed.
        """
        if self.lost and read_answer(f"{self.warning}. Restart anyway? [y/N] ") not in ("y", "yes"):
            self.discard()
            todo = "To restart without them, name the others: liveinstall.restart(keep=[...])."
            raise CannotKeepError(f"{self.warning}.", todo=todo, lost=dict(self.lost))


def namespace() -> dict[str, Any]:
    """Return the user's namespace: that of the notebook or prompt."""
    shell = ipython()
    found: dict[str, Any] = vars(sys.modules["__main__"]) if shell is None else shell.user_ns
    return found


def prepare(
    keep: str | Iterable[str],
    front_end: FrontEnd,
    *,
    is_pending: bool,
    changed: Collection[str] = (),
    limit: int | str | None = None,
    show: Callable[[Progression], None] | None = None,
) -> PreparedRestart:
    """Write variables to a file and load it in a preview of the environment after the restart.

    Ctrl-C, or an exception of `show`, leaves everything as it was: no file remains.

    Args:
        keep: The names of the variables, or "all" for all variables, functions and modules included.
        front_end: The front end, which must be able to restore them.
        is_pending: Whether the restart applies changes.
        changed: The distributions that it changes.
        limit: The maximum size of the file in bytes, as a number or as text such as "2 GB".
        show: Called with the progress. Default: the progress display of the front end.

    Returns:
        The file, and the variables that can be restored.

    Raises:
        CannotKeepError: A name is unknown, the variables are too large, or they cannot be written or tried. No file is
            left.
    """
    _check_front_end(front_end)
    values = _chosen(keep)
    room, begin = _room(bytes_of(limit)), time.monotonic()
    is_all = keep == ALL
    values |= session_state.outputs() if is_all else {}
    modules = {name: value.__name__ for name, value in values.items() if isinstance(value, ModuleType)}
    with _progress(show) as tell:
        groups, lost = group(
            {name: value for name, value in values.items() if name not in modules}, room, tell, changed
        )
        path = _write(groups, modules, room, tell, session_state.state(history=is_all))
        try:
            tell(Progression("Loading the variables in a preview of the restart", amount(os.path.getsize(path), None)))
            lost |= _preview(path, [name for name in values if name not in lost], is_pending=is_pending)
            effort = f"{amount(os.path.getsize(path), None)}, {time.monotonic() - begin:.1f} s"
            tell(Progression("The variables were written and tested", effort))
        except BaseException:
            patient.unlink(path)
            raise
    listed = (*(name for name in values if name not in modules), *modules)  # modules are of the least interest
    kept = tuple(name for name in listed if name not in lost and not session_state.is_output(name))
    outputs = [name for name in lost if session_state.is_output(name)]
    lost = {name: reason for name, reason in lost.items() if name not in outputs}
    apart = [name for each in groups if each.is_apart for name in each.names if name in kept]
    others = {name: value for name, value in variables().items() if name not in kept}
    return PreparedRestart(path, kept, lost, os.path.getsize(path), _remarks(apart, outputs, lost_message(others)))


def _remarks(apart: Sequence[str], outputs: Sequence[str], others: str) -> str:
    """Other effects of a restart; they need no consent."""
    own = "its" if len(apart) == 1 else "their"
    separate = f"{names(apart)} will have {own} own memory, not shared with other variables." if apart else ""
    return " ".join(filter(None, (separate, f"{names(outputs)} will be lost." if outputs else "", others)))


def _room(limit: int | None) -> Room:
    try:
        return Room(variables_file.place(), limit)
    except OSError as error:
        raise _not_written(error) from None


def _write(
    groups: Sequence[Group],
    modules: Mapping[str, str],
    room: Room,
    tell: Callable[[Progression], None],
    session: Mapping[str, Any],
) -> str:
    needed = variables_file.needed(groups)
    room.check({", ".join(each.names): each.size for each in groups}, needed)
    total = amount(needed, None)

    def show(done: int, size: int) -> None:
        tell(Progression("Writing the variables", amount(done, size), done / size if size else None))

    tell(Progression("Writing the variables", total))
    try:
        return variables_file.write(groups, modules, show, session)
    except OSError as error:
        raise _not_written(error) from None


def _not_written(error: OSError) -> CannotKeepError:
    return CannotKeepError(f"the variables cannot be written: {error}.", lost={})


@contextmanager
def _progress(show: Callable[[Progression], None] | None) -> Iterator[Callable[[Progression], None]]:
    """The function that shows progress; without one of the caller's, the display of the front end."""
    screen = None if show else display(None)
    try:
        yield show or screen or (lambda _: None)
    except BaseException as error:
        if screen:
            screen(Progression("Not restarted", "stopped" if isinstance(error, KeyboardInterrupt) else ""))
        raise
    finally:
        if screen:
            screen.close()


def _check_front_end(front_end: FrontEnd) -> None:
    reason = ""
    if front_end is FrontEnd.INSPECT:
        reason = "the script runs again at the start, and sets them itself"
    elif front_end in (FrontEnd.REPL, FrontEnd.PTPYTHON) and sys.flags.ignore_environment:
        reason = "this Python ignores environment variables (-E or -I), so it would not restore the variables"
    if reason:
        raise CannotKeepError(f"variables cannot be kept here: {reason}.", lost={})


def _chosen(keep: str | Iterable[str]) -> dict[str, Any]:
    """The variables to keep, by name."""
    found = namespace()
    if keep == ALL:
        return {
            name: value
            for name, value in list(found.items())
            if not name.startswith("_") and name not in _HIDDEN and not is_hidden(name, value)
        }
    chosen = [keep] if isinstance(keep, str) else list(keep)
    unknown = [name for name in chosen if name not in found]
    if unknown:
        todo = 'Check the spelling; keep="all" keeps every variable.'
        raise CannotKeepError(f"there is no variable {' or '.join(map(repr, unknown))}.", todo=todo, lost={})
    return {name: found[name] for name in chosen}


def _preview(path: str, expected: Iterable[str], *, is_pending: bool) -> dict[str, str]:
    """The variables of the file that a process of the environment after the restart cannot load, with the reasons."""
    code = _PREVIEW.format(path, sys.prefix)
    if is_pending:
        from liveinstall._verbs.trial import trial

        try:
            found = trial(code)
        except TrialError:
            raise CannotKeepError(
                "no preview of the restart is possible here, so no variables are kept.", lost={}
            ) from None
        status, out, err = found.returncode, found.stdout, found.stderr
    else:
        status, out, err = run_captured([executable(), "-c", code], os.environ)
    with suppress(ValueError, IndexError):
        failures: dict[str, str] = json.loads(out.strip().rpartition("\n")[2])
        return failures
    reason = (err.strip().rpartition("\n")[2] or f"the preview exited with status {status}").rstrip(".")
    return dict.fromkeys(expected, reason)


def print_failures(path: str, prefix: str) -> None:
    """Print which variables of a file cannot be loaded, as JSON; the preview calls it.

    Args:
        path: The path of the file.
        prefix: `sys.prefix` of the environment; that of the preview is another one.
    """
    failures = variables_file.load(
        path, mapped=True, prefix=prefix, prepare=lambda found: session_state.prepare(found, prefix)
    ).failures
    print("\n" + json.dumps(failures), flush=True)
    os._exit(0)  # not the destructors of the user's objects


def sentence_of(lost: Mapping[str, str]) -> str:
    """Return a sentence about variables that cannot be restored, without a full stop.

    Args:
        lost: The reasons by name.
    """
    rows = "; ".join(f"{name} ({reason})" for name, reason in lost.items())
    return f"{len(lost)} variable{'s' if len(lost) > 1 else ''} cannot be restored: {rows}"


def names(found: Iterable[str], most: int = _NAMED) -> str:
    """Return a list of names for a sentence: the first ones, and how many more.

    Args:
        found: The names.
        most: How many are named.
    """
    listed = list(found)
    rest = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {rest} more" if rest > 0 else "")
