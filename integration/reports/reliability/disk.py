"""A disk that loses unflushed data: every state that a power loss may leave after a program's operations.

It relies only on these rules of POSIX. Flushed data is never lost: `fsync` flushes a file's data or a
directory's names, not a directory's own name in its parent; `syncfs` flushes everything. Creating, removing and
renaming are atomic, and in order for the same name. A rename is safe when both its directories were
flushed, or the new one was, and the old one is durably removed, so that the file can be in no other place; if only one
was, it may be kept, but in a directory that is lost. Unflushed operations may be
lost or kept in any selection, but no file is created in a missing directory. Unflushed data may be unchanged,
empty, truncated, zeros of the right length, or complete.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from integration.reports.reliability.recording import Recording

DAMAGES = ("old", "empty", "cut", "zeros", "whole")


@dataclass(frozen=True)
class Entry:
    """Names that are added and removed atomically: (directory, name, node)."""

    gone: tuple[tuple[int, str, int], ...] = ()
    come: tuple[tuple[int, str, int], ...] = ()


@dataclass(frozen=True)
class Content:
    """New data and mode of a file."""

    node: int
    data: bytes
    mode: int


@dataclass(frozen=True)
class Flush:
    """A node's flush; None is everything's."""

    node: int | None


Operation = Entry | Content | Flush


class Disk:
    """Nodes by number: `names` of a directory, `data` and `modes` of a file, `links` of a symbolic link."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.names: dict[int, dict[str, int]] = {0: {}}
        self.data: dict[int, bytes] = {}
        self.modes: dict[int, int] = {0: 0o755}
        self.links: dict[int, str] = {}

    @classmethod
    def read(cls, root: Path) -> Disk:
        """The files below `root`."""
        disk = cls(str(root))
        for directory, subdirectories, files in os.walk(root):
            for name in (*subdirectories, *files):
                path = os.path.join(directory, name)
                disk._add(path)
        return disk

    def _add(self, path: str) -> None:
        parent, name = self.find(os.path.dirname(path)), os.path.basename(path)
        assert parent is not None
        node = self.new(os.lstat(path).st_mode & 0o7777)
        self.names[parent][name] = node
        if os.path.islink(path):
            self.links[node] = os.readlink(path)
        elif os.path.isdir(path):
            self.names[node] = {}
        else:
            self.data[node] = Path(path).read_bytes()

    def new(self, mode: int) -> int:
        """A node without a kind."""
        node = len(self.modes)
        self.modes[node] = mode
        return node

    def find(self, path: str) -> int | None:
        """The node at an absolute path below the root."""
        node: int | None = 0
        for name in os.path.relpath(path, self.root).split("/"):
            if name != "." and node is not None:
                node = self.names.get(node, {}).get(name)
        return node

    def copy(self) -> Disk:
        """An independent copy."""
        made = Disk(self.root)
        made.names = {node: dict(names) for node, names in self.names.items()}
        made.data, made.modes, made.links = dict(self.data), dict(self.modes), dict(self.links)
        return made

    def reachable(self) -> set[int]:
        """The directories that are reachable from the root."""
        found, waiting = set(), [0]
        while waiting:
            node = waiting.pop()
            found.add(node)
            waiting += [inner for inner in self.names[node].values() if inner in self.names]
        return found

    def apply(self, entry: Entry) -> None:
        """Add and remove names, if the removed ones exist and the added ones do not."""
        there = {(directory, name) for directory, name, _ in entry.gone}
        taken = [True for place in entry.come if place[:2] not in there and place[1] in self.names[place[0]]]
        if taken or any(self.names[directory].get(name) != node for directory, name, node in entry.gone):
            return
        for directory, name, _ in entry.gone:
            del self.names[directory][name]
        for directory, name, node in entry.come:
            self.names[directory][name] = node

    def walk(self) -> Iterable[tuple[str, int]]:
        """(path, node), directories before their contents."""
        waiting = [("", 0)]
        while waiting:
            path, node = waiting.pop()
            yield path, node
            waiting += [(f"{path}/{name}", inner) for name, inner in self.names.get(node, {}).items()]

    def signature(self) -> frozenset[object]:
        """Equal for equal disks."""
        return frozenset(
            (path, self.links.get(node) or self.data.get(node), self.modes[node]) for path, node in self.walk()
        )

    def write(self) -> None:
        """Create the real directory, which must not exist, with the content of this disk."""
        for path, node in self.walk():
            there = self.root + path
            if node in self.links:
                os.symlink(self.links[node], there)
            elif node in self.names:
                os.mkdir(there)
            else:
                Path(there).write_bytes(self.data[node])
                os.chmod(there, self.modes[node])


