"""Cards in front ends that no test can start: a client speaks to a real kernel as VS Code and Colab are documented to.

VS Code shows the widget of an output where there is one, and has told the kernel the notebook's path. Messages to the
widget are those of ipywidgets: `comm_msg` on the shell channel with a method, and the same back on IOPub.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from integration.lib.environments import Environment
from integration.lib.live_kernels import Kernel, kernel_of

_VIEW = "application/vnd.jupyter.widget-view+json"
_COLAB = "application/vnd.colab-display-data+json"


class Page:
    """The widgets of a page: their states by id, from the kernel's messages."""

    def __init__(self, cells: Kernel) -> None:
        self.cells = cells
        self.states: dict[str, dict[str, Any]] = {}

    def hear(self, message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "comm_open" and content["target_name"] == "jupyter.widget":
            self.states[content["comm_id"]] = dict(content["data"]["state"])
        elif message["msg_type"] == "comm_msg" and content["data"].get("method") == "update":
            self.states[content["comm_id"]].update(content["data"]["state"])

    def press(self, model: str, action: str, words: str) -> dict[str, Any]:
        """Press a button, and wait until the card says `words`."""
        face = self.states[model]["state"]
        assert action in [button["action"] for button in face["buttons"]]
        custom = {"method": "custom", "content": {"action": action, "generation": face["generation"]}}
        client = self.cells.client
        client.shell_channel.send(client.session.msg("comm_msg", {"comm_id": model, "data": custom}))

        def is_answered(message: dict[str, Any]) -> bool:
            self.hear(message)
            state = self.states[model]["state"]
            return not state["working"] and words in state["note"] + state["html"]

        self.cells.until(is_answered)
        state: dict[str, Any] = self.states[model]["state"]
        return state


def _display(cells: Kernel, wheels: Path, *names: str) -> tuple[Page, dict[str, Any]]:
    """Install in a cell; the page, and the data of the card, which is the first output."""
    page, asked = Page(cells), f"liveinstall.install({', '.join(map(repr, names))}, **here)"
    cells.run(f"import alpha, liveinstall\nhere = dict(no_index=True, find_links={str(wheels)!r}, quiet=True)")
    cells.messages.clear()
    cells.run(asked)
    for message in cells.messages:
        page.hear(message)
    shown = next(each["content"] for each in cells.messages if each["msg_type"] == "display_data")
    return page, shown["data"]


@pytest.fixture
def cells(with_alpha: Environment, tmp_path: Path) -> Any:
    with kernel_of(with_alpha, tmp_path) as started:
        yield started


def test_vs_code_shows_the_widget_whose_messages_cancel_and_undo(cells: Kernel, wheels: Path) -> None:
    cells.run("__vsc_ipynb_file__ = 'book.ipynb'")
    page, data = _display(cells, wheels, "alpha==2.0")
    assert set(data) == {"text/plain", "text/html", _VIEW} and "alpha is imported here" in data["text/html"]
    model = data[_VIEW]["model_id"]
    state = page.states[model]
    assert state["_model_module"] == "anywidget" and "function render" in state["_esm"]
    assert [button["action"] for button in state["state"]["buttons"]] == ["cancel"]  # its own button restarts
    page.press(model, "cancel", "Nothing else was changed.")
    assert cells.run("print(liveinstall.pending())") == "No pending changes.\n"
    page, data = _display(cells, wheels, "beta")
    state = page.press(data[_VIEW]["model_id"], "undo", "Undone.")
    assert state["buttons"] == []
    assert cells.run("print(liveinstall.list('beta') == ())") == "True\n"


def test_colab_shows_the_card_and_its_own_warning_and_no_widget_that_it_would_not_load(
    cells: Kernel, wheels: Path
) -> None:
    """A widget of others would need `enable_custom_widget_manager()`, which loads code from a third party."""
    cells.run("import sys, types; sys.modules['google.colab'] = types.ModuleType('google.colab')")
    page, data = _display(cells, wheels, "alpha==2.0")
    assert set(data) == {"text/plain", "text/html", _COLAB} and not page.states
    assert data[_COLAB] == {"pip_warning": {"packages": ["alpha"]}}
    assert "Runtime &gt; Restart session" in data["text/html"]
