"""The environment after all pending changes, as a tree of links: nothing is moved or written.

The removed and new files come from the functions of the swap itself, so that a preview cannot differ from the restart.
"""

from __future__ import annotations

import os
import re
import site as site_module
import sys
import sysconfig
from contextlib import suppress
from os.path import join, relpath

from _liveinstall_boot import codec, handover, swap, trees
from _liveinstall_boot.file_access import open_regular
from _liveinstall_boot.layout import COMPANIONS, GUARDS, MANIFEST, PART, STATE
from _liveinstall_boot.ownership import by_directory, paths_to_retire
from liveinstall._homes.base_python import launchers
from liveinstall._homes.links import LinkTree, drop, lay, listed, opened
from liveinstall._sidebyside import layout
from liveinstall._system.interpreter import base_executable, executable
from liveinstall.errors import DamagedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from liveinstall.results import Target

_PYTHON = re.compile(r"python(\d+(\.\d+)?t?)?$")
_PYTHON_EXE = re.compile(r"pythonw?(\d[\d.]*t?)?\.exe$", re.IGNORECASE)
_BESIDE = (layout.STORE, layout.REGISTRIES)  # in the state directory, and never affected by changes
_HEAD = 2**10  # bytes at the beginning of a script that name its interpreter


class Future:
    """The tree of an environment's prefix (the user base, for a user environment), with a mapping of real paths."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.tree: LinkTree = _prefix(target)
        self.tree.pop("pyvenv.cfg", None)
        self._places = {target.data: ""}
        for real, scheme in ((target.site, "purelib"), (target.platlib, "platlib")):
            logical = _logical(target, scheme, real)
            if logical != relpath(real, target.data):
                parent = opened(self.tree, os.path.dirname(logical))
                parent[os.path.basename(logical)] = listed(real)
                self._places[real] = logical

    def path(self, real: str) -> str:
        """The path in the tree of a file of the environment."""
        for directory in sorted(self._places, key=len, reverse=True):
            if os.path.splitdrive(real)[0].lower() != os.path.splitdrive(directory)[0].lower():
                continue
            inner = relpath(real, directory)
            if not inner.startswith(os.pardir):
                return "/".join(filter(None, (self._places[directory], "" if inner == os.curdir else _slashed(inner))))
        raise codec.StaleError(f"{real} is outside of the environment")

    def apply(self, record: codec.TransactionRecord) -> None:
        """Apply a transaction to the tree, as the swap would.

        Raises:
            StaleError: The swap would set the transaction aside.
            OSError: A file cannot be read.
        """
        site, native = self.target.site, False
        shared = handover.contested(site, record)
        ends = [(kind, *(os.path.normpath(join(site, path)) for path in both)) for kind, _, *both in record.moves]
        under = {source for kind, source, _ in ends if kind == "in"}
        for change in record.changes:
            if change.old_info:
                tree = trees.retired_tree(site, record, change)
                native |= self._retire(tree, os.path.basename(change.old_info), shared)
        for kind, source, _ in ends:
            if kind == "out" and source in shared:
                drop(self.tree, self.path(source))
        for change in record.changes:
            if change.part:
                tree = trees.part_tree(site, record, change)
                self._add_new_files(tree, under)
                libraries = (path for _, _, _, path in trees.rows(tree) if _is_library(path))
                native |= self._free_libraries(map(tree.target, libraries))
        for kind, source, target in ends:
            if kind != "out" and target in shared:  # the libraries may have been linked elsewhere, too
                drop(self.tree, self.path(target))
                lay(self.tree, self.path(target), source)
        if native:
            self._free_dependents({change.name for change in record.changes})

    def _retire(self, tree: trees.DistributionTree, info: str, shared: AbstractSet[str]) -> bool:
        """Remove the files of an old version, but not shared ones; whether it had shared libraries."""
        inside, outside = handover.owned_alone(tree, join(tree.site_dir, info), shared)
        for path in (info, *paths_to_retire(tree.site_dir, info, by_directory(inside), {})):
            drop(self.tree, self.path(join(tree.site_dir, path)))
        for path in outside:
            drop(self.tree, self.path(path))
        return any(map(_is_library, inside))

    def _add_new_files(self, tree: trees.DistributionTree, under: AbstractSet[str]) -> None:
        for name in sorted(os.listdir(tree.root)):
            if name == tree.data:
                for scheme in os.listdir(join(tree.root, name)):
                    for entry in os.listdir(join(tree.root, name, scheme)):
                        target = self.path(join(tree.roots[scheme], entry))
                        lay(self.tree, target, join(tree.root, name, scheme, entry), under)
            elif name != MANIFEST:
                lay(self.tree, self.path(join(tree.site_dir, name)), join(tree.root, name), under)

    def _free_libraries(self, paths: Iterable[str]) -> bool:
        """Put shared libraries into real directories of the tree; whether there are any.

        They load others by paths relative to their own ($ORIGIN/../..), which must not lead through a link.
        """
        directories = set(map(os.path.dirname, paths))
        for directory in directories:
            opened(self.tree, self.path(directory))
        return bool(directories)

    def _free_dependents(self, changed: set[str]) -> None:
        """Do the same for unchanged distributions that depend on changed ones."""
        from liveinstall._environment.installed import files_of, in_directory  # 40 ms, for `packaging`
        from liveinstall._planning.graph import Node, named

        directories = dict.fromkeys((self.target.site, self.target.platlib))
        unchanged = [
            distribution
            for directory in directories
            for distribution in in_directory(directory)
            if distribution.name not in changed
        ]
        dependents, new = set(changed), set(changed)
        while new:
            new = {
                distribution.name
                for distribution in unchanged
                if named(Node(distribution.version, distribution.requires)) & new
            } - dependents
            dependents |= new
        for distribution in unchanged:
            if distribution.name in dependents:
                with suppress(DamagedError):
                    libraries = filter(_is_library, files_of(distribution))
                    self._free_libraries(path for path in libraries if os.path.lexists(path))

    def hide_ours(self) -> None:
        """Remove staged parts, and files that only a real environment has."""
        for directory in {self.target.site, self.target.platlib}:
            tree = opened(self.tree, self.path(directory))
            for name in list(tree):
                if name in (STATE, *GUARDS) or name.endswith((PART, *COMPANIONS)):
                    del tree[name]
            state = join(directory, STATE)
            shared = {name: join(state, name) for name in _BESIDE if os.path.isdir(join(state, name))}
            if shared:
                tree[STATE] = shared

    def carry(self, directory: str) -> None:
        """Adapt Python and the scripts to the directory that the tree will be made in."""
        scripts = opened(self.tree, self.path(self.target.scripts))
        named = join(sys.prefix, relpath(self.target.scripts, self.target.data))
        old = {os.path.dirname(executable()), self.target.scripts, named}
        new = join(directory, self.path(self.target.scripts))
        for name, node in list(scripts.items()):
            if _PYTHON.match(name):
                scripts[name] = base_executable()
            elif isinstance(node, str) and os.path.isabs(node) and os.path.isfile(node):
                scripts[name] = launcher(node, old, new) if name.endswith(".exe") else script(node, old, new)
                if scripts[name] is None:
                    del scripts[name]
        if os.name != "nt":
            scripts[os.path.basename(executable())] = scripts["python"] = base_executable()
        elif self.target.kind != "venv":
            scripts |= launchers()
        self.tree["pyvenv.cfg"] = _configuration(self.target)


def future(
    target: Target, records: Iterable[codec.TransactionRecord], *, checked: bool = True
) -> tuple[Future, list[str], list[codec.TransactionRecord]]:
    """Compute the environment after transactions.

    Args:
        target: The environment.
        records: The transactions.
        checked: Whether to omit those that the swap would set aside, because the environment has changed since.

    Returns:
        The tree, the reasons for the omitted transactions, and the applied ones.
    """
    notes: list[str] = []
    applicable: Sequence[codec.TransactionRecord] = list(records)
    while True:
        result, stale = Future(target), None
        for record in applicable:
            try:
                if checked:
                    swap.check(target.site, record)
                result.apply(record)
            except (OSError, codec.StaleError) as error:
                changes = ", ".join(change.name for change in record.changes)
                notes.append(f"{changes} would be set aside at the next start of Python: {error}")
                stale = record
                break
        if stale is None:
            result.hide_ours()
            return result, notes, list(applicable)
        applicable = [record for record in applicable if record is not stale]


def script(path: str, old: Iterable[str], new: str) -> str | bytes:
    """Adapt a script to another directory of the interpreter.

    Args:
        path: The script.
        old: The directories of the interpreters that are replaced.
        new: The new directory.

    Returns:
        The new content; for any other file its path, to be linked.
    """
    try:
        handle = open_regular(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError:  # a FIFO among the scripts
        return path
    try:
        head = os.read(handle, _HEAD)
        pythons = [os.fsencode(join(directory, "python")) for directory in old]
        if not head.startswith(b"#!") or not (b"realpath" in head or any(name in head for name in pythons)):
            return path
        with open(handle, "rb", closefd=False) as stream:
            rest = stream.read()
    finally:
        os.close(handle)
    for name in pythons:
        head = head.replace(name, os.fsencode(join(new, "python")))
    return head + rest


def launcher(path: str, old: Iterable[str], new: str) -> str | bytes | None:
    """Adapt a program of Windows that starts a script to another directory of the interpreter.

    Args:
        path: The program.
        old: The directories of the interpreters that are replaced.
        new: The new directory.

    Returns:
        The new content; for a program without a path of the environment its path, to be linked; None for one that
        names its interpreter in another way (uv's own launchers), which would start the environment itself.
    """
    with open(path, "rb", opener=open_regular) as stream:
        content = stream.read()
    if _PYTHON_EXE.match(os.path.basename(path)):
        return content  # it finds the environment by pyvenv.cfg; a link to a running program could not be removed
    pythons = {os.fsencode(join(directory, "python")) for directory in old}
    adapted = content
    for name in pythons:
        for quote in (b"", b'"'):
            adapted = adapted.replace(b"#!" + quote + name, b"#!" + quote + os.fsencode(join(new, "python")))
    if adapted != content:
        return adapted
    spellings = {spelling for name in pythons for spelling in (name, os.fsdecode(name).encode("utf-16-le"))}
    return None if any(map(content.__contains__, spellings)) else path


def _prefix(target: Target) -> LinkTree:
    """The tree of an environment's prefix; on Windows that of the base Python without its library."""
    if not os.path.isdir(target.data):
        return {}
    tree = listed(target.data)
    if os.name == "nt" and target.kind == "system":
        kept = {os.path.basename(path) for path in (target.scripts, target.headers)} | {"share", "etc"}
        tree = {name: node for name, node in tree.items() if name in kept} | {"Lib": {}}
        opened(tree, "Lib")["site-packages"] = target.site
    return tree


def _is_library(path: str) -> bool:
    return ".so" in path or path.endswith((".dylib", ".pyd", ".dll"))


def _configuration(target: Target) -> bytes:
    """The content of pyvenv.cfg, from the environment's own, so that its other settings are kept."""
    if target.kind == "venv":
        with open(join(target.data, "pyvenv.cfg"), "rb") as stream:
            return stream.read()
    return f"home = {os.path.dirname(base_executable())}\ninclude-system-site-packages = false\n".encode()


def _logical(target: Target, scheme: str, real: str) -> str:
    """The directory of a scheme for the preview's interpreter, relative to its prefix."""
    if target.kind == "system":
        base = {"base": target.data, "platbase": target.data}
        return _slashed(relpath(sysconfig.get_path(scheme, "venv", base), target.data))
    inner = relpath(real, target.data)
    if not inner.startswith(os.pardir):
        return _slashed(inner)
    if target.kind == "user":
        return _slashed(relpath(site_module.getusersitepackages(), site_module.getuserbase()))
    return _slashed(relpath(sysconfig.get_path(scheme), sys.prefix))


def _slashed(path: str) -> str:
    return path.replace(os.sep, "/")
