"""What there is to choose from: a store's entries, and where it is asked for what the environment has."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from liveinstall._sidebyside.selection.resolver import AvailableVersion
from liveinstall._sidebyside.store.tags import build_of, is_for_all, rank_of, ranks
from liveinstall._system.dist_info import read_fields
from liveinstall.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from liveinstall._sidebyside.store.store import Store, Stored


class CandidateProvider:
    """Called with a canonical name it tells the versions that this interpreter can use, the best first.

    `here(name)` is what the environment has, which goes before what is stored. `fixed` are those that cannot change
    any more, because they are loaded or active: they are the only ones of their name.
    """

    def __init__(
        self,
        store: Store,
        here: Callable[[str], AvailableVersion | None] = lambda _: None,
        fixed: Mapping[str, AvailableVersion] | None = None,
    ) -> None:
        self._here = here
        self._known: dict[str, Sequence[AvailableVersion]] = {name: [offer] for name, offer in (fixed or {}).items()}
        self._stored: dict[str, list[Stored]] = {}
        for entry in store.entries():
            self._stored.setdefault(entry.name, []).append(entry)

    def __call__(self, name: str) -> Sequence[AvailableVersion]:
        """See the class."""
        if name not in self._known:
            found = self._here(name)
            first = [found] if found else []
            stored = [offer_of(entry) for entry in usable(self._stored.get(name, ()))]
            beside = newest_stable_first(offer for offer in stored if offer)
            self._known[name] = [*first, *(offer for offer in beside if not found or offer.place != found.place)]
        return self._known[name]


def offer_of(entry: Stored) -> AvailableVersion | None:
    """What is stored, as its metadata tells; None if it is damaged, or not for this version of Python."""
    try:
        info = entry.info
        fields = read_fields(os.path.join(info, "METADATA"), "name", "requires-dist", "requires-python")
    except (OSError, StoreError):
        return None
    wanted = fields["requires-python"]
    if canonicalize_name("".join(fields["name"][:1])) != entry.name or (wanted and not _fits(wanted[0])):
        return None
    return AvailableVersion(entry.name, entry.version, tuple(fields["requires-dist"]), entry.path, info)


def _fits(wanted: str) -> bool:
    try:
        return SpecifierSet(wanted).contains(platform.python_version(), prereleases=True)
    except InvalidSpecifier:
        return True  # as pip has it


def newest_stable_first(offers: Iterable[AvailableVersion]) -> list[AvailableVersion]:
    """The newest version first, and what is a pre-release after all that is none."""
    return sorted(offers, key=lambda offer: _rank(offer.version), reverse=True)


def _rank(version: str) -> tuple[bool, Version]:
    try:
        parsed = Version(version)
    except InvalidVersion:
        return False, Version("0")
    return not parsed.is_prerelease, parsed


def usable(entries: Iterable[Stored]) -> list[Stored]:
    """Those that this interpreter can use; of one version the best build."""
    found = list(entries)
    tags = ranks() if any(not is_for_all(entry.tag) for entry in found) else {}
    best: dict[tuple[str, str], tuple[tuple[int, tuple[int, str]], Stored]] = {}
    for entry in found:
        rank = rank_of(entry.tag, tags), build_of(entry.tag)
        known = best.setdefault((entry.name, entry.version), (rank, entry))
        if rank < known[0]:
            best[entry.name, entry.version] = rank, entry
    return [entry for (rank, _), entry in best.values() if rank < sys.maxsize]
