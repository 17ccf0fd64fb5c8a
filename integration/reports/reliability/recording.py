"""What a program did to a disk, read from strace's lines, with the data that was written: what `disk` replays."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Sequence
from pathlib import Path

from integration.reports.reliability.disk import Content, Disk, Entry, Flush, Operation
from integration.reports.reliability.trace import BEGIN

_LINE = re.compile(r"^(\w+)\((.*)\) += (-?\d+)(?:<(.*)>)?", re.DOTALL)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(?:\.\.\.)?')
_HANDLE = re.compile(r"(\d+)<([^>]*)>")
_AT = re.compile(r'(?:AT_FDCWD|\d+)<([^>]*)>, "((?:[^"\\]|\\.)*)"')
_MODE = re.compile(r", (0\d+)")
_NAMED = ("mkdir", "rmdir", "unlink", "rename", "chmod", "symlink", "link")
_UMASK = 0o022


class Recording:
    """What a program did to a disk: `operations` over the disk that it began with.

    Threads must have been one after another, or what they did at once must be about different names.
    """

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
        if not found or found.group(3).startswith("-"):
            return
        call, arguments, result, opened = found.groups()
        if self.now.root + "/" not in line and call != "openat":
            return
        handle = _HANDLE.match(arguments)
        if call == "openat":
            self._open(opened or "", arguments, result)
        elif call in ("copy_file_range", "sendfile"):
            self._copy(call, arguments, int(result))
        elif handle and call in ("write", "pwrite64") and handle.group(2).startswith(self.now.root + "/"):
            data = ast.literal_eval(f'b"{_STRING.findall(arguments)[0]}"')
            self._write(handle.group(1), handle.group(2), data, arguments if call == "pwrite64" else "")
        elif handle and call in ("fsync", "fdatasync", "syncfs"):
            self.operations.append(Flush(None if call == "syncfs" else self.now.find(handle.group(2))))
        elif handle and call == "fchmod":
            self._chmod(handle.group(2), arguments)
        elif call not in ("write", "pwrite64"):  # elsewhere, of something that names the root
            self._name(call, arguments, line)

    def _name(self, call: str, arguments: str, line: str) -> None:
        """The calls that take paths, relative to a directory's handle or not."""
        paths = _STRING.findall(arguments)
        if (name := re.sub(r"at2?$", "", call)) != call:
            paths = [os.path.join(*pair) for pair in _AT.findall(arguments)]
        if name not in _NAMED or call == "symlinkat":
            raise NotImplementedError(line[:200])
        decoded = [os.fsdecode(ast.literal_eval(f'b"{path}"')) for path in paths]
        if any(path.startswith(self.now.root + "/") for path in decoded):
            getattr(self, "_" + name)(*decoded, arguments)

    def _do(self, operation: Entry | Content) -> None:
        if isinstance(operation, Entry):
            self.now.apply(operation)
        else:
            self.now.data[operation.node], self.now.modes[operation.node] = operation.data, operation.mode
        self.operations.append(operation)

    def _place(self, path: str) -> tuple[int, str]:
        parent = self.now.find(os.path.dirname(path.rstrip("/")))
        assert parent is not None, path
        return parent, os.path.basename(path.rstrip("/"))

    def _open(self, path: str, arguments: str, handle: str) -> None:
        self._offsets[handle] = 0
        if not path.startswith(self.now.root + "/") or "O_DIRECTORY" in arguments:
            return
        node = self.now.find(path)
        if node is None and "O_CREAT" in arguments:
            mode = int(arguments.rpartition(" ")[2], 8) & 0o7777 & ~_UMASK
            node = self.now.new(mode)
            self.now.data[node] = b""
            self._do(Entry(come=((*self._place(path), node),)))
        elif node is not None and "O_TRUNC" in arguments:
            self._do(Content(node, b"", self.now.modes[node]))

    def _write(self, handle: str, path: str, data: bytes, positioned: str) -> None:
        node = self.now.find(path)
        assert node is not None, path
        offset = int(positioned.rpartition(", ")[2]) if positioned else self._offsets[handle]
        old = self.now.data[node].ljust(offset, b"\0")
        self._do(Content(node, old[:offset] + data + old[offset + len(data) :], self.now.modes[node]))
        if not positioned:
            self._offsets[handle] = offset + len(data)

    def _copy(self, call: str, arguments: str, size: int) -> None:
        """From one open file to another, in the kernel: what was copied is read from the source."""
        one, two = _HANDLE.findall(arguments)
        source, target = (one, two) if call == "copy_file_range" else (two, one)
        offset = self._offsets[source[0]]
        self._offsets[source[0]] = offset + size
        if size and target[1].startswith(self.now.root + "/"):
            self._write(*target, self._content(source[1])[offset : offset + size], "")

    def _content(self, path: str) -> bytes:
        node = self.now.find(path) if path.startswith(self.now.root + "/") else None
        return self.now.data[node] if node is not None else Path(path).read_bytes()

    def _mkdir(self, path: str, arguments: str) -> None:
        node = self.now.new(int(arguments.rpartition(" ")[2], 8) & ~_UMASK)
        self.now.names[node] = {}
        self._do(Entry(come=((*self._place(path), node),)))

    def _symlink(self, target: str, path: str, _: str) -> None:
        node = self.now.new(0o777)
        self.now.links[node] = target
        self._do(Entry(come=((*self._place(path), node),)))

    def _link(self, source: str, path: str, _: str) -> None:
        """What is linked from elsewhere, as from a cache, was safe there."""
        node = self.now.find(source) if source.startswith(self.now.root + "/") else None
        if node is None:
            node = self.now.new(os.stat(source).st_mode & 0o7777)
            self.now.data[node] = self.before.data[node] = Path(source).read_bytes()
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
        if node in self.now.data:  # the modes of directories are not modelled
            mode = int(_MODE.findall(arguments)[-1], 8) & 0o7777
            self._do(Content(node, self.now.data[node], mode))
