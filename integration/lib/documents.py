"""Pages of the documentation: their code blocks, and the comparison of real output with theirs.

Every block of code is run, unless comments directly above it, which readers do not see, say otherwise:

    <!-- before: CODE -->      run first, in the same language: what the reader has done before, or has anyway
    <!-- at a prompt -->       typed line by line at Python's prompt, in a terminal
    <!-- in IPython -->        the block is a cell
    <!-- raises: NAME -->      the last thing that happens is this error
    <!-- not run: REASON -->   why no test can run it
    <!-- run by: PATH -->      the test that runs it
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

RUN = ("python", "pycon", "console", "ipython")
DATA = ("json", "toml", "ini")
_OTHER = ("text", "dockerfile")  # what programs print, layouts, grammars; and what only Docker can run

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Differences between runs: versions, times, ids, numbers, and the spaces of tables.
_VARIES = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}|\d+(?:[.:-]\d+)*|\.\.\.|\s+")

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^ *```$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"^<!-- ([\w ]+?)(?:: (.*))? -->$")
_OPTIONS = {"before", "at a prompt", "in IPython", "raises", "not run", "run by", "demo", "test"}


@dataclass(frozen=True)
class Snippet:
    """One block of code, the line of its fence, and the comments above it by name."""

    page: Path
    line: int
    language: str
    text: str
    options: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def is_run(self) -> bool:
        """Whether `test_snippets.py` runs it."""
        return self.language in RUN and not self.options.keys() & {"not run", "run by"}


def snippets(page: Path) -> Iterator[Snippet]:
    """Each block of a page; a language or a comment that is not known is an error."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        above = text[: found.start()]
        snippet = Snippet(
            page,
            above.count("\n") + 1,
            found["language"],
            textwrap.dedent(found["text"]),
            dict(_comments(above.splitlines())),
        )
        unknown = snippet.options.keys() - _OPTIONS
        if unknown or snippet.language not in {*RUN, *DATA, *_OTHER}:
            raise ValueError(f"{snippet}: {snippet.language or 'a block without a language'} {unknown or ''}")
        yield snippet


def _comments(lines: list[str]) -> Iterator[tuple[str, str]]:
    while lines and (found := _COMMENT.match(lines.pop().strip())):
        yield found[1], found[2] or ""


def blocks(page: Path, *languages: str) -> Iterator[tuple[str, str]]:
    """Each block of code of a page in one of the languages, and its language."""
    for language, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if language in languages:
            yield language, text


def steps(session: str) -> list[tuple[str, list[str]]]:
    """The lines that a session at Python's prompt types, each with the lines that it shows."""
    return typed(session, ">>> ")


def typed(session: str, prompt: str) -> list[tuple[str, list[str]]]:
    """The lines after a prompt, each with the lines that it shows."""
    found: list[tuple[str, list[str]]] = []
    for line in session.splitlines():
        if line.startswith(prompt):
            found.append((line.removeprefix(prompt), []))
        elif line:
            found[-1][1].append(line)
    return found


def pattern(line: str) -> re.Pattern[str]:
    """The pattern for a line of a page: the same text, with other versions, times and numbers; `...` is anything."""
    parts = [re.escape(part) for part in _VARIES.split(line)]
    kinds = [_kind(text) for text in _VARIES.findall(line)]
    return re.compile("".join(part + kind for part, kind in zip(parts, [*kinds, ""], strict=True)))


def _kind(text: str) -> str:
    if text == "...":
        return r".*"
    if text.isspace():
        return r"\s+"
    return r"[\da-fT.:-]+"
