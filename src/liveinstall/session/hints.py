"""Why an import failed, where that has to do with a version that waits or that another tool has replaced."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from liveinstall.commit.visible import Place, StagedFinder, top_level_modules
from liveinstall.environment.holds import top_names
from liveinstall.environment.installed import installed
from liveinstall.environment.running import outdated
from liveinstall.environment.target import find_target
from liveinstall.errors import StagedImportError
from liveinstall.session.views import staged_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from liveinstall.model import Distribution


def notes_on(error: BaseException | None) -> Iterator[str]:
    """What a person should know who sees this error, besides what it says.

    Only of errors of imports, and of attributes that a module lacks. It reads the disk: an error is shown rarely.
    """
    if isinstance(error, StagedImportError):
        return  # it says so itself
    if isinstance(error, ImportError):
        named, near = _top(error.name), set(map(_top, _modules_of(error.__traceback__)))
    elif isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        named, near = _top(error.obj.__name__), set()
    else:
        return
    here = installed()
    replaced = {stale.name: stale for stale in outdated(here)}
    for name, stale in replaced.items():
        if not _tops(name, here).isdisjoint({named, *near}):
            yield f"{stale}. {Place.advise()}"
    for change, waits in staged_in(find_target(for_change=False).site):
        runs = here[change.name].version if change.name in here else ""
        if change.name in replaced or runs == change.new_version:  # it is told already, or this process has it
            continue
        if named in _tops(change.name, here) or named in top_level_modules(waits.part):
            yield f"{f'running {change.name} {runs}; ' if runs else ''}{waits}. {Place.advise()}"


def without_finder(error: BaseException) -> None:
    """Cut the frame of the finder that raised a StagedImportError off: the import is what a person wants to see."""
    trace = error.__traceback__ if isinstance(error, StagedImportError) else None
    while trace and trace.tb_next:
        if trace.tb_next.tb_frame.f_code is StagedFinder.find_spec.__code__:
            trace.tb_next = None
        trace = trace.tb_next


def _top(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _tops(name: str, here: Mapping[str, Distribution]) -> set[str]:
    return top_names(here[name])[0] if name in here else {name.replace("-", "_")}


def _modules_of(trace: TracebackType | None) -> Iterator[str]:
    """The modules whose code an error came through."""
    while trace:
        name = trace.tb_frame.f_globals.get("__name__")
        yield name if isinstance(name, str) else ""
        trace = trace.tb_next
