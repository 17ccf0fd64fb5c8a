"""The built site of the documentation: tables, links, search, and how it looks on a phone. `nox -s docs` runs them.

Links inside of the site lead to pages and sections that exist. Links to other sites are only checked for their form;
`nox -s links` opens each of them.
"""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from integration.lib.environments import ROOT
from integration.lib.projects import serve

SOURCES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
TABS = [
    *("Home", "Install", "Tutorial", "How-to guides", "Reference", "Explanation", "Troubleshooting and FAQ"),
    *("Contributing", "Benchmarks and reliability"),
]
FOUND = {
    "tutorial": "tutorial/",
    "docker": "faq/",
    "marimo": "faq/",
    "windows": "windows/",
    "offline": "faq/",
    "undo": "how-to/undo/",
}
_CELL = re.compile(r"(?:`[^`]*`|\\\||[^|])+|(?<=\|)(?=\|)")
_HERE = "https://site.invalid/"


class _Page(HTMLParser):
    """The ids of a page, its links, and its paragraphs that look like a row of a table."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids, self.links, self.rows = {""}, list[str](), list[str]()
        self._tag = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        for name, value in attrs:
            if name in {"id", "name"}:
                self.ids.add(value or "")
            elif name in {"href", "src"} and value:
                self.links.append(value)

    def handle_data(self, data: str) -> None:
        if self._tag == "p" and data.lstrip().startswith("|"):
            self.rows.append(data)


@pytest.fixture(scope="session")
def site(pytestconfig: pytest.Config) -> Path:
    """The directory of the built site."""
    given: Path | None = pytestconfig.getoption("--site")
    assert given, "--site=DIRECTORY is missing"
    return given.resolve()


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[str, _Page]:
    """Each page by its address inside of the site."""
    found = {path.relative_to(site).as_posix().removesuffix("index.html"): path for path in site.rglob("*.html")}
    found.pop("404.html")
    return {address: _Page(path) for address, path in found.items()}


def test_each_row_of_a_table_has_as_many_cells_as_its_header(pages: dict[str, _Page]) -> None:
    assert not {address: page.rows for address, page in pages.items() if page.rows}
    for source in SOURCES:
        for header, *rows in _tables(source.read_text(encoding="utf-8")):
            for row in rows:
                assert len(_CELL.findall(row)) == len(_CELL.findall(header)), f"{source.name}: {row}"


def _tables(text: str) -> Iterator[list[str]]:
    text = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for table in re.findall(r"(?:^\|.*\|$\n?){2,}", text, re.MULTILINE):
        yield [row[1:-1] for row in table.splitlines()]


def test_links_inside_of_the_site_lead_to_pages_and_sections(site: Path, pages: dict[str, _Page]) -> None:
    broken = defaultdict(list)
    for address, page in pages.items():
        for link in page.links:
            target = urlsplit(urljoin(_HERE + address, link))
            if f"{target.scheme}://{target.netloc}/" != _HERE:
                continue
            path = unquote(target.path.lstrip("/"))
            there = pages.get(path)
            if (there is None and not (site / path).is_file()) or (there and unquote(target.fragment) not in there.ids):
                broken[address].append(link)
    assert not broken


def test_links_to_other_sites_are_https_and_well_formed(pages: dict[str, _Page]) -> None:
    links = {link for page in pages.values() for link in page.links if ":" in link.split("/")[0]}
    assert links
    wrong = [link for link in links if not re.fullmatch(r"https://([\w-]+\.)+[a-z]{2,}(/[\w./%#?=&~+@:-]*)?", link)]
    assert not wrong


def test_the_tabs_are_in_the_order_in_which_people_look(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    tabs = re.search(r'<nav class="md-tabs".*?</nav>', home, re.DOTALL)
    assert tabs and [" ".join(re.sub("<.*?>", "", tab).split()) for tab in tabs[0].split("</li>")[:-1]] == TABS


def test_the_site_in_a_browser(site: Path, pages: dict[str, _Page]) -> None:
    """Search finds what people look for; code has colours and a button to copy it; a phone needs no sideways scroll."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        pytest.skip("there is no Chromium here")
    from playwright.sync_api import sync_playwright

    with serve(site) as top, sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{top}/tutorial/")
        page.wait_for_selector(".highlight button[data-clipboard-target], .highlight .md-code__button")
        assert page.locator(".highlight .nb, .highlight .n, .highlight .kn").count() > 10
        page.click(".md-search__input")
        for word, address in FOUND.items():
            page.fill(".md-search__input", "")
            page.locator(".md-search__input").press_sequentially(word)
            page.wait_for_selector(f".md-search-result__link[href*='/{address}']", state="attached", timeout=20_000)
        page.set_viewport_size({"width": 375, "height": 800})
        wide = {}
        for address in pages:
            page.goto(f"{top}/{address}", wait_until="domcontentloaded")
            width = page.evaluate("document.documentElement.scrollWidth")
            if width > 375:
                wide[address] = width
        browser.close()
        assert not wide
