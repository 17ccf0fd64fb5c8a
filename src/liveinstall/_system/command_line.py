"""Command lines: that of this process, for people, and splitting what people type into words."""

from __future__ import annotations

import os
import shlex
import sys
import textwrap

from liveinstall._redact import redact


def command_line() -> str:
    """Return the command line of this process on one line, with at most 120 characters and without credentials."""
    arguments = sys.orig_argv or [sys.executable or "python"]
    line = redact(" ".join([os.path.basename(arguments[0]), *arguments[1:]]).replace("\n", " "))
    return textwrap.shorten(line, 120, placeholder="...")


def split_words(line: str) -> list[str]:
    """Split a line into words as the shell of this system does.

    Args:
        line: The line. On Windows a backslash in it is part of a path; elsewhere it quotes the next character.

    Returns:
        The words, without their quotes.

    Raises:
        ValueError: A quote is not closed.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    if os.name == "nt":
        lexer.escape = ""
    return list(lexer)
