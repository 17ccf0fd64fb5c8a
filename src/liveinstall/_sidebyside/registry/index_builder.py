"""Make indexes and tables, and the rows of registries, of what lies on disk."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from liveinstall._sidebyside import layout
from liveinstall._sidebyside.imports.directory import EXTENSION_SUFFIXES, walk
from liveinstall._sidebyside.registry import index as indexes
from liveinstall._sidebyside.registry.format import Registry, Row, check, decode, located
from liveinstall.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_MODULES = (".py", *EXTENSION_SUFFIXES)
_KEPT = 7 * 24 * 3600.0  # seconds
_SHARED = re.compile(rb"extend_path|declare_namespace")


def build(text: str, source: str, base: str, store: str, sites: Sequence[str]) -> indexes.Index:
    """The index of a registry's text.

    `source` is its file, for people, and `base` that one's directory; `store` has what is named without a slash;
    `sites` are the site directories of the default environment. Raises: RegistryError, RegistryConflictError.
    """
    registry = decode(text, source)
    check(registry)
    places = [located(place, base, store) for place in registry.places]
    owners = tuple((place, tuple(_infos(place, source))) for place in places)
    number = {place: at for at, place in enumerate(places)}
    tops: dict[str, tuple[int, ...]] = {}
    for row in registry.names:
        tops[row.name] = (*tops.get(row.name, ()), number[located(row.place, base, store)])
    pins = tuple((row.name, row.version, located(row.place, base, store)) for row in registry.pins)
    for place in places:
        _check_usable(place, source)
    hidden = tuple(sorted(set(_left_by({name for name, *_ in pins}, sites)) - set(tops)))
    stores = sorted({os.path.dirname(place) for place in places})
    found = tuple(path for path in stores if os.path.exists(os.path.join(path, layout.MARK)))
    return indexes.Index(owners, tops, pins, hidden, found, exclusive=registry.exclusive, prefix=registry.prefix)


def _check_usable(place: str, source: str) -> None:
    """RegistryError for an entry of a store that is a build for another Python."""
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
        found = os.listdir(place)
    except OSError as error:
        raise RegistryError(
            f"{source} names {place}, which is not there.",
            todo="Create the registry again, or take the line out.",
            registry=source,
        ) from error
    return iter(sorted(name for name in found if name.endswith(".dist-info")))


def _left_by(replaced: set[str], sites: Sequence[str]) -> Iterator[str]:
    """The top-level names of versions in the default environment that others replace."""
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
    """The top-level names that can be imported of a distribution, by its RECORD; none where it has none."""
    from _liveinstall_boot.codec import StaleError, read, record_paths

    try:
        paths = list(record_paths(read(os.path.join(place, info, "RECORD"))))
    except (OSError, StaleError):
        return []
    found = set()
    for path in paths:
        top, slash, _ = path.partition("/")
        if path.endswith(_MODULES):
            name = top if slash else next(path.removesuffix(end) for end in _MODULES if path.endswith(end))
            found.add(name.partition(".")[0] if not slash else name)
    return sorted(name for name in found if name.isidentifier() and name != "__pycache__")


def modules_of(place: str, info: str) -> list[str]:
    """The full names of all modules of a distribution, by its RECORD; `info` is a path."""
    from _liveinstall_boot.codec import StaleError, read, record_paths

    try:
        paths = list(record_paths(read(os.path.join(place, info, "RECORD"))))
    except (OSError, StaleError):
        return []
    stems = (path.removesuffix(end) for path in paths for end in _MODULES if path.endswith(end))
    return [stem.removesuffix("/__init__").replace("/", ".") for stem in stems]


def is_shared(place: str, top: str) -> bool:
    """Whether a top-level name in a directory may be one of several shares of a package."""
    directory = os.path.join(place, top)
    if not os.path.isdir(directory):
        return False
    if any(os.path.exists(os.path.join(directory, "__init__" + end)) for end in EXTENSION_SUFFIXES):
        return False
    try:
        with open(os.path.join(directory, "__init__.py"), "rb") as stream:
            return bool(_SHARED.search(stream.read(4000)))
    except OSError:
        return True


def registry_of(
    found: Iterable[tuple[str, str, str]],
    store: str,
    *,
    own_store: bool = True,
    exclusive: bool = False,
    prefix: str = "",
) -> Registry:
    """The registry of distributions: (name, version, absolute place).

    What lies in `store` is named without it, if that is the environment's `own_store`. A top-level name that several
    have is shared, as if all lay in one site-packages.
    """
    pins, tops = [], []
    for name, version, place in found:
        inside = own_store and os.path.dirname(place) == store
        spelled = os.path.basename(place) if inside else place
        pins.append(Row(name, spelled, version))
        for info in (info for info in os.listdir(place) if info.endswith(".dist-info")):
            tops += [Row(top, spelled, shared=is_shared(place, top)) for top in tops_of(place, info)]
    often = [row.name for row in tops]
    tops = [Row(row.name, row.place, shared=row.shared or often.count(row.name) > 1) for row in tops]
    return Registry((*pins, *tops), exclusive, prefix)


def write_tables(places: Iterable[str], store: str) -> None:
    """Write the tables of entries that have none, where that can be done."""
    for place in places:
        infos = [name for name in os.listdir(place) if name.endswith(".dist-info")]
        stamp = indexes.stamp_of(place, infos[0]) if len(infos) == 1 and os.path.dirname(place) == store else None
        entry = os.path.basename(place)
        if stamp and indexes.read_table(store, entry, stamp) is None:
            indexes.write_table(store, entry, stamp, {module.name: module for module in walk(place)})


def in_use(store: str) -> set[str]:
    """The real paths of the places of the store that live processes use, as far as they could say so."""
    return {os.path.realpath(place) for path, places in _indexes(store) if indexes.is_in_use(path) for place in places}


def forget(store: str, places: Iterable[str]) -> None:
    """Remove the indexes that name a place, so that the next start looks for it."""
    gone = set(map(os.path.realpath, places))
    for path, named in _indexes(store):
        if not gone.isdisjoint(map(os.path.realpath, named)):
            os.unlink(path)


def _indexes(store: str) -> Iterator[tuple[str, list[str]]]:
    """The path of each index, and the places that it names."""
    directory = os.path.join(store, layout.INDEXES)
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        path = os.path.join(directory, name)
        kept = None if "." in name else indexes.read_and_keep(path)
        if kept:
            os.close(kept[1])
            yield path, [place for place, _ in kept[0].owners]


def sweep(store: str) -> None:
    """Remove tables of entries that are gone, indexes that nobody has used for long, and what a kill has left.

    Needs the store's lock.
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
                os.unlink(path)
