"""The side-by-side store: list its versions, and remove some."""

from __future__ import annotations

import os

from liveinstall._environment.target import current_site
from liveinstall._sidebyside.store.store import Store
from liveinstall._system.lean_packaging import canonicalize_name
from liveinstall._verbs.registry import registered
from liveinstall.errors import RequirementError, StoreError
from liveinstall.reports import StoredVersion
from liveinstall.results import Rows


class StoredVersions(Rows[StoredVersion]):
    """The versions in a side-by-side store."""

    empty = "Nothing is stored."


def stored() -> StoredVersions:
    """List all versions in the side-by-side store of this environment."""
    return StoredVersions(
        StoredVersion(entry.name, entry.version, entry.path) for entry in Store.default(current_site()).entries()
    )


def forget(*wanted: str) -> tuple[StoredVersion, ...]:
    """Remove versions from the side-by-side store.

    Args:
        *wanted: `NAME==VERSION`, or `NAME` for all its versions.

    Returns:
        The removed versions.

    Raises:
        RequirementError: An argument has "==" without a version.
        StoreError: A version is not in the store, is listed in a registry of this environment, or is in use.
    """
    site = current_site()
    store = Store.default(site)
    entries = []
    for text in wanted:
        name, pinned, version = text.partition("==")
        if pinned and not version:
            raise RequirementError(f"{text} has no version.", requirement=text)
        matching = [entry for entry in store.find(canonicalize_name(name)) if version in ("", entry.version)]
        if not matching:
            raise StoreError(f"there is no {text} in {store.path}.", store=store.path)
        entries += matching
    paths = {os.path.realpath(entry.path) for entry in entries}
    for registry in registered():
        both = paths & {os.path.realpath(each.place) for each in registry.distributions}
        if both:
            todo = f"Remove that first: python -m liveinstall registry remove {registry.name}"
            what = f"the registry {registry.name} lists {', '.join(sorted(map(os.path.basename, both)))}."
            raise StoreError(what, todo=todo, store=store.path)
    store.remove(*entries)
    return tuple(StoredVersion(entry.name, entry.version, entry.path) for entry in entries)
