"""Where people are: the command line, and what values and progress look like.

Lower rooms know no front end, so they have hooks; whoever uses a public name has them filled from here. What a script
never needs is imported only when it is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liveinstall.events import Reporter
from liveinstall.frontends.rendering import show
from liveinstall.model import Shown

if TYPE_CHECKING:
    from liveinstall.events import Display


def _bundle(value: Any) -> dict[str, Any]:
    from liveinstall.frontends.html import bundle

    return bundle(value)


def _display(quiet: bool | None) -> Display | None:
    from liveinstall.frontends.progress import display

    return display(quiet)


Shown.show = show
Shown.bundle = _bundle
Reporter.display = _display
