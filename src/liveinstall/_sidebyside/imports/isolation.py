"""Removal of the default environment from `sys.path` while a finder is exclusive.

Removing it there, rather than refusing names, also hides it from `pkgutil` and `importlib.metadata`. Only what
liveinstall itself needs can still be imported from it.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import PathFinder

from liveinstall._system.caller import defined_in, place_last, remove_finder, search_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from importlib.machinery import ModuleSpec

_NEEDED = frozenset({"liveinstall", "_liveinstall_boot", "filelock", "installer", "packaging", "pip"})
_EDITABLE = "__editable__"  # in the names of the modules by which setuptools adds editable projects to sys.meta_path


class EnvironmentIsolation:
    """The default environment's places; `needed`: True, or the names that can still be imported from it."""

    def __init__(self, needed: Collection[str] | bool) -> None:
        self._needed = _NEEDED if needed is True else frozenset(needed or ()) | _NEEDED
        self._places: list[str] | None = None
        self._taken: list[str] = []
        self._finders: list[object] = []

    def close(self) -> None:
        """Remove it and the finders of editable projects; can be repeated, since Python may add to `sys.path` later."""
        if self._places is None:
            self._places = default_places()
        places = self._places
        taken = [path for path in search_path() if path in places]
        if taken:
            self._taken += [path for path in taken if path not in self._taken]
            sys.path[:] = [path for path in sys.path if path not in places]
        finders = [finder for finder in sys.meta_path if defined_in(finder).startswith(_EDITABLE)]
        if finders:
            self._finders += finders
            for finder in finders:
                remove_finder(finder)

    def open(self) -> None:
        """Restore the default environment."""
        sys.path += [path for path in self._taken if path not in sys.path]
        for finder in self._finders:
            place_last(finder)
        self._taken, self._finders = [], []

    def find_spec(self, name: str) -> ModuleSpec | None:
        """Find a permitted module in it. Raises: ModuleNotFoundError for other modules only it has, with the reason."""
        self.close()
        if name in self._needed:
            return PathFinder.find_spec(name, self._taken)
        if name in sys.stdlib_module_names or name in ("sitecustomize", "usercustomize"):
            return None
        if PathFinder.find_spec(name) is None and PathFinder.find_spec(name, self._taken) is not None:
            if _is_for_site():
                return PathFinder.find_spec(name, self._taken)
            why = "only the default environment has it, and what is active here excludes that"
            raise ModuleNotFoundError(f"No module named {name!r}: {why}", name=name)
        return None


def _is_for_site() -> bool:
    """Whether site.py imports for a line of a .pth file: a failure there prints a traceback at every start."""
    frame = sys._getframe(2)  # noqa: SLF001
    while frame is not None:
        if frame.f_globals.get("__name__") == "site":
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def default_places() -> list[str]:
    """Return the site-packages of this interpreter and the paths named by .pth files there."""
    site = sys.modules.get("site")
    if site is None:
        return []  # -S
    # While site.py reads the .pth files of a virtual environment it does not yet count that among its prefixes.
    found = [*site.getsitepackages([sys.prefix, sys.exec_prefix]), *site.getsitepackages()]
    if site.ENABLE_USER_SITE is not False:
        found.append(site.getusersitepackages())
    for directory in list(found):
        found += _path_lines(directory)
    return found


def _path_lines(directory: str) -> list[str]:
    found = []
    try:
        names = [name for name in os.listdir(directory) if name.endswith(".pth")]
    except OSError:
        return []
    for name in names:
        try:
            with open(os.path.join(directory, name), encoding="utf-8-sig", errors="surrogateescape") as stream:
                lines = [line.rstrip() for line in stream]
        except OSError:
            continue
        words = [line for line in lines if line and not line.startswith(("#", "import ", "import\t"))]
        found += [os.path.abspath(os.path.join(directory, line)) for line in words]  # as site.py does it
    return found
