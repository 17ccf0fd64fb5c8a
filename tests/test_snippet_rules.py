"""Every block of code in the documentation is run by a test, or has a reason why it cannot be."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from pathlib import Path

import pytest

from integration.lib.documents import DATA, RUN, snippets

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
_COMMAND = re.compile(r"^(>>> |\$ |%%?\w|((python3?|pip|uv|liveinstall|import|from) (?! )))", re.MULTILINE)


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_block_of_code_is_run_or_says_why_not(page):
    for snippet in snippets(page):
        options = snippet.options
        if "run by" in options:
            assert page.name in (ROOT / options["run by"]).read_text(encoding="utf-8"), snippet
        if "not run" in options:
            assert len(options["not run"].split()) > 3, f"{snippet}: this is not a reason"
        if snippet.language not in {*RUN, *DATA}:
            assert "not run" in options or not _COMMAND.search(snippet.text), f"{snippet} has code, and is never run"
            assert snippet.language == "text" or "not run" in options, snippet


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_data_in_the_docs_can_be_parsed(page):
    for snippet in snippets(page):
        if snippet.language == "json":
            for line in snippet.text.splitlines():
                assert json.loads(line)
        elif snippet.language == "toml":
            assert tomllib.loads(snippet.text)
        elif snippet.language == "ini":
            configparser.ConfigParser().read_string(snippet.text)


@pytest.mark.parametrize("text", ["```\nx\n```\n", "```cobol\nx\n```\n", "<!-- before lunch: x -->\n```text\nx\n```\n"])
def test_a_block_without_a_known_language_or_with_an_unknown_comment_is_an_error(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(ValueError, match=r"page\.md:\d"):
        list(snippets(page))


def test_comments_above_a_block_belong_to_it(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- before: a -->\n<!-- raises: B -->\n```python\nx\n```\n\n1. in a list\n\n   ```json\n   {}\n   ```\n"
    )
    first, second = snippets(page)
    assert (first.options, first.is_run, first.line) == ({"before": "a", "raises": "B"}, True, 3)
    assert (second.language, second.text, second.is_run) == ("json", "{}\n", False)


def test_sessions_of_nox_that_pages_name_exist():
    defined = set(re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        for names in re.findall(r"nox -s ([^`#\n]+)", page.read_text(encoding="utf-8")):
            for name in names.partition(" -- ")[0].split():
                assert name.partition("-")[0] in defined, f"{page.name}: nox -s {name}"
