"""A card after the page was loaded again, on a phone, and in a file without a kernel."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.lib.browser import Book, check_readable, chromium, find_chromium, set_up, write_notebook
from integration.lib.environments import Environment
from integration.lib.kernels import server

pytest.importorskip("playwright", reason="the browser is driven by playwright")
if not find_chromium():
    pytest.skip("Chromium is not installed", allow_module_level=True)

_WIDE = """
root => [root, ...root.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0
  && getComputedStyle(e).display !== 'inline' && getComputedStyle(e).overflowX === 'visible')
  .map(e => `${e.tagName}.${e.className} ${e.scrollWidth} > ${e.clientWidth}: ${e.innerText.slice(0, 60)}`)
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def _reload(book: Book) -> None:
    book.page.keyboard.press("Control+s")
    book.page.wait_for_timeout(1500)
    book.page.reload()
    book.page.wait_for_selector(".jp-CodeCell .jp-InputPrompt")


def _on_a_phone(book: Book, place: Any, path: Path, *, has_styles: bool = True) -> None:
    """375 pixels wide nothing sticks out, and everything is readable."""
    before = book.page.viewport_size
    book.page.set_viewport_size({"width": 375, "height": 800})
    book.page.wait_for_timeout(500)
    place.scroll_into_view_if_needed()
    book.page.screenshot(path=path)
    assert not has_styles or place.evaluate(_WIDE) == []
    check_readable(place)
    book.page.set_viewport_size(before)


@pytest.mark.parametrize(
    ("app", "dark"),
    [("lab", True), pytest.param("notebook", False, marks=pytest.mark.full)],
    ids=["lab-dark", "notebook-light"],
)
def test_a_card_shows_its_state_and_acts_after_a_reload(
    with_alpha: Environment, wheels: Path, browser: Any, tmp_path: Path, request: Any, app: Any, dark: bool
) -> None:
    here = f"no_index=True, find_links={str(wheels)!r}"
    set_up(tmp_path, dark=dark)
    path = write_notebook(
        tmp_path / "card.ipynb", ["import alpha, liveinstall", f"liveinstall.install('alpha==2.0', {here})"]
    )
    pictures = Path(request.config.getoption("--pictures") or tmp_path)
    with server(with_alpha, tmp_path, {"lab": "jupyterlab"}.get(app, app)) as ask:
        book = Book.open(browser, ask, path, app)
        card = book.cell(1).locator(".jp-OutputArea-output").first

        def press(label: str) -> None:
            book.press(card, label)

        book.run(0)
        book.run(1)
        card.get_by_role("button", name="Restart", exact=True).wait_for()
        _reload(book)
        card.get_by_role("button", name="Restart", exact=True).wait_for()
        assert "alpha is imported here" in card.inner_text()
        _on_a_phone(book, card, pictures / f"phone-{app}-pending.png")
        press("Restart")
        card.get_by_text("Restarted, alpha 2.0 is installed").wait_for()
        card.get_by_role("button", name="Undo", exact=True).wait_for()
        _reload(book)
        card.get_by_text("Restarted, alpha 2.0 is installed").wait_for()
        press("Undo")
        card.get_by_text("2.0 → 1.0").wait_for()
        _on_a_phone(book, card, pictures / f"phone-{app}-undone.png")
        _reload(book)
        card.get_by_text("2.0 → 1.0").wait_for()
        book.page.close()
        _check_file(browser, ask, path, app, pictures / f"phone-{app}-file.png")


def _check_file(browser: Any, ask: Any, path: Path, app: Any, picture: Path) -> None:
    """The saved file is complete without its kernel, and without trust."""
    saved = json.loads(path.read_text(encoding="utf-8"))
    (output,) = saved["cells"][1]["outputs"]
    assert set(output["data"]) == {"text/plain", "text/html"}
    saved["cells"][1]["source"] = "# changed, so that it is not signed"
    copy = path.with_name("copy.ipynb")
    copy.write_text(json.dumps(saved), encoding="utf-8")
    shutil.rmtree(path.parent / "lab", ignore_errors=True)  # the workspace, which would open the first notebook, too
    book = Book.open(browser, ask, copy, app)
    words = book.cell(1).locator(".jp-OutputArea-output").inner_text()
    assert "alpha" in words and "2.0" in words and not book.cell(1).get_by_role("button", name="Undo").count(), words
    # Without trust JupyterLab removes the styles, and a call cannot be wrapped.
    _on_a_phone(book, book.cell(1).locator(".jp-OutputArea-output").first, picture, has_styles=False)
    book.page.close()
