"""Which distributions bring which paths, as their RECORDs say. Most share none: their RECORDs are only searched."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from _liveinstall_boot import codec, files
from _liveinstall_boot.file_access import read_bytes
from liveinstall._system.dist_info import sha256_of, top_level_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from liveinstall._model import Distribution

Claims = dict[
    str, dict[str, str]
]  # name -> absolute path -> sha256 in hexadecimal, empty where RECORD has another hash


def claims_of(distributions: Iterable[Distribution], paths: AbstractSet[str] | None = None) -> Claims:
    """The files that each of the distributions brings: all, or those of the absolute `paths`.

    Its metadata and bytecode are left out: they are nobody else's, or made again.
    """
    found: Claims = {}
    for distribution in distributions if paths is None or paths else ():
        home = os.path.dirname(distribution.info)
        try:
            text = codec.read(os.path.join(distribution.info, "RECORD"))
        except OSError:
            continue
        rows = _rows(home, os.path.basename(distribution.info) + "/", text)
        mine = {path: digest for path, digest in rows if paths is None or path in paths}
        if mine:
            found[distribution.name] = mine
    return found


def bringing(home: str, paths: AbstractSet[str]) -> Iterator[str]:
    """The dist-infos in `home` whose RECORD may name one of the paths: told by a look that reads no rows."""
    words = [os.fsencode(word) for word in _words(home, paths)]
    for name in sorted(os.listdir(home)) if words and os.path.isdir(home) else ():
        if name.endswith(".dist-info"):
            with suppress(OSError):
                text = read_bytes(os.path.join(home, name, "RECORD"))
                if any(word in text for word in words):
                    yield os.path.join(home, name)


def overlapping(distributions: Iterable[Distribution]) -> dict[str, dict[str, str]]:
    """Find the paths that several distributions bring with different contents.

    Args:
        distributions: The installed distributions to compare.

    Returns:
        For each such absolute path, the sha256 (hexadecimal) of each distribution's file, by name.
    """
    first: dict[str, tuple[str, str]] = {}
    shared: dict[str, dict[str, str]] = {}
    for name, paths in claims_of(_with_common_names(distributions)).items():
        for path, digest in paths.items():
            if path in first:
                shared.setdefault(path, dict((first[path],)))[name] = digest
            else:
                first[path] = name, digest
    return {path: digests for path, digests in shared.items() if len(set(digests.values())) > 1}


def digest_of(path: str) -> str:
    """Return the sha256 of a file in hexadecimal, empty if it cannot be read."""
    try:
        return str(files.sha256(path))
    except OSError:
        return ""


def _with_common_names(distributions: Iterable[Distribution]) -> list[Distribution]:
    """The distributions with a top-level name that another one has too: only their rows are worth parsing."""
    names: dict[str, set[str]] = {}
    infos = {distribution.info: distribution for distribution in distributions}
    for info in infos:
        with suppress(OSError):
            names[info] = top_level_paths(codec.read(os.path.join(info, "RECORD")), os.path.basename(info))
    counts = Counter(name for tops in names.values() for name in tops - {"", "__pycache__"})
    return [infos[info] for info, tops in names.items() if any(counts[name] > 1 for name in tops)]


def _words(home: str, paths: Iterable[str]) -> set[str]:
    """What a RECORD that names one of the paths has in it."""
    start = home + os.sep
    words = set()
    for path in paths:
        top, _, rest = (
            path[len(start) :].replace(os.sep, "/").partition("/") if path.startswith(start) else ("", "", "")
        )
        words.add(f"{top}/" if rest else os.path.basename(path))
    return words


def _rows(home: str, info: str, text: str) -> Iterator[tuple[str, str]]:
    with suppress(codec.StaleError):  # a damaged RECORD: what is read up to there counts
        for path, hash, _ in codec.record_rows(text):
            if path.startswith(info) or path.endswith(".pyc"):
                continue
            simple = os.pardir not in path and os.sep == "/" and path[:1] not in ("/", ".")
            yield f"{home}/{path}" if simple else os.path.normpath(os.path.join(home, path)), sha256_of(hash)
