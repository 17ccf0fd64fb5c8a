"""The files that a wheel would install, and their locations, without unpacking it: for plans, which change nothing."""

from __future__ import annotations

import os

from _liveinstall_boot.codec import StaleError, record_rows
from _liveinstall_boot.trees import DistributionTree
from liveinstall._model import WheelListing, roots_of
from liveinstall._staging.policy import unreadable
from liveinstall._staging.unpacked_wheel import UnpackedWheel
from liveinstall._system.dist_info import sha256_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import zipfile

    from liveinstall._model import Candidate
    from liveinstall.results import Target


def files_of_wheel(candidate: Candidate, target: Target) -> dict[str, str]:
    """List the files that a wheel would install, by its RECORD, which may have been read from its index.

    Its metadata is omitted, and so are commands, which are generated from its entry points at installation.

    Args:
        candidate: The chosen distribution.
        target: The environment.

    Returns:
        Final absolute path -> SHA-256, hexadecimal; empty if the files are not known, or if the wheel is damaged.
    """
    try:
        listing = listing_of(candidate)
        if listing:
            site_dir = target.home(purelib=listing.purelib)
            names = candidate.name, candidate.version
            tree = DistributionTree(site_dir, site_dir, target.site, roots_of(target), *names)
            tree.data = listing.info.removesuffix(".dist-info") + ".data"
            rows = [row for row in record_rows(listing.record) if not row[0].startswith(listing.info)]
            return {os.path.normpath(tree.target(path)): sha256_of(hash) for path, hash, _ in rows}
    except unreadable(OSError, KeyError, StaleError):
        pass  # staging will report the error
    return {}


def listing_of(candidate: Candidate) -> WheelListing | None:
    """List the files of a wheel.

    Args:
        candidate: The chosen distribution.

    Returns:
        The list; None if the wheel is neither on this disk nor could be read in its index.

    Raises:
        OSError: The wheel cannot be read.
        BadZipFile: It is damaged.
        ValueError: It is damaged.
        KeyError: A file of its metadata is missing.
    """
    if not (candidate.wheel or candidate.unpacked):
        return candidate.listing
    with _opened(candidate) as archive:
        names = archive.namelist()
        info = next((name for name in names if name.endswith(".dist-info/RECORD") and name.count("/") == 1), "")
        record, wheel = archive.read(info).decode(), archive.read(info.replace("RECORD", "WHEEL")).decode()
        return WheelListing(info.partition("/")[0], record, purelib="root-is-purelib: true" in wheel.lower())


def _opened(candidate: Candidate) -> zipfile.ZipFile | UnpackedWheel:
    if candidate.unpacked:
        return UnpackedWheel(candidate.unpacked, candidate.name, candidate.version)
    from zipfile import ZipFile

    return ZipFile(candidate.wheel)
