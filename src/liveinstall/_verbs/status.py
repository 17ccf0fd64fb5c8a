"""`status()`: the environment at a glance."""

from __future__ import annotations

from packaging.utils import canonicalize_name

from liveinstall._environment import holders as holds
from liveinstall._environment.installed import installed
from liveinstall._environment.target import find_target
from liveinstall._sidebyside.activation import activate
from liveinstall._system.interpreter import which
from liveinstall._transactions import companions
from liveinstall._transactions import transaction as transactions
from liveinstall._verbs.pending import pending
from liveinstall.reports import Activation, Status, VersionInUse


def status() -> Status:
    """The environment at a glance: where it is, what waits and for whom, who holds it."""
    target = find_target(for_change=False)
    here = installed()
    holders = holds.holders(target.site, here)
    unreadable = transactions.unreadable(target.site)
    from liveinstall._sidebyside.registry.files import ignored, is_enabled

    guarded, looked_for = companions.is_guarded(target.site), is_enabled(target.site)
    return Status(
        *(target, pending(), holders, len(here), unreadable),
        guarded=guarded,
        active=current(),
        registries=looked_for,
        ignored=ignored(target.site),
        python=target.python,
        python_from=which()[1],
    )


def current() -> Activation | None:
    """What is active in this process, for `status()`."""
    found = activate.active()
    if found is None:
        return None
    used = tuple(VersionInUse(canonicalize_name(name), version, place) for name, version, place in found.index.pins)
    return Activation(found.why, found.source, used, exclusive=found.index.exclusive)
