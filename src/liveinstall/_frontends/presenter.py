"""Where people are: the command line, and what values and progress look like.

Lower rooms know no front end, so they have hooks; whoever uses a public name has them filled from here. What a script
never needs is imported only when it is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liveinstall._frontends.following import follow, staged
from liveinstall._frontends.import_hints import watch
from liveinstall._model import Followed, Shown
from liveinstall._transactions.visibility import Place
from liveinstall.events import Reporter

if TYPE_CHECKING:
    from liveinstall.events import Display


def _show(value: Any) -> str:
    from liveinstall._frontends.rendering import show

    return show(value)


def _advise() -> str:
    from liveinstall._frontends.rendering import restart_advice

    return restart_advice()


def _bundle(value: Any) -> dict[str, Any]:
    from liveinstall._frontends.jupyter.html import bundle

    return bundle(value)


def _display(quiet: bool | None) -> Display | None:
    from liveinstall._frontends.progress import display

    return display(quiet)


Shown.show = _show
Shown.bundle = _bundle
Reporter.display = _display
Followed.follow = staticmethod(follow)
Followed.staged = staticmethod(staged)
Place.watch = watch
Place.advise = _advise
