"""The files that a wheel would install, and their locations, without unpacking it: for plans, which change nothing."""

from __future__ import annotations

import os
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING

from _liveinstall_boot.codec import StaleError, record_rows
from _liveinstall_boot.trees import DistributionTree
from liveinstall._model import roots_of
from liveinstall._staging.unpacked_wheel import UnpackedWheel
from liveinstall._system.dist_info import sha256_of

if TYPE_CHECKING:
    from liveinstall._model import Candidate
    from liveinstall.results import Target


def files_of_wheel(candidate: Candidate, target: Target) -> dict[str, str]:
    """List the files that a wheel would install, by its RECORD.

    Its metadata is omitted, and so are commands, which are generated from its entry points at installation.

    Args:
        candidate: The chosen distribution.
        target: The environment.

    Returns:
        Final absolute path -> SHA-256, hexadecimal; empty if the wheel is not on this machine or is damaged.
    """
    with suppress(OSError, zipfile.BadZipFile, KeyError, StaleError, UnicodeError, ValueError):
        with _opened(candidate) as archive:
            names = archive.namelist()
            info = next(name for name in names if name.endswith(".dist-info/RECORD") and name.count("/") == 1)
            record = archive.read(info).decode()
            purelib = "root-is-purelib: true" in archive.read(info.replace("RECORD", "WHEEL")).decode().lower()
        site_dir = target.home(purelib=purelib)
        tree = DistributionTree(site_dir, site_dir, target.site, roots_of(target), candidate.name, candidate.version)
        tree.data = info.partition("/")[0].removesuffix(".dist-info") + ".data"
        rows = [(path, hash) for path, hash, _ in record_rows(record) if not path.startswith(info.partition("/")[0])]
        return {os.path.normpath(tree.target(path)): sha256_of(hash) for path, hash in rows}
    return {}  # staging will report the error


def _opened(candidate: Candidate) -> zipfile.ZipFile | UnpackedWheel:
    if candidate.unpacked:
        return UnpackedWheel(candidate.unpacked, candidate.name, candidate.version)
    return zipfile.ZipFile(candidate.wheel)
