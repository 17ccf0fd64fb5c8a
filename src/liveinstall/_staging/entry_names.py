"""The rules for the names of a wheel's entries: each is one file, inside of its directory, on every system."""

from __future__ import annotations

import re
import unicodedata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from liveinstall._staging.zip_checks import Refuse

MAX_PART, MAX_PATH = 255, 1024  # bytes of a name and of a whole path that every file system accepts
# Control characters, line and paragraph separators, marks of the writing direction, and what Windows forbids.
_ILLEGAL = r'[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff<>:"|?*\\]'
_FORBIDDEN = frozenset('<>:"|?*\\')
_DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$"}  # on Windows, with any suffix
_DEVICES |= {f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"}


def check_names(names: Iterable[str], directories: Iterable[str], refuse: Refuse, *, folds: bool) -> None:
    """Check the names of a wheel's entries, or of its commands.

    Args:
        names: The paths of the files, with slashes.
        directories: The paths of the directory entries, without the slash at the end.
        refuse: Called as `refuse(entry, why)` for the first violation; it raises.
        folds: Whether names that differ only in case are one file where the wheel is unpacked. Names that are equal
            after Unicode normalisation are always refused.
    """
    key = _folded if folds else _normalized
    files: dict[str, str] = {}
    parents: dict[str, str] = {}  # each directory -> a file in it
    for name in names:
        _check_name(refuse, name)
        folded = key(name)
        if folded in files:
            refuse(name, f"is the same file as {files[folded]!r} on some systems")
        files[folded] = name
        parent = folded.rpartition("/")[0]
        while parent and parent not in parents:
            parents[parent] = name
            parent = parent.rpartition("/")[0]
    for name in directories:
        # A directory entry alone creates nothing: its spelling does not matter, nor "./", which old builders wrote.
        parts = [part for part in name.split("/") if part != "."]
        if parts:
            _check_inside(refuse, "/".join(parts))
            parents.setdefault(key("/".join(parts)), f"{name}/")
    for folded in files.keys() & parents.keys():
        refuse(files[folded], f"is a file and also a directory, with {parents[folded]!r}")


def _normalized(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return _normalized(name).casefold()


def _check_inside(refuse: Refuse, name: str) -> None:
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "" in parts or "." in parts:
        refuse(name, "would be outside of its directory")


def _check_name(refuse: Refuse, name: str) -> None:
    _check_inside(refuse, name)
    is_plain = name.isascii() and name.isprintable() and _FORBIDDEN.isdisjoint(name)
    if not is_plain and re.search(_ILLEGAL, name):
        refuse(name, "has a character that some systems do not allow in names")
    if any(part.endswith((".", " ")) or part.partition(".")[0].lower() in _DEVICES for part in name.split("/")):
        refuse(name, "is a name that Windows does not allow")
    encoded = len(name.encode())
    if encoded > MAX_PATH or (encoded > MAX_PART and any(len(part.encode()) > MAX_PART for part in name.split("/"))):
        refuse(name, "is too long for some file systems")
