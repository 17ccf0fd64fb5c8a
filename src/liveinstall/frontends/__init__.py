"""Where people are: the command line, and what values and progress look like.

Lower rooms know no front end, so they have hooks; whoever uses a public name has them filled from here. What a script
never needs is imported only when it is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liveinstall.commit.visible import Place
from liveinstall.events import Reporter
from liveinstall.frontends.following import follow, staged
from liveinstall.frontends.hints import watch
from liveinstall.model import Followed, Shown

if TYPE_CHECKING:
    from liveinstall.events import Display


def _show(value: Any) -> str:
    from liveinstall.frontends.rendering import show

    return show(value)


def _advise() -> str:
    from liveinstall.frontends.rendering import restart_advice

    return restart_advice()


def _bundle(value: Any) -> dict[str, Any]:
    from liveinstall.frontends.html import bundle

    return bundle(value)


def _display(quiet: bool | None) -> Display | None:
    from liveinstall.frontends.progress import display

    return display(quiet)


Shown.show = _show
Shown.bundle = _bundle
Reporter.display = _display
Followed.follow = staticmethod(follow)
Followed.staged = staticmethod(staged)
Place.watch = watch
Place.advise = _advise
