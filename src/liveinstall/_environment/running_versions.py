"""Which version of a loaded distribution this process really runs: not always the one that is installed by now."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from liveinstall._environment.holders import top_names
from liveinstall._environment.loaded import loaded
from liveinstall._system.caller import attribute, module_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from liveinstall._model import Distribution
    from liveinstall.reports import Stale

_first: tuple[Mapping[str, Distribution], frozenset[str]] | None = None


def remember(here: Mapping[str, Distribution]) -> None:
    """Note, once, what is installed and imported, so that a foreign upgrade later is noticed for certain."""
    global _first  # noqa: PLW0603  it is about the process
    if _first is None:
        _first = here, frozenset(module_names())


def running(here: Mapping[str, Distribution]) -> dict[str, str]:
    """The loaded ones of `here`: name -> the version that runs.

    That is the installed one, unless there is proof that it was replaced since: it was noted before, or its metadata
    is newer than this process and its module says another `__version__`.
    """
    return {name: _version(here[name]) for name in loaded(here.values())}


def uninstalled_but_imported(here: Mapping[str, Distribution]) -> dict[str, str]:
    """What was noted, is imported and is no longer installed: name -> version."""
    if _first is None:
        return {}
    before, modules = _first
    return {
        name: was.version
        for name, was in before.items()
        if name not in here and was.name.replace("-", "_") in modules & set(module_names())
    }


def outdated(here: Mapping[str, Distribution]) -> tuple[Stale, ...]:
    """What runs in another version than is installed, by name."""
    from liveinstall.reports import Stale

    runs = {**running(here), **uninstalled_but_imported(here)}
    return tuple(
        Stale(name, version, here[name].version if name in here else "")
        for name, version in sorted(runs.items())
        if name not in here or here[name].version != version
    )


def _version(found: Distribution) -> str:
    if _is_ours(found):
        return found.version
    tops = {top for top in top_names(found)[0] if attribute(top, "__file__")}  # no namespaces
    if _first is not None:
        before, modules = _first
        if found.name in before and not tops.isdisjoint(modules) and before[found.name].version != found.version:
            return before[found.name].version
    if _is_newer_than_this_process(found):
        for top in sorted(tops):
            told = attribute(top, "__version__")
            if isinstance(told, str) and _differ(told, found.version):
                return told
    return found.version


def _is_ours(found: Distribution) -> bool:
    """Whether liveinstall put it there: it replaces nothing that is loaded."""
    try:
        with open(os.path.join(found.info, "INSTALLER"), encoding="utf-8") as stream:
            return stream.read().strip() == "liveinstall"
    except (OSError, UnicodeDecodeError):
        return False


def _differ(one: str, other: str) -> bool:
    try:
        return Version(one) != Version(other)
    except InvalidVersion:
        return False


def _is_newer_than_this_process(found: Distribution) -> bool:
    try:
        return os.stat(found.info).st_ctime > _begin()
    except OSError:
        return False


def _begin() -> float:
    """When this process began, as a POSIX timestamp; where the system does not tell, a moment before this import."""
    try:
        with open("/proc/self/stat", encoding="utf-8") as stream:
            ticks = int(stream.read().rpartition(")")[2].split()[19])
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return _IMPORTED


_IMPORTED = time.time()
