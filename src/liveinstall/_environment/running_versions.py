"""The loaded version of each distribution, which is not always the installed one."""

from __future__ import annotations

import os
import sys
import time

from _liveinstall_boot.file_access import read_bytes
from liveinstall._environment.installed import top_names
from liveinstall._environment.loaded import loaded
from liveinstall._system.caller import attribute, module_names
from liveinstall._system.lean_packaging import InvalidVersion, compare_versions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from liveinstall._model import Distribution
    from liveinstall.reports import Stale

_first: tuple[Mapping[str, Distribution], frozenset[str]] | None = None


def remember(installed: Mapping[str, Distribution]) -> None:
    """Record the installed and imported versions at the first call, so that later upgrades by other tools are detected.

    Args:
        installed: The installed distributions, by name.
    """
    global _first  # noqa: PLW0603  one for each process
    if _first is None:
        _first = installed, frozenset(module_names())


def running(installed: Mapping[str, Distribution]) -> dict[str, str]:
    """Find the loaded versions.

    The loaded version is the installed one, unless there is proof that it was replaced since: another version was
    recorded by `remember()`, or the metadata is newer than this process and the module has another `__version__`.

    Args:
        installed: The installed distributions, by name.

    Returns:
        The loaded versions, by name; distributions that are not loaded are omitted.
    """
    return {name: _version(installed[name]) for name in loaded(installed.values())}


def uninstalled_but_imported(installed: Mapping[str, Distribution]) -> dict[str, str]:
    """Find the imported distributions that are no longer installed.

    Args:
        installed: The installed distributions, by name.

    Returns:
        The loaded versions, by name; empty if `remember()` was not called.
    """
    if _first is None:
        return {}
    before, modules = _first
    return {
        name: distribution.version
        for name, distribution in before.items()
        if name not in installed and distribution.name.replace("-", "_") in modules & set(module_names())
    }


def outdated(installed: Mapping[str, Distribution]) -> tuple[Stale, ...]:
    """Find the distributions of which the loaded version differs from the installed one.

    Args:
        installed: The installed distributions, by name.

    Returns:
        The versions, sorted by name.
    """
    from liveinstall.reports import Stale

    versions = {**running(installed), **uninstalled_but_imported(installed)}
    return tuple(
        Stale(name, version, installed[name].version if name in installed else "")
        for name, version in sorted(versions.items())
        if name not in installed or installed[name].version != version
    )


def _version(distribution: Distribution) -> str:
    name, version = distribution.name, distribution.version
    if _is_by_liveinstall(distribution):
        return version
    tops = {top for top in top_names(distribution)[0] if attribute(top, "__file__")}  # without namespace packages
    if _first is not None:
        before, modules = _first
        if name in before and not tops.isdisjoint(modules) and before[name].version != version:
            return before[name].version
    if _is_newer_than_this_process(distribution):
        for top in sorted(tops):
            declared = attribute(top, "__version__")
            if isinstance(declared, str) and _differ(declared, version):
                return declared
    return version


def _is_by_liveinstall(distribution: Distribution) -> bool:
    """Whether liveinstall has installed a distribution: it never replaces a loaded version."""
    try:
        return bytes(read_bytes(os.path.join(distribution.info, "INSTALLER"))).strip() == b"liveinstall"
    except OSError:
        return False


def _differ(first: str, second: str) -> bool:
    try:
        return compare_versions(first, second) != 0
    except InvalidVersion:
        return False


def _is_newer_than_this_process(distribution: Distribution) -> bool:
    try:
        return os.stat(distribution.info).st_ctime > _start_time()
    except OSError:
        return False


def _start_time() -> float:
    """The start time of this process, a POSIX timestamp; where it is unknown, the time of this module's import."""
    if sys.platform == "win32":
        return _start_time_of_windows() or _IMPORTED
    try:
        with open("/proc/self/stat", encoding="utf-8") as stream:
            ticks = int(stream.read().rpartition(")")[2].split()[19])
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return _IMPORTED


def _start_time_of_windows() -> float:
    """The start time of this process by Windows' clock; 0 if unknown."""
    import ctypes

    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    times = [ctypes.c_ulonglong() for _ in range(4)]  # since 1601, in units of 100 ns; the first is the start
    ours = ctypes.c_void_p(-1)  # GetCurrentProcess()
    if not kernel.GetProcessTimes(ours, *map(ctypes.byref, times)):
        return 0.0
    return times[0].value / 1e7 - 11_644_473_600


_IMPORTED = time.time()
