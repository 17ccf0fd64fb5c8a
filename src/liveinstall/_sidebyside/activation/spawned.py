"""Let processes that `multiprocessing` spawns, or forks from a server, see what their parent has activated.

Children that are forked see it anyway. What is told to a spawned child at its start is a dictionary of which it uses
what it knows; unpickling what was put there besides activates, before the child imports anything else.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import PathFinder

from liveinstall._system.caller import attribute, place_first, remove_finder
from liveinstall._system.package import DIRECTORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from liveinstall._sidebyside.activation.activate import Active

_SPAWN = "multiprocessing.spawn"
_SERVER = "ignore"  # what multiprocessing.forkserver calls its server
_LONGEST = 100_000  # bytes: Linux takes 128 KiB in one argument
# It looks for liveinstall where its parent has found it. A child that cannot have what its parent has ends with the
# error, rather than go on with other versions.
_CODE = """\
import sys
sys.path.append(home)
try:
    from liveinstall._sidebyside.activation import spawned
    spawned.pass_on()
    if wheels:
        from liveinstall._sidebyside.imports.places import enable_wheels
        enable_wheels()
    if asked:
        from liveinstall._sidebyside.activation.activate import activate
        spawned.check_loaded(activate(*asked))
    for places, exclusive in more:
        from liveinstall._sidebyside.imports.places import activate
        activate(*places, exclusive=exclusive)
finally:
    if home in sys.path:
        sys.path.remove(home)
"""


wheels = False  # whether wheels on sys.path are imported from
places_of: list[tuple[Any, list[str], bool]] = []  # finders, their places and whether they are exclusive


class _ActivateOnUnpickle:
    """Unpickled in a child it activates what is active here."""

    def __reduce__(self) -> tuple[Any, ...]:
        from liveinstall._sidebyside.activation.activate import active

        found = active()
        home = DIRECTORY
        more = [(places, exclusive) for finder, places, exclusive in places_of if finder in sys.meta_path]
        code = _CODE if found or more or wheels else ""
        return exec, (code, {"asked": found and found.asked, "more": more, "wheels": wheels, "home": home})


class _Path(list[str]):
    """The search path for a server of forks, which gets it as source text: evaluated it activates, before preloads."""

    def __repr__(self) -> str:
        run, (code, names) = _ActivateOnUnpickle().__reduce__()
        plain = list.__repr__(self)
        text = f"({run.__name__}({code!r}, {names!r}), {plain})[1]" if code else plain
        return text if len(text) < _LONGEST else plain

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)


class _SpawnWatch:
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


_watch: Any = _SpawnWatch()


def pass_on() -> None:
    """From now on tell children what is active here, whatever it is by then."""
    if _SPAWN in sys.modules:
        _tell_children(sys.modules[_SPAWN])
    else:
        _leave()
        place_first(_watch)  # before a place that has the standard library


def _leave() -> None:
    remove_finder(_watch)


def check_loaded(found: Active | None) -> None:
    """ImportError if this process has imported something from elsewhere already, as a server with preloads may have."""
    if found is None:
        raise ImportError("what is active in the parent process is not for this environment")
    for top, owners in found.finder.owners.items():
        file = attribute(top, "__file__")
        if file and not file.startswith(tuple(owner.place + os.sep for owner in owners)):
            raise ImportError(f"{top} was imported from {file}, and the parent has it from {owners[0].place}", name=top)


def _tell_children(spawn: Any) -> None:
    prepare = spawn.get_preparation_data
    if getattr(prepare, "tells", False):
        return

    def get_preparation_data(name: str) -> dict[str, Any]:
        data = prepare(name)
        if name == _SERVER and "sys_path" in data:
            data["sys_path"] = _Path(data["sys_path"])
        return {"liveinstall": _ActivateOnUnpickle(), **data}

    get_preparation_data.tells = True  # type: ignore[attr-defined]
    spawn.get_preparation_data = get_preparation_data
