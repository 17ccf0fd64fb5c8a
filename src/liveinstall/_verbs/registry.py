"""Registries of the environment: made, shown, merged, checked, removed, exported, and looked for by starts or not."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal

from liveinstall._environment.installed import in_directory, installed
from liveinstall._environment.target import current_site, find_target
from liveinstall._planning.graph import Node
from liveinstall._planning.satisfied import unsatisfied
from liveinstall._sidebyside import layout
from liveinstall._sidebyside.imports.directory import DirectoryOwner
from liveinstall._sidebyside.registry import files
from liveinstall._sidebyside.registry.format import check as check_rows
from liveinstall._sidebyside.registry.format import located
from liveinstall._sidebyside.registry.format import merge as merged
from liveinstall._sidebyside.registry.index_builder import registry_of, write_tables
from liveinstall._sidebyside.selection.candidates import usable
from liveinstall._sidebyside.store.store import Store, Stored, parse_entry
from liveinstall._system.command_line import command_line
from liveinstall._system.lock import environment_lock
from liveinstall.errors import RegistryConflictError, RegistryError
from liveinstall.events import Reporter
from liveinstall.reports import Registered, RegistryLookup, StoredVersion
from liveinstall.results import Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from liveinstall._requirements.request import RequirementLike
    from liveinstall._sidebyside.registry.format import Registry
    from liveinstall.events import OnEvent
    from liveinstall.results import Target


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
    from liveinstall._sidebyside.selection.fetch import fetch  # engines, only where something is fetched

    target = find_target(for_change=False)
    store = Store.default(target.site)
    files.path_of(target.site, name)
    with Reporter(on_event, quiet=quiet) as reporter:
        found = fetch(requirements, store, tell=reporter.tell, **options)
    write_tables([entry.path for entry in found], store.path)
    own = store.path == layout.own_store(target.site)
    rows = [(entry.name, entry.version, entry.path) for entry in found]
    made = registry_of(rows, store.path, own_store=own, exclusive=exclusive)
    return _write(target, name, made, [f"registry create {name} {' '.join(map(str, requirements))}"])


def _write(target: Target, name: str, registry: Registry, remarks: Sequence[str]) -> Registered:
    check_rows(registry)
    inside = files.is_inside(target.site, name)  # a file of one's own needs no environment that can be written to
    with environment_lock(target.site, who=command_line()) if inside else nullcontext():
        path = files.write(target.site, name, registry, remarks)
    return _described(name, path, registry, target.site)


def _described(name: str, path: str, registry: Registry, site: str, problems: Sequence[str] = ()) -> Registered:
    base, store = os.path.dirname(path), layout.own_store(site)
    pins = tuple(StoredVersion(row.name, row.version, located(row.place, base, store)) for row in registry.pins)
    tops = tuple(dict.fromkeys(row.name for row in registry.names))
    enabled = files.is_enabled(site)
    return Registered(name, path, pins, tops, registry.exclusive, tuple(problems), enabled)


def show(name: str) -> Registered:
    """One registry, by its name or its file. Raises: RegistryError."""
    site = current_site()
    path, registry = files.read(site, name)
    return _described(name, path, registry, site)


def registered() -> Registrations:
    """All registries of this environment; of one that cannot be read, why."""
    return Registrations(_shown(name) for name in files.known_names(current_site()))


def _shown(name: str) -> Registered:
    try:
        return show(name)
    except RegistryError as error:
        return Registered(name, files.path_of(current_site(), name), problems=(error.what,))


def merge(name: str, *others: str) -> Registered:
    """Make a registry of all that others have; they are given by name or file.

    Raises: RegistryError, RegistryConflictError for what two of them have differently.
    """
    target = find_target(for_change=False)
    store = layout.own_store(target.site)
    found = []
    for other in others:
        path, registry = files.read(target.site, other)
        found.append(files.moved(registry, os.path.dirname(path), store))
    return _write(target, name, merged(found), [f"registry merge {name} {' '.join(others)}"])


def check(name: str) -> Registered:
    """What is wrong with a registry: rows that contradict each other or lead nowhere, versions that are not there.

    Also entries that this Python cannot use, and requirements that do not hold. Raises: RegistryError if it is not
    there, or no registry.
    """
    site = current_site()
    path, registry = files.read(site, name)
    store = layout.own_store(site)
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
    inside = files.is_inside(target.site, name)
    with environment_lock(target.site, who=command_line()) if inside else nullcontext():
        files.remove(target.site, name)
    return before


def export_pth(name: str) -> tuple[str, ...]:
    """The directories of a registry, one line each: for a .pth file that type checkers and editors understand."""
    site = current_site()
    path, registry = files.read(site, name)
    store = layout.own_store(site)
    return tuple(dict.fromkeys(located(place, os.path.dirname(path), store) for place in registry.places))


def enable(state: Literal["on", "off"]) -> RegistryLookup:
    """Let starts of Python in this environment look for a registry, or no longer.

    Raises: LockTimeoutError, NotWritableError, ExternallyManagedError.
    """
    site = find_target().site
    with environment_lock(site, who=command_line()):
        files.enable(site, on=state == "on")
    return RegistryLookup(site, state == "on")
