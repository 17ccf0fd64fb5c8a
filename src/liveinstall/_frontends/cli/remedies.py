"""Remedies in error messages, which name calls in Python, as commands."""

from __future__ import annotations

import ast
import re
import shlex

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

_OPTION = re.compile(r"(?<![\w.`-])([a-z_]+)=(True\b|\"[^\"]*\"|'[^']*')?(?![\w=<>])")
_LOG = "The full output is in the error's `log`; the command line shows it with --debug."
_DEBUG = "The option --debug shows the full output."
_CALL = re.compile(r"\b(?:liveinstall\.)?([a-z]+)\((?:[^()\"']|\"[^\"]*\"|'[^']*')*\)")


def as_commands(text: str, program: str, verbs: Mapping[str, argparse.ArgumentParser], verb: str = "") -> str:
    """Replace calls such as `install("numpy", upgrade=True)` by commands, where a command has the same options.

    Arguments such as `timeout=` become options of the command that the user has typed.

    Args:
        text: A sentence for people.
        program: How the user starts the command line, such as `python -m liveinstall`.
        verbs: The parsers of the commands, by name.
        verb: The command that the user has typed. Default: unknown.

    Returns:
        The sentence.
    """

    def command(match: re.Match[str]) -> str:
        words = _words(match[0], verbs[match[1]]) if match[1] in verbs else None
        return match[0] if words is None else f"`{' '.join([program, match[1], *words])}`"

    return _OPTION.sub(lambda match: _named(match, verbs.get(verb)), _CALL.sub(command, text)).replace(_LOG, _DEBUG)


def _named(match: re.Match[str], parser: argparse.ArgumentParser | None) -> str:
    """The option of a command for an argument such as `timeout=` or `when="now"`; the argument if there is none."""
    for action in parser._actions if parser else ():  # noqa: SLF001
        if action.option_strings and action.dest == match[1]:
            value = "" if match[2] in (None, "True") else f" {match[2].strip(chr(34) + chr(39))}"
            return f"{action.option_strings[-1]}{value}"
    return match[0]


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


def unknown_command(word: str, verbs: Iterable[str]) -> str:
    """Return the message for a command that does not exist, with the one that was probably meant.

    Args:
        word: What the user typed.
        verbs: The commands.
    """
    from difflib import get_close_matches  # used only here

    near = get_close_matches(word, verbs, 1)
    return f"unknown command {word!r}" + (f"; did you mean {near[0]}?" if near else ".")
