"""The command line of this process, for people."""

from __future__ import annotations

import os
import sys
import textwrap

from liveinstall._redact import redact


def command_line() -> str:
    """Return the command line of this process on one line, with at most 120 characters and without credentials."""
    arguments = sys.orig_argv or [sys.executable or "python"]
    line = redact(" ".join([os.path.basename(arguments[0]), *arguments[1:]]).replace("\n", " "))
    return textwrap.shorten(line, 120, placeholder="...")
