"""What else of a session comes back with its variables: directory, import path, IPython's extensions and history."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from liveinstall._frontends.detect import ipython
from liveinstall._frontends.restart import EXTENSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

_OUTPUT = "Out[{}]"
_RELOADS = ("enabled", "check_all", "autoload_obj")


def state(*, history: bool) -> dict[str, Any]:
    """Return the state of this session, as values of JSON.

    Args:
        history: Whether the history of IPython's inputs belongs to it.
    """
    found: dict[str, Any] = {"path": [entry for entry in sys.path if isinstance(entry, str)]}
    with suppress(OSError):
        found["directory"] = os.getcwd()
    shell = ipython()
    if shell is None:
        return found
    with suppress(Exception):  # another version of IPython may lack a name: then that is not restored
        found["extensions"] = sorted(shell.extension_manager.loaded - {EXTENSION.partition("=")[2]})
        found["autoreload"] = _autoreload(shell)
    if history:
        with suppress(Exception):
            manager = shell.history_manager
            found["inputs"] = [list(manager.input_hist_parsed), list(manager.input_hist_raw)]
            found["unders"] = [_number_of(shell, shell.user_ns.get("_" * count)) for count in (1, 2, 3)]
    return found


def outputs() -> dict[str, Any]:
    """Return IPython's outputs, by names such as `Out[3]`."""
    shell = ipython()
    if shell is None:
        return {}
    return {_OUTPUT.format(number): value for number, value in dict(shell.user_ns.get("_oh", {})).items()}


def is_output(name: str) -> bool:
    """Whether a name is one of an output, as from `outputs()`."""
    return name.startswith("Out[")


def prepare(found: Mapping[str, Any], prefix: str) -> list[str]:
    """Restore what loading variables may need: the import path, and the directory.

    Args:
        found: The state, as from `state()`.
        prefix: The environment's directory; Python creates the entries of the path below it.

    Returns:
        The restored state, as text.
    """
    restored: list[str] = []
    with suppress(OSError):
        if found.get("directory", os.getcwd()) != os.getcwd():
            os.chdir(found["directory"])
            restored.append(f"the directory {found['directory']}")
    saved = found.get("path", ())
    first = next((index for index, entry in enumerate(saved) if entry in sys.path), len(saved))
    for index, entry in enumerate(saved):
        inside = entry.startswith((prefix + os.sep, sys.prefix + os.sep, sys.base_prefix + os.sep))
        if entry not in sys.path and not inside and os.path.isdir(entry):
            sys.path.insert(index if index < first else len(sys.path), entry)
            restored.append(f"{entry} in sys.path")
    return restored


def restore(found: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """Restore IPython's extensions and history.

    Args:
        found: The state, as from `state()`.
        values: The outputs, by names as from `outputs()`.

    Returns:
        The restored state, as text.
    """
    shell = ipython()
    restored: list[str] = []
    if shell is None:
        return restored
    with suppress(Exception):
        restored += _restore_extensions(shell, found)
    with suppress(Exception):
        restored += _restore_history(shell, found, values)
    return restored


def protect(shell: Any, names: Iterable[str]) -> None:
    """Keep restored variables from the rest of IPython's start: it runs startup files, and then hides all names.

    Args:
        shell: The InteractiveShell, which is just starting.
        names: The names of the variables.
    """
    values = {name: shell.user_ns[name] for name in names}

    def before_cell(info: Any) -> None:
        has_started = info.store_history or not values.keys().isdisjoint(shell.user_ns_hidden)
        if has_started:  # a line that the configuration runs is a cell, too
            shell.events.unregister("pre_run_cell", before_cell)
            for name, value in values.items():
                if shell.user_ns_hidden.pop(name, value) is not value:
                    shell.user_ns[name] = value

    shell.events.register("pre_run_cell", before_cell)


def _autoreload(shell: Any) -> dict[str, Any] | None:
    magics = shell.magics_manager.registry.get("AutoreloadMagics")
    if magics is None:
        return None
    reloader = magics._reloader  # noqa: SLF001
    flags = {name: bool(getattr(reloader, name)) for name in _RELOADS if hasattr(reloader, name)}
    return {**flags, "modules": sorted(reloader.modules), "skip_modules": sorted(reloader.skip_modules)}


def _restore_extensions(shell: Any, found: Mapping[str, Any]) -> list[str]:
    manager = shell.extension_manager
    restored: list[str] = []
    for name in found.get("extensions", ()):
        if name in manager.loaded:
            continue
        with suppress(Exception):
            if manager.load_extension(name) is None and not name.endswith("autoreload"):
                restored.append(f"%load_ext {name}")
    saved = found.get("autoreload")
    if saved:
        reloader = shell.magics_manager.registry["AutoreloadMagics"]._reloader  # noqa: SLF001
        for name in _RELOADS:
            if name in saved:
                setattr(reloader, name, saved[name])
        for name in ("modules", "skip_modules"):
            getattr(reloader, name).update(dict.fromkeys(saved[name], True))
        mode = 3 if saved.get("autoload_obj") else 2 if saved.get("check_all") else 1
        restored.append(f"%autoreload {mode if saved.get('enabled') else 0}")
    return restored


def _restore_history(shell: Any, found: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """Restore In, Out, `_`, `_3`, `_i3` and the number of the next cell."""
    if "inputs" not in found:
        return []
    manager, names = shell.history_manager, shell.user_ns
    parsed, raw = found["inputs"]
    manager.input_hist_parsed[:], manager.input_hist_raw[:] = parsed, raw
    names |= {f"_i{number}": text for number, text in enumerate(raw) if number}
    for name, text in zip(("_i00", "_i", "_ii"), reversed(raw), strict=False):
        setattr(manager, name, text)
    for name, value in values.items():
        number = int(name[len("Out[") : -1])
        names["_oh"][number] = names[f"_{number}"] = value
    hook = shell.displayhook
    for count, number in enumerate(found.get("unders", ()), 1):
        if number in names["_oh"]:
            names["_" * count] = names["_oh"][number]
            setattr(hook, "_" * count, names["_oh"][number])
    shell.execution_count = len(parsed)
    return [f"{'In and Out' if values else 'In'} of cells 1 to {len(parsed) - 1}"]


def _number_of(shell: Any, value: Any) -> int | None:
    """The number of the newest output that is an object."""
    return next((number for number, each in reversed(shell.user_ns["_oh"].items()) if each is value), None)
