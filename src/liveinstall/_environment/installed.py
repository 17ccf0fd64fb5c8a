"""The installed distributions, read quickly from the metadata directories on sys.path."""

from __future__ import annotations

import os
from functools import cache

from _liveinstall_boot import ownership
from _liveinstall_boot.codec import StaleError, read
from _liveinstall_boot.file_access import read_bytes
from _liveinstall_boot.layout import PART
from liveinstall._model import Distribution
from liveinstall._system.caller import search_path
from liveinstall._system.dist_info import read_fields
from liveinstall._system.file_urls import path_of
from liveinstall._system.lean_dataclasses import replace
from liveinstall._system.lean_packaging import canonicalize_name
from liveinstall.errors import DamagedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from liveinstall.results import Target


def installed(path: Iterable[str] | None = None, hidden: Iterable[str] = ()) -> dict[str, Distribution]:
    """Find the importable distributions; as in imports, the first of each name wins.

    Args:
        path: The directories to search. Default: `sys.path`.
        hidden: The metadata directories to ignore.

    Returns:
        The distributions by normalized name.
    """
    distributions: dict[str, Distribution] = {}
    hidden = set(map(os.path.realpath, hidden))
    for directory in dict.fromkeys(os.path.realpath(entry or os.curdir) for entry in (path or search_path())):
        for distribution in (*in_directory(directory), *_linked(directory)):
            if distribution.info not in hidden:
                distributions.setdefault(distribution.name, distribution)
    return distributions


def _linked(directory: str) -> Iterator[Distribution]:
    """Yield the distributions that `setup.py develop` has linked: an .egg-link file has the path of the project."""
    for name in sorted(names_in(directory)):
        if name.endswith(".egg-link"):
            try:
                project = os.path.realpath(os.path.join(directory, read(os.path.join(directory, name)).split("\n")[0]))
            except (OSError, UnicodeError, ValueError):
                continue
            linked_name = canonicalize_name(name.removesuffix(".egg-link"))
            for distribution in in_directory(project):
                if distribution.name == linked_name and distribution.is_legacy:
                    yield replace(distribution, project=project)


def names_in(directory: str) -> list[str]:
    """List the names in a directory; empty if it cannot be read."""
    try:
        return os.listdir(directory)
    except (OSError, ValueError):  # ValueError: a null byte, as an entry of sys.path may have
        return []


def installed_without_parts(hidden: Iterable[str] = ()) -> dict[str, Distribution]:
    """Find the importable distributions without the staged parts on `sys.path`, from which this process may run.

    Args:
        hidden: As for `installed()`.

    Returns:
        As `installed()`.
    """
    return installed([entry for entry in search_path() if not entry.endswith(PART)], hidden)


def finder(path: Iterable[str] | None = None) -> Callable[[str], Distribution | None]:
    """Make a function that finds single distributions without reading the metadata of all others.

    It uses the names of metadata directories; a directory that is not named after its distribution is not found. The
    field `project` stays empty.

    Args:
        path: The directories to search. Default: `sys.path`.

    Returns:
        A function that returns the distribution of a normalized name, or None.
    """
    infos: dict[str, str] = {}
    for directory in dict.fromkeys(os.path.realpath(entry or os.curdir) for entry in (path or search_path())):
        for name in sorted(names_in(directory)):
            if is_egg(directory, name):
                stem = os.path.basename(directory)
                infos.setdefault(canonicalize_name(stem.partition("-")[0]), os.path.join(directory, name))
            elif name.endswith((".dist-info", ".egg-info")):
                stem = name.rpartition(".")[0]
                infos.setdefault(canonicalize_name(stem.partition("-")[0]), os.path.join(directory, name))

    @cache
    def find(name: str) -> Distribution | None:
        info = infos.get(name)
        if info is None:
            return None
        file = "METADATA" if info.endswith(".dist-info") else "PKG-INFO" if os.path.isdir(info) else ""
        distribution = _read_metadata(info, file, project=False)
        return distribution if distribution and distribution.name == name else None

    return find


def read_distribution(info: str) -> Distribution | None:
    """Read a distribution from its `.dist-info` directory, given by its absolute path.

    Args:
        info: The absolute path of the directory.

    Returns:
        The distribution; None without a METADATA file with name and version.
    """
    return _read_metadata(info, "METADATA")


def in_directory(directory: str) -> Iterator[Distribution]:
    """Yield the distributions with metadata in one directory, sorted by file name."""
    for name in sorted(names_in(directory)):
        if name.endswith(".dist-info"):
            distribution = _read_metadata(os.path.join(directory, name), "METADATA")
        elif name.endswith(".egg-info") or is_egg(directory, name):
            info = os.path.join(directory, name)
            distribution = _read_metadata(info, "PKG-INFO" if os.path.isdir(info) else "")
        else:
            continue
        if distribution:
            yield distribution


def is_egg(directory: str, name: str) -> bool:
    """Whether a name in a directory is the metadata of an unpacked egg, which easy_install adds to the path itself.

    Args:
        directory: The absolute path of the directory.
        name: The name of an entry in it.
    """
    return name == "EGG-INFO" and directory.endswith(".egg")


def _read_metadata(info: str, file: str, *, project: bool = True) -> Distribution | None:
    try:
        fields = read_fields(os.path.join(info, file) if file else info, "name", "version", "requires-dist")
    except OSError:
        return None
    if not fields["name"] or not fields["version"]:
        return None
    name, version = canonicalize_name(fields["name"][0]), fields["version"][0]
    return Distribution(name, version, info, tuple(fields["requires-dist"]), _project(info) if project else "")


