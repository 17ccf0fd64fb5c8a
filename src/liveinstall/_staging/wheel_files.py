"""What a wheel would bring, and where to, without unpacking it: for plans, which change nothing."""

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
    """The absolute paths of a wheel's files, with the sha256 that its RECORD tells; nothing of one that is not here.

    Its metadata is left out, and so are commands, which are made of its entry points when it is installed.
    """
    with suppress(OSError, zipfile.BadZipFile, KeyError, StaleError, UnicodeError, ValueError):
        with _opened(candidate) as archive:
            names = archive.namelist()
            info = next(name for name in names if name.endswith(".dist-info/RECORD") and name.count("/") == 1)
            record = archive.read(info).decode()
            purelib = "root-is-purelib: true" in archive.read(info.replace("RECORD", "WHEEL")).decode().lower()
        home = target.home(purelib=purelib)
        tree = DistributionTree(home, home, target.site, roots_of(target), candidate.name, candidate.version)
        tree.data = info.partition("/")[0].removesuffix(".dist-info") + ".data"
        rows = [(path, hash) for path, hash, _ in record_rows(record) if not path.startswith(info.partition("/")[0])]
        return {os.path.normpath(tree.target(path)): sha256_of(hash) for path, hash in rows}
    return {}  # staging it will say why


def _opened(candidate: Candidate) -> zipfile.ZipFile | UnpackedWheel:
    if candidate.unpacked:
        return UnpackedWheel(candidate.unpacked, candidate.name, candidate.version)
    return zipfile.ZipFile(candidate.wheel)
