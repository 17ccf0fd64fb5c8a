"""Trees of links, computed before anything is made, and with real directories only where something differs.

A tree is a dict: name -> the target of a symbolic link (an absolute path, or one relative to the link), the bytes of a
file, a `Hard` link, or a tree. A directory that is linked as a whole takes only one link. On Windows, where ordinary
accounts may not make symbolic links, a link becomes a tree of hard links, or of copies on another volume.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

LinkTree = dict[str, Any]


class Hard(str):
    """The path and inode of a file to hard-link, or to link symbolically if that is not possible."""

    __slots__ = ("inode",)
    inode: int

    @classmethod
    def at(cls, entry: os.DirEntry[str]) -> Hard:
        """A link to a file of a directory listing."""
        link = cls(entry.path)
        link.inode = entry.inode()
        return link


def listed(directory: str) -> LinkTree:
    """The tree of a directory with a link for each entry. Relative links that stay inside are kept unchanged."""
    tree: LinkTree = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            text = os.readlink(entry.path) if entry.is_symlink() else ""
            tree[entry.name] = text if text and os.sep not in text and text != os.pardir else entry.path
    return tree


def opened(tree: LinkTree, path: str) -> LinkTree:
    """Replace the link at a path by a tree with links to its entries.

    Args:
        tree: The tree.
        path: The path in it, "a/b"; empty for the tree itself.

    Returns:
        The subtree.
    """
    for name in filter(None, path.split("/")):
        subtree = tree.setdefault(name, {})
        if isinstance(subtree, str):
            subtree = tree[name] = listed(subtree)
        tree = subtree
    return tree


def drop(tree: LinkTree, path: str) -> None:
    """Remove `path` from the tree, with the directories that become empty."""
    head, _, name = path.rpartition("/")
    names = head.split("/") if head else []
    above = [tree]
    for one in names:
        if not is_directory(above[-1].get(one)):
            return
        above.append(opened(above[-1], one))
    above[-1].pop(name, None)
    for parent, one, child in reversed(list(zip(above, names, above[1:], strict=False))):
        if not child:
            del parent[one]


def lay(tree: LinkTree, path: str, source: str, under: AbstractSet[str] = frozenset()) -> None:
    """Add a link to a file or directory; an existing directory is merged with it.

    Args:
        tree: The tree.
        path: The path in it, with slashes.
        source: The absolute path of the file or directory.
        under: Sources that do not replace an existing file.

    Raises:
        FileExistsError: There is a file at `path`.
    """
    head, _, name = path.rpartition("/")
    parent = opened(tree, head)
    if name not in parent:
        parent[name] = source
    elif is_directory(parent[name]) and os.path.isdir(source) and not os.path.islink(source):
        for entry in sorted(os.listdir(source)):
            lay(opened(parent, name), entry, os.path.join(source, entry), under)
    elif source in under:
        pass
    elif name.endswith(".pyc"):
        parent[name] = source
    else:
        raise FileExistsError(f"{source} would replace {path}")


def is_directory(node: Any) -> bool:
    """Whether a node is a tree or a link to a directory."""
    return isinstance(node, dict) or (isinstance(node, str) and os.path.isabs(node) and os.path.isdir(node))


def make(tree: LinkTree, directory: str) -> None:
    """Write a tree into an existing directory. Scripts become executable."""
    for name, node in tree.items():
        path = directory + os.sep + name
        if isinstance(node, Hard):
            _link(node, path)
        elif isinstance(node, str):
            _link_symbolically(os.path.join(directory, node), node, path)
        elif isinstance(node, bytes):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o777 if node.startswith(b"#!") else 0o666)
            with open(handle, "wb") as stream:
                stream.write(node)
        else:
            os.mkdir(path)
            make(node, path)


def _link(source: str, path: str) -> None:
    """Hard-link a file if possible: it needs no further inode, and its real path stays in the new directory."""
    try:
        os.link(source, path)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, too many links, another user's file
        if os.name == "nt":
            shutil.copy2(source, path)  # with its date, which its bytecode depends on
        else:
            os.symlink(source, path)


def _link_symbolically(source: str, text: str, path: str) -> None:
    """Make a symbolic link `path` with the target `text`, which is `source`; on Windows the closest equivalent."""
    if os.name != "nt":
        os.symlink(text, path)
    elif os.path.isdir(source):
        os.mkdir(path)
        make(listed(source), path)
    else:
        _link(source, path)
