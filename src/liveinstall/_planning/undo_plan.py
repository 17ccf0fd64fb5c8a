"""The way back from transactions that happened: what has to come in and go out again. Values in, values out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from liveinstall.errors import MovedOnError, RetiredError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class UndoneChange:
    """What a transaction did to the distribution `name`: the sha256 of the RECORD that it `put` in, and of what `was`.

    Empty where nothing came in, or nothing was. `kept`: the old files are still there.
    """

    name: str
    put: str
    was: str
    kept: bool = True


@dataclass(frozen=True)
class UndoneTransaction:
    """A transaction that happened, as the way back sees it."""

    transaction_id: str
    steps: tuple[UndoneChange, ...]


def plan_undo(
    deeds: Iterable[UndoneTransaction], present: Mapping[str, str], since: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Where each distribution comes back from once `deeds`, newest first, are undone: name -> the deed's id.

    What is as it was already is left out. `present`: the sha256 of each RECORD that is here. `since`: name -> a later
    transaction that is not undone, for the message.

    Raises: MovedOnError when the environment is not what these deeds have left, RetiredError.
    """
    state = dict(present)
    found: dict[str, tuple[UndoneTransaction, UndoneChange]] = {}
    for deed in deeds:
        for step in deed.steps:
            if state.get(step.name, "") != step.put:
                raise _moved_on(deed, step, (since or {}).get(step.name, ""))
            state[step.name] = step.was
            found[step.name] = deed, step
    changed = {name: place for name, place in found.items() if state[name] != present.get(name, "")}
    for deed, step in changed.values():
        if step.was and not step.kept:
            raise RetiredError(
                f"the old files of {step.name} that {deed.transaction_id} has replaced are no longer kept.",
                todo="Install the version that you want; liveinstall.history() names it.",
                transaction=deed.transaction_id,
                name=step.name,
                path="",
            )
    return {name: deed.transaction_id for name, (deed, _) in changed.items()}


def _moved_on(deed: UndoneTransaction, step: UndoneChange, later: str) -> MovedOnError:
    who = f"by {later}" if later else "by something else"
    todo = "Undo that first, or everything since a point: undo(to=...)." if later else "Install the version you want."
    return MovedOnError(
        f"{step.name} was changed {who} after {deed.transaction_id}.",
        todo=todo,
        transaction=deed.transaction_id,
        name=step.name,
    )
