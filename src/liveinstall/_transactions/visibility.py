"""Imports in the running process after a change: new modules are importable, and staged ones raise a helpful error."""

from __future__ import annotations

import os
import site as site_module
import sys
import time
from importlib.machinery import PathFinder

from _liveinstall_boot import swap
from liveinstall._system.caller import invalidate_caches, place_last, remove_finder, search_path
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._system.presenter import presenter
from liveinstall.errors import StagedImportError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def see(site: str, paths: Iterable[tuple[str, str]]) -> None:
    """Make new distributions importable in this process: update `sys.path`, run their .pth and .start files.

    Args:
        site: The site-packages directory.
        paths: The (directory, name) of each new .pth or .start file.
    """
    if not any(os.path.realpath(entry) == site for entry in search_path() if entry):
        _add_site(site)
    swap.forget_listings()
    swap.run_startup_files(list(paths))
    invalidate_caches()


def _add_site(site: str) -> None:
    """Add a new site directory to `sys.path` in the same position as at start-up: the user's before the system's."""
    before = search_path()
    site_module.addsitedir(site)
    not_strings = [entry for entry in sys.path if not isinstance(entry, str)]
    added = [entry for entry in search_path() if entry not in before]
    system = {os.path.realpath(entry) for entry in site_module.getsitepackages()}
    index = next(
        (number for number, entry in enumerate(before) if os.path.realpath(entry or os.curdir) in system), len(before)
    )
    sys.path[:] = [*before[:index], *added, *before[index:], *not_strings]


@dataclass(frozen=True)
class StagedDistribution:
    """A staged distribution.

    Attributes:
        distribution: Its name and version, "pandas 2.3.3".
        since: When it was staged, a POSIX timestamp in seconds; 0 if unknown.
        part: The path of its staged part.
    """

    distribution: str
    since: float = 0.0
    part: str = ""

    def __str__(self) -> str:
        """`pandas 2.3.3 is staged since 2026-11-21 14:03:12`."""
        since = f" since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(self.since))}" if self.since else ""
        return f"{self.distribution} is staged{since}"


class StagedFinder:
    """The last finder on sys.meta_path: explains an import that fails because its distribution is only staged.

    A successful import never reaches it.
    """

    def __init__(self) -> None:
        self.staged: dict[str, StagedDistribution] = {}  # by top-level module

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,  # noqa: ARG002  the protocol of sys.meta_path
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Raise StagedImportError for the import of a module that only a staged part has. It never finds a module.

        `importlib.util.find_spec()` calls it too and must get None, because programs use it to check what is
        installed. Therefore the caller's caller is inspected, which is the import system itself only in a real import.

        Args:
            name: The full name of the module.
            path: Not used.
            target: Not used.

        Raises:
            StagedImportError: The module is available only after a restart.
        """
        staged = self.staged.get(name.partition(".")[0])
        if staged and _has_module(staged.part, name) and sys._getframe(2).f_code.co_name == "_find_and_load_unlocked":  # noqa: SLF001
            raise StagedImportError(
                f"No module named {name!r} yet: {staged} and pending until a restart of Python.",
                todo=presenter().restart_advice(staged.distribution.partition(" ")[0]),
                name=name,
            )
        return None


_finder = StagedFinder()


def _has_module(part: str, name: str) -> bool:
    """Whether a part has a module. Top-level modules are known to exist."""
    parents = name.split(".")[:-1]
    return not parents or PathFinder.find_spec(name, [os.path.join(part, *parents)]) is not None


def explain_staged(staged: Mapping[str, StagedDistribution]) -> None:
    """Explain failing imports of staged modules and their submodules from now on.

    Args:
        staged: Top-level module -> its staged distribution. It replaces the mapping of the previous call.
    """
    presenter().explain_errors()
    _finder.staged = dict(staged)
    remove_finder(_finder)
    place_last(_finder)


def top_level_modules(part: str) -> Iterable[str]:
    """List the top-level import names of a staged part.

    Args:
        part: The path of the part.
    """
    for entry in os.scandir(part) if os.path.isdir(part) else ():
        stem, dot, suffix = entry.name.partition(".")
        if stem.isidentifier() and (entry.is_dir() if not dot else suffix.endswith(("py", "so", "pyd"))):
            yield stem
