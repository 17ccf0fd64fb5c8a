"""Real front ends, each in a terminal or in Chromium: how they are recognised, and which advice they show.

`nox -s frontends` runs all of them, in an environment of their own; other sessions only bpython.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.lib.browser import chromium, find_chromium
from integration.lib.environments import Environment, group, renew, user_variables
from integration.lib.interpreters import find_python
from integration.lib.kernels import Kernel, kernel
from integration.lib.pages import open_page, served
from integration.lib.terminals import Terminal, terminal

full = pytest.mark.full
browsing = pytest.mark.skipif(not find_chromium(), reason="Chromium is not installed")


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory, wheel: Path, wheels: Path) -> Environment:
    """One Python 3.11 with all of these programs."""
    base = find_python("3.11")
    if not base:
        pytest.skip("Python 3.11 is not installed")
    made = Environment.make(tmp_path_factory.mktemp("frontends") / "venv", base)
    made.add(wheel, wheels / "alpha-1.0-py3-none-any.whl", *group("frontends"), deps=True)
    return made


@pytest.fixture
def programs(every: Environment, wheels: Path) -> Environment:
    """The same, with alpha 1.0 again."""
    renew(every, wheels)
    return every


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    pytest.importorskip("playwright", reason="the browser is driven by playwright")
    with chromium() as found:
        yield found


def _install(wheels: Path) -> str:
    return f"liveinstall.install('alpha==2.0', no_index=True, find_links={str(wheels)!r}, quiet=True)"


def _dialogue(seen: Terminal, wheels: Path, prompt: str, advice: str) -> None:
    """Upgrade a loaded package, read the advice, and try the restart, which does not work here."""
    seen.until(prompt, 120)
    seen.say("import alpha, liveinstall; print(6 * 7)", "42")
    assert _flat(advice) in _flat(seen.say(f"print({_install(wheels)})", advice[-20:]))
    assert _flat(f"Nothing was changed. {advice[:1].upper()}{advice[1:]}") in _flat(
        seen.say("liveinstall.restart()", "Nothing was changed. ") + seen.until(advice[-20:])
    )


def _flat(text: str) -> str:
    return "".join(text.split())  # a program may move the cursor instead of writing a space


def test_bpython_says_how_to_start_it_again(environment: Environment, wheels: Path, tmp_path: Path) -> None:
    environment.add("bpython", deps=True)
    with terminal(tmp_path, environment.scripts / "bpython") as seen:
        _dialogue(seen, wheels, ">>> ", "press Ctrl-D and start bpython again")


@full
def test_jupyter_console_says_how_to_restart_its_kernel(programs: Environment, wheels: Path, tmp_path: Path) -> None:
    with terminal(tmp_path, programs.scripts / "jupyter-console") as seen:
        _dialogue(seen, wheels, "In [1]", "restart the kernel in its front end, or press Ctrl-D and start the console")


@full
def test_euporie_shows_the_card_in_a_terminal(programs: Environment, wheels: Path, tmp_path: Path) -> None:
    path = f"{programs.scripts}{os.pathsep}{os.environ['PATH']}"
    with terminal(tmp_path, programs.scripts / "euporie-console", "--kernel-name=python3", PATH=path) as seen:
        seen.until("In [1]", 120)
        time.sleep(5)  # it shows a prompt before its kernel has started
        seen.say("import alpha, liveinstall; print(6 * 7)", "42")
        seen.say(_install(wheels), "restart the kernel in its front end")


@full
def test_spyders_kernel_names_the_menu_of_its_console(programs: Environment, wheels: Path, tmp_path: Path) -> None:
    with kernel(programs, tmp_path, "spyder_kernels.console") as manager:
        cells = Kernel(manager.blocking_client())
        cells.run("import alpha, liveinstall")
        assert "choose Consoles > Restart kernel, or press Ctrl+period." in cells.run(f"print({_install(wheels)})")
        (error,) = (each["content"] for each in cells.cell("liveinstall.restart()") if each["msg_type"] == "error")
        assert error["ename"] == "CannotRestartError" and "(spyder)" in error["evalue"]
        cells.client.stop_channels()


@full
@browsing
def test_streamlit_says_that_a_rerun_is_not_enough(
    programs: Environment, browser: Any, wheels: Path, tmp_path: Path
) -> None:
    code = f"import alpha, liveinstall, streamlit as st\nst.text({_install(wheels)})\nst.text('The end')\n"
    (tmp_path / "app.py").write_text(code, encoding="utf-8")
    options = ("--server.headless=true", "--server.address=127.0.0.1", "--browser.gatherUsageStats=false")
    with served(programs, tmp_path, "streamlit", "run", "app.py", "--server.port", "PORT", *options) as url:
        page = open_page(browser, url)
        page.get_by_text("The end").wait_for()
        words = page.inner_text("body")
        assert "stop the server with Ctrl-C and start it again: a rerun of the script is not enough" in words
        page.close()


_MARIMO = """\
import marimo

