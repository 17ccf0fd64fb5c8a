"""The record of a home: its Python, its distributions, and every file and link in it, so that it can be removed.

    liveinstall-home 1
    python  3.11.7                                          the exact version; another one is refused
    base    /usr/bin/python3.11
    asked   requests                                        each requirement
    has     requests  2.32.5  /store/requests-2.32.5-py3-none-any
    over    /srv/base                                       the base environment, if there is one; its sys.path, and
    path    /srv/base/lib/python3.11/site-packages          its distributions when the home was created
    below   numpy  1.26.4
    file    pyvenv.cfg  <sha256>
    link    bin/python  /usr/bin/python3.11
    from    /store/requests-2.32.5-py3-none-any  lib/python3.11/site-packages     for the rows that follow
    =       requests/api.py  4711                           a link there to the same path here, hard: its inode
    hard    bin/alpha  /store/alpha-1.0/other  4712         the same, where the names differ
    end

Fields are separated by tabs. A row of an unknown kind is ignored; any other deviation is refused.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from _liveinstall_boot.codec import read as read_text
from liveinstall._system.text_format import decode_rows, encode_rows
from liveinstall.errors import HomeError

NAME = "liveinstall-home"
_MAGIC = "liveinstall-home 1"
_KINDS = frozenset(("python", "base", "asked", "has", "over", "path", "below", "file", "link", "from", "=", "hard"))


@dataclass
class HomeRecord:
    """The content of a record. Paths are relative to the home.

    `links`: path -> target; `files`: path -> SHA-256; `has`: (name, version, directory in the store). `hard`: path ->
    the source of the hard link and its inode; it may be a symbolic link, if the file system did not allow a hard link.
    `over`, `path`, `below`: a base environment, its sys.path, and the (name, version) of its distributions.
    """

    python: str = ""
    base: str = ""
    asked: list[str] = field(default_factory=list)
    has: list[tuple[str, str, str]] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    hard: dict[str, tuple[str, int]] = field(default_factory=dict)
    over: str = ""
    path: list[str] = field(default_factory=list)
    below: list[tuple[str, str]] = field(default_factory=list)

    def paths(self) -> tuple[str, ...]:
        """All files and links that were made."""
        return (*self.links, *self.files, *self.hard)

    def directories(self) -> set[str]:
        """The directories that were made for them."""
        found: set[str] = set()
        for path in self.paths():
            while "/" in path and (path := path.rpartition("/")[0]) not in found:
                found.add(path)
        return found


def encode(record: HomeRecord) -> str:
    """Encode a record.

    Raises:
        ValueError: A path has a tab or a line break in it.
    """
    rows: list[tuple[str, ...]] = [("python", record.python), ("base", record.base)]
    rows += [("asked", text) for text in record.asked]
    rows += [("has", *each) for each in record.has]
    rows += [("over", record.over)] if record.over else []
    rows += [("path", path) for path in record.path] + [("below", *pair) for pair in record.below]
    rows += [("file", *pair) for pair in sorted(record.files.items())]
    rows += [("link", *pair) for pair in record.links.items()]
    before = ("", "")
    for path, (source, inode) in record.hard.items():
        source_root, link_root = before
        inner = source.removeprefix(source_root)
        is_same_root = source_root and inner.startswith("/") and path == link_root + inner
        root = before if is_same_root else _same_end(path, source)
        if os.path.basename(path) != os.path.basename(source):
            rows.append(("hard", path, source, str(inode)))
            continue
        if root != before:
            rows.append(("from", *root))
            before = root
        rows.append(("=", path.removeprefix(root[1]).lstrip("/"), str(inode)))
    return encode_rows(_MAGIC, rows)


def _same_end(path: str, text: str) -> tuple[str, str]:
    """The directories of a link's source and of the link, without the trailing path that both have in common."""
    one, other = text.split("/"), path.split("/")
    same = 0
    while same < min(len(one), len(other)) and one[-same - 1] == other[-same - 1]:
        same += 1
    return "/".join(one[: len(one) - same]), "/".join(other[: len(other) - same])


def decode(text: str) -> HomeRecord:
    """Parse a record.

    Raises:
        ValueError: It is incomplete, damaged or of another version.
    """
    record, source_root, link_root = HomeRecord(), "", ""
    for cells in decode_rows(_MAGIC, text):
        match cells:
            case ["python", version]:
                record.python = version
            case ["base", base]:
                record.base = base
            case ["asked", asked]:
                record.asked.append(asked)
            case ["has", name, number, path]:
                record.has.append((name, number, path))
            case ["over", prefix]:
                record.over = prefix
            case ["path", path]:
                record.path.append(path)
            case ["below", name, number]:
                record.below.append((name, number))
            case ["file", path, digest]:
                record.files[_inside(path)] = digest
            case ["link", path, target]:
                record.links[_inside(path)] = target
            case ["from", text, where]:
                source_root, link_root = text, where
            case ["hard", path, target, inode]:
                record.hard[_inside(path)] = (target, int(inode))
            case ["=", path, inode]:
                inner = _inside(f"{link_root}/{path}" if link_root else path)
                record.hard[inner] = (f"{source_root}/{path}", int(inode))
            case [kind, *_] if kind in _KINDS:
                raise ValueError("a row of the record has the wrong number of fields")
    if not record.python or not record.base:
        raise ValueError("the record does not name its Python")
    return record


def _inside(path: str) -> str:
    """Check that a path in a record does not lead out of the home."""
    if path.startswith("/") or not set(path.split("/")).isdisjoint(("", ".", "..")):
        raise ValueError(f"{path} is not a path inside the home")
    return path


def read(place: str) -> HomeRecord:
    """Read the record of a home.

    Args:
        place: The home's directory, absolute.

    Raises:
        HomeError: There is no readable record.
    """
    try:
        return decode(read_text(os.path.join(place, NAME)))
    except (FileNotFoundError, NotADirectoryError):
        what = f"{place} is not a liveinstall home (linked environment)."
        raise HomeError(what, todo="Check the path; liveinstall.homes.create() makes a home.", path=place) from None
    except (OSError, ValueError) as error:
        raise HomeError(
            f"{place} is not a readable liveinstall home (linked environment): {error}.", path=place
        ) from None
