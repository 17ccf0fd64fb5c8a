"""The whole story in the real front ends: what users see, in light and dark, trusted and not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from integration.lib.browser import Book, check_readable, chromium, find_chromium, set_up, write_notebook
from integration.lib.environments import Environment
from integration.lib.kernels import errors_of_ours, server

pytest.importorskip("playwright", reason="the browser is driven by playwright")
if not find_chromium():
    pytest.skip("Chromium is not installed", allow_module_level=True)

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
    """Takes a screenshot, if requested; otherwise for inspection after a failed test."""
    folder = Path(request.config.getoption("--pictures") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return lambda book, name, *cells: book.picture(folder / f"{name}.png", *cells)


def check_cell(book: Book, number: int) -> None:
    """Every word of a cell's last output is readable."""
    check_readable(book.cell(number).locator(".jp-OutputArea-output").last)


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
        with suppress(Exception):  # its duration depends on the index
            book.cell(1).locator("progress").wait_for(timeout=3_000)
            time.sleep(0.3)
            picture(book, f"progress-{app}", 1)
        told = book.finish(1)
        for words in ("numpy is imported here", "Restart and keep variables", "Cancel"):
            assert words in told, told
        assert "Installed, ready to import" in told and not book.cell(1).locator("progress").count()
        assert book.run(2) == "'1.26.4'"
        assert "this notebook" in book.run(3) and "can be undone" in book.run(4)
        for number in (1, 3, 4):
            check_cell(book, number)
        picture(book, f"result-{app}-{'dark' if dark else 'light'}", 1, 2)
        book.restart()
        assert book.run(0) == "'2.0.2'"
        book.page.close()
    done = real.run("-c", "import numpy; print(numpy.__version__)", check=True)
    assert done.stdout == "2.0.2\n"


def test_untrusted_cards_are_still_readable(real: Environment, browser: Any, picture: Picture, tmp_path: Path) -> None:
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
        check_cell(book, 0)
        picture(book, "untrusted-lab-dark", 0)
        book.page.close()


# As on Windows, where the kernel's process cannot be replaced and its server has to restart it.
_BY_SERVER = (
    "\nimport liveinstall._frontends.restart.kernel as kernel\nkernel.is_replaceable = lambda: False\ndel kernel"
)
_RESTART = (
    "import numpy\nold = numpy.__version__\ndata = bytearray(40_000_000)",
    'import liveinstall\n\nliveinstall.install("numpy==2.0.2")',
    "liveinstall.restart()",
    "open('queued', 'a').write('ran')",
    "open('queued', 'a').write('ran')",
    "import numpy\nnumpy.__version__",
)


@pytest.mark.parametrize(
    ("app", "dark", "by_server"),
    [("lab", True, False), ("notebook", False, False), ("lab", False, True), ("notebook", True, True)],
    ids=["lab-dark", "notebook-light", "lab-by-server", "notebook-by-server"],
)
def test_restart_from_a_cell_drops_what_is_queued_and_shows_no_dialog(
    real: Environment, browser: Any, picture: Picture, tmp_path: Path, app: Any, dark: bool, by_server: bool
) -> None:
    set_up(tmp_path, dark=dark)
    first, *cells = _RESTART
    path = write_notebook(tmp_path / "restart.ipynb", [first + _BY_SERVER * by_server, *cells])
    with server(real, tmp_path, {"lab": "jupyterlab"}.get(app, app)) as ask:
        book = Book.open(browser, ask, path, app)
        book.run_all()
        book.cell(2).get_by_text("Restarted, numpy 2.0.2 is installed").wait_for()
        book.page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
        assert not book.page.locator(".jp-Dialog").count()
        assert not list(tmp_path.rglob("queued"))
        check_cell(book, 2)
        picture(book, f"restart-{app}-{'dark' if dark else 'light'}{'-by-server' * by_server}", 1, 2)
        assert book.run(5) == "'2.0.2'"
        book.page.close()


