"""What a real kernel sends, and what is left of it in saved and exported notebooks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from integration.lib.browser import write_notebook
from integration.lib.environments import Environment, user_variables
from integration.lib.kernels import Kernel, kernel, places

_VALUES = {
    "liveinstall.plan('alpha==2.0', **here)": "Would be pending until the next start of Python",
    "liveinstall.install('alpha==2.0', 'beta', **here)": "Staged for the next start of Python",
    "liveinstall.status()": "Pending until the next start of Python",
    "liveinstall.pending()": "Pending until the next start of Python",
    "liveinstall.history()": "can be undone",
    "liveinstall.list()": "pending",
    "liveinstall.freeze()": "beta==1.0",
    "liveinstall.check()": "No problems found.",
    "liveinstall.doctor()": "No problems found.",
    "liveinstall.cancel()": "Cancelled",
}


@pytest.fixture
def real(notebooks: Environment, wheels: Path) -> Environment:
    """The one environment of these tests, with alpha 1.0 and without beta."""
    renew(notebooks, wheels)
    return notebooks


def renew(environment: Environment, wheels: Path) -> None:
    back = f"li.install('alpha==1.0', no_index=True, find_links={str(wheels)!r})"
    environment.run("-c", f"import liveinstall as li\nli.uninstall('beta')\n{back}", check=True)


def begin(wheels: Path) -> str:
    return f"import alpha, liveinstall, time\nhere = dict(no_index=True, find_links={str(wheels)!r}, quiet=True)\n"


def shown(heard: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    assert not [message["content"]["traceback"] for message in heard if message["msg_type"] == "error"]
    return [message["content"] for message in heard if message["msg_type"] in kinds]


def test_every_value_is_sent_as_text_and_as_html(real: Environment, wheels: Path, tmp_path: Path) -> None:
    with kernel(real, tmp_path) as manager:
        cells = Kernel(manager.blocking_client())
        cells.run(begin(wheels))
        for code, words in _VALUES.items():
            (content,) = shown(cells.cell(code), "execute_result", "display_data")
            assert set(content["data"]) == {"text/plain", "text/html"}, code
            assert words in content["data"]["text/html"], code
        cells.run("liveinstall.install('alpha==2.0', **here)")
        (status,) = shown(cells.cell("liveinstall.status()"), "execute_result")
        assert "To use the new version, restart the kernel" in status["data"]["text/html"]
        cells.client.stop_channels()


def test_progress_is_one_output_that_is_updated_and_ends_as_a_sentence(
    real: Environment, wheels: Path, tmp_path: Path
) -> None:
    with kernel(real, tmp_path) as manager:
        cells = Kernel(manager.blocking_client())
        cells.run(begin(wheels))
        slow = "here['quiet'] = {}; r = liveinstall.install('beta', on_event=lambda _: time.sleep(0.3), **here)"
        first, *updates = shown(cells.cell(slow.format(None)), "display_data", "update_display_data", "stream")
        ids = {content["transient"]["display_id"] for content in (first, *updates)}
        assert len(ids) == 1 and len(updates) >= 2 and "<progress" in first["data"]["text/html"]
        assert updates[-1]["data"]["text/html"].startswith("<div><b>Done, 1 installed</b>: ")
        cells.run("liveinstall.uninstall('beta')")
        assert shown(cells.cell(slow.format(True)), "display_data", "update_display_data", "stream") == []
        assert cells.run("print(r.changed)") == "True"
        cells.client.stop_channels()


@pytest.fixture(scope="module")
def executed(notebooks: Environment, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook that nbclient has run and saved, with a result and progress in it."""
    renew(notebooks, wheels)
    folder = tmp_path_factory.mktemp("book")
    slow = (
        "here['quiet'] = False\nliveinstall.install('beta', 'alpha==2.0', on_event=lambda _: time.sleep(0.3), **here)"
    )
    book = write_notebook(folder / "book.ipynb", [begin(wheels), slow, "liveinstall.status()"])
    convert(notebooks, book, "notebook", "--execute", "--inplace")
    return book


def convert(environment: Environment, book: Path, to: str, *options: str) -> str:
    arguments = ("-m", "nbconvert", "--to", to, *options, str(book))
    environment.run(*arguments, env=user_variables(**places(book.parent)), check=True)
    return book.with_suffix(".html" if to == "html" else ".ipynb").read_text(encoding="utf-8")


def test_a_saved_notebook_keeps_the_end_and_no_bar(executed: Path) -> None:
    outputs = json.loads(executed.read_text(encoding="utf-8"))["cells"][1]["outputs"]
    progress, result = (output for output in outputs if output["output_type"] != "stream")
    assert "".join(progress["data"]["text/html"]).startswith(
        "<div><b>Done, 1 installed; alpha is pending until the next"
    )
    assert "<progress" not in json.dumps(outputs) and "alpha is imported here" in "".join(result["data"]["text/html"])


@pytest.mark.parametrize("options", [(), ("--sanitize-html",)], ids=["html", "sanitised"])
def test_an_exported_notebook_shows_cards_and_no_markup(
    notebooks: Environment, executed: Path, options: tuple[str, ...]
) -> None:
    html = convert(notebooks, executed, "html", *options)
    for words in ("<b>Staged for the next start of Python</b>", ">alpha</b>", "alpha is imported here"):
        assert words in html
    for markup in (
        "&lt;progress",
        "&lt;div",
        "&lt;b&gt;",
        "&lt;table",
        "&lt;br",
        "&lt;th",
        "&lt;tbody",
        "&lt;tr",
        "&lt;/",
        "&lt;code",
    ):
        assert markup not in html
