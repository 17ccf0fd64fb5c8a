"""Activate the parent's active versions in processes that `multiprocessing` spawns, or forks from a server.

Forked children inherit it. A spawned child receives a pickled dictionary at its start, and ignores unknown keys;
unpickling the value of an additional key activates, before the child imports anything else.
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

    from liveinstall._sidebyside.activate import Active

_SPAWN = "multiprocessing.spawn"
_SERVER = "ignore"  # the process name that multiprocessing.forkserver gives to its server
_LONGEST = 100_000  # bytes: the limit of Linux for one argument is 128 KiB
# It imports liveinstall from the same directory as its parent. A child that cannot activate the same versions exits
# with the error, rather than continue with other versions.
_CODE = """\
import sys
sys.path.append(directory)
try:
    from liveinstall._sidebyside.activation import spawned
    spawned.pass_on()
    if wheels:
        from liveinstall._sidebyside.imports.places import enable_wheels
        enable_wheels()
    if arguments:
        from liveinstall._sidebyside.activate import activate
        spawned.check_loaded(activate(*arguments))
    for places, exclusive in more:
        from liveinstall._sidebyside.imports.places import activate
        activate(*places, exclusive=exclusive)
finally:
    if directory in sys.path:
        sys.path.remove(directory)
"""


wheels = False  # whether wheels on sys.path can be imported
places_of: list[tuple[Any, list[str], bool]] = []  # finders, their locations, and whether they are exclusive


class _ActivateOnUnpickle:
    """Activates this process's active versions when it is unpickled in a child."""

    def __reduce__(self) -> tuple[Any, ...]:
        from liveinstall._sidebyside.activate import active

        current = active()
        more = [(places, exclusive) for finder, places, exclusive in places_of if finder in sys.meta_path]
        code = _CODE if current or more or wheels else ""
        arguments = current and current.arguments
        return exec, (code, {"arguments": arguments, "more": more, "wheels": wheels, "directory": DIRECTORY})


class _Path(list[str]):
    """The search path for a fork server, which receives it as source text: evaluating it activates, before preloads."""

    def __repr__(self) -> str:
        run, (code, names) = _ActivateOnUnpickle().__reduce__()
        plain = list.__repr__(self)
        text = f"({run.__name__}({code!r}, {names!r}), {plain})[1]" if code else plain
        return text if len(text) < _LONGEST else plain

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)


class _SpawnWatch:
    """Notices, on `sys.meta_path`, the import of `multiprocessing.spawn`."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG004
        """Return Python's own spec, with a loader that passes the module to `_extend_preparation()`."""
        if name != _SPAWN:
            return None
        spec = PathFinder.find_spec(name, path)
        loader: Any = spec.loader if spec else None
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                _stop_watching()
                execute(module)
                _extend_preparation(module)

            loader.exec_module = exec_module
        return spec


_watch: Any = _SpawnWatch()


def pass_on() -> None:
    """From now on activate in spawned children the versions that are active here when they are started."""
    if _SPAWN in sys.modules:
        _extend_preparation(sys.modules[_SPAWN])
    else:
        _stop_watching()
        place_first(_watch)  # before an owner that has the standard library


def _stop_watching() -> None:
    remove_finder(_watch)


def check_loaded(active: Active | None) -> None:
    """Check that this process has imported no other versions yet, as a fork server with preloads may have.

    Args:
        active: The active versions; None if they are for another environment.

    Raises:
        ImportError: It has, or `active` is None.
    """
    if active is None:
        raise ImportError("the versions that are active in the parent process are not for this environment")
    for top, owners in active.finder.owners.items():
        file = attribute(top, "__file__")
        if file and not file.startswith(tuple(owner.place + os.sep for owner in owners)):
            raise ImportError(f"{top} was imported from {file}, in the parent from {owners[0].place}", name=top)


def _extend_preparation(spawn: Any) -> None:
    prepare = spawn.get_preparation_data
    if getattr(prepare, "is_extended", False):
        return

    def get_preparation_data(name: str) -> dict[str, Any]:
        data = prepare(name)
        if name == _SERVER and "sys_path" in data:
            data["sys_path"] = _Path(data["sys_path"])
        return {"liveinstall": _ActivateOnUnpickle(), **data}

    get_preparation_data.is_extended = True  # type: ignore[attr-defined]
    spawn.get_preparation_data = get_preparation_data
