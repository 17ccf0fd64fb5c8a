"""Compute indexes, tables and the rows of registries from the directories on disk."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress

from _liveinstall_boot import patient
from _liveinstall_boot.file_access import open_regular
from liveinstall._sidebyside import layout
from liveinstall._sidebyside.imports import index as indexes
from liveinstall._sidebyside.imports.directory import EXTENSION_SUFFIXES, walk
from liveinstall._sidebyside.registry.format import Registry, Row, check, decode, located
from liveinstall.errors import RegistryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_MODULES = (".py", *EXTENSION_SUFFIXES)
_KEPT = 7 * 24 * 3600.0  # seconds: older unused indexes are removed
_SHARED = re.compile(rb"extend_path|declare_namespace")


def build(text: str, source: str, base: str, store: str, sites: Sequence[str]) -> indexes.Index:
    """Compute the index of a registry.

    Args:
        text: The content of the registry.
        source: The path of its file, for messages.
        base: The directory that relative paths in it are relative to.
        store: The path of the store; names without a slash are entries of it.
        sites: The site directories of the default environment.

    Returns:
        The index.

    Raises:
        RegistryError: The registry is invalid, names a missing directory, or an entry for another Python.
        RegistryConflictError: Rows contradict each other.
    """
    registry = decode(text, source)
    check(registry)
    places = [located(place, base, store) for place in registry.places]
    owners = tuple((place, tuple(_infos(place, source))) for place in places)
    number = {place: position for position, place in enumerate(places)}
    tops: dict[str, tuple[int, ...]] = {}
    for row in registry.names:
        tops[row.name] = (*tops.get(row.name, ()), number[located(row.place, base, store)])
    pins = tuple((row.name, row.version, located(row.place, base, store)) for row in registry.pins)
    for place in places:
        _check_usable(place, source)
    hidden = tuple(sorted(set(_tops_of_replaced({name for name, *_ in pins}, sites)) - set(tops)))
    stores = sorted({os.path.dirname(place) for place in places})
    real_stores = tuple(path for path in stores if os.path.exists(os.path.join(path, layout.MARK)))
    return indexes.Index(owners, tops, pins, hidden, real_stores, exclusive=registry.exclusive, prefix=registry.prefix)


def _check_usable(place: str, source: str) -> None:
    """Raise RegistryError for an entry of a store that is a build for another Python."""
    name = os.path.basename(place)
    parts = name.split("-")
    if len(parts) not in layout.PARTS or not os.path.exists(os.path.join(os.path.dirname(place), layout.MARK)):
        return
    from liveinstall._sidebyside.store.tags import is_usable

    tag = "-".join(parts[-3:])
    if not is_usable(tag):
        todo = "Create the registry with this Python."
        raise RegistryError(f"{source} names {name}: this Python cannot use {tag}.", todo=todo, registry=source)


def _infos(place: str, source: str) -> Iterator[str]:
    try:
        entries = os.listdir(place)
    except OSError:
        raise RegistryError(
            f"{source} names {place}, which does not exist.",
            todo="Create the registry again, or remove the line.",
            registry=source,
        ) from None
    return iter(sorted(name for name in entries if name.endswith(".dist-info")))


def _tops_of_replaced(replaced: set[str], sites: Sequence[str]) -> Iterator[str]:
    """The top-level names of versions in the default environment that the registry replaces."""
    for site in sites:
        try:
            infos = [name for name in os.listdir(site) if name.endswith(".dist-info")]
        except OSError:
            continue
        for info in infos:
            if re.sub(r"[-_.]+", "-", info.partition("-")[0]).lower() in replaced:
                for top in tops_of(site, info):
                    if not is_shared(site, top):
                        yield top


def tops_of(place: str, info: str) -> list[str]:
    """Return the importable top-level names of a distribution according to its RECORD; none without a RECORD.

    Args:
        place: The directory that contains the distribution.
        info: The name of its metadata directory.
    """
    from _liveinstall_boot.codec import StaleError, read, record_paths

    try:
        paths = list(record_paths(read(os.path.join(place, info, "RECORD"))))
    except (OSError, StaleError):
        return []
    tops = set()
    for path in paths:
        top, slash, _ = path.partition("/")
        if path.endswith(_MODULES):
            name = top if slash else next(path.removesuffix(end) for end in _MODULES if path.endswith(end))
            tops.add(name.partition(".")[0] if not slash else name)
    return sorted(name for name in tops if name.isidentifier() and name != "__pycache__")


def modules_of(place: str, info: str) -> list[str]:
    """Return the full names of all modules of a distribution according to its RECORD; none without a RECORD.

    Args:
        place: The directory that contains the distribution.
        info: The path of its metadata directory, absolute or relative to `place`.
    """
    from _liveinstall_boot.codec import StaleError, read, record_paths

    try:
        paths = list(record_paths(read(os.path.join(place, info, "RECORD"))))
    except (OSError, StaleError):
        return []
    stems = (path.removesuffix(end) for path in paths for end in _MODULES if path.endswith(end))
    return [stem.removesuffix("/__init__").replace("/", ".") for stem in stems]


def is_shared(place: str, top: str) -> bool:
    """Return whether a package may be split over several directories (a namespace package).

    Args:
        place: The directory that contains it.
        top: The top-level name.
    """
    directory = os.path.join(place, top)
    if not os.path.isdir(directory):
        return False
    if any(os.path.exists(os.path.join(directory, "__init__" + end)) for end in EXTENSION_SUFFIXES):
        return False
    try:
        with open(os.path.join(directory, "__init__.py"), "rb", opener=open_regular) as stream:
            return bool(_SHARED.search(stream.read(4000)))
    except OSError:
        return True


def registry_of(
    distributions: Iterable[tuple[str, str, str]],
    store: str,
    *,
    own_store: bool = True,
    exclusive: bool = False,
    prefix: str = "",
) -> Registry:
    """Return the registry of distributions. A top-level name that several contain is shared, as in site-packages.

    Args:
        distributions: (name, version, absolute directory) of each.
        store: The path of the store.
        own_store: Whether it is the environment's own store; entries of that are written without its path.
        exclusive: Whether the default environment is invisible.
        prefix: The `sys.prefix` of the only environment that it applies to; empty: any.
    """
    pins, tops = [], []
    for name, version, place in distributions:
        inside = own_store and os.path.dirname(place) == store
        spelled = os.path.basename(place) if inside else place
        pins.append(Row(name, spelled, version))
        for info in (info for info in os.listdir(place) if info.endswith(".dist-info")):
            tops += [Row(top, spelled, shared=is_shared(place, top)) for top in tops_of(place, info)]
    often = [row.name for row in tops]
    tops = [Row(row.name, row.place, shared=row.shared or often.count(row.name) > 1) for row in tops]
    return Registry((*pins, *tops), exclusive, prefix)


def write_tables(places: Iterable[str], store: str) -> None:
    """Write the missing tables of entries, if possible.

    Args:
        places: The directories of the entries; others than those of the store are skipped.
        store: The path of the store.
    """
    for place in places:
        infos = [name for name in os.listdir(place) if name.endswith(".dist-info")]
        stamp = indexes.stamp_of(place, infos[0]) if len(infos) == 1 and os.path.dirname(place) == store else None
        entry = os.path.basename(place)
        if stamp and indexes.read_table(store, entry, stamp) is None:
            indexes.write_table(store, entry, stamp, {module.name: module for module in walk(place)})


def in_use(store: str) -> set[str]:
    """Return the real paths of the store's entries in use by live processes, as far as those could lock their index."""
    return {os.path.realpath(place) for path, places in _indexes(store) if indexes.is_in_use(path) for place in places}


