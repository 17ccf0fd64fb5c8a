"""The loaded version of each distribution, which is not always the installed one."""

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
    """Record once which versions are installed and imported, so that later upgrades by other tools are detected."""
    global _first  # noqa: PLW0603  it is a fact about the process
    if _first is None:
        _first = here, frozenset(module_names())


def running(here: Mapping[str, Distribution]) -> dict[str, str]:
    """Find the loaded versions.

    The loaded version is the installed one, unless there is proof that it was replaced since: another version was
    recorded by `remember()`, or the metadata is newer than this process and the module has another `__version__`.

    Args:
        here: The installed distributions, by name.

    Returns:
        Name -> loaded version; distributions that are not loaded are omitted.
    """
    return {name: _version(here[name]) for name in loaded(here.values())}


def uninstalled_but_imported(here: Mapping[str, Distribution]) -> dict[str, str]:
    """The imported distributions that are no longer installed: name -> version."""
    if _first is None:
        return {}
    before, modules = _first
    return {
        name: was.version
        for name, was in before.items()
        if name not in here and was.name.replace("-", "_") in modules & set(module_names())
    }


def outdated(here: Mapping[str, Distribution]) -> tuple[Stale, ...]:
    """The distributions of which another version is loaded than installed, by name."""
    from liveinstall.reports import Stale

    runs = {**running(here), **uninstalled_but_imported(here)}
    return tuple(
        Stale(name, version, here[name].version if name in here else "")
        for name, version in sorted(runs.items())
        if name not in here or here[name].version != version
    )


def _version(installed: Distribution) -> str:
    name, version = installed.name, installed.version
    if _is_ours(installed):
        return version
    tops = {top for top in top_names(installed)[0] if attribute(top, "__file__")}  # no namespaces
    if _first is not None:
        before, modules = _first
        if name in before and not tops.isdisjoint(modules) and before[name].version != version:
            return before[name].version
    if _is_newer_than_this_process(installed):
        for top in sorted(tops):
            declared = attribute(top, "__version__")
            if isinstance(declared, str) and _differ(declared, version):
                return declared
    return version


def _is_ours(installed: Distribution) -> bool:
    """Whether liveinstall installed it, which never replaces a loaded version."""
    try:
        with open(os.path.join(installed.info, "INSTALLER"), encoding="utf-8") as stream:
            return stream.read().strip() == "liveinstall"
    except (OSError, UnicodeDecodeError):
        return False


def _differ(one: str, other: str) -> bool:
    try:
        return Version(one) != Version(other)
    except InvalidVersion:
        return False


def _is_newer_than_this_process(installed: Distribution) -> bool:
    try:
        return os.stat(installed.info).st_ctime > _begin()
    except OSError:
        return False


def _begin() -> float:
    """When this process was started, a POSIX timestamp; without /proc, when this module was imported."""
    try:
        with open("/proc/self/stat", encoding="utf-8") as stream:
            ticks = int(stream.read().rpartition(")")[2].split()[19])
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return _IMPORTED


_IMPORTED = time.time()
