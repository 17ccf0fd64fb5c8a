"""Registries of the environment: create, show, merge, check, remove, export, enable."""

from __future__ import annotations

import os
from contextlib import nullcontext

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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Literal

    from liveinstall._requirements.request import RequirementLike
    from liveinstall._sidebyside.registry.format import Registry
    from liveinstall.events import OnEvent
    from liveinstall.results import Target


class Registrations(Rows[Registered]):
    """Registries, sorted by name."""

    empty = "No registries."


def create(
    name: str,
    *requirements: RequirementLike,
    exclusive: bool = False,
    on_event: OnEvent = None,
    quiet: bool | None = None,
    **options: Any,
) -> Registered:
    """Create a registry of versions that satisfy `requirements`, with all their dependencies, or replace it.

    Versions that are not in the side-by-side store are fetched into it.

    Args:
        name: The registry's name, or the path of its file.
        *requirements: As for `liveinstall.install()`.
        exclusive: Whether packages that are not in the registry cannot be imported while it is active. Default: they
            are imported from the environment.
        on_event: As for `liveinstall.install()`.
        quiet: As for `liveinstall.install()`.
        **options: Other options of `liveinstall.install(parallel=True)`.

    Returns:
        The registry.

    Raises:
        RegistryError: The name is invalid, or the file cannot be written.
        LiveInstallError: As for `liveinstall.install()`.
    """
    from liveinstall._sidebyside.selection.fetch import fetch  # engines, only where something is fetched

    target = find_target(for_change=False)
    store = Store.default(target.site)
    files.path_of(target.site, name)
    with Reporter(on_event, quiet=quiet) as reporter:
        entries = fetch(requirements, store, tell=reporter.tell, **options)
    write_tables([entry.path for entry in entries], store.path)
    is_own_store = store.path == layout.own_store(target.site)
    rows = [(entry.name, entry.version, entry.path) for entry in entries]
    registry = registry_of(rows, store.path, own_store=is_own_store, exclusive=exclusive)
    return _write(target, name, registry, [f"registry create {name} {' '.join(map(str, requirements))}"])


def _write(target: Target, name: str, registry: Registry, remarks: Sequence[str]) -> Registered:
    check_rows(registry)
    inside = files.is_inside(target.site, name)  # a file elsewhere can be written even if the environment cannot
    with environment_lock(target.site, who=command_line()) if inside else nullcontext():
        path = files.write(target.site, name, registry, remarks)
    return _described(name, path, registry, target.site)


def _described(name: str, path: str, registry: Registry, site: str, problems: Sequence[str] = ()) -> Registered:
    base, store = os.path.dirname(path), layout.own_store(site)
    pins = tuple(StoredVersion(row.name, row.version, located(row.place, base, store)) for row in registry.pins)
    tops = tuple(dict.fromkeys(row.name for row in registry.names))
    enabled = layout.is_enabled(site)
    return Registered(name, path, pins, tops, registry.exclusive, tuple(problems), enabled)


def show(name: str) -> Registered:
    """Read one registry.

    Args:
        name: Its name, or the path of its file.

    Returns:
        The registry; its versions are not checked.

    Raises:
        RegistryError: The registry is missing or unreadable.
    """
    site = current_site()
    path, registry = files.read(site, name)
    return _described(name, path, registry, site)


def registered() -> Registrations:
    """List all registries of this environment.

    Returns:
        The registries, by name. For an unreadable one `problems` has the reason.
    """
    return Registrations(_shown(name) for name in files.known_names(current_site()))


def _shown(name: str) -> Registered:
    try:
        return show(name)
    except RegistryError as error:
        return Registered(name, files.path_of(current_site(), name), problems=(error.what,))


def merge(name: str, *others: str) -> Registered:
    """Create a registry with the versions of several others, or replace it.

    Args:
        name: The name of the new registry, or the path of its file.
        *others: The names of the others, or the paths of their files.

    Returns:
        The new registry.

    Raises:
        RegistryError: A registry is missing or unreadable, or the new one cannot be written.
        RegistryConflictError: Two of them have different versions of one distribution.
    """
    target = find_target(for_change=False)
    store = layout.own_store(target.site)
    registries = []
    for other in others:
        path, registry = files.read(target.site, other)
        registries.append(files.moved(registry, os.path.dirname(path), store))
    return _write(target, name, merged(registries), [f"registry merge {name} {' '.join(others)}"])


