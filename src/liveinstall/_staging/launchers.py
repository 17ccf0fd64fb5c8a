"""Launchers of entry points on POSIX systems.

`installer` writes them too, but it loads `email`, `configparser` and `importlib.resources` (a tenth of the time to load
a plain request), and is otherwise needed only for wheels that are not linked, and on Windows.
"""

from __future__ import annotations

import os
import shlex

_LONGEST = 127  # bytes of a first line that all kernels accept, with `#!` and the end of the line


def launcher(python: str, target: str) -> bytes:
    """Return the script that calls an entry point.

    Args:
        python: The absolute path of the interpreter.
        target: The object reference, for example `package.module:function` (entry points specification); checked.

    Returns:
        The content of the script.
    """
    module, _, attribute = (part.strip() for part in target.partition("[")[0].partition(":"))
    lines = [
        "import sys",
        "",
        f"from {module} import {attribute.partition('.')[0]}",
        "",
        'if __name__ == "__main__":',
        f"    sys.exit({attribute}())",
        "",
    ]
    return first_lines(python) + "\n".join(lines).encode()


def first_lines(python: str) -> bytes:
    """Return the line that names the interpreter of a script; if a kernel would not accept it, lines of sh and Python.

    Args:
        python: The absolute path of the interpreter.

    Returns:
        The lines, with their ends.
    """
    line = os.fsencode(f"#!{python}\n")
    if " " not in python and len(line) <= _LONGEST:
        return line
    return os.fsencode(f"#!/bin/sh\n'''exec' {shlex.quote(python)} \"$0\" \"$@\"\n' '''\n")
