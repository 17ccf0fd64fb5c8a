"""`status()`: a summary of the environment."""

from __future__ import annotations

from packaging.utils import canonicalize_name

from liveinstall._environment import holders as holds
from liveinstall._environment.installed import installed
from liveinstall._environment.target import find_target
from liveinstall._sidebyside import activate
from liveinstall._system.interpreter import which
from liveinstall._transactions import companions
from liveinstall._transactions import transaction as transactions
from liveinstall._verbs.pending import pending
from liveinstall.reports import Activation, Status, VersionInUse


def status() -> Status:
    """Summarise the environment: its location, pending changes, and the processes that use it.

    Returns:
        The summary.

    Raises:
        TargetError: The interpreter has no environment that liveinstall supports.
    """
    target = find_target(for_change=False)
    distributions = installed()
    holders = holds.holders(target.site, distributions)
    unreadable = transactions.unreadable(target.site)
    from liveinstall._sidebyside.registry.files import ignored, is_enabled

    guarded, registries = companions.is_guarded(target.site), is_enabled(target.site)
    return Status(
        *(target, pending(), holders, len(distributions), unreadable),
        guarded=guarded,
        active=current(),
        registries=registries,
        ignored=ignored(target.site),
        python=target.python,
        python_from=which()[1],
    )


def current() -> Activation | None:
    """The side-by-side versions that are active in this process; None without any."""
    activation = activate.active()
    if activation is None:
        return None
    index = activation.index
    used = tuple(VersionInUse(canonicalize_name(name), version, place) for name, version, place in index.pins)
    return Activation(activation.why, activation.source, used, exclusive=index.exclusive)
