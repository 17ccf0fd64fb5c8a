"""An output of a notebook cell that can be replaced later, also by the process that replaces this one."""

from __future__ import annotations

import os

from liveinstall._frontends.detect import ipython
from liveinstall._frontends.restart.kernel import Output, update
from liveinstall._system.lean_dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


@dataclass(frozen=True)
class CellOutput(Output):
    """An output that can be shown and replaced."""

    @classmethod
    def of_this_cell(cls, display_id: str = "") -> CellOutput:
        """Identify an output of the cell that runs now.

        Args:
            display_id: The display id of an output that exists already. Default: a new one.
        """
        header = {"header": ipython().parent_header.get("header", {})}
        return cls(display_id or f"liveinstall-{os.urandom(8).hex()}", header)

    def show(self, data: Mapping[str, Any]) -> None:
        """Create the output.

        Args:
            data: The content by MIME type.
        """
        publish = ipython().display_pub.publish
        publish(data=dict(data), metadata={}, transient={"display_id": self.display_id}, update=False)

    def replace(self, data: Mapping[str, Any]) -> None:
        """Replace the content, also when the cell has ended. A page that was loaded again meanwhile ignores it.

        Args:
            data: The content by MIME type.
        """
        update(ipython().kernel, {"display_id": self.display_id, "parent": self.parent}, dict(data))


@dataclass(frozen=True)
class WidgetOutput(CellOutput):
    """An output that is a view of a widget, so that each state of the widget replaces it."""

    @classmethod
    def new(cls) -> WidgetOutput:
        """Identify a new output."""
        return cls(f"liveinstall-{os.urandom(8).hex()}", {})

    def replace(self, data: Mapping[str, Any]) -> None:
        """Do nothing: the page shows the state of the widget."""


@dataclass(frozen=True)
class HtmlOutput:
    """HTML that marimo displays.

    Attributes:
        html: The HTML.
    """

    html: str

    def _mime_(self) -> tuple[str, str]:
        return "text/html", self.html
