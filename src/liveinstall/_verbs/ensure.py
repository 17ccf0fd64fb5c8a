"""`ensure()`: a quick check whether requirements are satisfied, and an installation only if they are not."""

from __future__ import annotations

from _liveinstall_boot.layout import list_transactions
from liveinstall._environment.installed import finder
from liveinstall._environment.target import find_target
from liveinstall._planning.satisfied import unsatisfied
from liveinstall._requirements.habits import flat
from liveinstall._requirements.requirement import parse_requirement
from liveinstall._system.gc_throttle import throttled_gc
from liveinstall._system.lean_packaging import (
    InvalidRequirement,
    canonicalize_name,
    is_requirement,
    parse_requirement_line,
)
from liveinstall._transactions.requesters import read_requests
from liveinstall._verbs.install import install
from liveinstall.results import Change, Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from liveinstall._model import Distribution
    from liveinstall._requirements.request import RequirementLike


def ensure(*requirements: RequirementLike, requester: str | None = None, **options: Any) -> Result:
    """Install requirements unless the environment satisfies them already, which is checked in a few milliseconds.

    The requirements count as satisfied if they, their extras and all dependencies are satisfied both by the importable
    distributions and by those after all pending changes. Then neither an engine nor the lock is used.

    Args:
        *requirements: As for `install()`.
        requester: As for `install()`.
        **options: Other options of `install()`.

    Returns:
        The result of the request; without changes if the requirements were satisfied.

    Raises:
        LiveInstallError: As for `install()`.
    """
    flattened = tuple(flat(requirements))
    plain = all(isinstance(requirement, str) or is_requirement(requirement) for requirement in flattened)
    texts = [str(requirement) for requirement in flattened]
    names = _names(texts) if plain else None
    if names is not None and not _asks_for_more(options):
        with throttled_gc():
            find = finder()
            if not unsatisfied(texts, find) and _is_settled(texts, requester):
                distributions = [each for name in names if (each := find(name))]
                return Result(unchanged=tuple(map(_unchanged, distributions)))
    return install(*requirements, requester=requester, **options)


def _unchanged(distribution: Distribution) -> Change:
    version = distribution.version
    return Change(distribution.name, version, version, reason="it satisfies the request")


def _names(texts: list[str]) -> list[str] | None:
    """The normalized names; None for URLs, paths and the like, which only an engine can resolve."""
    try:
        parsed = [parse_requirement_line(text) for text in texts]
    except InvalidRequirement:
        return None
    if not texts or any(requirement.url for requirement in parsed):
        return None
    return list(dict.fromkeys(canonicalize_name(requirement.name) for requirement in parsed))


def _asks_for_more(options: dict[str, Any]) -> bool:
    """Whether an option may require a change even if the requirements are satisfied."""
    harmless = ("index_url", "extra_index_urls", "find_links", "no_index", "timeout", "engine", "when", "prefer")
    return any(
        value
        and name not in (*harmless, "protect", "on_event", "quiet", "deps", "restart", "verify", "overlap", "conflicts")
        for name, value in options.items()
    )


def _is_settled(texts: list[str], requester: str | None) -> bool:
    """Whether the requirements are recorded for the requester, and are still satisfied after all pending changes."""
    target = find_target(for_change=False)
    if requester is not None:
        recorded = {each.requirement for each in read_requests(target.site) if each.who == requester}
        if not recorded.issuperset(parsed.text for parsed in map(parse_requirement, texts) if parsed):
            return False
    if not any(True for _ in list_transactions(target.site)):
        return True
    from liveinstall._changes.context import RequestContext  # takes 10 ms, so only if changes are pending

    return not unsatisfied(texts, RequestContext.of(target).future().get)