class Crash:
    """A power loss after `length` operations. `loose`: the operations on names that it may undo."""

    def __init__(self, recording: Recording, length: int) -> None:
        self.before = recording.before
        self.operations = recording.operations[:length]
        entries = {at: entry for at, entry in enumerate(self.operations) if isinstance(entry, Entry)}
        places = {at: {place[:2] for place in (*entry.gone, *entry.come)} for at, entry in entries.items()}
        flushes = {op.node: at for at, op in enumerate(self.operations) if isinstance(op, Flush)}
        removed: set[int] = set()  # the directories that are gone for good, with all that was in them
        for at, entry in reversed(entries.items()):
            if not entry.come and _flushed(at, {directory for directory, *_ in entry.gone} - removed, flushes) == "all":
                removed |= {node for *_, node in entry.gone}
        flushed = {
            at: _flushed(at, {place[0] for place in (*entry.come, *entry.gone)} - removed, flushes)
            for at, entry in entries.items()
        }
        # An operation on a name is safe if a later one on the same name is.
        last = {name: at for at in entries if flushed[at] == "all" for name in places[at]}
        self.safe = {
            at for at in entries if flushed[at] == "all" or any(last.get(name, -1) > at for name in places[at])
        }
        self.half = {at for at in entries if flushed[at] == "some"}
        self.loose = [at for at in entries if at not in self.safe]
        self.versions = self._versions()

    def _versions(self) -> Mapping[int, list[tuple[bytes, int]]]:
        """Of each written file: its last flushed version, and all later ones."""
        versions: dict[int, list[tuple[bytes, int]]] = {}
        for operation in self.operations:
            if isinstance(operation, Content):
                first = [(self.before.data[operation.node], self.before.modes[operation.node])]
                versions.setdefault(operation.node, first).append((operation.data, operation.mode))
            elif isinstance(operation, Flush):
                for node in versions if operation.node is None else {operation.node} & set(versions):
                    versions[node] = versions[node][-1:]
        return versions

    def disk(self, kept: AbstractSet[int], damage: str) -> Disk:
        """The disk if the loose operations in `kept` were kept."""
        disk = self.before.copy()
        for at, entry in enumerate(self.operations):
            if not isinstance(entry, Entry) or (at not in self.safe and at not in kept):
                continue
            come = {place[0] for place in entry.come}
            if at in self.safe or at in self.half or not come or come <= disk.reachable():
                disk.apply(entry)
        for node, versions in self.versions.items():
            disk.data[node], disk.modes[node] = _damaged(versions, damage)
        return disk


def _damaged(versions: Sequence[tuple[bytes, int]], damage: str) -> tuple[bytes, int]:
    (data, mode), old = versions[-1], versions[0]
    if len(versions) == 1 or damage == "whole":
        return data, mode
    return {"old": old, "empty": (b"", mode), "cut": (data[: len(data) // 2], mode), "zeros": (bytes(len(data)), mode)}[
        damage
    ]


def _flushed(at: int, directories: AbstractSet[int], flushes: Mapping[int | None, int]) -> str:
    """Whether all, some or none of the directories were flushed after an operation. `flushes`: when each was last."""
    if flushes.get(None, -1) > at:
        return "all"
    done = {directory for directory in directories if flushes.get(directory, -1) > at}
    return "all" if done == directories else "some" if done else "none"
