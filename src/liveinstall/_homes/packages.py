"""The packages of a home: a link for each file of the store's entries, and scripts for the home's own Python.

Links to directories would be fewer, but pip or uv in the home would then remove and write files in the store through
them. Hard links are the cheapest, and real paths stay in the home.
"""

from __future__ import annotations

import filecmp
import os
from os.path import join
from typing import TYPE_CHECKING

from installer.scripts import Script
from installer.utils import get_launcher_kind, parse_entrypoints

from liveinstall._homes.links import Hard, opened
from liveinstall.errors import FileConflictError, HomeError

if TYPE_CHECKING:
    from liveinstall._homes.links import LinkTree
    from liveinstall._sidebyside.store.store import Stored

_HEAD = b"#!python"
_LONGEST = 127 - len("#!\n")


def _first_line(python: bytes) -> bytes:
    """The first line of a script, as `installer` writes it: kernels allow no spaces in it, and at most 127 bytes."""
    if b" " in python or len(python) > _LONGEST:
        return b"#!/bin/sh\n'''exec' \"" + python + b'" "$0" "$@"\n\' \'\'\'\n'
    return b"#!" + python + b"\n"


def _entries(directory: str) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        return list(entries)


class Packages:
    """Adds entries of a store to a home's tree. `packages` is the path of site-packages in it."""

    def __init__(self, tree: LinkTree, packages: str, home: str) -> None:
        self.tree = tree
        self.packages = packages
        self.home = home
        self.python = join(home, "bin", "python")
        self._scripts: dict[str, str] = {}  # script -> its distribution

    def add(self, entry: Stored) -> None:
        """Link the files of an entry.

        Raises:
            FileConflictError: Another entry has a file of the same name.
        """
        info, found = "", []
        for one in _entries(entry.path):
            if one.name.endswith(".data"):
                self._add_data(entry, one.path)
            else:
                info = one.name if one.name.endswith(".dist-info") else info
                found.append(one)
        packages = opened(self.tree, self.packages)
        for one in found:
            self._link(entry, one, packages)
        if not info:
            raise HomeError(f"{entry.path} has no metadata.", todo="Remove it, and add it anew.", path=self.home)
        self._add_entry_points(entry, join(entry.path, info, "entry_points.txt"))

    def _link(self, entry: Stored, found: os.DirEntry[str], tree: LinkTree) -> None:
        name = found.name
        if found.is_dir(follow_symlinks=False):
            below = tree.setdefault(name, {})
            if not isinstance(below, dict):
                raise self._conflict(entry, found.path, below)
            for one in _entries(found.path):
                self._link(entry, one, below)
            return
        if name not in tree:
            tree[name] = Hard.at(found)
            return
        other = tree[name]
        if name.endswith(".pyc"):  # it may contain the path of its source
            return
        if not (isinstance(other, Hard) and filecmp.cmp(other, found.path, shallow=False)):
            raise self._conflict(entry, found.path, other)

    def _conflict(self, entry: Stored, path: str, other: object) -> FileConflictError:
        what = f"{entry.name} {entry.version} and {other if isinstance(other, Hard) else 'something else'}"
        return FileConflictError(
            f"{what} have a different {os.path.relpath(path, entry.path)}.",
            todo="Leave one of them out.",
            path=path,
            owner="",
        )

    def _add_data(self, entry: Stored, data: str) -> None:
        """Add the files of a wheel's `.data` directory."""
        for scheme in _entries(data):
            for one in _entries(scheme.path):
                if scheme.name == "scripts":
                    self._add_script(entry, one)
                elif scheme.name == "data":
                    self._link(entry, one, self.tree)
                elif scheme.name == "headers":
                    version = self.packages.split("/")[1]
                    self._link(entry, one, opened(self.tree, f"include/site/{version}"))

    def _add_script(self, entry: Stored, found: os.DirEntry[str]) -> None:
        with open(found.path, "rb") as stream:
            head = stream.read(len(_HEAD))
            if head != _HEAD:
                self._put(entry, found.name, Hard.at(found))
                return
            _, _, rest = (head + stream.read()).partition(b"\n")
        self._put(entry, found.name, _first_line(os.fsencode(self.python)) + rest)

    def _add_entry_points(self, entry: Stored, path: str) -> None:
        if not os.path.isfile(path):
            return
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        for name, module, attribute, section in parse_entrypoints(text):
            file_name, content = Script(name, module, attribute, section).generate(self.python, get_launcher_kind())
            self._put(entry, file_name, content)

    def _put(self, entry: Stored, name: str, script: Hard | bytes) -> None:
        """Add a script: of one distribution's scripts with the same name the first wins; those of two must be equal."""
        scripts = opened(self.tree, "bin")
        other = scripts.setdefault(name, script)
        if self._scripts.setdefault(name, entry.path if other is script else "") == entry.path or other == script:
            return
        if not (isinstance(other, Hard) and isinstance(script, Hard) and filecmp.cmp(other, script, shallow=False)):
            raise self._conflict(entry, join(entry.path, "bin", name), other)
