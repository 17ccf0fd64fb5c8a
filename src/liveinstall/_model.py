"""The values that the rooms hand to each other: frozen, without behaviour that touches the world."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from liveinstall.results import Target


@dataclass(frozen=True)
class Distribution:
    """An installed distribution: canonical `name`, `version`, and where its metadata directory `info` lies.

    `requires` are its Requires-Dist lines as written; `project` is the source directory of an editable install.
    """

    name: str
    version: str
    info: str
    requires: tuple[str, ...] = ()
    project: str = ""

    @property
    def is_legacy(self) -> bool:
        """Whether setuptools or distutils installed it without a RECORD."""
        return not self.info.endswith(".dist-info")


@dataclass(frozen=True)
class Retired:
    """Old files that a swap has put away. `root` is laid out like a part, `info` is where its metadata belongs.

    `sha256` is its RECORD's; `roots` are the directories that a wheel's schemes had then, relative to `site`.
    """

    root: str
    info: str
    sha256: str
    site: str
    roots: dict[str, str]


@dataclass(frozen=True)
class Candidate:
    """What was chosen for one distribution: where its files come from and what it needs.

    `url` carries no credentials. `wheel` is a local path, empty until it was fetched; `direct_url` is the content of
    direct_url.json for what did not come from an index. `retired`: it comes from there, and not from a wheel.
    `unpacked`: it comes from this directory, an unpacked wheel in an engine's cache; hard links to its files may be
    `shared` with the cache.
    """

    name: str
    version: str
    requires: tuple[str, ...]
    requested: bool
    extras: tuple[str, ...] = ()
    url: str = ""
    sha256: str = ""
    wheel: str = ""
    direct_url: dict[str, Any] | None = None
    yanked: str | None = None
    retired: Retired | None = None
    unpacked: str = ""
    shared: bool = False


def roots_of(target: Target) -> dict[str, str]:
    """Where a wheel's schemes go, relative to the site directory, so that a copied environment recovers too."""
    places = {
        "scripts": target.scripts,
        "headers": target.headers,
        "data": target.data,
        "purelib": target.site,
        "platlib": target.platlib,
    }
    return {scheme: os.path.relpath(path, target.site) for scheme, path in places.items()}
