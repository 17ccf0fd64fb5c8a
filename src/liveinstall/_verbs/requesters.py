"""Requesters: their recorded requirements, and the distributions to remove together with a requester."""

from __future__ import annotations

import re

from liveinstall._changes.context import RequestContext
from liveinstall._changes.requester_constraints import name_of
from liveinstall._environment.target import current_site, find_target
from liveinstall._planning.unused import unneeded
from liveinstall._system.command_line import command_line
from liveinstall._system.lean_packaging import canonicalize_name
from liveinstall._system.lock import environment_lock
from liveinstall._transactions import history, published
from liveinstall._transactions.requesters import read_requests, write_requests

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


_FOR = re.compile(r"(.*) \(for (.+)\)$")  # the text of a request with a requester, as the history records it


def asked_by(requester: str) -> tuple[str, ...]:
    """The recorded requirements of a requester."""
    site = current_site()
    return tuple(each.requirement for each in read_requests(site) if each.who == requester)


def requesters() -> tuple[str, ...]:
    """The names of all requesters with recorded requirements."""
    site = current_site()
    return tuple(dict.fromkeys(each.who for each in read_requests(site)))


def only_for(requester: str, protect: Iterable[str] = ()) -> tuple[str, ...]:
    """The distributions that were installed for one requester, and that nothing else needs.

    Distributions that were installed before, or by another tool, do not count.

    Args:
        requester: The requester's name.
        protect: Requirements whose distributions are kept in any case.

    Returns:
        The normalized names, sorted.
    """
    target = find_target(for_change=False)
    state = RequestContext.of(target).future()
    other_requirements = [each.requirement for each in read_requests(target.site) if each.who != requester]
    kept = {name_of(text) for text in (*other_requirements, *protect)}
    return tuple(sorted(unneeded((_installed_for(target.site, requester) & state.keys()) - kept, state)))


def _installed_for(site: str, requester: str) -> set[str]:
    """The distributions first installed for this requester, or for a removed one, and not requested without one since.

    For each name the newest transaction counts that installed it new, whether applied or pending. If a request names a
    file or a path, so that its distributions are unknown, none of its new distributions count.
    """
    other_requesters = {each.who for each in read_requests(site)} - {requester}
    items: list[Any] = [*reversed(history.happened(site)), *published.read_all(site)]
    attributed: dict[str, bool] = {}
    for item in items:
        requests = map(str, item.about.get("requests", ()))
        matches = {request: _FOR.match(request) for request in requests if not request.startswith("uninstall ")}
        mine = {request for request, match in matches.items() if match and match[2] not in other_requesters}
        kept = {name_of(match[1] if match else request) for request, match in matches.items() if request not in mine}
        plain = {name_of(request) for request, match in matches.items() if not match}
        for change in item.record.changes:
            name = canonicalize_name(change.name)
            if not change.old_info:
                attributed[name] = bool(mine) and "" not in kept and name not in kept
            elif "" in plain:
                attributed[name] = False
        attributed.update(dict.fromkeys(plain, False))
    return {name for name, is_theirs in attributed.items() if is_theirs}


def forget(requester: str) -> None:
    """Remove the recorded requirements of a requester.

    Args:
        requester: The requester's name.

    Raises:
        LockTimeoutError: Another process is changing the environment.
        DisabledError: The environment variable LIVEINSTALL_DISABLE is set.
    """
    target = find_target()
    with environment_lock(target.site, who=command_line()):
        recorded = read_requests(target.site)
        left = [each for each in recorded if each.who != requester]
        if len(left) < len(recorded):
            write_requests(target.site, left)