def check(name: str) -> Registered:
    """Check a registry: contradicting rows, missing versions, versions for another Python, unsatisfied requirements.

    Args:
        name: Its name, or the path of its file.

    Returns:
        The registry, with the problems found in `problems`.

    Raises:
        RegistryError: The registry is missing or unreadable.
    """
    site = current_site()
    path, registry = files.read(site, name)
    store = layout.own_store(site)
    try:
        check_rows(registry)
        problems = []
    except RegistryConflictError as error:
        problems = [error.what]
    problems += _invalid_rows(registry, os.path.dirname(path), store)
    if not problems:
        problems += _unmet(registry, os.path.dirname(path), store)
    return _described(name, path, registry, site, problems)


def _invalid_rows(registry: Registry, base: str, store: str) -> Iterator[str]:
    for row in registry.rows:
        directory = located(row.place, base, store)
        if not os.path.isdir(directory):
            yield f"{row}: {directory} does not exist ({row.source})"
            continue
        if row.version:
            versions = {distribution.name: distribution.version for distribution in in_directory(directory)}
            if versions.get(row.name) != row.version:
                content = f"{row.name} {versions[row.name]}" if row.name in versions else f"no {row.name}"
                yield f"{row}: {directory} has {content} ({row.source})"
            entry = parse_entry(os.path.basename(directory))
            if entry and not usable([Stored(*entry, directory)]):
                yield f"{row}: this Python cannot use {entry[2]} ({row.source})"
        elif DirectoryOwner(directory).find_spec(row.name) is None:
            yield f"{row}: {directory} has no module {row.name} ({row.source})"


def _unmet(registry: Registry, base: str, store: str) -> list[str]:
    distributions = (
        {} if registry.exclusive else {name: Node(each.version, each.requires) for name, each in installed().items()}
    )
    for row in registry.pins:
        for each in in_directory(located(row.place, base, store)):
            distributions[each.name] = Node(each.version, each.requires)
    problems = [unsatisfied([f"{row.name}=={row.version}"], distributions.get) for row in registry.pins]
    return list(dict.fromkeys(filter(None, problems)))


def remove(name: str) -> Registered:
    """Remove a registry. The versions that it lists stay in the store.

    Args:
        name: Its name, or the path of its file.

    Returns:
        The registry as it was.

    Raises:
        RegistryError: The registry is missing, unreadable, or cannot be removed.
    """
    target = find_target(for_change=False)
    before = show(name)
    inside = files.is_inside(target.site, name)
    with environment_lock(target.site, who=command_line()) if inside else nullcontext():
        files.remove(target.site, name)
    return before


def export_pth(name: str) -> tuple[str, ...]:
    """List the directories of a registry as the lines of a `.pth` file, for type checkers and editors.

    Args:
        name: Its name, or the path of its file.

    Returns:
        The absolute directories.

    Raises:
        RegistryError: The registry is missing or unreadable.
    """
    site = current_site()
    path, registry = files.read(site, name)
    store = layout.own_store(site)
    return tuple(dict.fromkeys(located(place, os.path.dirname(path), store) for place in registry.places))


def enable(state: Literal["on", "off"]) -> RegistryLookup:
    """Enable or disable registries in this environment: whether Python activates LIVEINSTALL_REGISTRY when it starts.

    Args:
        state: "on" or "off".

    Returns:
        The environment and its new state.

    Raises:
        LockTimeoutError: Another process is changing the environment.
        NotWritableError: The environment cannot be written to.
        ExternallyManagedError: The environment is managed by another package manager (PEP 668).
    """
    site = find_target().site
    with environment_lock(site, who=command_line()):
        files.enable(site, on=state == "on")
    return RegistryLookup(site, state == "on")
