"""Compile, in a child process, the modules that the next start will import: those that this process has loaded.

Compiling everything is most of pip's time, for modules that nobody imports. The code is compiled for its final place.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_CHILD = """
import sys
from py_compile import compile
from importlib.util import cache_from_source
for line in sys.stdin:
    source, place = line.rstrip("\\n").split("\\t")
    try:
        compile(source, dfile=place, doraise=True, quiet=2)
    except Exception:
        pass  # the import will say it
"""


def compile_for(pairs: Iterable[tuple[str, str]]) -> None:
    """Compile each (source in a part, final place). A failure is no error: the import compiles by itself."""
    lines = "".join(f"{source}\t{place}\n" for source, place in pairs if "\n" not in source and "\t" not in source)
    if lines and sys.implementation.cache_tag and not sys.dont_write_bytecode:
        arguments = [sys.executable, "-I", "-S", "-c", _CHILD]
        subprocess.run(
            arguments,
            input=lines.encode("utf-8", "surrogateescape"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONUTF8": "1"},
            check=False,
        )
