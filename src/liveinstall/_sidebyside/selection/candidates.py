"""The versions to choose from: the entries of a store, and the versions of the environment."""

from __future__ import annotations

import os
import sys
from functools import cmp_to_key

from liveinstall._sidebyside.selection.resolver import AvailableVersion
from liveinstall._sidebyside.store.tags import build_of, is_for_all, rank_of, ranks
from liveinstall._system.dist_info import read_fields
from liveinstall._system.lean_packaging import (
    InvalidSpecifier,
    canonicalize_name,
    compare_versions,
    is_prerelease,
    is_version,
    parse_specifiers,
)
from liveinstall.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from liveinstall._sidebyside.store.store import Store, Stored

_PYTHON = sys.version.split()[0].rstrip("+")  # as `platform.python_version()`, which loads more


class CandidateProvider:
    """Returns the versions of a distribution that this interpreter can use, the best first."""

    def __init__(
        self,
        store: Store,
        current: Callable[[str], AvailableVersion | None] = lambda _: None,
        fixed: Mapping[str, AvailableVersion] | None = None,
    ) -> None:
        """Start with the entries of a store.

        Args:
            store: The store.
            current: Returns the version that an import finds now, by the canonical name; it is preferred to stored
                versions. Default: there is none.
            fixed: The versions that can no longer change, because they are loaded or active, by canonical name; they
                are the only candidates of their name.
        """
        self._current = current
        self._known: dict[str, Sequence[AvailableVersion]] = {name: [offer] for name, offer in (fixed or {}).items()}
        self._stored: dict[str, list[Stored]] = {}
        for entry in store.entries():
            self._stored.setdefault(entry.name, []).append(entry)

    def __call__(self, name: str) -> Sequence[AvailableVersion]:
        """Return the candidates for a canonical name, the best first."""
        if name not in self._known:
            current = self._current(name)
            first = [current] if current else []
            stored = newest_stable_first(filter(None, map(offer_of, usable(self._stored.get(name, ())))))
            self._known[name] = [*first, *(offer for offer in stored if not current or offer.place != current.place)]
        return self._known[name]


def offer_of(entry: Stored) -> AvailableVersion | None:
    """Describe a stored version by its metadata.

    Args:
        entry: The entry of a store.

    Returns:
        The version; None if its metadata is damaged, or if it is not for this version of Python.
    """
    try:
        info = entry.info
        fields = read_fields(os.path.join(info, "METADATA"), "name", "requires-dist", "requires-python")
    except (OSError, StoreError):
        return None
    requires_python = fields["requires-python"]
    if canonicalize_name("".join(fields["name"][:1])) != entry.name or (
        requires_python and not _is_supported(requires_python[0])
    ):
        return None
    return AvailableVersion(entry.name, entry.version, tuple(fields["requires-dist"]), entry.path, info)


def _is_supported(requires_python: str) -> bool:
    try:
        return parse_specifiers(requires_python).contains(_PYTHON, prereleases=True)
    except InvalidSpecifier:
        return True  # as in pip


def newest_stable_first(offers: Iterable[AvailableVersion]) -> list[AvailableVersion]:
    """Sort versions: stable versions first, then pre-releases, each from the newest to the oldest."""
    return sorted(offers, key=lambda offer: _rank(offer.version), reverse=True)


_oldest_first = cmp_to_key(compare_versions)


def _rank(version: str) -> tuple[bool, Any]:
    if not is_version(version):
        return False, _oldest_first("0")
    return not is_prerelease(version), _oldest_first(version)


def usable(entries: Iterable[Stored]) -> list[Stored]:
    """Return the entries that this interpreter can use; of each version only the wheel with the best tag and build."""
    entries = list(entries)
    tags = ranks() if any(not is_for_all(entry.tag) for entry in entries) else {}
    best: dict[tuple[str, str], tuple[tuple[int, tuple[int, str]], Stored]] = {}
    for entry in entries:
        rank = rank_of(entry.tag, tags), build_of(entry.tag)
        known = best.setdefault((entry.name, entry.version), (rank, entry))
        if rank < known[0]:
            best[entry.name, entry.version] = rank, entry
    return [entry for (rank, _), entry in best.values() if rank < sys.maxsize]
