"""The whole story in the real front ends: what a person sees, in light and dark, trusted and not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from integration.lib.browser import Book, chromium, find_chromium, set_up, write_notebook
from integration.lib.environments import Environment
from integration.lib.kernels import server

pytest.importorskip("playwright", reason="the browser is driven by playwright")
if not find_chromium():
    pytest.skip("there is no Chromium here", allow_module_level=True)

Picture = Callable[..., None]
_STORY = (
    "import numpy\nnumpy.__version__",
    'import liveinstall\n\nliveinstall.install("numpy==2.0.2", "rich")',
    "import numpy.fft, numpy.polynomial, rich\nnumpy.__version__",
    "liveinstall.status()",
    "liveinstall.history()",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def real(notebooks: Environment) -> Environment:
    """The one environment of these tests, with numpy 1.26.4 and without rich."""
    back = "li.uninstall('rich', 'markdown-it-py', 'mdurl'); li.install('numpy==1.26.4')"
    notebooks.run("-c", f"import liveinstall as li; {back}", check=True)
    return notebooks


@pytest.fixture
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> Picture:
    """Takes a picture, where pictures are asked for; else for a look when the test has failed."""
    folder = Path(request.config.getoption("--pictures") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return lambda book, name, *cells: book.picture(folder / f"{name}.png", *cells)


def luminance(colour: str) -> float:
    """Of `rgb(r, g, b)`, from 0 to 1, as WCAG 2 has it."""
    parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


_COLOURS = """
root => [...root.querySelectorAll('b, code, td, div')].filter(e => e.innerText.trim()).map(e => {
  let back = e;
  while (back && getComputedStyle(back).backgroundColor === 'rgba(0, 0, 0, 0)') back = back.parentElement;
  return [getComputedStyle(e).color, back ? getComputedStyle(back).backgroundColor : 'rgb(255, 255, 255)'];
})
"""


def check_readable(book: Book, number: int) -> None:
    """Every word of a cell's outputs has a contrast of 4.5 to what is behind it, as WCAG 2 wants it."""
    colours = book.cell(number).locator(".jp-OutputArea-output").last.evaluate(_COLOURS)
    assert colours
    for front, back in colours:
        dark, light = sorted((luminance(front), luminance(back)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (front, back)


@pytest.mark.parametrize(("app", "dark"), [("lab", False), ("notebook", True)], ids=["lab-light", "notebook-dark"])
def test_numpy_is_upgraded_under_a_notebook_that_works_on(
    real: Environment, browser: Any, picture: Picture, tmp_path: Path, app: Any, dark: bool
) -> None:
    set_up(tmp_path, dark=dark)
    path = write_notebook(tmp_path / "story.ipynb", _STORY)
    with server(real, tmp_path, {"lab": "jupyterlab"}.get(app, app)) as ask:
        book = Book.open(browser, ask, path, app)
        assert book.run(0) == "'1.26.4'"
        book.start(1)
        with suppress(Exception):  # how long it is there depends on the index
            book.cell(1).locator("progress").wait_for(timeout=3_000)
            time.sleep(0.3)
            picture(book, f"progress-{app}", 1)
        told = book.finish(1)
        for words in (
            "numpy is imported here",
            "To use the new version, restart the kernel: liveinstall.restart()",
            'liveinstall.cancel("numpy")',
        ):
            assert words in told, told
        assert "Installed, ready to import" in told and not book.cell(1).locator("progress").count()
        assert book.run(2) == "'1.26.4'"
        assert "this notebook" in book.run(3) and "can be undone" in book.run(4)
        for number in (1, 3, 4):
            check_readable(book, number)
        picture(book, f"result-{app}-{'dark' if dark else 'light'}", 1, 2)
        book.restart()
        assert book.run(0) == "'2.0.2'"
        book.page.close()
    done = real.run("-c", "import numpy; print(numpy.__version__)", check=True)
    assert done.stdout == "2.0.2\n"


def test_what_nobody_has_signed_is_still_read(
    real: Environment, browser: Any, picture: Picture, tmp_path: Path
) -> None:
    code = "import json, liveinstall, alpha\nr = liveinstall.plan('numpy==2.0.2', quiet=True)\n"
    code += "print(json.dumps(r._repr_mimebundle_()))"
    data = json.loads(real.run("-c", f"import numpy\n{code}", check=True).stdout)
    output = {"output_type": "display_data", "data": data, "metadata": {}}
    set_up(tmp_path, dark=True)
    path = write_notebook(tmp_path / "untrusted.ipynb", ["r"], {0: [output]})
    with server(real, tmp_path, "jupyterlab") as ask:
        book = Book.open(browser, ask, path)
        book.cell(0).locator(".jp-OutputArea-output b").first.wait_for()
        words = book.words(0)
        assert "Would be pending until the next start of Python" in words and "numpy is imported here" in words
        assert "var(" not in book.cell(0).locator(".jp-OutputArea-output").inner_html()  # it was not trusted
        check_readable(book, 0)
        picture(book, "untrusted-lab-dark", 0)
        book.page.close()


_RESTART = (
    "import numpy\nold = numpy.__version__\ndata = bytearray(40_000_000)",
    'import liveinstall\n\nliveinstall.install("numpy==2.0.2")',
    "liveinstall.restart()",
    "open('queued', 'a').write('ran')",
    "open('queued', 'a').write('ran')",
    "import numpy\nnumpy.__version__",
)


@pytest.mark.parametrize(("app", "dark"), [("lab", True), ("notebook", False)], ids=["lab-dark", "notebook-light"])
def test_restart_from_a_cell_drops_what_is_queued_and_shows_no_dialog(
    real: Environment, browser: Any, picture: Picture, tmp_path: Path, app: Any, dark: bool
) -> None:
    set_up(tmp_path, dark=dark)
    path = write_notebook(tmp_path / "restart.ipynb", _RESTART)
    with server(real, tmp_path, {"lab": "jupyterlab"}.get(app, app)) as ask:
        book = Book.open(browser, ask, path, app)
        book.run_all()
        book.cell(2).get_by_text("Restarted, numpy 2.0.2 is installed").wait_for()
        book.page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
        assert not book.page.locator(".jp-Dialog").count()
        assert not list(tmp_path.rglob("queued"))
        check_readable(book, 2)
        picture(book, f"restart-{app}-{'dark' if dark else 'light'}", 1, 2)
        assert book.run(5) == "'2.0.2'"
        book.page.close()


_LATE = """\
try:
    import numpy.testing
except ImportError as error:
    print("ImportError:", str(error).partition(" (")[0])"""
_PIP = ("import numpy\nnumpy.__version__", "%pip install -q numpy==2.0.2", _LATE)


def test_what_pip_does_to_the_same_notebook(real: Environment, browser: Any, picture: Picture, tmp_path: Path) -> None:
    set_up(tmp_path)
    path = write_notebook(tmp_path / "pip.ipynb", _PIP)
    with server(real, tmp_path, "jupyterlab") as ask:
        book = Book.open(browser, ask, path)
        assert book.run(0) == "'1.26.4'"
        book.run(1)
        assert "ImportError: cannot import name" in book.run(2)
        picture(book, "pip-lab-light", 1, 2)
        book.page.close()
