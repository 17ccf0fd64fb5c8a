"""The widget of a live card: an anywidget, which is imported when the first card is shown.

The card itself is ordinary HTML. Where the front end runs the widget, its JavaScript finds the card in the page and
adds the buttons. So saved, untrusted and exported notebooks have the whole card, and no "model not found".
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from importlib.util import find_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MIME_TYPE = "application/vnd.jupyter.widget-view+json"


def is_available() -> bool:
    """Return whether anywidget is installed."""
    try:
        return find_spec("anywidget") is not None
    except (ImportError, ValueError):  # half of a package, or a module without a spec
        return False


def create(card: str, state: dict[str, Any], receive: Callable[[dict[str, Any]], None]) -> Any:
    """Create the widget; its state is `widget.state`.

    Args:
        card: The id of the card in the page.
        state: The first state.
        receive: Called with each message of the front end.
    """
    widget = _widget_class()(card=card, state=state)
    widget.on_msg(lambda _widget, content, _buffers: receive(content))
    return widget


@cache
def _widget_class() -> Any:
    import anywidget
    import traitlets

    class CardWidget(anywidget.AnyWidget):
        """The connection between a card in the page and a LiveCard."""

        _esm = files(__package__).joinpath("card.js").read_text(encoding="utf-8")
        _css = files(__package__).joinpath("card.css").read_text(encoding="utf-8")
        card = traitlets.Unicode().tag(sync=True)
        state = traitlets.Dict().tag(sync=True)

    return CardWidget
