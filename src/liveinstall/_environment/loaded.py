"""The distributions that this process has loaded: the loaded files are compared with RECORDs, not with names."""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec

from liveinstall._environment.installed import record_of
from liveinstall._system.caller import namespace_of, search_path
from liveinstall._system.dist_info import may_have_top
from liveinstall.errors import DamagedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from liveinstall._model import Distribution
    from liveinstall.results import Holder, Target


def loaded(distributions: Iterable[Distribution]) -> dict[str, str]:
    """Find the distributions that this process has loaded.

    A distribution without a usable RECORD counts as loaded if any loaded file is in the same site directory.

    Args:
        distributions: The distributions to check.

    Returns:
        One of the loaded files of each loaded distribution, by name.
    """
    distributions = list(distributions)
    files = loaded_files() if distributions else set()
    tops = {site_dir: _tops(site_dir, files) for site_dir in {os.path.dirname(each.info) for each in distributions}}
    loaded_by_name = {}
    for distribution in distributions:
        if _may_own(distribution, tops[os.path.dirname(distribution.info)]):
            path = file_among(distribution, files)
            if path:
                loaded_by_name[distribution.name] = path
    return loaded_by_name


def _tops(site_dir: str, files: Iterable[str]) -> set[str]:
    """The first path components, relative to `site_dir`, of the files below it."""
    start = len(site_dir) + 1
    return {path[start:].partition(os.sep)[0] for path in files if path.startswith(site_dir + os.sep)}


def _may_own(distribution: Distribution, tops: AbstractSet[str]) -> bool:
    """A quick check of RECORD that rules most distributions out: whether it has any of `tops`, or cannot be read."""
    return bool(distribution.project) or may_have_top(distribution.info, tops.__contains__)


def disturbing(distributions: Iterable[Distribution], target: Target, processes: Sequence[Holder]) -> dict[str, str]:
    """Find the distributions that cannot be replaced or shadowed now, because a running process uses them.

    Args:
        distributions: The distributions to check.
        target: The environment.
        processes: The other processes with holds. Processes without one are found by their memory-mapped libraries.

    Returns:
        The reason for each such distribution, for people, by name.
    """
    from liveinstall._environment.holders import describe, users  # `require()` does not need them

    distributions = list(distributions)
    others = {}
    for name, user in users((each for each in distributions if is_in(target, each)), processes).items():
        is_guess = user.uses is None and not user.distributions
        others[name] = f"{describe(user)} {'may use' if is_guess else 'uses'}"
    reasons = {name: f"{other} {name}" for name, other in others.items()}
    by_name = {distribution.name: distribution for distribution in distributions}
    for name in loaded(distributions):
        source = "" if is_in(target, by_name[name]) else f" from {os.path.dirname(by_name[name].info)}"
        also = f", and {others[name]} it" if name in others else ""  # restarting this process alone would not help
        reasons[name] = f"{name} is imported here{source}{also}"
    return reasons


def is_in(target: Target, distribution: Distribution) -> bool:
    """Whether a distribution is in the environment to be changed; a distribution elsewhere can only be shadowed.

    Args:
        target: The environment.
        distribution: The distribution.
    """
    return os.path.dirname(distribution.info) in (target.site, target.platlib)


def is_before(target: Target, distribution: Distribution) -> bool:
    """Whether a distribution precedes the environment on `sys.path`, for example because of PYTHONPATH or a .pth file.

    Args:
        target: The environment.
        distribution: The distribution.
    """
    order = [os.path.realpath(entry or os.curdir) for entry in search_path()]
    indexes = [order.index(directory) for directory in (target.site, target.platlib) if directory in order]
    site_dir = os.path.dirname(distribution.info)
    return site_dir in order and order.index(site_dir) < min(indexes, default=0)


def loaded_files() -> set[str]:
    """Find the files of all loaded modules and the memory-mapped shared libraries; their real paths, too."""
    files = {os.path.normpath(path) for module in list(sys.modules.values()) for path in _module_files(module)}
    real_parents = {directory: os.path.realpath(directory) for directory in set(map(os.path.dirname, files))}
    for path in list(files):
        real = os.path.join(real_parents[os.path.dirname(path)], os.path.basename(path))
        files.add(os.path.realpath(real) if os.path.islink(real) else real)
    return files | mapped_files()


def _module_files(module: object) -> Iterable[str]:
    """Yield a module's files, from its `__dict__`: attribute access could run code of a lazy module, or raise."""
    namespace = namespace_of(module)
    spec = namespace.get("__spec__")
    try:
        origin = spec.origin if isinstance(spec, ModuleSpec) else namespace_of(spec).get("origin")
    except Exception:  # noqa: BLE001  a custom spec may raise anything
        origin = None
    for path in (namespace.get("__file__"), origin):
        if isinstance(path, str) and os.path.isabs(path) and "\0" not in path:
            yield path


def mapped_files() -> set[str]:
    """Find the shared libraries mapped into this process, on Linux; empty on systems that require privileges for it."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as stream:
            return {line[line.index("/") :].rstrip("\n") for line in stream if "/" in line and "x" in line.split()[1]}
    except OSError:
        return set()


def file_among(distribution: Distribution, files: set[str]) -> str:
    """Return the first of some files that belongs to a distribution.

    Args:
        distribution: The distribution.
        files: Absolute paths.

    Returns:
        The path; empty if there is none.
    """
    site_dir = os.path.dirname(distribution.info)
    if distribution.project:
        return next((path for path in files if path.startswith(distribution.project + os.sep)), "")
    try:
        inside, outside = record_of(distribution)
    except DamagedError:
        return next((path for path in files if path.startswith(site_dir + os.sep)), "")
    for path in inside & _below(site_dir, files):
        return os.path.join(site_dir, *path.split("/"))
    return next((path for path in outside if path in files), "")


def _below(site_dir: str, files: set[str]) -> set[str]:
    """The files below `site_dir`, as relative paths with slashes, as in a RECORD."""
    start = len(site_dir) + 1
    return {path[start:].replace(os.sep, "/") for path in files if path.startswith(site_dir + os.sep)}