_KEEP = (
    "import numpy\ndata = numpy.arange(30_000_000.)\nview = data[10:]\ndef twice(): return 2 * len(data)",
    'import liveinstall, threading\nlock = threading.Lock()\n\nliveinstall.install("numpy==2.0.2")',
    "liveinstall.restart(keep='all')",
    "numpy.__version__, twice(), float(view[0]), _1 if 1 in Out else None",
)


@pytest.mark.parametrize("by_server", [False, True], ids=["replaced", "by-server"])
def test_a_restart_that_keeps_variables_asks_shows_progress_and_lists_what_came_back(
    real: Environment, browser: Any, picture: Picture, tmp_path: Path, by_server: bool
) -> None:
    set_up(tmp_path)
    first, *cells = _KEEP
    path = write_notebook(tmp_path / "keep.ipynb", [first + _BY_SERVER * by_server, *cells])
    with server(real, tmp_path, "jupyterlab") as ask:
        book = Book.open(browser, ask, path)
        book.run(0)
        book.run(1)
        book.start(2)
        question = book.cell(2).locator("input.jp-Stdin-input")
        question.wait_for()
        assert "lock (it is a lock of this process)" in book.words(2)
        picture(book, "keep-asked", 2)
        question.fill("y")
        question.press("Enter")
        book.cell(2).get_by_text("Restarted, numpy 2.0.2 is installed").wait_for()
        picture(book, "keep-restarted", 2)
        check_cell(book, 2)
        assert "Restored: data, twice, view, numpy, liveinstall, threading; In and Out of cells 1 to 3." in book.words(
            2
        )
        assert book.run(3) == "('2.0.2', 60000000, 10.0, None)"
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


_CARD = (
    "import numpy\nx = numpy.arange(3)\nnumpy.__version__",
    'import liveinstall\n\nliveinstall.install("numpy==2.0.2")',
    "import time\ntime.sleep(4)",
    "x.sum(), numpy.__version__",
)


@pytest.mark.parametrize(("app", "dark"), [("lab", False), ("notebook", True)], ids=["lab-light", "notebook-dark"])
def test_the_buttons_of_a_result_act_in_place_without_a_word_in_the_log(
    real: Environment, browser: Any, picture: Picture, tmp_path: Path, app: Any, dark: bool
) -> None:
    set_up(tmp_path, dark=dark)
    path = write_notebook(tmp_path / "card.ipynb", _CARD)
    with server(real, tmp_path, {"lab": "jupyterlab"}.get(app, app)) as ask:
        book = Book.open(browser, ask, path, app)

        def press(label: str) -> None:
            book.press(book.cell(1), label)

        book.run(0)
        book.run(1)
        book.cell(1).get_by_role("button", name="Cancel").wait_for()
        assert book.cell(1).locator(".jp-OutputArea-output").count() == 1  # the card has replaced the progress
        check_cell(book, 1)
        picture(book, f"card-{app}-{'dark' if dark else 'light'}", 1)
        book.start(2)
        press("Cancel")
        book.cell(1).get_by_text("Nothing else was changed.").wait_for()
        book.finish(2)
        book.run(1)
        book.page.keyboard.press("Control+s")
        press("Restart")
        book.cell(1).get_by_text("1 variable will be lost.").wait_for()
        press("Restart and keep variables")
        book.cell(1).get_by_text("Restarted, numpy 2.0.2 is installed").wait_for()
        assert not book.page.locator(".jp-Dialog").count()
        check_cell(book, 1)
        assert book.run(3) == "(3, '2.0.2')" or "'2.0.2'" in book.words(3)
        press("Undo")  # in JupyterLab through a subshell, which the new process has again
        book.cell(1).get_by_text("2.0.2 → 1.26.4").wait_for()
        press("Cancel")
        book.cell(1).get_by_text("Nothing else was changed.").wait_for()
        book.page.close()
        assert errors_of_ours(ask.log) == []
