"""A disk that forgets: what strace saw of a program, and every state that a power loss may leave of it.

Of POSIX it takes only this for granted. Nothing that was flushed is lost: `fsync` flushes a file's data or a
directory's names, not a directory's own name in its parent; `syncfs` flushes everything. Creating, removing and
renaming are atomic, and in order where they are about the same name. A rename is safe when both its directories were
flushed; when one was, it may be kept and yet have gone to a directory that is lost. What was not flushed at all may be
lost or kept in any selection, but nothing comes into a directory that is not there. Unflushed data may be as it was,
empty, cut off, zeros of the right length, or whole.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from integration.reliability.trace import BEGIN

_LINE = re.compile(r"^(\w+)\((.*)\) += (-?\d+)(?:<(.*)>)?", re.DOTALL)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(?:\.\.\.)?')
_HANDLE = re.compile(r"^(\d+)<([^>]*)>")
_UMASK = 0o022
DAMAGES = ("old", "empty", "cut", "zeros", "whole")


@dataclass(frozen=True)
class Entry:
    """Names that come and go, at once: (directory, name, node)."""

    gone: tuple[tuple[int, str, int], ...] = ()
    come: tuple[tuple[int, str, int], ...] = ()


@dataclass(frozen=True)
class Content:
    """What a file's data and mode became."""

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
        """What lies below `root` now."""
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
        """A node of no kind yet."""
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
        """A copy whose changes are its own."""
        made = Disk(self.root)
        made.names = {node: dict(names) for node, names in self.names.items()}
        made.data, made.modes, made.links = dict(self.data), dict(self.modes), dict(self.links)
        return made

    def reachable(self) -> set[int]:
        """The directories that have a way to the root."""
        found, waiting = set(), [0]
        while waiting:
            node = waiting.pop()
            found.add(node)
            waiting += [inner for inner in self.names[node].values() if inner in self.names]
        return found

    def apply(self, entry: Entry) -> None:
        """Let names come and go, if what goes is there and nothing is where they come."""
        there = {(directory, name) for directory, name, _ in entry.gone}
        taken = [True for place in entry.come if place[:2] not in there and place[1] in self.names[place[0]]]
        if taken or any(self.names[directory].get(name) != node for directory, name, node in entry.gone):
            return
        for directory, name, _ in entry.gone:
            del self.names[directory][name]
        for directory, name, node in entry.come:
            self.names[directory][name] = node

    def walk(self) -> Iterable[tuple[str, int]]:
        """(path, node), directories before what is in them."""
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
        """Make the real directory, which must not exist, what this disk says."""
        for path, node in self.walk():
            there = self.root + path
            if node in self.links:
                os.symlink(self.links[node], there)
            elif node in self.names:
                os.mkdir(there)
            else:
                Path(there).write_bytes(self.data[node])
                os.chmod(there, self.modes[node])


