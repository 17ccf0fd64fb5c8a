"""The unpacked wheels in uv's cache, where uv has copied them instead of making links to them."""

from __future__ import annotations

import os
import re

from _liveinstall_boot.file_access import read_bytes
from liveinstall.errors import EngineError

_ARCHIVES = "archive-v0"  # in the cache: one directory for each unpacked wheel
# Of the files that are where the wheel has them, and as they are: scripts and data are moved or rewritten.
_HASH = rb"(?m)^(?!.*\.data/).*,(sha256=[\w-]+),\d*\r?$"


def unpacked_wheel(info: str, cache: str) -> str:
    """Find the unpacked wheel from which uv has copied a distribution.

    Several wheels of one version have the same METADATA, so WHEEL, which has the tags, and the hashes in RECORD have to
    agree, too; unpacked wheels that agree in all are the same.

    Args:
        info: The absolute path of the metadata directory that uv has installed.
        cache: The absolute path of uv's cache.

    Returns:
        The absolute path of the unpacked wheel.

    Raises:
        EngineError: It is not in the cache.
    """
    name = os.path.basename(info)
    archives = os.path.join(cache, _ARCHIVES)
    wanted = [_content(info, file) for file in ("METADATA", "WHEEL")]
    hashes = set(re.findall(_HASH, _content(info, "RECORD")))
    for entry in sorted(os.listdir(archives)) if os.path.isdir(archives) else ():
        cached = os.path.join(archives, entry, name)
        if [_content(cached, file) for file in ("METADATA", "WHEEL")] == wanted and hashes >= set(
            re.findall(_HASH, _content(cached, "RECORD"))
        ):
            return os.path.join(archives, entry)
    raise EngineError(
        f"{name.removesuffix('.dist-info')} is not in uv's cache ({cache}), from which it has to be staged.",
        todo='Run it again, or use engine="pip".',
        log="",
    )


def _content(info: str, file: str) -> bytes:
    """The content of a file of a metadata directory; empty if it cannot be read."""
    try:
        return bytes(read_bytes(os.path.join(info, file)))
    except OSError:
        return b""
