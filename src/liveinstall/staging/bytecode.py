"""Compile, beside the unpacking and on a core that it leaves idle, what the next import will need.

Compiling everything is most of pip's time, for modules that nobody imports. What is new gets as far as the unpacking
takes, along what its packages import at their top level. What replaces something loaded gets the modules that are
loaded, because the restart imports them. The code is compiled for its final place.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet
    from types import TracebackType
    from typing import Self

_CHILD = str(Path(__file__).with_name("_compile_child.py"))


class BytecodeCompiler:
    """A context in which staged sources are announced to a compiling child process. Its failures are none.

    `loaded`: for each distribution that replaces something loaded, the final places of its loaded modules.
    """

    def __init__(self, loaded: Mapping[str, AbstractSet[str]]) -> None:
        self._loaded = loaded
        self._lock = Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the child, unless this interpreter writes no bytecode or has only one core for both."""
        if sys.implementation.cache_tag and not sys.dont_write_bytecode and (os.cpu_count() or 1) > 1:
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-S", "-X", "utf8", _CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        return self

    def announce(self, name: str, part: str, home: str, path: str) -> None:
        """Tell of a source that is now whole: `path` in the part of distribution `name`."""
        if not path.endswith(".py") or "\t" in path or "\n" in path:
            return
        line = f"{self._kind(name, home, path)}\t{part}\t{home}\t{path}\n"
        with self._lock, suppress(OSError):
            if self._child and self._child.stdin:
                self._child.stdin.write(line.encode("utf-8", "surrogateescape"))
                self._child.stdin.flush()

    def _kind(self, name: str, home: str, path: str) -> str:
        if name in self._loaded:
            return "must" if os.path.join(home, path) in self._loaded[name] else "more"
        package, _, module = path.rpartition("/")
        return "seed" if not package or ("/" not in package and module == "__init__.py") else "more"

    def cancel(self) -> None:
        """Stop the child at once; for before what it compiles is removed."""
        with self._lock:
            child, self._child = self._child, None
        if child:
            child.kill()
            child.communicate()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the child finish its module, and what must be, unless staging failed."""
        if error is not None:
            self.cancel()
        if self._child is not None:
            self._child.communicate()
