"""`liveinstall.restart()`: restart Python by the means of the current front end, or report how to do it manually.

A prompt in a terminal is replaced by a new one with the same process id (`exec`), after its history has been written.
Windows has no such `exec`: there the new one is a child process in the same console, for which the old one waits.
Kernels are restarted in `kernel`. In every other front end nothing happens, and the error has advice.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from contextlib import suppress

from liveinstall._environment.holders import replace_process
from liveinstall._frontends.detect import BY_HAND, FrontEnd, detect, ipython
from liveinstall._frontends.question import read_answer
from liveinstall._frontends.rendering import server_advice
from liveinstall._frontends.restart import EXTENSION
from liveinstall._frontends.restart.lost_variables import lost_message
from liveinstall._system.interpreter import executable, program
from liveinstall._system.lean_dataclasses import replace
from liveinstall._system.settings import RESTARTED
from liveinstall._verbs.pending import pending
from liveinstall.errors import CannotRestartError, LiveInstallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from liveinstall._frontends.progress import Progression
    from liveinstall._frontends.restart.keep import PreparedRestart
    from liveinstall._frontends.restart.kernel import Output
    from liveinstall.results import Change, Result

_NONE = "no pending changes"
_AGAIN = "Exit Python and start it again."


def restart(*, keep: str | Iterable[str] = (), limit: int | str | None = None) -> None:
    """Restart Python in place, in a Jupyter kernel or at the prompt of a terminal. Pending changes are applied then.

    Variables are lost, except for those to keep: a message says so, and names large ones. Queued cells of a notebook
    are dropped. It restarts even if nothing is pending.

    Args:
        keep: The names of variables to keep, or "all". They are written to a file and loaded in a preview of the
            restarted Python first. If some cannot be restored, you are asked; without an answer nothing is restarted.
            Functions and classes of the session need cloudpickle. Default: none are kept.
        limit: The most bytes that the file with the variables may have, as a number or as text such as "2 GB".
            Default: that of `LIVEINSTALL_KEEP_LIMIT`; without it, the free disk space.

    Raises:
        CannotRestartError: The front end cannot restart Python from within. The error explains the alternative.
        CannotKeepError: A variable cannot be kept, or they are too large. `lost` has the reasons by name.
    """
    if not keep:
        leave_with(None)
        return
    prepared = preview(keep, limit=limit)
    prepared.ask()
    leave_with(prepared)


def preview(
    keep: str | Iterable[str] = "all",
    *,
    limit: int | str | None = None,
    show: Callable[[Progression], None] | None = None,
) -> PreparedRestart:
    """Do the part of a restart with kept variables that needs no consent. Nothing is asked.

    Args:
        keep: The names of variables to keep, or "all".
        limit: The most bytes that their file may have, as in `restart()`.
        show: Called with the progress; if it raises, everything is as before. Default: the display of the front end.

    Returns:
        The variables that can be restored, and those that cannot. Pass it to `leave_with()`, or call its `discard()`.

    Raises:
        CannotRestartError: The front end cannot restart Python from within.
        CannotKeepError: No variables can be kept: they are unknown or too large, or cannot be written or tried.
    """
    front_end, changes = _checked(), waiting()
    from liveinstall._frontends.restart.keep import prepare

    changed = {change.name for change in changes}
    return prepare(keep, front_end, is_pending=bool(changes), changed=changed, limit=limit, show=show)


def leave_with(prepared: PreparedRestart | None, output: Output | None = None) -> None:
    """Restart Python without asking, in a kernel as soon as no cell runs.

    Args:
        prepared: The variables to keep, from `preview()`; None if all are lost.
        output: In a kernel, the output that reports the restart, instead of a new one.

    Raises:
        CannotRestartError: The front end cannot restart Python from within. The file of the variables is removed.
    """
    try:
        front_end, changes = _checked(), waiting()
        message = prepared.sentence if prepared else lost_message()
        variables = prepared.path if prepared else ""
        server = server_advice(change.name for change in changes)
        if server:
            message = f"The changes stay pending: to apply them, {server}. {message}".rstrip()
        if front_end.is_kernel:
            from liveinstall._frontends.restart.kernel import leave

            end_cell = leave(changes, message, variables, output)
        else:
            _leave_terminal(changes, message, front_end, variables)
            return
    except BaseException:  # Ctrl-C, too
        if prepared:
            prepared.discard()
        raise
    end_cell()


def _checked() -> FrontEnd:
    """The front end, which can restart Python."""
    front_end = detect()
    reason = why_not(front_end)
    if reason:
        what = f"Python cannot be restarted from here ({front_end})."
        raise CannotRestartError(what, todo=reason, place=str(front_end))
    return front_end


def why_not(front_end: FrontEnd) -> str:
    """Return how to restart manually in a front end; empty if `restart()` works there."""
    if front_end.is_kernel:
        from liveinstall._frontends.restart.kernel import can_leave

        return "" if front_end is FrontEnd.NOTEBOOK and can_leave() else BY_HAND[front_end]
    if front_end in BY_HAND:
        return BY_HAND[front_end]
    if program() or not _is_terminal():
        return _AGAIN  # a program that embeds Python would start again; the rest of a piped input would be lost
    return BY_HAND[FrontEnd.SCRIPT] if _is_inside_program(front_end) else ""


def waiting() -> tuple[Change, ...]:
    """Return the pending changes, which the next start of Python applies."""
    try:
        return tuple(change for item in pending() if item.state == "pending" for change in item.changes)
    except LiveInstallError:  # an unsupported environment has no pending changes, but can be restarted anyway
        return ()


def _is_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def _is_inside_program(front_end: FrontEnd) -> bool:
    """Whether a running program has opened this prompt: a restart would run the program again."""
    if front_end is FrontEnd.IPYTHON:
        return type(ipython()).__name__ == "InteractiveShellEmbed"
    if front_end is FrontEnd.PTPYTHON:
        return "ptpython.entry_points.run_ptpython" not in sys.modules
    file = getattr(sys.modules["__main__"], "__file__", None) or ""
    return (
        front_end is FrontEnd.REPL and bool(file) and os.path.basename(os.path.dirname(file)) != "_pyrepl"
    )  # from 3.13 on


def _leave_terminal(changes: Iterable[Change], lost: str, front_end: FrontEnd, variables: str) -> None:
    pending_changes = "; ".join(map(str, changes)) or _NONE
    print(" ".join(filter(None, (f"Restarting Python: {pending_changes}.", lost))), file=sys.stderr)
    with suppress(Exception):
        atexit._run_exitfuncs()  # noqa: SLF001  exec does not run them, and they write the history
    command, more = _command(), {}
    if variables or pending_changes != _NONE:  # then an import that fails is explained, as after the first change
        report = {"variables": variables} if variables else {}
        more = {RESTARTED: json.dumps({**report, "startup": os.environ.get("PYTHONSTARTUP"), "changes": []})}
        if front_end is FrontEnd.IPYTHON:
            command = [*(word for word in command if word != EXTENSION), EXTENSION]
        else:
            more["PYTHONSTARTUP"] = os.path.join(os.path.dirname(__file__), "prompt_startup.py")
    try:
        replace_process(command, more)
    except OSError as error:
        what = f"Python could not be restarted: {error}."
        raise CannotRestartError(what, todo=_AGAIN, place=str(detect())) from None


def _command() -> list[str]:
    """The interpreter's command line, with the script's full path: the working directory may have changed."""
    script = getattr(sys.modules["__main__"], "__file__", None) or ""
    arguments = sys.orig_argv[1:]
    if sys.argv and sys.argv[0] in arguments and not os.path.exists(sys.argv[0]) and os.path.exists(script):
        arguments[arguments.index(sys.argv[0])] = script
    return [executable(), *arguments]


def follow_consent(result: Result, consent: str) -> Result:
    """Restart Python after a request, if that is possible and there is consent.

    Args:
        result: The result of the request.
        consent: "auto" for the caller's consent, "ask" to ask the user.

    Returns:
        The result with a note that says why Python was not restarted. Otherwise this function does not return.
    """
    server = server_advice(change.name for change in result.staged)
    if server and detect().is_kernel:  # variables would be lost for nothing
        note = f"not restarted, because restarting the kernel would not apply the changes; {server}"
        return replace(result, notes=(*result.notes, note))
    reason = why_not(detect())
    if reason:
        return replace(
            result, notes=(*result.notes, f"not restarted, because Python cannot be restarted from here. {reason}")
        )
    if consent == "ask" and not _confirm(result.staged):
        return replace(result, notes=(*result.notes, "not restarted; to restart, call liveinstall.restart()"))
    restart()
    return result


def _confirm(changes: Iterable[Change]) -> bool:
    question = f"{'; '.join(map(str, changes))}: restart Python now? {lost_message()} [y/N] "
    return read_answer(question.replace("  ", " ")) in ("y", "yes")
