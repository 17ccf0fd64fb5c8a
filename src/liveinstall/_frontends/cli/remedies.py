"""Remedies in error messages, which name calls in Python, as commands."""

from __future__ import annotations

import ast
import re
import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

_CALL = re.compile(r"\b(?:liveinstall\.)?([a-z]+)\((?:[^()\"']|\"[^\"]*\"|'[^']*')*\)")


def as_commands(text: str, program: str, verbs: Mapping[str, argparse.ArgumentParser]) -> str:
    """Replace calls such as `install("numpy", upgrade=True)` by commands, where a command has the same options.

    Args:
        text: A sentence for people.
        program: How the user starts the command line, such as `python -m liveinstall`.
        verbs: The parsers of the commands, by name.

    Returns:
        The sentence.
    """

    def command(match: re.Match[str]) -> str:
        words = _words(match[0], verbs[match[1]]) if match[1] in verbs else None
        return match[0] if words is None else f"`{' '.join([program, match[1], *words])}`"

    return _CALL.sub(command, text)


def _words(call: str, parser: argparse.ArgumentParser) -> list[str] | None:
    """The words of a command for a call; None if it has another argument than those that the command has."""
    tree = ast.parse(call, mode="eval").body
    if not isinstance(tree, ast.Call):
        return None
    options = {action.dest: action for action in parser._actions if action.option_strings}  # noqa: SLF001
    try:
        words = [_word(argument) for argument in tree.args]
        for keyword in tree.keywords:
            words[:0] = _option(options[keyword.arg or ""].option_strings[-1], keyword.value)
    except (KeyError, ValueError):
        return None
    return words


def _option(name: str, value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant) and value.value in (False, None):
        raise ValueError(name)
    yield name
    if not (isinstance(value, ast.Constant) and value.value is True):
        yield _word(value)


def _word(node: ast.expr) -> str:
    value: Any = ast.literal_eval(node)
    return "..." if value is ... else shlex.quote(str(value))
