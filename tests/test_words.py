"""What people read is written in the field's words: no literal translations, no home-made riddles."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = sorted((ROOT / "src").rglob("*.py"))

# A regular expression, and what to write instead.
BETTER = {
    r"mend(s|ed|ing)?": "repair, fix",
    r"anew": "again",
    r"at whatever remove": "directly or indirectly",
    r"leaves? \w+ away|left away|leave away": "omit",
    r"for ever": "forever, permanently",
    r"crowds?": "concurrency, concurrent processes",
    r"nobody": "no one; of processes: not in use; of files: not in any RECORD",
    r"whoever|Whoever": "the user or process that",
    r"what(ever)? (waits|lies)": "pending changes; files on disk",
    r"[Ff]igures (of|are|for|in)|in figures|[Ff]igures:": "numbers, measurements, benchmarks",
    r"(is|are|was) told|tells? (it|them|you|nothing|the)\b": "reports, is notified, receives",
    r"(?<!here )is no (?!longer|more|less|slower|faster|larger|better|worse)\w+": "is not a",
    r"[Aa]lso if": "even if",
    r"(take|takes|took|taken|taking) (\w+ )?back": "cancel, revert, undo",
    r"desists?": "backs off, does nothing",
    r"at a glance": "in short",
    r"by its words|by their words": "as passed",
    r"good to the second": "has a resolution of one second",
    r"the own (\w+)": "its own",
    r"makes no sense": "is invalid",
    r"moved on": "has changed",
    r"cannot be had|can be had": "is not available, is available",
}
PATTERN = re.compile(r"\b(" + "|".join(f"(?:{regex})" for regex in BETTER) + r")(?!\w)")

# What stays, with the reason: part of the text -> why.
NAMED = {
    "figures of Matplotlib": "they are pictures",
    "anew: Whether": "a parameter",
    "mend: The repair": "a public attribute, in JSON too",
}


def _texts(path: Path) -> list[tuple[int, str]]:
    """The lines of a page that are not code, or the comments, docstrings and other strings of a module."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
        strings = [(node.lineno, node.value) for node in nodes if isinstance(node.value, str)]
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        return strings + [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
    text = re.sub(r"^ *```.*?^ *```$", lambda block: "\n" * block[0].count("\n"), text, flags=re.DOTALL | re.MULTILINE)
    return list(enumerate(re.sub(r"`[^`\n]*`|\]\([^)]*\)", "", text).splitlines(), 1))


def hits(text: str) -> list[str]:
    """Each phrase that has a better one, with that."""
    text = " ".join(text.split())
    found = []
    for match in PATTERN.finditer(text):
        around = text[max(match.start() - 60, 0) : match.end() + 60]
        if not any(part in around for part in NAMED):
            better = next(words for regex, words in BETTER.items() if re.fullmatch(regex, match[0]))
            found.append(f"{around!r}: {match[0]!r} -> {better}")
    return found


@pytest.mark.parametrize("path", [*PAGES, *MODULES], ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_use_the_words_of_the_field(path):
    assert not [f"{path.name}:{line}: {hit}" for line, text in _texts(path) for hit in hits(text)]


def test_phrases_that_have_a_better_one_are_found():
    assert hits("It is told anew what waits.") and hits("This is no wheel.") and not hits("It is no longer pending.")
    assert len(hits("mended by nobody")) == 2 and not hits("recommended, amended, awaits")
