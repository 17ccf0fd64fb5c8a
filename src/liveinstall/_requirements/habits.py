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
from liveinstall._requirements.requirement import checked_text, text_of, wrong

_PIP = r"^\s*(?:[!%$]\s*)?(?:(?:\S*[/\\])?py(?:thon)?[0-9.]*\s+-m\s+)?(?:uv\s+)?(?:pip[0-9.]*|liveinstall)\s+"
_COMMAND = re.compile(_PIP + r"install(?:\s+|$)", re.IGNORECASE)
_REMOVAL = re.compile(_PIP + r"uninstall(?:\s+|$)", re.IGNORECASE)
_OTHER = re.compile(_PIP + r"(?P<verb>[a-z]+)\b", re.IGNORECASE)
_COMMENT = re.compile(r"(^|\s+)#.*$")
_VERBS = {
    "install": "install(...)",
    "uninstall": "uninstall(...)",
    "download": "install(..., parallel=True)",
    **{verb: f"{verb}()" for verb in ("list", "freeze", "check")},
}


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
        if waiting:
            waiting.append(os.path.abspath(each) if isinstance(each, os.PathLike) else str(each))
        elif not isinstance(each, str):
            texts.append(each)
        elif each.startswith("-") and not re.search(r"\s", each):
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
            checked_text(value)
        else:
            yield from flat(value)


def _lines(text: str) -> list[str]:
    """The lines of a text that has several, without comments, joined where one ends with a backslash."""
    if "\n" not in text.strip() and "\r" not in text.strip():
        return [text]
    joined = re.sub(r"\\\r?\n\s*", " ", text)
    return [line for line in (_COMMENT.sub("", line).strip() for line in joined.splitlines()) if line]


def _words(line: str, command: re.Pattern[str] = _COMMAND) -> list[str] | None:
    """What is read as pip's command line; None for a requirement."""
    if not command.match(line) and not line.lstrip().startswith("-"):
        other = _OTHER.match(line)
        if other and other["verb"].lower() in _VERBS:
            raise wrong(f"{line!r} is another command.", line, todo=f"Did you mean {_VERBS[other['verb'].lower()]}?")
        return None
    try:
        return shlex.split(command.sub("", line), posix=os.name != "nt")
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


def removals(names: Iterable[object]) -> tuple[list[str], list[str]]:
    """Names of what is to be removed, and requirement files that name more: `pip uninstall -y a -r FILE`, or lists.

    Raises: RequirementError for what is neither a text nor a list, and for several names in one text.
    """
    found: list[str] = []
    files: list[str] = []
    waiting: list[str] = []
    for each in flat(names):
        text = text_of(each)
        if waiting or (text.startswith("-") and not re.search(r"\s", text)):
            waiting.append(text)
            continue
        for line in _lines(text):
            words = _words(line, _REMOVAL)
            if words is None:
                found.append(_one_name(line))
            else:
                _read_removal(words, line, found, files)
    if waiting:
        _read_removal(waiting, " ".join(waiting), found, files)
    return found, files


def _read_removal(words: list[str], line: str, names: list[str], files: list[str]) -> None:
    from liveinstall._requirements.pip_options import parse_pip_removal  # argparse, only where it is needed

    try:
        more, listed = parse_pip_removal(words)
    except ValueError as error:
        todo = 'For example: uninstall("requests", requirement_files="requirements.txt").'
        raise wrong(f"{line!r} is not understood here: {error}.", line, todo=todo) from cause_of(error)
    names += map(_one_name, more)
    files += listed


def _one_name(text: str) -> str:
    words = re.split(r"[\s,]+", text.strip())
    if len(words) > 1 and all(map(re.compile(r"[A-Za-z0-9._-]+").fullmatch, words)):
        raise wrong(f"{text!r} is not one name.", text, todo=f"Did you mean {_call('uninstall', words)}?")
    return text.strip()


def _call(verb: str, words: Iterable[str]) -> str:
    quoted = ", ".join(f'"{word}"' for word in words)
    return f"{verb}({quoted})"


def _single(text: str) -> str:
    """One requirement, or RequirementError which spells out the call that was probably meant."""
    words = re.split(r"[\s,]+", text.strip())
    if len(words) == 1 or not all(words) or not all(map(_is_named, words[:1])) or _is_requirement(text):
        return text
    if len(words) == 2 and _is_version(words[1]):  # noqa: PLR2004
        call = _call("install", [f"{words[0]}=={words[1]}"])
    elif all(_is_named(word) for word in words):
        call = _call("install", words)
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
