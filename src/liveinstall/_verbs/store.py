"""The store of versions beside the environment: what it has, and removing from it."""

from __future__ import annotations

import os

from packaging.utils import canonicalize_name

from liveinstall._environment.target import current_site
from liveinstall._sidebyside.store.store import Store
from liveinstall._verbs.registry import registered
from liveinstall.errors import RequirementError, StoreError
from liveinstall.reports import StoredVersion
from liveinstall.results import Rows


class StoredVersions(Rows[StoredVersion]):
    """What lies beside an environment."""

    empty = "Nothing is stored."


def stored() -> StoredVersions:
    """All that the store of this environment has."""
    return StoredVersions(
        StoredVersion(entry.name, entry.version, entry.path) for entry in Store.default(current_site()).entries()
    )


def forget(*wanted: str) -> tuple[StoredVersion, ...]:
    """Remove versions (`NAME`, `NAME==VERSION`) from the store; what was removed.

    Raises: StoreError for what is not there, what a registry of this environment names, and what a live process uses.
    """
    site = current_site()
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
    return tuple(StoredVersion(entry.name, entry.version, entry.path) for entry in entries)
