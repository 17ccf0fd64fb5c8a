"""Let processes that `multiprocessing` spawns, or forks from a server, see what their parent has activated.

Children that are forked see it anyway. What is told to a spawned child at its start is a dictionary of which it uses
what it knows; unpickling what was put there besides activates, before the child imports anything else.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import PathFinder

import liveinstall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_SPAWN = "multiprocessing.spawn"
# A child that does not find liveinstall must start all the same; it looks where its parent has found it.
_CODE = """\
import sys
def tried(room, name, *words, **more):
    try:
        getattr(__import__("liveinstall.parallel." + room, fromlist=[name]), name)(*words, **more)
    except Exception as error:
        print("liveinstall:", error, file=sys.stderr)
sys.path.append(home)
tried("children", "pass_on")
if wheels:
    tried("manager", "enable_wheels")
if asked:
    tried("activating", "activate", *asked)
for places, exclusive in more:
    tried("manager", "activate", *places, exclusive=exclusive)
if home in sys.path:
    sys.path.remove(home)
"""


wheels = False  # whether wheels on sys.path are imported from
places_of: list[tuple[Any, list[str], bool]] = []  # finders, their places and whether they are exclusive


class _Told:
    """Unpickled in a child it activates what is active here."""

    def __reduce__(self) -> tuple[Any, ...]:
        from liveinstall.parallel.activating import active

        found = active()
        home = os.path.dirname(os.path.dirname(os.path.abspath(liveinstall.__file__)))
        more = [(places, exclusive) for finder, places, exclusive in places_of if finder in sys.meta_path]
        code = _CODE if found or more or wheels else ""
        return exec, (code, {"asked": found and found.asked, "more": more, "wheels": wheels, "home": home})


class _Watch:
    """Waits on `sys.meta_path` for the import of what spawns."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG004
        """Python's own spec, with a loader that lets `_tell_children()` see the module."""
        if name != _SPAWN:
            return None
        spec = PathFinder.find_spec(name, path)
        loader: Any = spec.loader if spec else None
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                _leave()
                execute(module)
                _tell_children(module)

            loader.exec_module = exec_module
        return spec


_watch: Any = _Watch()


def pass_on() -> None:
    """From now on tell children what is active here, whatever it is by then."""
    if _SPAWN in sys.modules:
        _tell_children(sys.modules[_SPAWN])
    else:
        _leave()
        sys.meta_path.insert(0, _watch)  # before a place that has the standard library


def _leave() -> None:
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not _watch]


def _tell_children(spawn: Any) -> None:
    prepare = spawn.get_preparation_data
    if getattr(prepare, "tells", False):
        return

    def get_preparation_data(name: str) -> dict[str, Any]:
        return {"liveinstall": _Told(), **prepare(name)}

    get_preparation_data.tells = True  # type: ignore[attr-defined]
    spawn.get_preparation_data = get_preparation_data
