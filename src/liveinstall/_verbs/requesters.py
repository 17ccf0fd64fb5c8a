"""A requester goes: what came in for it, and what nobody else needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from liveinstall._changes.context import RequestContext
from liveinstall._changes.requester_constraints import name_of
from liveinstall._environment.target import current_site, find_target
from liveinstall._planning.unused import unneeded
from liveinstall._system.command_line import command_line
from liveinstall._system.lock import environment_lock
from liveinstall._transactions import history
from liveinstall._transactions import transaction as transactions
from liveinstall._transactions.requesters import read_requests, write_requests

if TYPE_CHECKING:
    from collections.abc import Iterable


_FOR = re.compile(r"(.*) \(for (.+)\)$")  # how a request is written that has a requester


def asked_by(requester: str) -> tuple[str, ...]:
    """What a requester has asked for, as it is recorded."""
    site = current_site()
    return tuple(asked.requirement for asked in read_requests(site) if asked.who == requester)


def requesters() -> tuple[str, ...]:
    """Everybody who is recorded to have asked for something."""
    site = current_site()
    return tuple(dict.fromkeys(asked.who for asked in read_requests(site)))


def only_for(requester: str, protect: Iterable[str] = ()) -> tuple[str, ...]:
    """The distributions that were not there before this requester asked, and that nobody else asked for or needs.

    What was there before, or came in by another tool, is not its own and does not count.
    """
    target = find_target(for_change=False)
    state = RequestContext.of(target).future()
    others = [asked.requirement for asked in read_requests(target.site) if asked.who != requester]
    kept = {name_of(text) for text in (*others, *protect)}
    return tuple(sorted(unneeded((_brought_in(target.site, requester) & state.keys()) - kept, state)))


def _brought_in(site: str, requester: str) -> set[str]:
    """What came in for a requester, or for one that is gone, and nobody has asked for since without a requester.

    Of each name the newest transaction that made it new counts, whether it has happened or waits. What cannot be told,
    because a request names a file or a path, is not theirs.
    """
    others = {asked.who for asked in read_requests(site)} - {requester}
    items: list[Any] = [*reversed(history.happened(site)), *transactions.read_all(site)]
    theirs: dict[str, bool] = {}
    for item in items:
        requests = map(str, item.about.get("requests", ()))
        found = {request: _FOR.match(request) for request in requests if not request.startswith("uninstall ")}
        mine = {request for request, asked in found.items() if asked and asked[2] not in others}
        kept = {name_of(asked[1] if asked else request) for request, asked in found.items() if request not in mine}
        plain = {name_of(request) for request, asked in found.items() if not asked}
        for change in item.record.changes:
            name = canonicalize_name(change.name)
            if not change.old_info:
                theirs[name] = bool(mine) and "" not in kept and name not in kept
            elif "" in plain:
                theirs[name] = False
        theirs.update(dict.fromkeys(plain, False))
    return {name for name, is_theirs in theirs.items() if is_theirs}


def forget(requester: str) -> None:
    """Nothing is kept for this requester any more.

    Raises: LockTimeoutError, DisabledError.
    """
    target = find_target()
    with environment_lock(target.site, who=command_line()):
        asked = read_requests(target.site)
        left = [each for each in asked if each.who != requester]
        if len(left) < len(asked):
            write_requests(target.site, left)
