"""The content of a live card, as values: the card next to the buttons, the buttons, and the static card."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from liveinstall._frontends.jupyter.html import render, render_live
from liveinstall._frontends.rendering import server_advice, show
from liveinstall._system.lean_dataclasses import dataclass, replace
from liveinstall.results import Result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from liveinstall._frontends.detect import FrontEnd

Tone = Literal["plain", "busy", "good", "bad"]


@dataclass(frozen=True)
class Button:
    """A button.

    Attributes:
        action: The name of the action, in `card_actions`.
        label: Its text.
        title: Its tooltip.
        primary: Whether it is the most likely choice.
    """

    action: str
    label: str
    title: str = ""
    primary: bool = False


RESTART = Button("restart", "Restart", "Restart the kernel and apply the pending changes")
KEEP = Button("keep", "Restart and keep variables", "Check first that the variables load with the new versions")
CANCEL = Button("cancel", "Cancel", "Cancel the pending changes; installed packages stay")
UNDO = Button("undo", "Undo", "Restore the versions from before this change")
FIT = Button("fit", "Install versions that fit", "Install versions that leave no conflict")
LOSE = Button("lose", "Restart and lose them", "Restart the kernel without keeping these variables")
LEAVE = Button("leave", "Restart anyway", "Restart the kernel and keep the other variables")
BACK = Button("back", "Not now", "Do not restart")


@dataclass(frozen=True)
class Face:
    """A state of a card.

    Attributes:
        html: The card for front ends and files without buttons.
        live: The card next to the buttons, without advice about calls.
        text: The same as plain text.
        buttons: The buttons.
        note: The outcome of a click; empty if there is none.
        tone: The kind of the note.
    """

    html: str
    live: str
    text: str
    buttons: tuple[Button, ...] = ()
    note: str = ""
    tone: Tone = "plain"

    def noted(self, note: str, tone: Tone = "plain", buttons: Iterable[Button] | None = None) -> Face:
        """Return the same card with another note, and other buttons if they are given."""
        return replace(self, note=note, tone=tone, buttons=self.buttons if buttons is None else tuple(buttons))

    def as_json(self) -> dict[str, Any]:
        """Return the data for the front end."""
        buttons = [asdict(button) for button in self.buttons]
        return {"html": self.live, "buttons": buttons, "note": self.note, "tone": self.tone}


def face_of(value: Any, front_end: FrontEnd) -> Face:
    """Return the card of a value.

    Args:
        value: A Result, or another value of the model, which gets no buttons.
        front_end: The front end that shows it.
    """
    buttons: tuple[Button, ...] = ()
    if isinstance(value, Result):
        from liveinstall._frontends.restart.restart import why_not

        buttons = buttons_of(value, can_restart=not why_not(front_end))
    restarts = any(button.action == RESTART.action for button in buttons)
    html = render(value)
    return Face(html, render_live(value, restarts=restarts) if buttons else html, show(value), buttons)


def buttons_of(result: Result, *, can_restart: bool) -> tuple[Button, ...]:
    """Return the buttons that make sense for a result.

    Args:
        result: The result.
        can_restart: Whether `restart()` works here.
    """
    if result.dry_run or result.parallel:
        return ()
    found = [FIT] if result.conflicts and result.remedy else []
    if result.staged:
        helps = can_restart and not server_advice(change.name for change in result.staged)
        found += [RESTART, KEEP, CANCEL] if helps else [CANCEL]
    elif result.transaction and (result.installed or result.removed):
        found.append(UNDO)
    if not found or found[0] in (CANCEL, UNDO):
        return tuple(found)
    return (replace(found[0], primary=True), *found[1:])
