"""A requester goes: what came in for it, and what nobody else needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from liveinstall.commit import history
from liveinstall.commit import transaction as transactions
from liveinstall.commit.lock import environment_lock
from liveinstall.commit.requesters import read_requests, write_requests
from liveinstall.environment.target import find_target
from liveinstall.planning.unused import unneeded
from liveinstall.session.promises import name_of
from liveinstall.session.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_FOR = re.compile(r"(.*) \(for (.+)\)$")  # how a request is written that has a requester


def asked_by(requester: str) -> tuple[str, ...]:
    """What a requester has asked for, as it is recorded."""
    site = find_target(for_change=False).site
    return tuple(asked.requirement for asked in read_requests(site) if asked.who == requester)


def requesters() -> tuple[str, ...]:
    """Everybody who is recorded to have asked for something."""
    site = find_target(for_change=False).site
    return tuple(dict.fromkeys(asked.who for asked in read_requests(site)))


def only_for(requester: str, protect: Iterable[str] = ()) -> tuple[str, ...]:
    """The distributions that were not there before this requester asked, and that nobody else asked for or needs.

    What was there before, or came in by another tool, is not its own and does not count.
    """
    target = find_target(for_change=False)
    state = Scene.of(target).future()
    others = [asked.requirement for asked in read_requests(target.site) if asked.who != requester]
    kept = {name_of(text) for text in (*others, *protect)}
    return tuple(sorted(unneeded((set(_brought_in(target.site, requester)) & state.keys()) - kept, state)))


def _brought_in(site: str, requester: str) -> Iterator[str]:
    """What transactions made new for a requester, or for one that is gone, whether they have happened or wait.

    One transaction may serve several; what somebody else asked for in it does not count.
    """
    others = {asked.who for asked in read_requests(site)} - {requester}
    items: list[Any] = [*history.happened(site), *transactions.read_all(site)]
    for item in items:
        asked = [_FOR.match(str(request)) for request in item.about.get("requests", ())]
        mine = [found for found in asked if found and found[2] not in others]
        if mine:
            kept = {name_of(found[1]) for found in asked if found and found not in mine}
            kept |= {name_of(str(request)) for request in item.about["requests"]}
            names = (canonicalize_name(change.name) for change in item.record.changes if not change.old_info)
            yield from (name for name in names if name not in kept)


def forget(requester: str) -> None:
    """Nothing is kept for this requester any more.

    Raises: LockTimeoutError, DisabledError.
    """
    target = find_target()
    with environment_lock(target.site, who=transactions.command_line()):
        asked = read_requests(target.site)
        left = [each for each in asked if each.who != requester]
        if len(left) < len(asked):
            write_requests(target.site, left)
