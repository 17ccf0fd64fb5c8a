"""Planning an undo: the old versions to restore and the new ones to remove. Pure functions."""

from __future__ import annotations

from liveinstall._system.lean_dataclasses import dataclass
from liveinstall.errors import MovedOnError, RetiredError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class UndoneChange:
    """A transaction's change of one distribution.

    Attributes:
        name: The distribution.
        put: The SHA-256 of the RECORD that the transaction installed; empty for a removal.
        was: The SHA-256 of the RECORD that it replaced; empty for a new distribution.
        kept: Whether the old files are still kept.
    """

    name: str
    put: str
    was: str
    kept: bool = True


@dataclass(frozen=True)
class UndoneTransaction:
    """An applied transaction, as needed for planning an undo.

    Attributes:
        transaction_id: Its id.
        steps: Its changes.
    """

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
        RetiredError: The old files have been removed.
    """
    state = dict(present)
    undone: dict[str, tuple[UndoneTransaction, UndoneChange]] = {}
    for transaction in deeds:
        for step in transaction.steps:
            if state.get(step.name, "") != step.put:
                raise _moved_on(transaction, step, (since or {}).get(step.name, ""))
            state[step.name] = step.was
            undone[step.name] = transaction, step
    changed = {name: steps for name, steps in undone.items() if state[name] != present.get(name, "")}
    for transaction, step in changed.values():
        if step.was and not step.kept:
            raise RetiredError(
                f"the old files of {step.name}, which {transaction.transaction_id} replaced, have been removed.",
                todo="Install the version that you want; liveinstall.history() lists the earlier versions.",
                transaction=transaction.transaction_id,
                name=step.name,
                path="",
            )
    return {name: transaction.transaction_id for name, (transaction, _) in changed.items()}


def _moved_on(transaction: UndoneTransaction, step: UndoneChange, later: str) -> MovedOnError:
    cause = f"by {later}" if later else "by something else"
    todo = (
        f"Undo {later} first, or every transaction since a point: undo(to=...)."
        if later
        else "Install the version that you want."
    )
    return MovedOnError(
        f"{step.name} was changed {cause} after {transaction.transaction_id}.",
        todo=todo,
        transaction=transaction.transaction_id,
        name=step.name,
    )
