"""The status-bar item and its panel in JupyterLab, and the same in Notebook 7, which has no status bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.lib.browser import Book, check_readable, chromium, find_chromium, set_up, write_notebook
from integration.lib.environments import Environment
from integration.lib.kernels import server

pytest.importorskip("playwright", reason="the browser is driven by playwright")
if not find_chromium():
    pytest.skip("Chromium is not installed", allow_module_level=True)

Picture = Callable[..., None]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def story(with_alpha: Environment, wheels: Path) -> list[str]:
    """Cells that leave one transaction that can be undone, and one that is pending; alpha is 1.0 before."""
    here = f"no_index=True, find_links={str(wheels)!r}, quiet=True"
    return ["import alpha, liveinstall", f"liveinstall.install('alpha==2.0', 'beta', {here})"]


def press(book: Book, button: str) -> None:
    """Press a button of the panel, and consent."""
    book.page.locator(".liveinstall-panel").get_by_role("button", name=button).first.click()
    answer(book, "accept")


def answer(book: Book, choice: str) -> None:
    """Press a button of the dialog, and wait until it is closed."""
    book.page.locator(f".jp-Dialog button.jp-mod-{choice}").click()
    book.page.wait_for_selector(".jp-Dialog", state="detached")


def open_while_pressing(book: Book, button: str) -> None:
    """Open the panel, and hold a button of it while the answers come that draw it anew: the click counts."""
    book.page.locator(".liveinstall-item").focus()
    with book.page.expect_response(lambda response: "/history" in response.url):
        book.page.keyboard.press("Enter")
        book.page.locator(".liveinstall-panel").get_by_role("button", name=button).hover()
        book.page.mouse.down()
    book.page.wait_for_timeout(200)
    book.page.mouse.up()
    answer(book, "reject")


def check_on_a_phone(book: Book, panel: Any, picture: Path) -> None:
    """At a width of 375 pixels the panel is within the window, and nothing sticks out of it."""
    before = book.page.viewport_size
    book.page.set_viewport_size({"width": 375, "height": 800})
    book.page.wait_for_timeout(500)
    book.page.screenshot(path=picture)
    box = panel.bounding_box()
    assert box["x"] >= 0 and box["y"] >= 0 and box["x"] + box["width"] <= 375 and box["y"] + box["height"] <= 800, box
    assert panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth")
    book.page.set_viewport_size(before)


@pytest.mark.parametrize(("app", "dark"), [("lab", True), ("notebook", False)], ids=["lab-dark", "notebook-light"])
def test_the_item_counts_what_is_pending_and_its_panel_cancels_and_undoes(
    notebooks: Environment, browser: Any, story: list[str], tmp_path: Path, request: Any, app: Any, dark: bool
) -> None:
    set_up(tmp_path, dark=dark)
    path = write_notebook(tmp_path / "story.ipynb", story)
    with server(notebooks, tmp_path, {"lab": "jupyterlab"}.get(app, app)) as ask:
        book = Book.open(browser, ask, path, app)
        problems: list[str] = []
        book.page.on("pageerror", lambda error: problems.append(f"{error}\n{error.stack}"))
        item, panel = book.page.locator(".liveinstall-item"), book.page.locator(".liveinstall-panel")
        book.run(0)
        if app == "lab":
            item.get_by_text("No pending changes").wait_for()
        book.run(1)
        item.get_by_text("1 pending change").wait_for()
        open_while_pressing(book, "Cancel alpha")
        panel.get_by_role("button", name="Undo beta 1.0").first.wait_for()
        words = panel.inner_text()
        for expected in ("Packages of story.ipynb", "alpha 1.0 \N{RIGHTWARDS ARROW} 2.0", "alpha is imported here"):
            assert expected in words, words
        assert "this notebook" in words and "the Jupyter server" in words and str(notebooks.site) in words
        check_readable(panel)
        check_readable(item)
        if folder := request.config.getoption("--pictures"):
            book.picture(Path(folder) / f"panel-{app}-{'dark' if dark else 'light'}.png")
        check_on_a_phone(book, panel, Path(folder or tmp_path) / f"panel-{app}-phone.png")
        press(book, "Cancel alpha")
        panel.get_by_text("Cancelled: alpha").wait_for()
        panel.get_by_text("No pending changes.").wait_for()
        press(book, "Undo beta 1.0")
        panel.get_by_text("Undone.").wait_for()
        panel.get_by_text("beta 1.0 removed").first.wait_for()
        book.page.keyboard.press("Escape")
        assert not panel.count()
        assert not [problem for problem in problems if "liveinstall" in problem]  # JupyterLab has errors of its own
        assert book.page.evaluate("document.activeElement.className").count("liveinstall-item") == (app == "lab")
        book.page.close()


def test_without_an_answer_there_is_no_item_and_one_request(
    notebooks: Environment, browser: Any, tmp_path: Path
) -> None:
    set_up(tmp_path)
    path = write_notebook(tmp_path / "quiet.ipynb", ["1"])
    names = ("jupyter_lsp", "jupyter_server_terminals", "jupyterlab", "liveinstall", "notebook_shim")
    extensions = {name: name != "liveinstall" for name in names}
    with server(notebooks, tmp_path, "jupyterlab", f"--ServerApp.jpserver_extensions={extensions}") as ask:
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "/liveinstall/api" in request.url else None)
        book = Book.open(browser, ask, path, page=page)
        for _ in range(2):
            book.run(0)
        page.wait_for_timeout(1500)
        assert len(asked) <= 2 and not page.locator(".liveinstall-item").is_visible(), asked
        page.close()


def test_it_is_disabled_as_every_extension(notebooks: Environment, browser: Any, tmp_path: Path) -> None:
    set_up(tmp_path)
    config = tmp_path / "config" / "labconfig" / "page_config.json"
    config.parent.mkdir(parents=True)
    config.write_text('{"disabledExtensions": {"liveinstall": true}}', encoding="utf-8")
    path = write_notebook(tmp_path / "off.ipynb", ["1"])
    with server(notebooks, tmp_path, "jupyterlab") as ask:
        book = Book.open(browser, ask, path)
        book.run(0)
        assert not book.page.locator(".liveinstall-item").count()
        book.page.close()