app = marimo.App()


@app.cell
def _():
    import alpha, liveinstall
    {install}
    return


if __name__ == "__main__":
    app.run()
"""
_LOCAL = ("--headless", "--host", "127.0.0.1", "--no-token", "--port", "PORT")


@pytest.fixture
def marimo(wheels: Path, tmp_path: Path) -> str:
    """A notebook of marimo; its cells run when it is opened."""
    (tmp_path / "pyproject.toml").write_text("[tool.marimo.runtime]\nauto_instantiate = true\n", encoding="utf-8")
    (tmp_path / "book.py").write_text(_MARIMO.format(install=_install(wheels)), encoding="utf-8")
    return "book.py"


@full
@browsing
def test_a_card_in_marimos_editor_has_buttons_that_act_in_place(
    programs: Environment, browser: Any, marimo: str, tmp_path: Path
) -> None:
    with served(programs, tmp_path, "marimo", "edit", marimo, "--skip-update-check", *_LOCAL) as url:
        page = open_page(browser, url)
        advice = page.get_by_text('choose "Restart kernel" in the menu of the notebook')
        advice.wait_for()
        page.reload()
        advice.wait_for()
        page.get_by_text("Details").click()
        page.get_by_text("alpha 1.0 -> 2.0: alpha is imported here").wait_for()
        page.get_by_role("button", name="Cancel", exact=True).click()
        page.get_by_text("Nothing else was changed.").wait_for()
        page.reload()
        page.get_by_text("Nothing else was changed.").wait_for()
        assert not page.get_by_role("button", name="Cancel", exact=True).count()
        page.close()
    assert "No pending changes" in programs.run("-m", "liveinstall", "status", check=True).stdout


@full
@browsing
def test_an_app_of_marimo_shows_the_card_without_buttons(
    programs: Environment, browser: Any, marimo: str, tmp_path: Path
) -> None:
    with served(programs, tmp_path, "marimo", "run", marimo, *_LOCAL) as url:
        page = open_page(browser, url)
        page.get_by_text("start marimo again: its server runs all sessions of the app in one process").wait_for()
        assert not page.get_by_role("button", name="Cancel", exact=True).count()
        page.close()


@full
def test_an_export_of_marimo_is_not_asked_and_has_the_card(programs: Environment, marimo: str, tmp_path: Path) -> None:
    code = (tmp_path / marimo).read_text(encoding="utf-8").replace("quiet=True", "restart='ask'")
    (tmp_path / marimo).write_text(code, encoding="utf-8")
    programs.run(
        "-m", "marimo", "export", "html", marimo, "-o", "book.html", cwd=tmp_path, env=user_variables(), check=True
    )
    (view,) = re.findall(r'"text/html": *("(?:[^"\\]|\\.)*")', (tmp_path / "book.html").read_text(encoding="utf-8"))
    html = json.loads(view)
    assert "To use the new version, export the notebook again." in html and "alpha is imported here" in html
    assert "not restarted, because Python cannot be restarted from here" in html
