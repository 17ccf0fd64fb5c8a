"""Removal of the default environment from `sys.path` while a finder is exclusive.

Removing it there, rather than refusing names, also hides it from `pkgutil` and `importlib.metadata`. Only what
liveinstall itself needs can still be imported from it.
"""

import os
import sys
from _frozen_importlib_external import PathFinder

from liveinstall._system.caller import defined_in, place_last, remove_finder, search_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from importlib.machinery import ModuleSpec

_NEEDED = frozenset({"liveinstall", "_liveinstall_boot", "installer", "packaging", "pip"})
_EDITABLE = "__editable__"  # in the names of the modules by which setuptools adds editable projects to sys.meta_path


class EnvironmentIsolation:
    """The removal of the default environment from `sys.path`.

    Args:
        needed: The top-level names that can still be imported from it, in addition to those that liveinstall needs.
            True and False: no other names.
    """

    def __init__(self, needed: "Collection[str] | bool") -> None:
        self._needed = _NEEDED if needed is True else frozenset(needed or ()) | _NEEDED
        self._places: list[str] | None = None
        self._removed: list[str] = []
        self._finders: list[object] = []

    def close(self) -> None:
        """Remove it and the finders of editable projects; each call also removes what Python has added since."""
        if self._places is None:
            self._places = default_places()
        places = self._places
        removed = [path for path in search_path() if path in places]
        if removed:
            self._removed += [path for path in removed if path not in self._removed]
            sys.path[:] = [path for path in sys.path if path not in places]
        finders = [finder for finder in sys.meta_path if defined_in(finder).startswith(_EDITABLE)]
        if finders:
            self._finders += finders
            for finder in finders:
                remove_finder(finder)

    def open(self) -> None:
        """Restore the default environment."""
        sys.path += [path for path in self._removed if path not in sys.path]
        for finder in self._finders:
            place_last(finder)
        self._removed, self._finders = [], []

    def find_spec(self, name: str) -> "ModuleSpec | None":
        """Find a top-level module that can still be imported from the default environment.

        Args:
            name: The name of the module.

        Returns:
            Its spec; None if the other finders on `sys.meta_path` have to find it.

        Raises:
            ModuleNotFoundError: Only the default environment has the module, and it cannot be imported from there.
        """
        self.close()
        if name in self._needed:
            return PathFinder.find_spec(name, self._removed)
        if name in sys.stdlib_module_names or name in ("sitecustomize", "usercustomize"):
            return None
        if PathFinder.find_spec(name) is None and PathFinder.find_spec(name, self._removed) is not None:
            if _is_from_pth_file():
                return PathFinder.find_spec(name, self._removed)
            reason = "it is only in the default environment, which is excluded here"
            raise ModuleNotFoundError(f"No module named {name!r}: {reason}", name=name)
        return None


def _is_from_pth_file() -> bool:
    """Whether the import comes from a .pth file: there a failure would print a traceback at every start of Python."""
    frame = sys._getframe(2)  # noqa: SLF001
    while frame is not None:
        if frame.f_globals.get("__name__") == "site":
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def default_places() -> list[str]:
    """List the site-packages directories of this interpreter and the paths that their .pth files add."""
    site = sys.modules.get("site")
    if site is None:
        return []  # -S
    # While site.py reads the .pth files of a virtual environment, its list of prefixes does not have that one yet.
    places = [*site.getsitepackages([sys.prefix, sys.exec_prefix]), *site.getsitepackages()]
    if site.ENABLE_USER_SITE is not False:
        places.append(site.getusersitepackages())
    for directory in list(places):
        places += _path_lines(directory)
    return places


def _path_lines(directory: str) -> list[str]:
    """The paths that the .pth files of a directory add to `sys.path`."""
    paths = []
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
        entries = [line for line in lines if line and not line.startswith(("#", "import ", "import\t"))]
        paths += [os.path.abspath(os.path.join(directory, line)) for line in entries]  # as site.py does it
    return paths
