"""Do nothing, fast, where there is nothing to do; else install."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from _liveinstall_boot.layout import list_transactions
from liveinstall._environment.installed import finder
from liveinstall._environment.target import find_target
from liveinstall._planning.satisfied import unsatisfied
from liveinstall._requirements.requirement import parse_requirement
from liveinstall._system.gc_throttle import throttled_gc
from liveinstall._transactions.requesters import read_requests
from liveinstall._verbs.install import install
from liveinstall.results import Change, Result

if TYPE_CHECKING:
    from liveinstall._model import Distribution
    from liveinstall._requirements.request import RequirementLike


def ensure(*requirements: RequirementLike, requester: str | None = None, **options: Any) -> Result:
    """Install what is missing; do nothing, without an engine or a lock, when the environment has it already.

    It has it when what imports find now, and what they will find once all that waits is in place, satisfies the
    requirements with their extras, and in turn all that these need. Options are those of `install()`.

    Raises: what `install()` raises.
    """
    plain = all(isinstance(requirement, (str, Requirement)) for requirement in requirements)
    texts = [str(requirement) for requirement in requirements]
    names = _names(texts) if plain else None  # lists, paths, and what is no requirement: install() knows
    if names is not None and not _asks_for_more(options):
        with throttled_gc():
            find = finder()
            if not unsatisfied(texts, find) and _is_settled(texts, requester):
                found = [each for name in names if (each := find(name))]
                return Result(unchanged=tuple(map(_unchanged, found)))
    return install(*requirements, requester=requester, **options)


def _unchanged(found: Distribution) -> Change:
    return Change(found.name, found.version, found.version, reason="it satisfies the request")


def _names(texts: list[str]) -> list[str] | None:
    """The canonical names; None if something is not simply a requirement: only an engine knows what that needs."""
    try:
        parsed = [Requirement(text) for text in texts]
    except InvalidRequirement:
        return None
    if not texts or any(requirement.url for requirement in parsed):
        return None
    return list(dict.fromkeys(canonicalize_name(requirement.name) for requirement in parsed))


def _asks_for_more(options: dict[str, Any]) -> bool:
    """Whether an option may want a change although the requirements hold."""
    harmless = ("index_url", "extra_index_urls", "find_links", "no_index", "timeout", "engine", "when", "prefer")
    return any(
        value and name not in (*harmless, "protect", "on_event", "quiet", "deps", "restart", "verify", "overlap")
        for name, value in options.items()
    )


def _is_settled(texts: list[str], requester: str | None) -> bool:
    """Whether it also holds once all that waits is in place, and the requester is known to need it."""
    target = find_target(for_change=False)
    if requester is not None:
        known = {asked.requirement for asked in read_requests(target.site) if asked.who == requester}
        if not known.issuperset(found.text for found in map(parse_requirement, texts) if found):
            return False
    if not any(True for _ in list_transactions(target.site)):
        return True
    from liveinstall._changes.context import RequestContext  # 10 ms

    return not unsatisfied(texts, RequestContext.of(target).future().get)