def forget(store: str, places: Iterable[str]) -> None:
    """Remove the indexes that name any of these directories, so that the next start computes them again.

    Args:
        store: The path of the store.
        places: The directories.
    """
    gone = set(map(os.path.realpath, places))
    for path, named in _indexes(store):
        if not gone.isdisjoint(map(os.path.realpath, named)):
            patient.unlink(path)


def _indexes(store: str) -> Iterator[tuple[str, list[str]]]:
    """The path of each index, and the directories that it names."""
    directory = os.path.join(store, layout.INDEXES)
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        path = os.path.join(directory, name)
        kept = None if "." in name else indexes.read_and_keep(path)
        if kept:
            os.close(kept[1])
            yield path, [place for place, _ in kept[0].owners]


def sweep(store: str) -> None:
    """Remove tables of removed entries, indexes that have been unused for a week, and drafts of killed processes.

    The caller holds the lock of the store.
    """
    directory = os.path.join(store, layout.INDEXES)
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        path, (entry, dot, _) = os.path.join(directory, name), name.rpartition(".")
        with suppress(OSError):
            old = time.time() - os.stat(path).st_mtime > _KEPT
            is_draft = layout.DRAFT in name and old
            is_table = dot and layout.DRAFT not in name and not name.endswith(layout.REGISTRY)
            orphan = is_table and not os.path.isdir(os.path.join(store, entry))
            if is_draft or orphan or (not is_table and old and not indexes.is_in_use(path)):
                patient.unlink(path)
