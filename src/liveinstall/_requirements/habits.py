"""Requirements as people type or paste them: pip command lines, several lines, lists and options."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping

from liveinstall._requirements.requirement import checked_text, text_of, wrong
from liveinstall._system.command_line import split_words
from liveinstall._system.lean_packaging import (
    InvalidRequirement,
    is_requirement,
    is_version,
    leading_name,
    parse_requirement_line,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PIP = r"(?i)^\s*(?:[!%$]\s*)?(?:(?:\S*[/\\])?py(?:thon)?[0-9.]*(?:\.exe)?\s+-m\s+)?"
_PIP += r"(?:uv(?:\.exe)?\s+)?(?:pip[0-9.]*|liveinstall)(?:\.exe)?\s+"
_COMMAND = _PIP + r"install(?:\s+|$)"  # compiled by `re` when a line has several words
_REMOVAL = _PIP + r"uninstall(?:\s+|$)"
_OTHER = _PIP + r"(?P<verb>[a-z]+)\b"
_ALIKE = 0.8  # of difflib's ratio
_COMMENT = r"(^|\s+)#.*$"
_VERBS = {
    "install": "install(...)",
    "uninstall": "uninstall(...)",
    "download": "install(..., parallel=True)",
    **{verb: f"{verb}()" for verb in ("list", "freeze", "check")},
}


def take_apart(requirements: Iterable[object]) -> tuple[list[Any], list[dict[str, Any]]]:
    """Split the arguments of a request into single requirements and options.

    A list is accepted instead of several arguments. A string of several lines is read line by line, as a requirements
    file. A line that begins with `pip install` or with an option is read as pip's command line.

    Args:
        requirements: The requirements as the caller gave them.

    Returns:
        The requirements, and the options among them as keyword arguments of `install()`, in their order.

    Raises:
        RequirementError: An argument is none of these. Nothing is guessed, because any word may be a project's name.
    """
    texts: list[Any] = []
    options: list[dict[str, Any]] = []
    arguments: list[str] = []  # an option, and what may belong to it: install("-r", "requirements.txt")
    for each in flat(requirements):
        if arguments:
            arguments.append(os.path.abspath(each) if isinstance(each, os.PathLike) else str(each))
        elif not isinstance(each, str):
            texts.append(each)
        elif each.startswith("-") and not re.search(r"\s", each):
            arguments.append(each)
        else:
            for line in _lines(each):
                command = _command_arguments(line)
                if command is None:
                    texts.append(_single(line))
                else:
                    options.append(_read(command, line))
    if arguments:
        options.append(_read(arguments, " ".join(arguments)))
    for parsed in options:
        texts += parsed.pop("requirements")
    return texts, options


def flat(values: Iterable[object]) -> Iterator[object]:
    """Yield the items of nested lists.

    Args:
        values: Strings, paths and Requirements, or nested lists of them.

    Yields:
        The strings, paths and Requirements.

    Raises:
        RequirementError: A value is none of these.
    """
    for value in values:
        if isinstance(value, (str, os.PathLike)) or is_requirement(value):
            yield value
        elif isinstance(value, (bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
            checked_text(value)
        else:
            yield from flat(value)


def _lines(text: str) -> list[str]:
    """The lines of a text; if there are several, without comments, and joined after a backslash."""
    if "\n" not in text.strip() and "\r" not in text.strip():
        return [text]
    joined = re.sub(r"\\\r?\n\s*", " ", text)
    return [line for line in (re.sub(_COMMENT, "", line).strip() for line in joined.splitlines()) if line]


def _command_arguments(line: str, command: str = _COMMAND) -> list[str] | None:
    """The arguments of a line that is a pip command line; None for a requirement."""
    if not line.lstrip().startswith("-") and (len(line.split()) == 1 or not re.match(command, line)):
        other = re.match(_OTHER, line) if len(line.split()) > 1 else None
        verb = _meant(other["verb"].lower()) if other else ""
        if verb:
            raise wrong(f"{line!r} is another command.", line, todo=f"Did you mean {_VERBS[verb]}?")
        return None
    try:
        return split_words(re.sub(command, "", line))
    except ValueError as error:
        raise _unsupported(line, error) from None


def _meant(verb: str) -> str:
    """The verb of pip that was meant by one that may be misspelt; empty if there is none."""
    from difflib import get_close_matches  # only for several words, which are a mistake anyway

    return next(iter(get_close_matches(verb, _VERBS, 1, _ALIKE)), "")


def _read(arguments: list[str], line: str) -> dict[str, Any]:
    from liveinstall._requirements.pip_options import parse_pip_command  # argparse, only when it is needed

    try:
        options = parse_pip_command(arguments)
    except ValueError as error:
        raise _unsupported(line, error) from None
    return {**options, "requirements": [_single(text) for text in options["requirements"]]}


def _unsupported(line: str, error: Exception) -> Exception:
    todo = "Use the keyword arguments of install(), such as index_url=."
    return wrong(f"{line!r} is not a supported command: {error}.", line, todo=todo)


def removals(names: Iterable[object]) -> tuple[list[str], list[str]]:
    """Split the arguments of `uninstall()`, which may be lists or `pip uninstall -y a -r FILE`.

    Args:
        names: The names as the caller gave them.

    Returns:
        The names, and the paths of requirements files with more names.

    Raises:
        RequirementError: An argument is neither a string nor a list, or a string contains several names.
    """
    single_names: list[str] = []
    files: list[str] = []
    arguments: list[str] = []
    for each in flat(names):
        text = text_of(each)
        if arguments or (text.startswith("-") and not re.search(r"\s", text)):
            arguments.append(text)
            continue
        for line in _lines(text):
            command = _command_arguments(line, _REMOVAL)
            if command is None:
                single_names.append(_single_name(line))
            else:
                _read_removal(command, line, single_names, files)
    if arguments:
        _read_removal(arguments, " ".join(arguments), single_names, files)
    return single_names, files


def _read_removal(arguments: list[str], line: str, names: list[str], files: list[str]) -> None:
    from liveinstall._requirements.pip_options import parse_pip_removal  # argparse, only when it is needed

    try:
        listed_names, listed_files = parse_pip_removal(arguments)
    except ValueError as error:
        todo = 'For example: uninstall("requests", requirement_files="requirements.txt").'
        raise wrong(f"{line!r} is not a supported command: {error}.", line, todo=todo) from None
    names += map(_single_name, listed_names)
    files += listed_files


def _single_name(text: str) -> str:
    names = re.split(r"[\s,]+", text.strip())
    if len(names) > 1 and all(map(re.compile(r"[A-Za-z0-9._-]+").fullmatch, names)):
        raise wrong(f"{text!r} is not a single name.", text, todo=f"Did you mean {_call('uninstall', names)}?")
    return text.strip()


def _call(verb: str, arguments: Iterable[str]) -> str:
    quoted = ", ".join(f'"{argument}"' for argument in arguments)
    return f"{verb}({quoted})"


def _single(text: str) -> str:
    """One requirement; for several in one text a RequirementError with the call that was probably meant."""
    if leading_name(text) == text:
        return text
    items = re.split(r"[\s,]+", text.strip())
    if len(items) == 1 or not all(items) or not all(map(_is_named, items[:1])) or _is_requirement(text):
        return text
    if len(items) == 2 and is_version(items[1]):  # noqa: PLR2004
        call = _call("install", [f"{items[0]}=={items[1]}"])
    elif all(_is_named(item) for item in items):
        call = _call("install", items)
    else:
        return text
    raise wrong(f"{text!r} is not a single requirement.", text_of(text), todo=f"Did you mean {call}?")


def _is_requirement(text: str) -> bool:
    try:
        parse_requirement_line(text)
    except InvalidRequirement:
        return False
    return True


def _is_named(text: str) -> bool:
    return _is_requirement(text) and not os.path.exists(text)
