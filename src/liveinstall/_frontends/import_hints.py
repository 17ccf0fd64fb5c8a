"""Notes (PEP 678) on uncaught errors whose reason is a pending or a replaced version.

A note is added when Python or IPython displays the error: successful imports cost nothing, and errors that a program
catches are unchanged. Active from the first change that this process makes; never in an application that has a Host.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from liveinstall._changes.summaries import staged_in
from liveinstall._environment.holders import top_names
from liveinstall._environment.installed import installed
from liveinstall._environment.running_versions import outdated
from liveinstall._environment.target import current_site
from liveinstall._transactions.visibility import StagedFinder, top_level_modules
from liveinstall.errors import StagedImportError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from liveinstall._model import Distribution

import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

from liveinstall._frontends.detect import FrontEnd, detect, ipython, opens_prompt
from liveinstall._system.presenter import presenter

if TYPE_CHECKING:
    from collections.abc import Callable

_MARK = "_liveinstall_explains"  # an attribute of a wrapped hook: the hook itself
_hosts: list[bool] = []  # not empty in an application


def explain(error: BaseException | None) -> None:
    """Add the notes that `error` does not have yet, and omit our own frames from its traceback. Never raises."""
    if error is None or not isinstance(error, (ImportError, AttributeError)):
        return
    try:
        without_finder(error)

        for note in notes_on(error):
            if note not in getattr(error, "__notes__", ()):
                error.add_note(note)
    except Exception:  # noqa: BLE001, S110  a hint must not hide the error itself
        pass


def watch() -> None:
    """Explain errors when IPython or Python's hook displays them; each hook is wrapped once and not replaced."""
    if _hosts:
        return
    shell = ipython()
    if shell is not None:
        if not hasattr(shell.showtraceback, _MARK):
            shell.showtraceback = _with_notes(shell.showtraceback, _shown_by_ipython)
    elif not hasattr(sys.excepthook, _MARK) and _may_wrap(detect()):
        sys.excepthook = _with_notes(sys.excepthook, lambda words: words[1])


def leave_alone() -> None:
    """Stop explaining errors, because this is an application, and restore the hooks of Python and IPython."""
    _hosts.append(True)
    sys.excepthook = getattr(sys.excepthook, _MARK, sys.excepthook)
    shell = ipython()
    if shell is not None and hasattr(shell.showtraceback, _MARK):
        shell.showtraceback = getattr(shell.showtraceback, _MARK)


def _may_wrap(front_end: FrontEnd) -> bool:
    """Whether errors are displayed by Python's own hook: at its prompts, and in scripts without a display of their own.

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
    """Yield what the user should know about an error in addition to its message.

    Only for import errors and missing attributes of modules. It may read the disk, because errors are rarely displayed.
    """
    if isinstance(error, StagedImportError):
        return  # its message already says so
    if isinstance(error, ImportError):
        named, near = _top(error.name), set(map(_top, _modules_of(error.__traceback__)))
    elif isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        named, near = _top(error.obj.__name__), set()
    else:
        return
    distributions = installed()
    replaced = {stale.name: stale for stale in outdated(distributions)}
    for name, stale in replaced.items():
        if not _tops(name, distributions).isdisjoint({named, *near}):
            yield f"{stale}. {presenter().restart_advice()}"
    for change, staged in staged_in(current_site()):
        running = distributions[change.name].version if change.name in distributions else ""
        if (
            change.name in replaced or running == change.new_version
        ):  # already reported, or already used by this process
            continue
        if named in _tops(change.name, distributions) or named in top_level_modules(staged.part):
            yield f"{f'running {change.name} {running}; ' if running else ''}{staged}. {presenter().restart_advice()}"


def without_finder(error: BaseException) -> None:
    """Remove the frame of the finder that raised a StagedImportError, so that the traceback ends at the import."""
    trace = error.__traceback__ if isinstance(error, StagedImportError) else None
    while trace and trace.tb_next:
        if trace.tb_next.tb_frame.f_code is StagedFinder.find_spec.__code__:
            trace.tb_next = None
        trace = trace.tb_next


def _top(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _tops(name: str, distributions: Mapping[str, Distribution]) -> set[str]:
    return top_names(distributions[name])[0] if name in distributions else {name.replace("-", "_")}


def _modules_of(trace: TracebackType | None) -> Iterator[str]:
    """Yield the modules whose code appears in a traceback."""
    while trace:
        name = trace.tb_frame.f_globals.get("__name__")
        yield name if isinstance(name, str) else ""
        trace = trace.tb_next
