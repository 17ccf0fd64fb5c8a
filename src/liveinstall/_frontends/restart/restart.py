"""`liveinstall.restart()`: restart Python by the means of the current front end, or report how to do it by hand.

A prompt in a terminal is replaced by a new one with the same process id (`exec`), after its history has been written.
Windows has no such `exec`: there the new one is a child process in the same console, for which the old one waits.
Kernels are restarted in `kernel`. In every other front end nothing happens, and the error says what to do.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from _liveinstall_boot import patient
from liveinstall._environment.holders import replace_process, server_advice
from liveinstall._frontends.detect import FrontEnd, detect, ipython
from liveinstall._frontends.restart import EXTENSION
from liveinstall._frontends.restart.lost_variables import lost_message
from liveinstall._system.interpreter import executable, program
from liveinstall._system.settings import RESTARTED
from liveinstall._verbs.pending import pending
from liveinstall.errors import CannotRestartError, LiveInstallError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from liveinstall.results import Change, Result

_AGAIN = "Exit Python and start it again."
_PRESS = {
    FrontEnd.SCRIPT: "Start the program again.",
    FrontEnd.IDLE: "Choose Shell > Restart Shell, or press Ctrl+F6.",
    FrontEnd.VSCODE: 'Press "Restart" above the notebook.',
    FrontEnd.COLAB: 'Choose Runtime > Restart session, or press the button "Restart session".',
    FrontEnd.DATABRICKS: "Run dbutils.library.restartPython() in a cell.",
    FrontEnd.RUNNER: "Run the notebook again: the program that runs it would wait for this kernel forever.",
    FrontEnd.CONSOLE: "Restart the kernel in its front end, or press Ctrl-D and start the console again.",
    FrontEnd.KERNEL: "Restart the kernel in its front end.",
    FrontEnd.NOTEBOOK: "Choose Kernel > Restart Kernel.",
}


def restart(*, keep: str | Iterable[str] = ()) -> None:
    """Restart Python in place, in a Jupyter kernel or at the prompt of a terminal. Pending changes are applied then.

    Variables are lost, except for those to keep: a message says so, and names large ones. Queued cells of a notebook
    are dropped. It restarts even if nothing is pending.

    Args:
        keep: The names of variables to keep, or "all". They are written to a file and loaded in a preview of the
            restarted Python first. If some do not come back, you are asked, and without an answer nothing is restarted.
            Functions and classes of the session need cloudpickle. Default: none are kept.

    Raises:
        CannotRestartError: The front end cannot restart Python from within. The error says how to do it by hand.
        CannotKeepError: A variable cannot be kept. `lost` has the reasons by name.
    """
    front_end = detect()
    reason = why_not(front_end)
    if reason:
        raise CannotRestartError(
            f"Python cannot be restarted from here ({front_end}).", todo=reason, place=str(front_end)
        )
    changes, variables, message = waiting(), "", lost_message()
    if keep:
        from liveinstall._frontends.restart.keep import save

        variables, message = save(keep, front_end, is_pending=bool(changes))
    if front_end.is_kernel:
        from liveinstall._frontends.restart.kernel import leave

        leave(changes, message, variables)
    else:
        _leave_terminal(changes, message, front_end, variables)


def why_not(front_end: FrontEnd) -> str:
    """Return how to restart by hand in a front end; empty if `restart()` works there."""
    if front_end.is_kernel:
        from liveinstall._frontends.restart.kernel import is_ours

        return "" if front_end is FrontEnd.NOTEBOOK and os.name != "nt" and is_ours() else _PRESS[front_end]
    if front_end in _PRESS:
        return _PRESS[front_end]
    if program() or not _is_terminal():
        return _AGAIN  # a program that embeds Python would start again; the rest of a piped input would be lost
    return _PRESS[FrontEnd.SCRIPT] if _is_inside_program(front_end) else ""


def waiting() -> tuple[Change, ...]:
    """Return the pending changes, which the next start of Python applies."""
    try:
        return tuple(change for item in pending() if item.state == "pending" for change in item.changes)
    except LiveInstallError:  # an unsupported environment has no pending changes, but can be restarted all the same
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
    pending_changes = "; ".join(map(str, changes)) or "no pending changes"
    print(" ".join(filter(None, (f"Restarting Python: {pending_changes}.", lost))), file=sys.stderr)
    with suppress(Exception):
        atexit._run_exitfuncs()  # noqa: SLF001  exec does not run them, and they write the history
    command, more = _command(), {}
    if variables:
        more = {
            RESTARTED: json.dumps({"variables": variables, "startup": os.environ.get("PYTHONSTARTUP"), "changes": []})
        }
        if front_end is FrontEnd.IPYTHON:
            command = [*(word for word in command if word != EXTENSION), EXTENSION]
        else:
            more["PYTHONSTARTUP"] = os.path.join(os.path.dirname(__file__), "prompt_startup.py")
    try:
        replace_process(command, more)
    except OSError as error:
        if variables:
            patient.unlink(variables)
        what = f"Python could not be restarted: {error}."
        raise CannotRestartError(what, todo=_AGAIN, place=str(detect())) from error


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
    server = server_advice(change.reason for change in result.staged)
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
    try:
        return input(question.replace("  ", " ")).strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt, RuntimeError):  # RuntimeError: a kernel whose front end has no input
        return False
