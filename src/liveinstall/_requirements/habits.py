"""Requirements as people type them by habit: whole commands, several lines, lists and options, taken apart."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from liveinstall._redact import cause_of
from liveinstall._requirements.requirement import text_of, wrong

_COMMAND = re.compile(
    r"^\s*(?:[!%$]\s*)?(?:(?:\S*[/\\])?py(?:thon)?[0-9.]*\s+-m\s+)?(?:uv\s+)?pip[0-9.]*\s+install(?:\s+|$)",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"(^|\s+)#.*$")
_LIKE = "A text, a packaging Requirement or a path; several are several arguments."


def take_apart(requirements: Iterable[object]) -> tuple[list[Any], list[dict[str, Any]]]:
    """Requirements one by one, and what options among them say, as keyword arguments in their order.

    A list is as good as several arguments. A text of several lines is read line by line, as a requirements file. A
    line that begins with `pip install` or with an option is read as pip's command line.

    Raises: RequirementError for what is neither; nothing is guessed: any word is the name of somebody's project.
    """
    texts: list[Any] = []
    options: list[dict[str, Any]] = []
    waiting: list[str] = []  # words that may belong to an option: install("-r", "requirements.txt")
    for each in flat(requirements):
        if not isinstance(each, str):
            texts.append(each)
        elif waiting or (each.startswith("-") and not re.search(r"\s", each)):
            waiting.append(each)
        else:
            for line in _lines(each):
                words = _words(line)
                if words is None:
                    texts.append(_single(line))
                else:
                    options.append(_read(words, line))
    if waiting:
        options.append(_read(waiting, " ".join(waiting)))
    for found in options:
        texts += found.pop("requirements")
    return texts, options


def flat(values: Iterable[object]) -> Iterator[object]:
    """Lists are as good as several arguments; RequirementError for what is neither a text nor a list."""
    for value in values:
        if isinstance(value, (str, os.PathLike, Requirement)):
            yield value
        elif isinstance(value, (bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
            raise wrong(f"{value!r} is not a requirement.", repr(value), todo=_LIKE)
        else:
            yield from flat(value)


def _lines(text: str) -> list[str]:
    """The lines of a text that has several, without comments, joined where one ends with a backslash."""
    if "\n" not in text.strip() and "\r" not in text.strip():
        return [text]
    joined = re.sub(r"\\\r?\n\s*", " ", text)
    return [line for line in (_COMMENT.sub("", line).strip() for line in joined.splitlines()) if line]


def _words(line: str) -> list[str] | None:
    """What is read as pip's command line; None for a requirement."""
    if not _COMMAND.match(line) and not line.lstrip().startswith("-"):
        return None
    try:
        return shlex.split(_COMMAND.sub("", line), posix=os.name != "nt")
    except ValueError as error:
        raise _not_understood(line, error) from cause_of(error)


def _read(words: list[str], line: str) -> dict[str, Any]:
    from liveinstall._requirements.pip_options import parse_pip_command  # argparse, only where it is needed

    try:
        found = parse_pip_command(words)
    except ValueError as error:
        raise _not_understood(line, error) from cause_of(error)
    return {**found, "requirements": [_single(text) for text in found["requirements"]]}


def _not_understood(line: str, error: Exception) -> Exception:
    todo = "Use the keyword arguments of install(), such as index_url=."
    return wrong(f"{line!r} is not understood here: {error}.", line, todo=todo)


def _single(text: str) -> str:
    """One requirement, or RequirementError which spells out the call that was probably meant."""
    words = re.split(r"[\s,]+", text.strip())
    if len(words) == 1 or not all(words) or not all(map(_is_named, words[:1])) or _is_requirement(text):
        return text
    if len(words) == 2 and _is_version(words[1]):  # noqa: PLR2004
        call = f'install("{words[0]}=={words[1]}")'
    elif all(_is_named(word) for word in words):
        call = f"install({', '.join(f'{chr(34)}{word}{chr(34)}' for word in words)})"
    else:
        return text
    raise wrong(f"{text!r} is not one requirement.", text_of(text), todo=f"Did you mean {call}?")


def _is_requirement(text: str) -> bool:
    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True


def _is_named(word: str) -> bool:
    return _is_requirement(word) and not os.path.exists(word)


def _is_version(word: str) -> bool:
    try:
        Version(word)
    except InvalidVersion:
        return False
    return True
