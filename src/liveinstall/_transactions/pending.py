"""All pending changes, merged into one transaction and applied by one swap, however many requests they come from."""

from __future__ import annotations

import os
import sys
import time

from _liveinstall_boot import codec, holds
from liveinstall._model import roots_of
from liveinstall._redact import redact
from liveinstall._system.command_line import command_line
from liveinstall._system.lean_dataclasses import dataclass, field
from liveinstall._transactions import transaction as transactions
from liveinstall._transactions.history import undo_metadata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from liveinstall._transactions.published import PendingChange, PendingChanges
    from liveinstall.results import Target


@dataclass(frozen=True)
class Handover:
    """The moves of files that several distributions install; see the boot module's `handover`.

    Attributes:
        moves: (kind, SHA-256, source, target) of each move; paths are relative to the site directory.
        owners: Path -> (owners before, owners after the change); the first one is the distribution whose file is in
            place. An empty name means that no distribution owns it.
        touched: The `.dist-info` directories of distributions that stay, but some of whose files get other content:
            name -> path relative to the site directory.
    """

    moves: Sequence[tuple[str, str, str, str]] = ()
    owners: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    touched: Mapping[str, str] = field(default_factory=dict)


def publish_pending(
    target: Target,
    before: PendingChanges,
    entries: Iterable[PendingChange],
    requests: Iterable[str],
    *,
    transaction_id: str = "",
    early: Iterable[str] = (),
    handover: Callable[[str, Sequence[PendingChange]], Handover],
) -> str:
    """Replace all pending changes, by one rename.

    Args:
        target: The environment.
        before: The previous pending changes.
        entries: The new pending changes; may be empty.
        requests: The requests that they come from.
        transaction_id: The id of the transaction if nothing was pending before.
        handover: Returns the moves of shared files for a transaction id and its changes.
        early: The distributions whose companion has to run before other .pth files.

    Returns:
        The id of the pending transaction; empty if nothing is pending.
    """
    entries = list(entries)
    transaction_id = (before.ids[0] if before.ids else transaction_id) if entries else ""
    if entries:
        # The staging process keeps using the old versions, even those that it has not imported yet.
        holds.take_hold(target.site, command_line(), keeps=[transaction_id])
        publish(target, transaction_id, entries, requests, early=early, handover=handover(transaction_id, entries))
    for old in before.ids:
        if old != transaction_id:
            transactions.discard(target.site, old)
    return transaction_id


def publish(
    target: Target,
    transaction_id: str,
    entries: Iterable[PendingChange],
    requests: Iterable[str],
    *,
    early: Iterable[str] = (),
    handover: Handover | None = None,
) -> None:
    """Publish one transaction with all facts that the start-up code and people need.

    Args:
        target: The environment.
        transaction_id: Its id.
        entries: Its changes.
        requests: The requests that they come from; credentials are removed.
        early: The distributions whose companion has to run before other .pth files.
        handover: The moves of shared files. Default: none.
    """
    record, about, touched = _made(target, transaction_id, list(entries), requests, handover or Handover())
    transactions.publish(target.site, record, about, early, touched)


def prepare(
    target: Target,
    transaction_id: str,
    entries: Iterable[PendingChange],
    requests: Iterable[str],
    *,
    handover: Handover,
    facts: Mapping[str, Any],
) -> None:
    """Write one transaction as a prepared one, which has no effect until it is armed.

    Args:
        target: The environment.
        transaction_id: Its id.
        entries: Its changes.
        requests: The requests that they come from; credentials are removed.
        handover: The moves of shared files.
        facts: Further facts: "lock", "base", "owner", "early" and "names"; see `facts`.
    """
    record, about, touched = _made(target, transaction_id, list(entries), requests, handover)
    transactions.prepare(target.site, record, {**about, **facts}, touched)


def _made(
    target: Target, transaction_id: str, entries: list[PendingChange], requests: Iterable[str], handover: Handover
) -> tuple[codec.TransactionRecord, dict[str, Any], Mapping[str, str]]:
    """The record of a transaction, the facts about it, and the touched distributions."""
    about = {
        "created": time.time(),
        "pid": os.getpid(),
        "command": command_line(),
        "python": sys.version.split()[0],
        "requests": list(dict.fromkeys(map(redact, requests))),
        "changes": {entry.swap.name: _complete(target.site, entry) for entry in entries},
    }
    record = codec.TransactionRecord(transaction_id, [entry.swap for entry in entries], roots_of(target))
    record.moves, record.owners = list(handover.moves), dict(handover.owners)
    return record, about, handover.touched


def _complete(site: str, entry: PendingChange) -> dict[str, Any]:
    """The recorded facts about a change, completed with those that undo needs unless it has them already."""
    return {**({} if "record" in entry.about else undo_metadata(site, entry.swap)), **entry.about}
