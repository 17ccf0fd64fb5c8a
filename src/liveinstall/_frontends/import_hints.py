"""Notes (PEP 678) on uncaught errors whose reason is a pending or a replaced version.

A note is added when Python or IPython displays the error: successful imports cost nothing, and errors that a program
catches are unchanged. Active from the first change that this process makes; never in an application that has a Host.
"""

from __future__ import annotations

import sys
from functools import wraps
from types import ModuleType

from liveinstall._changes.summaries import staged_in
from liveinstall._environment.installed import installed, top_names
from liveinstall._environment.running_versions import outdated
from liveinstall._environment.target import current_site
from liveinstall._frontends.detect import FrontEnd, detect, ipython, opens_prompt
from liveinstall._system.presenter import presenter
from liveinstall._transactions.visibility import StagedFinder, top_level_modules
from liveinstall.errors import LiveInstallError, StagedImportError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType
    from typing import Any

    from liveinstall._model import Distribution

_MARK = "_liveinstall_explains"  # an attribute of a wrapped hook: the hook itself
_OURS = __name__.partition(".")[0]
_hosts: list[bool] = []  # not empty in an application


def explain(error: BaseException | None) -> None:
    """Add the notes that `error` does not have yet, and omit our own frames from its traceback. Never raises."""
    if not isinstance(error, Exception):
        return
    try:
        without_finder(error)
        if detect() is not FrontEnd.SCRIPT:
            without_our_frames(error)
        for note in notes_on(error):
            if note not in getattr(error, "__notes__", ()):
                error.add_note(note)
    except Exception:  # noqa: BLE001, S110  a hint must not hide the error itself
        pass


def watch() -> None:
    """Explain errors when IPython, ptpython or Python's hook displays them; each is wrapped once and not replaced."""
    if _hosts:
        return
    shell, ptpython = ipython(), _ptpython()
    if shell is not None:
        if not hasattr(shell.showtraceback, _MARK):
            shell.showtraceback = _with_notes(shell.showtraceback, _shown_by_ipython)
    elif ptpython is not None:
        if not hasattr(ptpython._handle_exception, _MARK):  # noqa: SLF001  it has no other hook
            ptpython._handle_exception = _with_notes(ptpython._handle_exception, lambda words: words[1])  # noqa: SLF001
    elif not hasattr(sys.excepthook, _MARK) and _may_wrap(detect()):
        sys.excepthook = _with_notes(sys.excepthook, lambda words: words[1])


def leave_alone() -> None:
    """Stop explaining errors, because this is an application, and restore the hooks."""
    _hosts.append(True)
    sys.excepthook = getattr(sys.excepthook, _MARK, sys.excepthook)
    shell, ptpython = ipython(), _ptpython()
    if ptpython is not None:
        ptpython._handle_exception = getattr(ptpython._handle_exception, _MARK, ptpython._handle_exception)  # noqa: SLF001
    if shell is not None and hasattr(shell.showtraceback, _MARK):
        shell.showtraceback = getattr(shell.showtraceback, _MARK)


def _ptpython() -> Any:
    """The class of ptpython's prompts, if it is loaded: its prompt does not exist yet while startup files run."""
    found = getattr(sys.modules.get("ptpython.repl"), "PythonRepl", None)
    return found if hasattr(found, "_handle_exception") else None


def _may_wrap(front_end: FrontEnd) -> bool:
    """Whether errors are displayed by Python's own hook: at its prompts, and in scripts that do not replace it.

    Consoles of the `code` module write errors elsewhere only while the hook is the default, so programs with such a
    console keep the default.
    """
    if front_end is FrontEnd.SCRIPT:
        return sys.excepthook is sys.__excepthook__ and "code" not in sys.modules
    return front_end is not FrontEnd.REPL or opens_prompt() or sys.argv[:1] == [""]  # else a program has opened it


def _with_notes(show: Callable[..., Any], error_of: Callable[[tuple[Any, ...]], Any]) -> Callable[..., Any]:
    @wraps(show)
    def explaining(*arguments: Any, **options: Any) -> Any:
        if not _hosts:
            explain(error_of(arguments))
        return show(*arguments, **options)

    setattr(explaining, _MARK, show)
    return explaining


def _shown_by_ipython(arguments: tuple[Any, ...]) -> BaseException | None:
    """The error that IPython displays: the one passed to it, or the one being handled."""
    exc_info = arguments[0] if arguments else None
    error = exc_info[1] if exc_info else sys.exc_info()[1]
    return error if isinstance(error, BaseException) else None


def notes_on(error: BaseException | None) -> Iterator[str]:
    """Yield the hints for an error, in addition to its message.

    Only for import errors, missing attributes of modules, and any error of a module that is being imported. It may read
    the disk, because errors are rarely displayed.
    """
    if error is None or isinstance(error, LiveInstallError):
        return  # the message of a StagedImportError already says so
    near = set(map(_top, _modules_of(error.__traceback__)))
    is_importing = _is_importing(error.__traceback__)
    if isinstance(error, ImportError):
        named = _top(error.name)
    elif isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        named, near = _top(error.obj.__name__), near if is_importing else set()
    elif is_importing:
        named = ""
    else:
        return
    distributions = installed()
    explained = set()
    replaced = {stale.name: stale for stale in outdated(distributions)}
    for name, stale in replaced.items():
        if not _tops(name, distributions).isdisjoint({named, *near}):
            explained.add(name)
            yield f"{stale}. {presenter().restart_advice()}"
    for change, staged in staged_in(current_site()):
        running = distributions[change.name].version if change.name in distributions else ""
        if (
            change.name in replaced or running == change.new_version
        ):  # already reported, or already used by this process
            continue
        if named in _tops(change.name, distributions) or named in top_level_modules(staged.part):
            explained.add(change.name)
            running_now = f"running {change.name} {running}; " if running else ""
            yield f"{running_now}{staged}. {presenter().restart_advice(change.name)}"

    from liveinstall._frontends.change_hints import recent_changes  # most imports do not fail

    yield from recent_changes({named, *near} - {"", "__main__"}, distributions, explained)


def without_finder(error: BaseException) -> None:
    """Remove the frame of the finder that raised a StagedImportError, so that the traceback ends at the import."""
    trace = error.__traceback__ if isinstance(error, StagedImportError) else None
    while trace and trace.tb_next:
        if trace.tb_next.tb_frame.f_code is StagedFinder.find_spec.__code__:
            trace.tb_next = None
        trace = trace.tb_next


def without_our_frames(error: BaseException) -> None:
    """End the traceback of an error of ours at the call that the user has typed: its message says what can be done."""
    trace = error.__traceback__ if isinstance(error, LiveInstallError) else None
    while trace and trace.tb_next:
        if _top(trace.tb_next.tb_frame.f_globals.get("__name__")) == _OURS:
            trace.tb_next = None
        trace = trace.tb_next


def _is_importing(trace: TracebackType | None) -> bool:
    """Whether a traceback shows the code of a module, other than the program's own, that is being imported."""
    while trace:
        frame = trace.tb_frame
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") != "__main__":
            return True
        trace = trace.tb_next
    return False


def _top(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _tops(name: str, distributions: Mapping[str, Distribution]) -> set[str]:
    return top_names(distributions[name])[0] if name in distributions else {name.replace("-", "_")}


def _modules_of(trace: TracebackType | None) -> Iterator[str]:
    """Yield the modules that appear in a traceback."""
    while trace:
        name = trace.tb_frame.f_globals.get("__name__")
        yield name if isinstance(name, str) else ""
        trace = trace.tb_next
