"""The command line of this process, for people."""

from __future__ import annotations

import os
import sys
import textwrap

from liveinstall._redact import redact


def command_line() -> str:
    """The command line of this process on one line, shortened and without credentials."""
    words = sys.orig_argv or [sys.executable or "python"]
    line = redact(" ".join([os.path.basename(words[0]), *words[1:]]).replace("\n", " "))
    return textwrap.shorten(line, 120, placeholder="...")
