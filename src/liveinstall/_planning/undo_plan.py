"""Planning an undo: which old versions have to be restored, and which new ones removed. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from liveinstall.errors import MovedOnError, RetiredError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class UndoneChange:
    """What a transaction did to one distribution.

    Args:
        name: The distribution.
        put: The SHA-256 of the RECORD that it installed; empty for a removal.
        was: The SHA-256 of the RECORD that it replaced; empty for a new distribution.
        kept: Whether the old files are still kept.
    """

    name: str
    put: str
    was: str
    kept: bool = True


@dataclass(frozen=True)
class UndoneTransaction:
    """An applied transaction, as the planning of an undo needs it."""

    transaction_id: str
    steps: tuple[UndoneChange, ...]


def plan_undo(
    deeds: Iterable[UndoneTransaction], present: Mapping[str, str], since: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Plan the undo of transactions.

    Args:
        deeds: The transactions, newest first.
        present: The SHA-256 of the RECORD of each installed distribution, by name.
        since: Name -> the id of a later transaction that is not undone, for the error message.

    Returns:
        Name -> the id of the transaction whose old version is restored. Distributions that already have their old
        version are omitted.

    Raises:
        MovedOnError: A distribution has been changed since these transactions.
        RetiredError: The old files are no longer kept.
    """
    state = dict(present)
    undone: dict[str, tuple[UndoneTransaction, UndoneChange]] = {}
    for deed in deeds:
        for step in deed.steps:
            if state.get(step.name, "") != step.put:
                raise _moved_on(deed, step, (since or {}).get(step.name, ""))
            state[step.name] = step.was
            undone[step.name] = deed, step
    changed = {name: steps for name, steps in undone.items() if state[name] != present.get(name, "")}
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
