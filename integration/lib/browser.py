"""JupyterLab and Notebook 7 in headless Chromium: notebooks are written beforehand, and run cell by cell.

    with server(environment, folder, "jupyterlab") as ask, chromium() as browser:
        book = Book.open(browser, ask, folder, ["1 + 1"], app="lab")
        book.run(0)
        assert book.words(0) == "2"

Only what a test needs of a page is here; `book.page` is playwright's page for all else.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from integration.lib.kernels import Server

_SECONDS = 60
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
_PROMPT = "document.querySelectorAll('.jp-Notebook .jp-CodeCell .jp-InputPrompt')[a[0]].innerText"
_WATCH_CLICKS = """label => {
  window.clicked = null;
  document.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (button?.textContent === label) window.clicked = button.getAttribute("aria-disabled") !== "true";
  }, { capture: true, once: true });
}"""
_APPS = {"lab": "lab/tree", "notebook": "notebooks"}


def find_chromium() -> str | None:
    """The browser of this machine, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser with a fresh profile, until the context ends."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(_FLAGS), headless=True)
        try:
            yield browser
        finally:
            browser.close()


def set_up(folder: Path, *, dark: bool = False) -> None:
    """Write settings that make a front end deterministic. `folder` is the argument of `kernels.places`."""
    settings: dict[str, dict[str, Any]] = {
        "apputils-extension/themes": {"theme": f"JupyterLab {'Dark' if dark else 'Light'}"},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "notebook-extension/tracker": {"windowingMode": "none"},
    }
    for name, values in settings.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")


def write_notebook(path: Path, cells: Sequence[str], outputs: Mapping[int, Sequence[Any]] | None = None) -> Path:
    """Write a notebook of code cells; `outputs` by cell are untrusted, because they are not signed."""
    written = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {},
            "execution_count": None,
            "outputs": list((outputs or {}).get(number, ())),
            "source": code,
        }
        for number, code in enumerate(cells)
    ]
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    book = {"cells": written, "metadata": spec, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(book), encoding="utf-8")
    return path


def _luminance(colour: str) -> float:
    """Of `rgb(r, g, b)`, from 0 to 1, as defined by WCAG 2."""
    parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


_COLOURS = """
root => [root, ...root.querySelectorAll('*')].filter(e => e.innerText && e.innerText.trim()).map(e => {
  let back = e;
  while (back && getComputedStyle(back).backgroundColor === 'rgba(0, 0, 0, 0)') back = back.parentElement;
  return [getComputedStyle(e).color, back ? getComputedStyle(back).backgroundColor : 'rgb(255, 255, 255)'];
})
"""


def check_readable(element: Any) -> None:
    """Every word of an element has a contrast of 4.5 to its background, as WCAG 2 requires."""
    colours = element.evaluate(_COLOURS)
    assert colours
    for front, back in colours:
        dark, light = sorted((_luminance(front), _luminance(back)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (front, back)


@dataclass
class Book:
    """An open notebook. Cells are counted from 0."""

    page: Any

    @classmethod
    def open(
        cls,
        browser: Any,
        ask: Server,
        path: Path,
        app: Literal["lab", "notebook"] = "lab",
        *,
        width: int = 1000,
        page: Any = None,
    ) -> Book:
        """Open a notebook in the server's directory, and wait until its kernel is idle."""
        page = page or browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(_SECONDS * 1000)
        page.goto(f"{ask.url}{_APPS[app]}/{path.name}?token=t")
        page.wait_for_selector(".jp-CodeCell .jp-InputPrompt")
        page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
        if app == "lab" and page.locator(".jp-SideBar.jp-mod-left .lm-mod-current").count():
            page.keyboard.press("Control+b")  # the file browser is not needed
        return cls(page)

    def cell(self, number: int) -> Any:
        """A cell, as playwright's locator."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)

    def start(self, number: int) -> None:
        """Run a cell, and wait until it has begun."""

        def press() -> None:
            self.close_dialogs()
            self.cell(number).locator(".jp-InputPrompt").click()
            self.page.keyboard.press("Control+Enter")

        self._until_begun(number, press)

    def close_dialogs(self) -> None:
        """Accept dialogs that a busy front end opens, such as the choice of a kernel; a test's log lists them."""
        dialog = self.page.locator(".jp-Dialog").first
        if dialog.count():
            print("a dialog was open:", dialog.inner_text())
            dialog.locator("button.jp-mod-accept").first.click()

    def press(self, place: Any, label: str) -> None:
        """Press a button within a locator by the keyboard, until it has been pressed.

        A front end that finishes something at that moment may take the focus, and the key with it.
        """
        from playwright.sync_api import TimeoutError as TimedOut

        button = place.get_by_role("button", name=label, exact=True)
        for _ in range(5):
            self.page.evaluate(_WATCH_CLICKS, label)
            button.press("Enter")
            try:
                self.page.wait_for_function("window.clicked === true", timeout=5_000)
            except TimedOut:
                focus = self.page.evaluate("[window.clicked, document.activeElement.className]")
                print(f"the button {label!r} was not pressed: {focus}")
                continue
            return
        raise AssertionError(f"the button {label!r} cannot be pressed")

    def run(self, number: int) -> str:
        """Run a cell to its end; the text of its output."""
        self.start(number)
        return self.finish(number)

    def run_all(self) -> None:
        """Queue every cell, by the menu, and wait until the first one has begun."""

        def choose() -> None:
            self.page.keyboard.press("Escape")
            self.cell(0).locator(".jp-InputPrompt").click()
            self.page.locator(".lm-MenuBar-itemLabel", has_text="Run").first.click()
            self.page.get_by_text("Run All Cells", exact=True).first.click()

        self._until_begun(0, choose)

    def _until_begun(self, number: int, act: Callable[[], None]) -> None:
        """Repeat an action until a cell has begun: key presses while a front end is busy may get lost."""
        from playwright.sync_api import TimeoutError as TimedOut

        before = self.cell(number).locator(".jp-InputPrompt").inner_text()
        for _ in range(5):
            act()
            try:
                self.page.wait_for_function(f"a => {_PROMPT} !== a[1]", arg=[number, before], timeout=5_000)
            except TimedOut:
                continue
            return
        raise AssertionError(f"cell {number} does not run")

    def finish(self, number: int) -> str:
        """Wait for the end of a running cell; the text of its output."""
        self.page.wait_for_function(f"a => /\\[\\d+\\]/.test({_PROMPT})", arg=[number])
        return self.words(number)

    def words(self, number: int) -> str:
        """The text of a cell's outputs."""
        return " ".join(self.cell(number).locator(".jp-OutputArea-output").all_inner_texts()).strip()

    def restart(self) -> None:
        """Restart the kernel as a user does, with the dialog."""
        self.cell(0).locator(".jp-InputPrompt").click()
        self.page.keyboard.press("0")
        self.page.keyboard.press("0")
        self.page.locator(".jp-Dialog button.jp-mod-accept").click()
        self.page.wait_for_selector(".jp-Dialog", state="detached")
        self.page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')

    def picture(self, path: Path, *cells: int) -> None:
        """A picture of the outputs of `cells`, the first to the last, or of the whole window."""
        if not cells:
            self.page.screenshot(path=path)
            return
        self.cell(cells[0]).scroll_into_view_if_needed()
        boxes = [self.cell(number).bounding_box() for number in cells]
        left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
        width, bottom = max(box["width"] for box in boxes), max(box["y"] + box["height"] for box in boxes)
        self.page.screenshot(path=path, clip={"x": left, "y": top, "width": width, "height": bottom - top})
