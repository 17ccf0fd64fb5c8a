"""The values that the packages pass to each other: frozen dataclasses that do no I/O."""

from __future__ import annotations

import os

from liveinstall._system.lean_dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from liveinstall.results import Target


@dataclass(frozen=True)
class Distribution:
    """An installed distribution.

    Attributes:
        name: The normalized project name.
        version: The version.
        info: The absolute path of its metadata directory.
        requires: Its Requires-Dist lines as written.
        project: The source directory of an editable install; empty for other installs.
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
    """The old files of a distribution that a swap has retired.

    Attributes:
        root: The directory of the files, with the layout of a part (staged wheel).
        info: The path that its metadata directory had in the environment.
        sha256: The hexadecimal SHA-256 of its RECORD.
        site: The site-packages directory.
        roots: The directories of a wheel's schemes at that time, relative to `site`.
    """

    root: str
    info: str
    sha256: str
    site: str
    roots: dict[str, str]


@dataclass(frozen=True)
class WheelListing:
    """The list of the files of a wheel that is not on this disk.

    Attributes:
        info: The name of its `.dist-info` directory.
        record: The text of its RECORD.
        purelib: Its `Root-Is-Purelib`.
    """

    info: str
    record: str
    purelib: bool


@dataclass(frozen=True)
class Candidate:
    """A version that was chosen for one distribution, with the source of its files.

    Attributes:
        name: The normalized project name.
        version: The version.
        requires: Its Requires-Dist lines.
        requested: Whether it was requested, and not only needed by another distribution.
        extras: The requested extras.
        url: The URL of the wheel or source, without credentials; empty if unknown.
        sha256: The hexadecimal SHA-256 of that file; empty if unknown.
        wheel: The local path of the wheel; empty until it was fetched.
        direct_url: The content of direct_url.json (PEP 610); None for a distribution from an index.
        yanked: The reason why the version was yanked (PEP 592); None if it was not.
        retired: The retired files that are restored instead of installing a wheel; None otherwise.
        unpacked: The directory of the unpacked wheel in an engine's cache; empty otherwise.
        shared: Whether the files may be hard links to that directory.
        metadata: The core metadata as JSON (PEP 566), if the engine reports it; None otherwise.
        requires_python: Its Requires-Python; empty if it has none, or if the engine has checked it.
        listing: The list of files of a wheel that is not on this disk; None if it is not known.
        unlisted: The reason why that list cannot be read, as the end of a sentence; empty otherwise.
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
    metadata: dict[str, Any] | None = None
    requires_python: str = ""
    listing: WheelListing | None = None
    unlisted: str = ""


def roots_of(target: Target) -> dict[str, str]:
    """Return the directories of a wheel's schemes in an environment.

    Args:
        target: The environment.

    Returns:
        The directory of each scheme, relative to the site-packages directory, so that recovery works in a copied
        environment, too.
    """
    paths = {
        "scripts": target.scripts,
        "headers": target.headers,
        "data": target.data,
        "purelib": target.site,
        "platlib": target.platlib,
    }
    return {scheme: os.path.relpath(path, target.site) for scheme, path in paths.items()}


@dataclass(frozen=True)
class ProgressState:
    """A state of a long operation, for the progress display.

    Attributes:
        step: The current step.
        about: The part of its text that changes.
        share: The share that is done, 0 to 1; None if it is not known.
        rows: Cells of a table, which notebooks display.
        ended: Whether it is the final state.
    """

    step: str
    about: str = ""
    share: float | None = None
    rows: tuple[tuple[str, ...], ...] = ()
    ended: bool = False
