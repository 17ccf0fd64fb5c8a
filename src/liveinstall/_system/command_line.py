"""Command lines: that of this process, for people, and splitting what people type into words."""

from __future__ import annotations

import os
import sys

from liveinstall._redact import redact

_WIDTH = 120  # characters of a command line that people are shown


def command_line() -> str:
    """Return the command line of this process on one line, with at most 120 characters and without credentials."""
    arguments = sys.orig_argv or [sys.executable or "python"]
    line = " ".join(redact(" ".join([os.path.basename(arguments[0]), *arguments[1:]])).split())
    if len(line) <= _WIDTH:
        return line
    import textwrap  # importing it takes longer than this whole module

    return textwrap.shorten(line, _WIDTH, placeholder="...")


def split_words(line: str) -> list[str]:
    """Split a line into words as the shell of this system does.

    Args:
        line: The line. On Windows a backslash in it is part of a path; elsewhere it quotes the next character.

    Returns:
        The words, without their quotes.

    Raises:
        ValueError: A quote is not closed.
    """
    import shlex  # only typed lines need it

    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    if os.name == "nt":
        lexer.escape = ""
    return list(lexer)


def quoted(word: str) -> str:
    """Return a word of a command line that a person of this system can paste, in quotes if it needs them."""
    import shlex
    import subprocess

    return subprocess.list2cmdline([word]) if os.name == "nt" else shlex.quote(word)
