"""Trees of links that are thought out before anything is made, and opened only where something differs.

A tree is a dict: name -> the text of a link (an absolute path, or one relative to where the link lies), the bytes of a
file, a `Hard` link, or a tree. What is linked as a whole costs one link, however much lies below it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

LinkTree = dict[str, Any]


class Hard(str):
    """The path of a file that is linked hard where that can be done, and else by a symbolic link; and its inode."""

    __slots__ = ("inode",)
    inode: int

    @classmethod
    def at(cls, entry: os.DirEntry[str]) -> Hard:
        """A file that was just found."""
        made = cls(entry.path)
        made.inode = entry.inode()
        return made


def listed(directory: str) -> LinkTree:
    """A directory's entries, each to be linked. Relative links that stay inside are kept as they are."""
    tree: LinkTree = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            text = os.readlink(entry.path) if entry.is_symlink() else ""
            tree[entry.name] = text if text and os.sep not in text and text != os.pardir else entry.path
    return tree


def opened(tree: LinkTree, path: str) -> LinkTree:
    """The tree at `path` ("a/b"; empty for all), which is a directory of its own from now on."""
    for name in filter(None, path.split("/")):
        found = tree.setdefault(name, {})
        if isinstance(found, str):
            found = tree[name] = listed(found)
        tree = found
    return tree


def drop(tree: LinkTree, path: str) -> None:
    """Leave `path` out, and the directories that this leaves empty."""
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
    """Put a file or directory at `path`, merged with a directory that is there; FileExistsError for a file.

    `under`: sources that stay behind what is there.
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
        raise FileExistsError(f"{source} would be put over {path}")


def is_directory(node: Any) -> bool:
    """Whether a node is a tree, or the link to a directory."""
    return isinstance(node, dict) or (isinstance(node, str) and os.path.isabs(node) and os.path.isdir(node))


def make(tree: LinkTree, directory: str) -> None:
    """Make a tree in a directory that is there. Scripts become executable."""
    for name, node in tree.items():
        path = directory + os.sep + name
        if isinstance(node, Hard):
            _link(node, path)
        elif isinstance(node, str):
            os.symlink(node, path)
        elif isinstance(node, bytes):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o777 if node.startswith(b"#!") else 0o666)
            with open(handle, "wb") as stream:
                stream.write(node)
        else:
            os.mkdir(path)
            make(node, path)


def _link(source: str, path: str) -> None:
    """A hard link needs no inode of its own, and is the file wherever somebody asks for its real path."""
    try:
        os.link(source, path)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, too many links, somebody else's file
        os.symlink(source, path)