class Recording:
    """What a program did to a disk: `operations` over the disk that it began with."""

    def __init__(self, disk: Disk, lines: Sequence[str]) -> None:
        self.before = disk.copy()
        self.now = disk
        self.operations: list[Operation] = []
        self.begin = 0
        self._offsets: dict[str, int] = {}
        for line in lines:
            self._read(line)
        self.before.modes |= {node: mode for node, mode in self.now.modes.items() if node not in self.before.modes}
        self.before.names |= {node: {} for node in self.now.names if node not in self.before.names}
        self.before.data |= {node: b"" for node in self.now.data if node not in self.before.data}
        self.before.links |= self.now.links

    def _read(self, line: str) -> None:
        if BEGIN in line:
            self.operations.append(Flush(None))
            self.begin = len(self.operations)
        found = _LINE.match(line)
        if not found or found.group(3).startswith("-") or self.now.root + "/" not in line:
            return
        call, arguments, result, opened = found.groups()
        strings = [ast.literal_eval(f'b"{text}"') for text in _STRING.findall(arguments)]
        handle = _HANDLE.match(arguments)
        if call == "openat":
            self._open(opened or "", arguments, result)
        elif handle and call in ("write", "pwrite64"):
            self._write(handle.group(1), handle.group(2), strings[0], arguments if call == "pwrite64" else "")
        elif handle and call in ("fsync", "fdatasync", "syncfs"):
            self.operations.append(Flush(None if call == "syncfs" else self.now.find(handle.group(2))))
        elif call in ("mkdir", "rmdir", "unlink", "rename", "chmod", "symlink"):
            getattr(self, "_" + call)(*[os.fsdecode(text) for text in strings], arguments)
        elif call != "openat":
            raise NotImplementedError(line[:200])

    def _do(self, operation: Entry | Content) -> None:
        if isinstance(operation, Entry):
            self.now.apply(operation)
        else:
            self.now.data[operation.node], self.now.modes[operation.node] = operation.data, operation.mode
        self.operations.append(operation)

    def _place(self, path: str) -> tuple[int, str]:
        parent = self.now.find(os.path.dirname(path))
        assert parent is not None, path
        return parent, os.path.basename(path)

    def _open(self, path: str, arguments: str, handle: str) -> None:
        if not path.startswith(self.now.root + "/") or "O_DIRECTORY" in arguments:
            return
        node = self.now.find(path)
        if node is None and "O_CREAT" in arguments:
            mode = int(arguments.rpartition(" ")[2], 8) & ~_UMASK
            node = self.now.new(mode)
            self.now.data[node] = b""
            self._do(Entry(come=((*self._place(path), node),)))
        elif node is not None and "O_TRUNC" in arguments:
            self._do(Content(node, b"", self.now.modes[node]))
        self._offsets[handle] = 0

    def _write(self, handle: str, path: str, data: bytes, positioned: str) -> None:
        node = self.now.find(path)
        assert node is not None, path
        offset = int(positioned.rpartition(", ")[2]) if positioned else self._offsets[handle]
        old = self.now.data[node].ljust(offset, b"\0")
        self._do(Content(node, old[:offset] + data + old[offset + len(data) :], self.now.modes[node]))
        if not positioned:
            self._offsets[handle] = offset + len(data)

    def _mkdir(self, path: str, arguments: str) -> None:
        node = self.now.new(int(arguments.rpartition(" ")[2], 8) & ~_UMASK)
        self.now.names[node] = {}
        self._do(Entry(come=((*self._place(path), node),)))

    def _symlink(self, target: str, path: str, _: str) -> None:
        node = self.now.new(0o777)
        self.now.links[node] = target
        self._do(Entry(come=((*self._place(path), node),)))

    def _unlink(self, path: str, _: str) -> None:
        node = self.now.find(path)
        assert node is not None, path
        self._do(Entry(gone=((*self._place(path), node),)))

    _rmdir = _unlink

    def _rename(self, source: str, target: str, _: str) -> None:
        node, over = self.now.find(source), self.now.find(target)
        assert node is not None, source
        gone = ((*self._place(source), node), *([(*self._place(target), over)] if over is not None else []))
        self._do(Entry(gone, ((*self._place(target), node),)))

    def _chmod(self, path: str, arguments: str) -> None:
        node = self.now.find(path)
        assert node is not None, path
        self._do(Content(node, self.now.data[node], int(arguments.rpartition(" ")[2], 8)))


class Crash:
    """A power loss after `length` operations. `loose`: the operations on names that it may undo."""

    def __init__(self, recording: Recording, length: int) -> None:
        self.before = recording.before
        self.operations = recording.operations[:length]
        entries = {at: entry for at, entry in enumerate(self.operations) if isinstance(entry, Entry)}
        places = {at: {place[:2] for place in (*entry.gone, *entry.come)} for at, entry in entries.items()}
        flushed = {at: self._flushed(at, {directory for directory, _ in places[at]}) for at in entries}
        # What is about a name that a later, safe operation is about has happened too.
        last = {name: at for at in entries if flushed[at] == "all" for name in places[at]}
        self.safe = {
            at for at in entries if flushed[at] == "all" or any(last.get(name, -1) > at for name in places[at])
        }
        self.half = {at for at in entries if flushed[at] == "some"}
        self.loose = [at for at in entries if at not in self.safe]
        self.versions = self._versions()

    def _flushed(self, at: int, directories: AbstractSet[int]) -> str:
        """Whether all, some or none of the directories were flushed after an operation."""
        flushed = {later.node for later in self.operations[at + 1 :] if isinstance(later, Flush)}
        if None in flushed or directories <= flushed:
            return "all"
        return "some" if directories & flushed else "none"

    def _versions(self) -> Mapping[int, list[tuple[bytes, int]]]:
        """Of each file that was written to: what was flushed last, and all that it was since."""
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
        """What is there when of the loose operations `kept` were kept."""
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
