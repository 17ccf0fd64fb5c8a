"""Fields of METADATA files (core metadata specification), top-level paths, files and hashes of RECORD files."""

from __future__ import annotations

import os
import time
from binascii import a2b_base64, b2a_base64

from _liveinstall_boot.codec import read
from _liveinstall_boot.file_access import open_regular, read_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable, Sequence

_URL_SAFE, _FROM_URL_SAFE = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")
_ELSEWHERE = ("", ".", "/", '"')  # the beginning of a row with a quoted path, or one outside the site directory
_MOST_TOPS = 50
_RECENT = 2 * 10**9  # nanoseconds
_tops: dict[str, tuple[tuple[int, ...], frozenset[str]]] = {}


def read_fields(path: str, *names: str) -> dict[str, list[str]]:
    """Read header fields of a METADATA file.

    The body is skipped: parsing 300 whole files with `email` takes longer than starting pip.

    Args:
        path: The file, absolute or relative to the current directory.
        *names: The names of the fields, in lower case.

    Returns:
        The values of each field, by name; an empty list for a field that is missing.

    Raises:
        OSError: The file cannot be read.
    """
    fields: dict[str, list[str]] = {name: [] for name in names}
    content = read_bytes(path)
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    # Up to an empty line: one of spaces continues the one before it, as in pandas' license.
    head = "" if content.startswith(b"\n") else content.partition(b"\n\n")[0].decode("utf-8", "replace")
    for line in head.split("\n"):
        key, colon, value = line.partition(":")
        if colon and key.lower() in fields:
            fields[key.lower()].append(value.strip())
    return fields


def top_level_paths_of(info: str) -> frozenset[str]:
    """Return `top_level_paths()` of a distribution; remembered as long as its RECORD is the same file.

    Args:
        info: The metadata directory, absolute.

    Raises:
        OSError: RECORD cannot be read.
        UnicodeError: It is not text.
    """
    path = os.path.join(info, "RECORD")
    status = os.stat(path)
    version = status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    known = _tops.get(info)
    if known and known[0] == version:
        return known[1]
    tops = frozenset(top_level_paths(read(path), os.path.basename(info)))
    if time.time_ns() - max(version[2:]) > _RECENT:  # else it may change once more within the clock's resolution
        _tops[info] = version, tops
    return tops


def may_have_top(info: str, is_wanted: Callable[[str], bool]) -> bool:
    """A quick check of RECORD, which rules most distributions out.

    Args:
        info: The metadata directory, absolute.
        is_wanted: Whether a top-level path is one that is looked for.

    Returns:
        Whether one is, or may be: RECORD cannot be read, or has paths whose first component is not the top-level path.
    """
    try:
        paths = top_level_paths_of(info)
    except (OSError, UnicodeError):
        return True
    return any(path.startswith(('"', ".", "/")) or path[1:2] == ":" or is_wanted(path) for path in paths)


def top_level_paths(record: str, info: str) -> set[str]:
    """Find the first components of the paths in a RECORD, without parsing each row.

    Rows of one directory are usually adjacent: so occurrences of its name are counted, and it is checked that no row is
    missed. Parsing the rows of 300 distributions takes longer than the rest of `list()`.

    Args:
        record: The content of RECORD.
        info: The name of its metadata directory.

    Returns:
        The first components; for a path outside the site directory, and for a quoted one, the path as it is written.
    """
    text = f"\n{record}" if record.endswith("\n") else f"\n{record}\n"
    tops = {info}
    rows = text.count(f"\n{info}/")
    start = 1
    while start < len(text) and len(tops) < _MOST_TOPS:
        end = text.index("\n", start)
        top = _top_of(text[start:end])
        directory = f"\n{top}/"
        if top == info:
            pass  # these rows are counted already, and need not be adjacent
        elif top and top[0] not in _ELSEWHERE and text.startswith(directory, start - 1):
            rows += text.count(directory)
            end = text.index("\n", text.rindex(directory) + 1)
        else:
            rows += 1
        tops.add(top)
        start = end + 1
    if rows == text.count("\n") - 1 and "\r" not in text:
        return tops
    return {_top_of(row) for row in record.splitlines()} | {info}  # not in blocks, or unusual ends of lines


def _top_of(row: str) -> str:
    return (row if row[:1] in _ELSEWHERE else row.partition("/")[0]).partition(",")[0]


def verifiable_files(rows: Collection[Sequence[str]]) -> dict[str, list[tuple[str, str]]]:
    """Find the files that a distribution needs to be complete, and how each can be recognized.

    Bytecode that Python can compile again is omitted: compilers rewrite it, so its hash is often out of date, and pip
    lists that of some wheels twice, with and without a hash. A path may be listed several times: its file is intact if
    it matches any of its hashes and sizes.

    Args:
        rows: The (path, hash, size) of each row of a RECORD.

    Returns:
        For each path, its hashes and sizes as in RECORD, without rows that have neither.
    """
    found = {path: [(hash, size)] if hash or size else [] for path, hash, size in rows}
    if len(found) != len(rows):
        found = {}
        for path, hash, size in rows:
            found.setdefault(path, []).extend([(hash, size)] if hash or size else [])
    may_be = [path for path in found if path.endswith(".pyc") or "__pycache__/" in path]
    for path in [path for path in may_be if _is_bytecode(path, found)]:
        del found[path]
    return found


def _is_bytecode(path: str, listed: Container[str]) -> bool:
    """Whether a file is bytecode of a listed source, or is in a cache directory."""
    return (path.endswith(".pyc") and path[:-1] in listed) or ("__pycache__/" in path and "/__pycache__/" in f"/{path}")


def is_rewritten_script(path: str, hashes: Iterable[str]) -> bool:
    """Whether a file is a script of a wheel that differs from its RECORD only by its first line.

    Old pips (20.3, for example) replace the line `#!python` by the interpreter after they have computed the hash.

    Args:
        path: The path of the file.
        hashes: The hashes in its RECORD.
    """
    import hashlib  # takes 3 ms, and most processes need only names and versions

    with open(path, "rb", opener=open_regular) as stream:
        if stream.read(2) != b"#!":
            return False
        stream.readline()
        rest = stream.read()
    originals = (hashlib.sha256(line + rest).digest() for line in (b"#!python\n", b"#!pythonw\n"))
    return not {f"sha256={encoded(each)}" for each in originals}.isdisjoint(each.rstrip("=") for each in hashes)


def encoded(digest: bytes) -> str:
    """Encode a hash for RECORD: URL-safe base64 without padding (PEP 376)."""
    return b2a_base64(digest, newline=False).translate(_URL_SAFE).decode("ascii").rstrip("=")


def decoded(text: str) -> bytes:
    """Decode a hash of RECORD, the inverse of `encoded()`. Raises ValueError."""
    return a2b_base64(text.encode("ascii").translate(_FROM_URL_SAFE) + b"=" * (-len(text) % 4))


def sha256_of(hash: str) -> str:
    """Convert a hash of a RECORD to hexadecimal.

    Args:
        hash: The hash as in RECORD, such as `sha256=47DEQpj8HBSa-_TImW-5JC...`.

    Returns:
        The SHA-256; empty for another algorithm, an invalid hash or none.
    """
    algorithm, _, text = hash.partition("=")
    if algorithm != "sha256":
        return ""
    try:
        return decoded(text).hex()
    except ValueError:
        return ""
