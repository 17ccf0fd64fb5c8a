"""The messages of a real kernel, and their content in saved and exported notebooks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from integration.lib.browser import write_notebook
from integration.lib.environments import Environment, renew, user_variables
from integration.lib.kernels import Kernel, kernel, places
from integration.lib.live_kernels import kernel_of
from integration.lib.wheels import write_wheel

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


def begin(wheels: Path) -> str:
    return f"import alpha, liveinstall, time\nhere = dict(no_index=True, find_links={str(wheels)!r}, quiet=True)\n"


def shown(heard: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    assert not [message["content"]["traceback"] for message in heard if message["msg_type"] == "error"]
    return [message["content"] for message in heard if message["msg_type"] in kinds]


def test_every_value_is_sent_as_text_and_as_html(with_alpha: Environment, wheels: Path, tmp_path: Path) -> None:
    with kernel(with_alpha, tmp_path) as manager:
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
    with_alpha: Environment, wheels: Path, tmp_path: Path
) -> None:
    with kernel(with_alpha, tmp_path) as manager:
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


def test_a_conflict_is_asked_about_in_the_cell_and_what_fits_is_installed(
    with_alpha: Environment, wheels: Path, tmp_path: Path
) -> None:
    """Without an answer nothing is changed, and the error is one line."""
    write_wheel(tmp_path, "needy", "1.0", headers=["Requires-Dist: alpha<2"])
    write_wheel(tmp_path, "needy", "2.0", headers=["Requires-Dist: alpha>=2"])
    with_alpha.add(tmp_path / "needy-1.0-py3-none-any.whl")
    # The resolver's sources are pip's configuration here, because a request with options has no remedy.
    sources = f"import os; os.environ.update(PIP_NO_INDEX='1', PIP_FIND_LINKS='{wheels} {tmp_path}')\n"
    try:
        with kernel_of(with_alpha, tmp_path) as cells:
            cells.run(f"import alpha, liveinstall\n{sources}")
            for answer, words in (("", "ConflictError"), ("f", "needy 1.0 -> 2.0")):
                asked = cells.send("print([str(c) for c in liveinstall.install('alpha>=2', quiet=True).staged])")
                question = cells.client.get_stdin_msg(timeout=60)["content"]["prompt"]
                assert "Conflict: needy 1.0 requires alpha<2, but alpha will be 2.0." in question
                assert "Install versions that fit: alpha>=2, needy (f), install anyway (a), or nothing (n)?" in question
                cells.client.input(answer)
                assert cells.reply(asked)["status"] == ("ok" if answer else "error")
                told = cells.until(lambda message: message["msg_type"] in ("stream", "error"))["content"]
                assert words in told.get("text", "") + "".join(told.get("traceback", ()))
            cells.run("liveinstall.cancel()")
        with kernel(with_alpha, tmp_path) as manager:
            notebook = Kernel(manager.blocking_client())
            notebook.run(f"import alpha, builtins, liveinstall, time\n{sources}")
            slow = "liveinstall.install('alpha>=2', on_event=lambda _: time.sleep(0.3))"
            slow = f"builtins.input = lambda question: 'a'\n{slow}"  # ipykernel sets it for each cell
            messages = shown(notebook.cell(slow), "display_data", "update_display_data", "execute_result")
            assert len({content["transient"]["display_id"] for content in messages}) == 1
            assert "Conflict" in messages[-1]["data"]["text/html"]
            notebook.run("liveinstall.cancel()")
            notebook.client.stop_channels()
    finally:
        with_alpha.run("-m", "liveinstall", "uninstall", "needy", check=True)


def test_the_restart_is_tried_in_the_background_and_the_cell_says_what_it_has_found(
    with_alpha: Environment, wheels: Path, tmp_path: Path
) -> None:
    code = "import alpha\nassert alpha.VERSION == '1.0', 'alpha is too new'\n"
    needs = ["Requires-Dist: alpha"]
    with_alpha.add(write_wheel(tmp_path, "needy", "1.0", files={"needy/__init__.py": code}, headers=needs))
    try:
        with kernel_of(with_alpha, tmp_path) as cells:
            cells.run(begin(wheels) + "import needy")
            asked = cells.send("result = liveinstall.install('alpha==2.0', **here)")
            shown = cells.until(lambda message: message["msg_type"] == "display_data")["content"]
            assert cells.reply(asked)["status"] == "ok"
            ended = cells.until(lambda message: "fails" in str(message["content"].get("data")))
            assert ended["msg_type"] == "update_display_data" and ended["parent_header"]["msg_id"] == asked
            assert ended["content"]["transient"] == shown["transient"]
            words = "After the restart, `import needy` fails: AssertionError: alpha is too new"
            assert ended["content"]["data"]["text/plain"] == words
            assert cells.run("print(liveinstall.status().trial)") == f"{words}\n"
            cells.run("liveinstall.cancel()")
    finally:
        with_alpha.run("-m", "liveinstall", "uninstall", "needy", check=True)


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
