"""Registries of the environment: made, shown, merged, checked, removed, exported, and looked for by starts or not."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal

from packaging.utils import canonicalize_name

from liveinstall.commit import transaction as transactions
from liveinstall.commit.lock import environment_lock
from liveinstall.environment.installed import in_directory, installed
from liveinstall.environment.target import find_target
from liveinstall.errors import RegistryConflictError, RegistryError, RequirementError, StoreError
from liveinstall.events import Reporter
from liveinstall.model import Rows
from liveinstall.parallel import names, registries
from liveinstall.parallel.directory import DirectoryOwner
from liveinstall.parallel.indexing import registry_of, write_tables
from liveinstall.parallel.offers import usable
from liveinstall.parallel.registry import check as check_rows
from liveinstall.parallel.registry import located
from liveinstall.parallel.registry import merge as merged
from liveinstall.parallel.store import Store, Stored, parse_entry
from liveinstall.planning.graph import Node
from liveinstall.planning.satisfied import unsatisfied
from liveinstall.reports import Guard, InUse, Registered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from liveinstall.events import OnEvent
    from liveinstall.model import Target
    from liveinstall.parallel.registry import Registry
    from liveinstall.planning.requests import RequirementLike


class Registrations(Rows[Registered]):
    """Registries by name."""

    empty = "There is no registry."


def create(
    name: str,
    *requirements: RequirementLike,
    exclusive: bool = False,
    on_event: OnEvent = None,
    quiet: bool | None = None,
    **options: Any,
) -> Registered:
    """Make a registry of versions that satisfy `requirements`, with all that they need; what is missing is fetched.

    An older one of that name is replaced. `exclusive`: what is not in it cannot be imported. `options` are those of
    `install(parallel=True)`. Raises: RegistryError, and what `install()` raises.
    """
    from liveinstall.parallel.fetching import fetch  # engines, only where something is fetched

    target = find_target(for_change=False)
    store = Store.default(target.site)
    registries.path_of(target.site, name)
    with Reporter(on_event, quiet=quiet) as reporter:
        found = fetch(requirements, store, tell=reporter.tell, **options)
    write_tables([entry.path for entry in found], store.path)
    own = store.path == names.own_store(target.site)
    rows = [(entry.name, entry.version, entry.path) for entry in found]
    made = registry_of(rows, store.path, own_store=own, exclusive=exclusive)
    return _write(target, name, made, [f"registry create {name} {' '.join(map(str, requirements))}"])


def _write(target: Target, name: str, registry: Registry, remarks: Sequence[str]) -> Registered:
    check_rows(registry)
    inside = registries.is_inside(target.site, name)  # a file of one's own needs no environment that can be written to
    with environment_lock(target.site, who=transactions.command_line()) if inside else nullcontext():
        path = registries.write(target.site, name, registry, remarks)
    return _described(name, path, registry, target.site)


def _described(name: str, path: str, registry: Registry, site: str, problems: Sequence[str] = ()) -> Registered:
    base, store = os.path.dirname(path), names.own_store(site)
    pins = tuple(InUse(row.name, row.version, located(row.place, base, store)) for row in registry.pins)
    tops = tuple(dict.fromkeys(row.name for row in registry.names))
    enabled = registries.is_enabled(site)
    return Registered(name, path, pins, tops, registry.exclusive, tuple(problems), enabled)


def show(name: str) -> Registered:
    """One registry, by its name or its file. Raises: RegistryError."""
    site = _site()
    path, registry = registries.read(site, name)
    return _described(name, path, registry, site)


def registered() -> Registrations:
    """All registries of this environment; of one that cannot be read, why."""
    return Registrations(_shown(name) for name in registries.known_names(_site()))


def _shown(name: str) -> Registered:
    try:
        return show(name)
    except RegistryError as error:
        return Registered(name, registries.path_of(_site(), name), problems=(error.what,))


def merge(name: str, *others: str) -> Registered:
    """Make a registry of all that others have; they are given by name or file.

    Raises: RegistryError, RegistryConflictError for what two of them have differently.
    """
    target = find_target(for_change=False)
    store = names.own_store(target.site)
    found = []
    for other in others:
        path, registry = registries.read(target.site, other)
        found.append(registries.moved(registry, os.path.dirname(path), store))
    return _write(target, name, merged(found), [f"registry merge {name} {' '.join(others)}"])


def check(name: str) -> Registered:
    """What is wrong with a registry: rows that contradict each other or lead nowhere, versions that are not there.

    Also entries that this Python cannot use, and requirements that do not hold. Raises: RegistryError if it is not
    there, or no registry.
    """
    site = _site()
    path, registry = registries.read(site, name)
    store = names.own_store(site)
    try:
        check_rows(registry)
        problems = []
    except RegistryConflictError as error:
        problems = [error.what]
    problems += _wrong_rows(registry, os.path.dirname(path), store)
    if not problems:
        problems += _unmet(registry, os.path.dirname(path), store)
    return _described(name, path, registry, site, problems)


def _wrong_rows(registry: Registry, base: str, store: str) -> Iterator[str]:
    for row in registry.rows:
        place = located(row.place, base, store)
        if not os.path.isdir(place):
            yield f"{row}: {place} is not there ({row.source})"
            continue
        if row.version:
            there = {found.name: found.version for found in in_directory(place)}
            if there.get(row.name) != row.version:
                has = f"{row.name} {there[row.name]}" if row.name in there else f"no {row.name}"
                yield f"{row}: {place} has {has} ({row.source})"
            entry = parse_entry(os.path.basename(place))
            if entry and not usable([Stored(*entry, place)]):
                yield f"{row}: this Python cannot use {entry[2]} ({row.source})"
        elif DirectoryOwner(place).find_spec(row.name) is None:
            yield f"{row}: {place} has no module {row.name} ({row.source})"


def _unmet(registry: Registry, base: str, store: str) -> list[str]:
    here = {} if registry.exclusive else {name: Node(each.version, each.requires) for name, each in installed().items()}
    for row in registry.pins:
        for each in in_directory(located(row.place, base, store)):
            here[each.name] = Node(each.version, each.requires)
    found = [unsatisfied([f"{row.name}=={row.version}"], here.get) for row in registry.pins]
    return list(dict.fromkeys(filter(None, found)))


def remove(name: str) -> Registered:
    """Remove a registry; what it names stays in the store. Raises: RegistryError."""
    target = find_target(for_change=False)
    before = show(name)
    inside = registries.is_inside(target.site, name)
    with environment_lock(target.site, who=transactions.command_line()) if inside else nullcontext():
        registries.remove(target.site, name)
    return before


def export_pth(name: str) -> tuple[str, ...]:
    """The directories of a registry, one line each: for a .pth file that type checkers and editors understand."""
    site = _site()
    path, registry = registries.read(site, name)
    store = names.own_store(site)
    return tuple(dict.fromkeys(located(place, os.path.dirname(path), store) for place in registry.places))


def enable(state: Literal["on", "off"]) -> Guard:
    """Let starts of Python in this environment look for a registry, or no longer.

    Raises: LockTimeoutError, NotWritableError, ExternallyManagedError.
    """
    site = find_target().site
    with environment_lock(site, who=transactions.command_line()):
        registries.enable(site, on=state == "on")
    return Guard(site, state == "on")


class Shelf(Rows[InUse]):
    """What lies beside an environment."""

    empty = "Nothing is stored."


def stored() -> Shelf:
    """All that the store of this environment has."""
    return Shelf(InUse(entry.name, entry.version, entry.path) for entry in Store.default(_site()).entries())


def forget(*wanted: str) -> tuple[InUse, ...]:
    """Remove versions (`NAME`, `NAME==VERSION`) from the store; what was removed.

    Raises: StoreError for what is not there, what a registry of this environment names, and what a live process uses.
    """
    site = _site()
    store = Store.default(site)
    entries = []
    for text in wanted:
        name, pinned, version = text.partition("==")
        if pinned and not version:
            raise RequirementError(f"{text} says no version.", requirement=text)
        found = [entry for entry in store.find(canonicalize_name(name)) if version in ("", entry.version)]
        if not found:
            raise StoreError(f"there is no {text} in {store.path}.", store=store.path)
        entries += found
    places = {os.path.realpath(entry.path) for entry in entries}
    for known in registered():
        both = places & {os.path.realpath(each.place) for each in known.distributions}
        if both:
            todo = f"Remove that first: python -m liveinstall registry remove {known.name}"
            what = f"the registry {known.name} names {', '.join(sorted(map(os.path.basename, both)))}."
            raise StoreError(what, todo=todo, store=store.path)
    store.remove(*entries)
    return tuple(InUse(entry.name, entry.version, entry.path) for entry in entries)


def _site() -> str:
    return find_target(for_change=False).site
