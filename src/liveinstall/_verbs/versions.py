"""`versions()`: all versions of one distribution."""

from __future__ import annotations

from liveinstall._environment.installed import installed
from liveinstall._environment.running_versions import running
from liveinstall._environment.target import current_site
from liveinstall._sidebyside import activate
from liveinstall._sidebyside.selection.candidates import newest_stable_first, offer_of, usable
from liveinstall._sidebyside.store.store import Store
from liveinstall._system.lean_packaging import canonicalize_name
from liveinstall._transactions.published import PendingChanges
from liveinstall.reports import Versions


def versions(name: str) -> Versions:
    """List all versions of a distribution: installed, in the side-by-side store, pending, and active.

    Args:
        name: The project name, normalized or not.

    Returns:
        The versions; empty fields if there are none.
    """
    name = canonicalize_name(name)
    site = current_site()
    distributions = installed()
    default = distributions[name].version if name in distributions else ""
    offers = newest_stable_first(filter(None, map(offer_of, usable(Store.default(site).find(name)))))
    entry = PendingChanges.read(site).entries.get(name)
    pending = (entry.swap.new_version or "removed") if entry else ""
    current = activate.active()
    pins = {canonicalize_name(pin): version for pin, version, _ in current.index.pins} if current else {}
    is_exclusive = bool(current and current.index.exclusive)
    running_version = running({name: distributions[name]}).get(name) if name in distributions else None
    active = pins.get(name) or running_version or ("" if is_exclusive else default)
    return Versions(name, default, tuple(offer.version for offer in offers), pending, active)
