"""Compile, beside the unpacking, what the next import will need.

Compiling everything is most of pip's time, for modules that nobody imports; compiling nothing leaves it to the first
import, on one core. Of what is new, what was asked for by name gets what its packages import at their top level, and
what that imports in turn, also of what came with it, on all cores; and what its packages import within their functions,
as far as there is time until all is unpacked. What replaces something loaded gets the modules that are loaded, because
the restart imports them. The code is compiled for its final place.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from liveinstall._system.interpreter import executable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet
    from types import TracebackType
    from typing import Self

_CHILD = str(Path(__file__).with_name("_compile_child.py"))
_MOST = 4  # children
_AT_ONCE = 8  # lines: to write each by itself takes longer than to link a file


class BytecodeCompiler:
    """A context with child processes that compile what is announced. Their failures are none.

    They start when it is entered, to be ready when the engine is. On leaving it, they are stopped; they also end when
    this process dies.
    """

    def __init__(self) -> None:
        self._loaded: Mapping[str, AbstractSet[str]] = {}
        self._first: AbstractSet[str] | None = None
        self._lock = Lock()
        self._children: list[subprocess.Popen[bytes]] = []
        self._told = 0

    def __enter__(self) -> Self:
        """Start one child for each core, unless this interpreter writes no bytecode."""
        if sys.implementation.cache_tag and not sys.dont_write_bytecode:
            shares = min(os.cpu_count() or 1, _MOST)
            self._children = [
                subprocess.Popen(
                    [executable(), "-I", "-S", "-X", "utf8", _CHILD, str(share), str(shares)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                for share in range(shares)
            ]
        return self

    def only(self, loaded: Mapping[str, AbstractSet[str]]) -> None:
        """Of these distributions compile only what is loaded: name -> the final places of its loaded modules."""
        self._loaded = loaded

    def start_with(self, names: AbstractSet[str]) -> None:
        """Follow imports from the packages of these distributions; of the others only what those import is wanted."""
        self._first = names

    def announce(self, name: str, part: str, home: str, path: str) -> None:
        """Tell of a source that is now whole: `path` in the part of distribution `name`."""
        if not path.endswith(".py") or "\t" in path or "\n" in path:
            return
        line = f"{self._kind(name, home, path)}\t{part}\t{home}\t{path}\n".encode("utf-8", "surrogateescape")
        with self._lock:
            self._told += 1
            for child in self._children:
                with suppress(OSError):
                    assert child.stdin is not None
                    child.stdin.write(line)
                    if self._told % _AT_ONCE == 0:
                        child.stdin.flush()

    def _kind(self, name: str, home: str, path: str) -> str:
        if name in self._loaded:
            return "must" if os.path.join(home, path) in self._loaded[name] else "more"
        if self._first is not None and name not in self._first:
            return "more"
        package, _, module = path.rpartition("/")
        return "seed" if not package or ("/" not in package and module == "__init__.py") else "more"

    def finish(self) -> None:
        """Wait until what is wanted is compiled."""
        for child in self._children:
            with suppress(OSError):
                assert child.stdin is not None
                child.stdin.write(b"end\n")
                child.stdin.flush()
        for child in self._children:
            child.wait()
        self.cancel()

    def cancel(self) -> None:
        """Stop at once; for before what is being compiled is removed."""
        with self._lock:
            children, self._children = self._children, []
        for child in children:
            child.kill()
            child.communicate()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave no child behind."""
        self.cancel()
