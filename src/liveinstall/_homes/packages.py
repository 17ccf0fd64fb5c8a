"""The packages of a home: a link for each file of the store's entries, and scripts for the home's own Python.

Links to directories would be fewer, but pip or uv in the home would then remove and write files in the store through
them. Hard links are the cheapest, and real paths stay in the home.
"""

from __future__ import annotations

import filecmp
import os
from os.path import join

from installer.scripts import Script
from installer.utils import get_launcher_kind, parse_entrypoints

from _liveinstall_boot.file_access import open_bounded, open_regular
from liveinstall._homes.base_python import SCRIPTS, python_of
from liveinstall._homes.links import Hard, opened
from liveinstall._staging.launchers import first_lines
from liveinstall.errors import FileConflictError, HomeError
from liveinstall.results import Overlap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from liveinstall._homes.links import LinkTree
    from liveinstall._sidebyside.store.store import Stored

_CACHE = "__pycache__"
_HEAD = b"#!python"


def _entries(directory: str) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        return list(entries)


class Packages:
    """Adds entries of a store to the tree of a linked environment.

    If several entries have different files at one path, the last one wins, as with pip and uv.
    """

    def __init__(self, tree: LinkTree, packages: str, prefix: str, *, strict: bool = False) -> None:
        """Start with a tree without packages.

        Args:
            tree: The tree, which is changed in place.
            packages: The path of site-packages in it.
            prefix: The directory of the linked environment, absolute.
            strict: Refuse different files at one path.
        """
        self.tree = tree
        self.packages = packages
        self.prefix = prefix
        self.python = python_of(prefix)
        self._strict = strict
        self._names: dict[str, str] = {}  # the directory of an entry -> its distribution
        self._scripts: dict[str, str] = {}  # script -> its distribution
        self._owners: dict[str, list[str]] = {}  # a path with different files -> its distributions, the owner last

    @property
    def overlaps(self) -> tuple[Overlap, ...]:
        """The files that several entries have with different contents; the store keeps all of them."""
        return tuple(
            Overlap(
                join(self.prefix, *path.split("/")), names[-1], others := tuple(dict.fromkeys(names[-2::-1])), others
            )
            for path, names in sorted(self._owners.items())
        )

    def add(self, entry: Stored) -> None:
        """Link the files of an entry.

        Raises:
            FileConflictError: Another entry has a different file at the same path, and that is refused; or a file
                where this one has a directory.
        """
        self._names[entry.path] = entry.name
        info, contents = "", []
        for item in _entries(entry.path):
            if item.name.endswith(".data"):
                self._add_data(entry, item.path)
            else:
                info = item.name if item.name.endswith(".dist-info") else info
                contents.append(item)
        packages = opened(self.tree, self.packages)
        for item in contents:
            self._link(entry, item, packages, self.packages)
        if not info:
            raise HomeError(
                f"{entry.path} has no metadata.", todo="Remove it from the store, and fetch it again.", path=self.prefix
            )
        self._add_entry_points(entry, join(entry.path, info, "entry_points.txt"))

    def _link(self, entry: Stored, item: os.DirEntry[str], tree: LinkTree, at: str) -> None:
        """Add a file or directory of an entry to `tree`, the directory `at` of the environment."""
        name, path = item.name, f"{at}/{item.name}" if at else item.name
        other = tree.get(name)
        if item.is_dir(follow_symlinks=False):
            below = tree.setdefault(name, {})
            if not isinstance(below, dict):
                raise self._conflict(entry, item.path, below)
            for each in sorted(_entries(item.path), key=lambda each: each.name == _CACHE):  # after its sources
                self._link(entry, each, below, path)
        elif other is None or (name.endswith(".pyc") and isinstance(other, Hard)):
            tree[name] = Hard.at(item)
        elif not (isinstance(other, Hard) and filecmp.cmp(other, item.path, shallow=False)):
            self._hand_over(entry, path, item.path, other)
            tree[name] = Hard.at(item)
            _drop_bytecode(tree, name)

    def _hand_over(self, entry: Stored, path: str, source: str, other: object) -> None:
        """Note that `entry` has a path of the environment that `other` had. Raises FileConflictError."""
        owner = self._owner(path, other)
        if self._strict or owner in ("", entry.name):
            raise self._conflict(entry, source, other)
        self._owners.setdefault(path, [owner]).append(entry.name)

    def _owner(self, path: str, other: object) -> str:
        """The distribution of a file or script in the tree; empty if it is of none."""
        if isinstance(other, Hard):
            return next((name for place, name in self._names.items() if other.startswith(place + os.sep)), "")
        return self._scripts.get(os.path.basename(path), "") if isinstance(other, bytes) else ""

    def _conflict(self, entry: Stored, path: str, other: object) -> FileConflictError:
        what = f"{entry.name} {entry.version} and {other if isinstance(other, Hard) else 'something else'}"
        return FileConflictError(
            f"{what} have different files at {os.path.relpath(path, entry.path)}.",
            todo="Omit one of them.",
            path=path,
            owner="",
        )

    def _add_data(self, entry: Stored, data: str) -> None:
        """Add the files of a wheel's `.data` directory."""
        for scheme in _entries(data):
            for item in _entries(scheme.path):
                if scheme.name == "scripts":
                    self._add_script(entry, item)
                elif scheme.name == "data":
                    self._link(entry, item, self.tree, "")
                elif scheme.name == "headers":
                    headers = "Include" if os.name == "nt" else f"include/site/{self.packages.split('/')[1]}"
                    self._link(entry, item, opened(self.tree, headers), headers)

    def _add_script(self, entry: Stored, found: os.DirEntry[str]) -> None:
        with open(found.path, "rb", opener=open_regular) as stream:
            head = stream.read(len(_HEAD))
            if head != _HEAD:
                self._put(entry, found.name, Hard.at(found))
                return
            _, _, rest = (head + stream.read()).partition(b"\n")
        self._put(entry, found.name, first_lines(self.python) + rest)

    def _add_entry_points(self, entry: Stored, path: str) -> None:
        if not os.path.isfile(path):
            return
        with open(path, encoding="utf-8", opener=open_bounded) as stream:
            text = stream.read()
        for name, module, attribute, section in parse_entrypoints(text):
            file_name, content = Script(name, module, attribute, section).generate(self.python, get_launcher_kind())
            self._put(entry, file_name, content)

    def _put(self, entry: Stored, name: str, script: Hard | bytes) -> None:
        """Add a script. Of one distribution's scripts with the same name the first one wins."""
        scripts = opened(self.tree, SCRIPTS)
        other = scripts.setdefault(name, script)
        if other is script:
            self._scripts[name] = entry.name
        same = isinstance(other, Hard) and isinstance(script, Hard) and filecmp.cmp(other, script, shallow=False)
        if other == script or same or self._scripts.get(name) == entry.name:
            return
        self._hand_over(entry, f"{SCRIPTS}/{name}", join(entry.path, SCRIPTS, name), other)
        scripts[name], self._scripts[name] = script, entry.name


def _drop_bytecode(tree: LinkTree, name: str) -> None:
    """Remove the bytecode of a source that was replaced: Python would compare only its date and size."""
    cache, stem = tree.get(_CACHE), name.removesuffix(".py") + "."
    if name.endswith(".py") and isinstance(cache, dict):
        for each in [each for each in cache if each.startswith(stem) and each.endswith(".pyc")]:
            del cache[each]
