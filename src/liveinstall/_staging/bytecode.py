"""Compile bytecode for the next import, in parallel with the unpacking.

Compiling everything takes most of pip's time, for modules that are never imported; compiling nothing leaves it to the
first import, on one core. Of the new distributions those that were requested by name get bytecode for the modules that
their packages import at the top level, directly or indirectly, even from dependencies, on all cores; and while the
unpacking lasts, for modules that their packages import within functions. The replacement of a loaded distribution gets
bytecode for the loaded modules, because the restart imports them. The code is compiled for its final location.

What was compiled for a wheel is kept in the user's cache. If that has all that a request wants, nothing is compiled.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from threading import Lock

from liveinstall._system.bytecode_cache import BytecodeCache
from liveinstall._system.interpreter import executable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping
    from collections.abc import Set as AbstractSet
    from types import TracebackType
    from typing import Self

_CHILD = os.path.join(os.path.dirname(__file__), "_compile_child.py")
_MAX_CHILDREN = 4
_LINES_PER_FLUSH = 8  # writing each line separately takes longer than linking a file


class BytecodeCompiler:
    """A context manager with child processes that compile announced sources. Their failures are ignored.

    The processes are stopped on exit, and exit by themselves if this process dies.

    Args:
        early: Whether the processes start on entry, so that they are ready when a slow engine is; else they start when
            it is known that something has to be compiled.
    """

    def __init__(self, *, early: bool = True) -> None:
        self._early = early
        self._loaded: Mapping[str, AbstractSet[str]] = {}
        self._first: AbstractSet[str] | None = None
        self._lock = Lock()
        self._is_on = False
        self._children: list[subprocess.Popen[bytes]] = []
        self._announced = 0
        self._cache = BytecodeCache()
        self._held: list[bytes] | None = None  # announcements, while everything is probably known

    def __enter__(self) -> Self:
        """Start one child process for each core, unless this interpreter does not write bytecode."""
        self._is_on = bool(sys.implementation.cache_tag) and not sys.dont_write_bytecode
        if self._early:
            self._start()
        return self

    def _start(self) -> None:
        """Start the child processes, unless they were started."""
        if self._is_on and not self._children:
            shares = min(os.cpu_count() or 1, _MAX_CHILDREN)
            self._children = [
                subprocess.Popen(
                    [executable(), "-I", "-S", "-X", "utf8", _CHILD, str(share), str(shares)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                for share in range(shares)
            ]

    def only(self, loaded: Mapping[str, AbstractSet[str]]) -> None:
        """Compile only the loaded modules of some distributions.

        Args:
            loaded: The name of each of these distributions -> the final paths of the loaded modules.
        """
        self._loaded = loaded

    def start_with(self, names: AbstractSet[str], versions: Mapping[str, str] | None = None) -> None:
        """Compile the packages of these distributions, and of other distributions only the modules that they import.

        Args:
            names: The names of the distributions.
            versions: The name of each distribution that is written -> its version. If all bytecode for them is known,
                nothing is compiled.
        """
        self._first = names
        if self._is_on and versions and not self._loaded and self._cache.expect(versions, names):
            self._held = []
        else:
            self._start()

    def restore(self, part: str, home: str, record: Mapping[str, tuple[str, str, int | None]]) -> None:
        """Write the bytecode of a part that is known from earlier installations.

        Args:
            part: The absolute path of the part; all its files are written.
            home: The final site directory, absolute.
            record: The RECORD of its wheel.
        """
        if self._is_on:
            self._cache.restore(part, home, record)

    def keep_at_exit(self, loaded: Callable[[], Container[str]]) -> None:
        """Keep the bytecode of what this process will have imported of the parts when it ends. They are in place now.

        Args:
            loaded: Returns the absolute paths of the files of the loaded modules.
        """
        self._cache.keep_at_exit(loaded)

    def announce(self, name: str, part: str, home: str, path: str) -> None:
        """Announce a source file that is completely written.

        Args:
            name: Its distribution.
            part: The absolute path of the part.
            home: The final site directory, absolute.
            path: Its path relative to the part, with slashes.
        """
        if not self._is_on or not path.endswith(".py") or "\t" in path or "\n" in path:
            return
        line = f"{self._kind(name, home, path)}\t{part}\t{home}\t{path}\n".encode("utf-8", "surrogateescape")
        with self._lock:
            if self._held is None:
                self._start()
                self._send(line)
            else:
                self._held.append(line)

    def _send(self, line: bytes) -> None:
        self._announced += 1
        for child in self._children:
            with suppress(OSError):
                assert child.stdin is not None
                child.stdin.write(line)
                if self._announced % _LINES_PER_FLUSH == 0:
                    child.stdin.flush()

    def _kind(self, name: str, site_dir: str, path: str) -> str:
        if name in self._loaded:
            return "must" if os.path.normpath(os.path.join(site_dir, path)) in self._loaded[name] else "more"
        if self._first is not None and name not in self._first:
            return "more"
        package, _, module = path.rpartition("/")
        return "seed" if not package or ("/" not in package and module == "__init__.py") else "more"

    def finish(self) -> None:
        """Wait until all wanted modules are compiled, and keep their bytecode for other environments."""
        if self._held is not None and self._cache.is_complete():
            self.cancel()
            return
        if self._held:
            self._start()
        for line in self._held or ():
            self._send(line)
        for child in self._children:
            with suppress(OSError):
                assert child.stdin is not None
                child.stdin.write(b"end\n")
                child.stdin.flush()
        ended = [child.wait() for child in self._children]
        if self._is_on:
            self._cache.keep(is_complete=not any(ended))
        self.cancel()

    def cancel(self) -> None:
        """Stop at once, before the files are removed."""
        with self._lock:
            self._is_on = False
            children, self._children = self._children, []
        for child in children:
            child.kill()
            child.communicate()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the child processes."""
        self.cancel()
