"""File systems that this machine does not have, as a forked process sees them: `put_in_place()` patches its `os`.

Only the functions that a swap needs are imitated, and each refusal is that of the real system.
"""

from __future__ import annotations

import builtins
import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Windows:
    """No file is replaced by a rename; an open file cannot be moved, and neither can the directories above it.

    `open`: files that a process has open without sharing their deletion. `loaded`: loaded libraries; they
    may be renamed, and not deleted or replaced. `scanned`: files that a scanner opens, and for how many tries.
    """

    open: Iterable[Path] = ()
    loaded: Iterable[Path] = ()
    scanned: dict[Path, int] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    slept: list[float] = field(default_factory=list)
    name: str = "nt"  # the platform for the boot package; pathlib, which the session uses, must not see it

    def put_in_place(self) -> None:
        rename, replace, unlink, rmdir = os.rename, os.replace, os.unlink, os.rmdir
        fixed, held = self.fixed, {str(path) for path in self.loaded}
        fixed.update(str(path) for path in self.open)

        def moved(source: str, target: str) -> None:
            self._scan(source, target)
            if source in fixed or self._mine(source):
                raise _refused(32, source, target)
            if os.path.isdir(source) and any(path.startswith(source + "/") for path in fixed | held):
                raise _refused(5, source, target)
            _carry(held, source, target)

        def renamed(source: str, target: str) -> None:
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, "winerror 183", source, 183, target)
            moved(source, target)
            rename(source, target)

        def replaced(source: str, target: str) -> None:
            if os.path.isdir(target) or os.fspath(target) in fixed | held or self._mine(target):
                raise _refused(5, source, target)
            moved(os.fspath(source), os.fspath(target))
            replace(source, target)

        def removed(path: str) -> None:
            self._scan(path)
            if path in fixed | held or self._mine(path):
                raise _refused(32, path)
            unlink(path)

        def removed_directory(path: str) -> None:
            self._scan(path)
            rmdir(path)

        os.rename, os.replace, os.unlink, os.remove, os.rmdir = renamed, replaced, removed, removed, removed_directory
        time.sleep = self.slept.append
        os.name = self.name

    def check(self) -> None:
        """A start waits a limited time for open files, and for nothing else."""
        assert sum(self.slept) < 5, self.slept

    def _scan(self, *paths: str) -> None:
        for path in paths:
            for held, tries in self.scanned.items():
                if tries and f"{held}/".startswith(os.fspath(path) + "/"):
                    self.scanned[held] -= 1
                    raise _refused(32, path)

    def _mine(self, path: str) -> bool:
        """Whether this process itself has the file open, or one below it."""
        for handle in os.listdir("/proc/self/fd"):
            try:
                if (os.readlink(f"/proc/self/fd/{handle}") + "/").startswith(path + "/"):
                    return True
            except OSError:
                continue
        return False


def _refused(code: int, source: str, target: str | None = None) -> PermissionError:
    return PermissionError(errno.EACCES, f"winerror {code}", source, code, target)


def _carry(held: set[str], source: str, target: str) -> None:
    """A library that was renamed is the same library."""
    if source in held:
        held.remove(source)
        held.add(target)


@dataclass
class Nfs:
    """A server that loses the answer to one operation: it is done, retried without success, and the error is reported.

    `lose`: the number of the operation, from 0. `open`: files that a process of this client has open; removing one
    leaves a .nfs file in its directory, which cannot be removed until it is closed.
    """

    lose: int = -1
    code: int = 0  # instead of the error of a second try
    open: Iterable[Path] = ()
    done: Counter[str] = field(default_factory=Counter)

    def put_in_place(self) -> None:
        self._lose("rename", errno.ENOENT)
        self._lose("replace", errno.ENOENT)
        self._lose("unlink", errno.ENOENT)
        self._lose("rmdir", errno.ENOENT)
        self._lose("mkdir", errno.EEXIST)
        opened, unlink, rename = {str(path) for path in self.open}, os.unlink, os.rename

        def silly(path: str) -> None:
            directory, name = os.path.split(path)
            if name.startswith(".nfs"):
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)
            if path in opened:
                rename(path, os.path.join(directory, f".nfs{len(name):08x}"))
            else:
                unlink(path)

        os.unlink = os.remove = silly

    def _lose(self, name: str, code: int) -> None:
        real: Callable = getattr(os, name)

        def lost(*arguments, **options) -> None:
            number = self.done.total()
            self.done[name] += 1
            real(*arguments, **options)
            if number == self.lose:
                raise OSError(self.code or code, os.strerror(self.code or code), *arguments[:1])

        setattr(os, name, lost)


@dataclass
class Folding:
    """Below `root` the case of names is ignored, and preserved."""

    root: Path

    def put_in_place(self) -> None:
        for name in ("stat", "lstat", "listdir", "scandir", "rmdir", "unlink", "remove", "mkdir", "open", "chmod"):
            self._fold(name)
        rename, replace = os.rename, os.replace
        os.rename = lambda source, target: self._move(rename, source, target)
        os.replace = lambda source, target: self._move(replace, source, target)
        plain = builtins.open
        builtins.open = lambda path, *rest, **more: plain(self.real(path), *rest, **more)

    def _fold(self, name: str) -> None:
        function = getattr(os, name)
        setattr(os, name, lambda path=".", *rest, **more: function(self.real(path), *rest, **more))

    def _move(self, function: Callable, source: str, target: str) -> None:
        source, there = self.real(source), self.real(target)
        only_case = there == source
        function(source, os.path.join(os.path.dirname(there), os.path.basename(target)) if only_case else there)

    def real(self, path):
        """The existing spelling of a path; missing directories keep the requested spelling."""
        if not isinstance(path, (str, os.PathLike)) or not (text := os.fspath(path)).startswith(f"{self.root}/"):
            return path
        found = str(self.root)
        for part in text[len(found) + 1 :].split("/"):
            try:
                names = _LISTDIR(found)
            except OSError:
                names = []
            found = os.path.join(found, next((name for name in names if name.lower() == part.lower()), part))
        return found


_LISTDIR = os.listdir