def _project(info: str) -> str:
    """The source directory of an editable install (PEP 610); empty for other installs."""
    try:
        content = read_bytes(os.path.join(info, "direct_url.json"))
        if b"editable" not in content:
            return ""
        import json

        direct = json.loads(content)
        if direct["dir_info"].get("editable"):
            return os.path.realpath(path_of(direct["url"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return ""


def check_replaceable(distribution: Distribution, target: Target) -> None:
    """Check that a distribution can be replaced safely by means of its RECORD.

    Args:
        distribution: The installed distribution.
        target: The environment.

    Raises:
        DamagedError: It is installed twice, has no usable RECORD, or has files outside of the environment.
    """
    name, version = distribution.name, distribution.version
    site_dirs = dict.fromkeys((target.site, target.platlib))
    twins = [twin.info for site_dir in site_dirs for twin in in_directory(site_dir) if twin.name == name]
    if len(twins) > 1:
        raise DamagedError(
            f"{name} is installed twice: {' and '.join(os.path.basename(twin) for twin in twins)}.",
            todo="Remove the copy that is not in use.",
            name=name,
        )
    if distribution.is_legacy:
        raise DamagedError(
            f"{name} {version} was installed without a RECORD ({os.path.basename(distribution.info)}), so its files "
            "are unknown.",
            todo="Replace it with the tool that installed it.",
            name=name,
        )
    for path in record_of(distribution)[1]:
        if not any(_is_below(path, root) for root in (target.data, target.scripts, target.headers)):
            raise _damaged(distribution, f"{path} is outside of the environment")


def _is_below(path: str, root: str) -> bool:
    return os.path.relpath(path, root).partition(os.sep)[0] != os.pardir


def record_of(distribution: Distribution) -> tuple[set[str], list[str]]:
    """Read the files of a distribution from its RECORD.

    Args:
        distribution: The distribution.

    Returns:
        The paths below its site directory, relative to it and with slashes, and the absolute paths elsewhere.

    Raises:
        DamagedError: The RECORD is missing or damaged.
    """
    try:
        text = read(os.path.join(distribution.info, "RECORD"))
        inside, outside = ownership.owned(os.path.dirname(distribution.info), text)
    except FileNotFoundError:
        raise DamagedError(
            f"{distribution.name} {distribution.version} has no RECORD: conda, Debian or another tool manages it.",
            todo="Replace it with the tool that installed it.",
            name=distribution.name,
        ) from None
    except (OSError, StaleError) as error:
        raise _damaged(distribution, str(error)) from None
    if not any(path.endswith(".dist-info/METADATA") for path in inside):
        raise _damaged(distribution, "it does not list its own METADATA")
    return inside, outside


def top_names(distribution: Distribution) -> tuple[set[str], set[str]]:
    """Find the top-level names of a distribution by its RECORD.

    Args:
        distribution: The distribution.

    Returns:
        The top-level import names, and the top-level paths, relative to its site directory, that contain shared
        libraries. Without a usable RECORD: its name as an import name, and no paths.
    """
    try:
        names, libraries = ownership.top_names(record_of(distribution)[0])
    except DamagedError:
        return {distribution.name.replace("-", "_")}, set()
    return names, libraries


def _damaged(distribution: Distribution, reason: str) -> DamagedError:
    return DamagedError(
        f"the RECORD of {distribution.name} {distribution.version} is damaged ({reason}).",
        todo=f"Repair it first: pip install --force-reinstall --no-deps {distribution.name}=={distribution.version}",
        name=distribution.name,
    )


def files_of(distribution: Distribution) -> set[str]:
    """Read the absolute paths of a distribution's files from its RECORD.

    Args:
        distribution: The distribution.

    Returns:
        The paths.

    Raises:
        DamagedError: The RECORD is missing or damaged.
    """
    inside, outside = record_of(distribution)
    site_dir = os.path.dirname(distribution.info)
    return {os.path.join(site_dir, *path.split("/")) for path in inside}.union(outside)


def owner_of(path: str, distributions: Iterable[Distribution]) -> str:
    """Find the distribution whose RECORD lists a file.

    Args:
        path: The absolute path of the file.
        distributions: The distributions to check; those without a usable RECORD are skipped.

    Returns:
        The name of the distribution; empty if there is none.
    """
    for distribution in distributions:
        try:
            if not distribution.is_legacy and path in files_of(distribution):
                return distribution.name
        except DamagedError:
            continue
    return ""


def check_metadata(names: Iterable[str], site_dirs: Iterable[str]) -> None:
    """Check that the `.dist-info` directories of some distributions have a METADATA file.

    Args:
        names: The normalized names.
        site_dirs: The site-packages directories to search, absolute.

    Raises:
        DamagedError: One has none, so its installed version is unknown.
    """
    names = set(names)
    for site_dir in dict.fromkeys(site_dirs):
        for entry in os.listdir(site_dir) if os.path.isdir(site_dir) else ():
            name = canonicalize_name(entry.partition("-")[0])
            info = os.path.join(site_dir, entry)
            if entry.endswith(".dist-info") and name in names and _read_metadata(info, "METADATA") is None:
                raise DamagedError(
                    f"{entry} has no METADATA, so the installed version is unknown.",
                    todo=f"Remove {info}, or repair it: pip install --force-reinstall {name}",
                    name=name,
                )
