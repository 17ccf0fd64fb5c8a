"""`status()`: a summary of the environment."""

from __future__ import annotations

import sys

from _liveinstall_boot.layout import list_transactions
from liveinstall._environment import holders as holds
from liveinstall._environment.installed import installed
from liveinstall._environment.target import find_targets
from liveinstall._sidebyside import layout
from liveinstall._system.interpreter import which
from liveinstall._system.lean_dataclasses import replace
from liveinstall._system.lean_packaging import canonicalize_name
from liveinstall._transactions import published
from liveinstall._verbs.name_patterns import matcher
from liveinstall.reports import Activation, Status, VersionInUse
from liveinstall.results import AllPending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from liveinstall._model import Distribution
    from liveinstall.results import Holder, ImportTrial


def status(*names: str) -> Status:
    """Summarise the environment: its location, pending changes, and the processes that use it.

    Args:
        *names: The names of distributions, or patterns such as "jupyter*" (`fnmatch`): only their pending changes, and
            processes that use them. Default: all.

    Returns:
        The summary.

    Raises:
        TargetError: The interpreter has no environment that liveinstall supports.
    """
    target, *others = find_targets()
    sites = [target.site, *(other.site for other in others)]
    distributions = installed()
    matches = matcher(names)
    using = _holders(sites, distributions)
    users = tuple(each for each in using if not names or each.uses is None or any(map(matches, each.distributions)))
    waiting = _pending(sites)
    if names:
        waiting = type(waiting)(each for each in waiting if any(matches(change.name) for change in each.changes))
    unreadable = tuple(path for site in sites for path in published.unreadable(site))
    guarded, registries = published.is_guarded(target.site), layout.is_enabled(target.site)
    return Status(
        *(target, waiting, users, len(distributions), unreadable),
        guarded=guarded,
        active=current(),
        registries=registries,
        ignored=layout.ignored(target.site),
        python=target.python,
        python_from=which()[1],
        trial=_trial(),
    )


def _pending(sites: Iterable[str]) -> AllPending:
    if not any(map(list_transactions, sites)):
        return AllPending()
    from liveinstall._verbs.pending import pending  # loads what changes an environment

    return pending()


def _trial() -> ImportTrial | None:
    """The outcome of the background trial, if this process has started one."""
    module = sys.modules.get("liveinstall._homes.background_trial")
    return module.latest() if module else None


def _holders(sites: Iterable[str], distributions: Mapping[str, Distribution]) -> tuple[Holder, ...]:
    """The processes that use the environment or the user's site-packages directory, each once, the oldest first."""
    found: list[Holder] = []
    for site in sites:
        before = {(holder.pid, holder.host, holder.command): at for at, holder in enumerate(found)}
        for holder in holds.holders(site, distributions):
            at = before.get((holder.pid, holder.host, holder.command))
            if at is None:
                found.append(holder)
            else:
                found[at] = _joined(found[at], holder)
    return tuple(sorted(found, key=lambda holder: (not holder.since, holder.since)))


def _joined(one: Holder, other: Holder) -> Holder:
    """The holds of one process in two directories, as one."""
    uses = None if one.uses is None or other.uses is None else tuple(sorted({*one.uses, *other.uses}))
    used = tuple(sorted({*one.distributions, *other.distributions}))
    return replace(one, uses=uses, sees=(*one.sees, *other.sees), distributions=used, since=min(one.since, other.since))


def current() -> Activation | None:
    """The side-by-side versions that are active in this process; None without any."""
    module = sys.modules.get("liveinstall._sidebyside.activate")
    activation = module.active() if module else None  # nothing is active in a process that has not loaded it
    if activation is None:
        return None
    index = activation.index
    used = tuple(VersionInUse(canonicalize_name(name), version, place) for name, version, place in index.pins)
    return Activation(activation.why, activation.source, used, exclusive=index.exclusive)
