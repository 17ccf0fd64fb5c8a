"""The paths of distributions, from their RECORDs. Most share none, so most RECORDs are only searched."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress

from _liveinstall_boot import codec, files
from _liveinstall_boot.file_access import read_bytes
from liveinstall._system.dist_info import sha256_of, top_level_paths_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from liveinstall._model import Distribution

# Name -> absolute path -> sha256 in hexadecimal, empty if RECORD has another hash.
Claims = dict[str, dict[str, str]]


def claims_of(distributions: Iterable[Distribution], paths: AbstractSet[str] | None = None) -> Claims:
    """Find the files of distributions, without metadata and bytecode, which are never shared.

    Args:
        distributions: The installed distributions.
        paths: The absolute paths to find. Default: all.

    Returns:
        The files of each distribution that has any; none if its RECORD cannot be read.
    """
    claims: Claims = {}
    for distribution in distributions if paths is None or paths else ():
        site_dir = os.path.dirname(distribution.info)
        try:
            text = codec.read(os.path.join(distribution.info, "RECORD"))
        except OSError:
            continue
        rows = _rows(site_dir, os.path.basename(distribution.info) + "/", text)
        own = {path: digest for path, digest in rows if paths is None or path in paths}
        if own:
            claims[distribution.name] = own
    return claims


def bringing(site_dir: str, paths: AbstractSet[str]) -> Iterator[str]:
    """Find the metadata directories whose RECORD may list one of the paths, without parsing any row.

    Args:
        site_dir: The site directory, absolute.
        paths: The absolute paths.

    Yields:
        The absolute paths of the metadata directories, sorted.
    """
    markers = [os.fsencode(marker) for marker in _markers(site_dir, paths)]
    for name in sorted(os.listdir(site_dir)) if markers and os.path.isdir(site_dir) else ():
        if name.endswith(".dist-info"):
            with suppress(OSError):
                record = read_bytes(os.path.join(site_dir, name, "RECORD"))
                if any(marker in record for marker in markers):
                    yield os.path.join(site_dir, name)


def overlapping(distributions: Iterable[Distribution]) -> dict[str, dict[str, str]]:
    """Find the paths that several distributions contain with different contents.

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
    names: dict[str, frozenset[str]] = {}
    infos = {distribution.info: distribution for distribution in distributions}
    for info in infos:
        with suppress(OSError):
            names[info] = top_level_paths_of(info)
    counts = Counter(name for tops in names.values() for name in tops - {"", "__pycache__"})
    return [infos[info] for info, tops in names.items() if any(counts[name] > 1 for name in tops)]


def _markers(site_dir: str, paths: Iterable[str]) -> set[str]:
    """Texts of which a RECORD that lists one of the paths contains at least one."""
    start = site_dir + os.sep
    markers = set()
    for path in paths:
        top, _, rest = (
            path[len(start) :].replace(os.sep, "/").partition("/") if path.startswith(start) else ("", "", "")
        )
        markers.add(f"{top}/" if rest else os.path.basename(path))
    return markers


def _rows(site_dir: str, info: str, text: str) -> Iterator[tuple[str, str]]:
    with suppress(codec.StaleError):  # a damaged RECORD: the rows before the damage count
        for path, hash, _ in codec.record_rows(text):
            if path.startswith(info) or path.endswith(".pyc"):
                continue
            simple = os.pardir not in path and os.sep == "/" and path[:1] not in ("/", ".")
            yield f"{site_dir}/{path}" if simple else os.path.normpath(os.path.join(site_dir, path)), sha256_of(hash)
