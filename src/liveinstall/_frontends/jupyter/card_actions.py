"""The actions of the buttons of a live card. Each first reads the current state, because the card may be outdated."""

from __future__ import annotations

import time

from liveinstall._environment.holders import describe
from liveinstall._frontends.jupyter.card_face import BACK, KEEP, LEAVE, LOSE, UNDO, face_of
from liveinstall._frontends.rendering import handovers, moment, use
from liveinstall.errors import MovedOnError, NotHappenedError, NotPendingError, RetiredError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from liveinstall._frontends.jupyter.live_card import LiveCard
    from liveinstall._frontends.progress import Progression
    from liveinstall._frontends.restart.keep import PreparedRestart
    from liveinstall.results import Change

_PAUSE = 0.2  # seconds between two updates of the same step


def _still_pending(card: LiveCard) -> list[Change]:
    """The changes of the card that are pending; those of others with the same name are not."""
    from liveinstall._frontends.restart.restart import waiting

    wanted = {(change.name, change.new_version) for change in (card.result.staged if card.result else ())}
    return [change for change in waiting() if (change.name, change.new_version) in wanted]


def _settle(card: LiveCard) -> None:
    """Report the outcome of changes that are no longer pending."""
    from liveinstall._verbs.undo import transaction_ids

    if card.transaction in transaction_ids():
        card.update(note="Nothing to do: these changes were applied already.", buttons=(UNDO,))
    else:
        card.update(note="Nothing to do: these changes were cancelled or replaced by a later request.", buttons=())


def cancel(card: LiveCard) -> None:
    """Cancel the changes of the card that are still pending."""
    from liveinstall._verbs.pending import cancel as cancel_pending

    names = [change.name for change in _still_pending(card)]
    if not names:
        _settle(card)
        return
    card.update(note="Cancelling\N{HORIZONTAL ELLIPSIS}", tone="busy", is_working=True)
    try:
        cancelled = cancel_pending(*names)
    except NotPendingError:  # another process was faster
        _settle(card)
        return
    card.update(face_of(cancelled, card.front_end), note="Nothing else was changed.", tone="good")


def undo(card: LiveCard) -> None:
    """Undo the transaction of the card."""
    from liveinstall._verbs.undo import undo as undo_transaction

    card.update(note="Restoring the previous versions\N{HORIZONTAL ELLIPSIS}", tone="busy", is_working=True)
    try:
        result = undo_transaction(card.transaction)
    except (MovedOnError, NotHappenedError, RetiredError) as error:
        card.update(note=str(error), tone="bad", buttons=())
        return
    card.follow(result)
    left = [button for button in card.face.buttons if button != UNDO]
    card.update(note="Undone." if not result.staged else "Undone at the next start.", tone="good", buttons=left)


def install_fitting(card: LiveCard) -> None:
    """Install the remedy of a conflict; the card shows the progress, and then the result."""
    from liveinstall._frontends.progress import Progression, Story
    from liveinstall._verbs.install import install

    remedy = card.result.remedy if card.result else ()
    story, show = Story(), _progress_in(card)
    show(Progression("Resolving", ", ".join(remedy)))
    card.follow(install(*remedy, quiet=True, on_event=lambda event: show(story.hear(event))))


def _progress_in(card: LiveCard) -> Callable[[Progression], None]:
    """The function that shows progress as the card's note."""
    step, at = "", 0.0

    def show(state: Progression) -> None:
        nonlocal step, at
        if state.step != step or time.monotonic() - at >= _PAUSE:
            if state.step != step:
                card.log.append(f"{time.strftime('%H:%M:%S')} {state}")
            step, at = state.step, time.monotonic()
            card.update(note=str(state), tone="busy", is_working=True)

    return show


def restart(card: LiveCard) -> None:
    """Restart the kernel; ask first if variables would be lost."""
    from liveinstall._frontends.restart.lost_variables import lost_message

    lost = lost_message()
    if not _still_pending(card):
        _settle(card)
    elif lost:
        card.update(note=lost, tone="bad", buttons=(KEEP, LOSE, BACK))
    else:
        _leave(card, None)


def lose_variables(card: LiveCard) -> None:
    """Restart the kernel without keeping variables."""
    if _still_pending(card):
        _leave(card, None)
    else:
        _settle(card)


def keep_variables(card: LiveCard) -> None:
    """Restart the kernel and keep the variables; ask first if some could not be restored with the new versions."""
    from liveinstall._frontends.restart.restart import preview

    if not _still_pending(card):
        _settle(card)
        return
    prepared = preview("all", show=_progress_in(card))
    if card.given_up.issuperset(prepared.lost):
        _leave(card, prepared)
        return
    prepared.discard()  # it is written again after the answer: cells may run until then
    card.given_up = frozenset(prepared.lost)
    card.update(note=f"{prepared.warning}.", tone="bad", buttons=(LEAVE, BACK))


def _leave(card: LiveCard, prepared: PreparedRestart | None) -> None:
    from liveinstall._frontends.restart.restart import leave_with, waiting

    summary = "; ".join(map(str, waiting()))
    kept = prepared.sentence if prepared else ""
    card.update(note=f"Restarting: {summary}. {kept}".rstrip(), tone="busy", buttons=(), is_working=True)
    leave_with(prepared, card.output)


def go_back(card: LiveCard) -> None:
    """Show the buttons from before a question."""
    card.given_up = frozenset()
    card.rest()


def show_details(card: LiveCard) -> None:
    """Show the reasons, the holders, the files and the log."""
    sections = [("Reasons", _reasons(card)), ("In use by", _holders()), ("Files", _files(card)), ("Log", _log(card))]
    card.describe([(title, lines) for title, lines in sections if lines])


def _reasons(card: LiveCard) -> list[str]:
    result = card.result
    changes = (*result.installed, *result.removed, *result.staged) if result else ()
    return [f"{change}: {change.reason}" for change in changes if change.reason]


def _holders() -> list[str]:
    from liveinstall._verbs.status import status

    return [f"{describe(each, since=False)} since {moment(each.since)}: {use(each)}" for each in status().holders]


def _files(card: LiveCard) -> list[str]:
    from liveinstall._environment.target import find_targets
    from liveinstall._verbs.undo import history

    lines = [f"Environment: {target.site}" for target in find_targets()]
    for past in history():
        if past.transaction == card.transaction:
            lines += [f"{name}: {origin.url}" for name, origin in past.sources.items() if origin.url]
    return [*lines, *handovers(card.result.overlaps if card.result else ())]


def _log(card: LiveCard) -> list[str]:
    phases = card.result.seconds if card.result else {}
    seconds = ", ".join(f"{name} {value:.2f} s" for name, value in phases.items())
    transaction = f"Transaction: {card.transaction}" if card.transaction else ""
    return [line for line in (transaction, seconds, *card.log) if line]


ACTIONS: dict[str, Callable[[LiveCard], Any]] = {
    "cancel": cancel,
    "undo": undo,
    "fit": install_fitting,
    "restart": restart,
    "lose": lose_variables,
    "keep": keep_variables,
    "leave": keep_variables,
    "back": go_back,
    "details": show_details,
}
