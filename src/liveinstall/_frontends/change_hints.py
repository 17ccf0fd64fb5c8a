"""The note on an import that fails in a package that was changed shortly before, or in one that requires it."""

from __future__ import annotations

import time

from liveinstall._environment.installed import top_names
from liveinstall._environment.target import find_targets
from liveinstall._planning.graph import Node, named
from liveinstall._transactions import history, published

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from liveinstall._model import Distribution
    from liveinstall._transactions.history import HistoryEntry

_RECENT = 86400.0  # seconds


def recent_changes(
    modules: Collection[str], distributions: Mapping[str, Distribution], explained: Collection[str]
) -> Iterator[str]:
    """Yield a note for each recent change that an import may have failed for.

    Args:
        modules: The top-level modules whose code was running, or that could not be imported.
        distributions: The installed distributions, by name.
        explained: The names of distributions that another note is about.
    """
    for target in find_targets():
        recent = [item for item in history.happened(target.site) if time.time() - item.when < _RECENT]
        if not recent:
            continue
        near = _concerned(modules, distributions)
        seen = set(explained)
        is_pending = any(item.state == "pending" for item in published.read_all(target.site))
        for number, item in enumerate(recent):
            for change in item.record.changes:
                is_concerned = change.name in near or (
                    not change.new_version and change.name.replace("-", "_") in modules
                )
                here = distributions[change.name].version if change.name in distributions else None
                if change.old_version and is_concerned and here == change.new_version and change.name not in seen:
                    what = f"{change.old_version} -> {change.new_version}" if change.new_version else "removed"
                    call = "" if number or is_pending else "liveinstall.undo()"
                    yield f"{change.name} was changed {_age(item.when)} ({what}){_way_back(target.site, item, call)}"
                seen.add(change.name)


def _concerned(modules: Collection[str], distributions: Mapping[str, Distribution]) -> set[str]:
    """The distributions of modules, and what they require."""
    own = {name for name, each in distributions.items() if not top_names(each)[0].isdisjoint(modules)}
    return own.union(*(named(Node(distributions[name].version, distributions[name].requires)) for name in own))


def _age(when: float) -> str:
    seconds = time.time() - when
    for size, unit in ((3600, "hour"), (60, "minute")):
        count = round(seconds / size)
        if seconds >= size:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def _way_back(site: str, item: HistoryEntry, call: str) -> str:
    """How to undo a transaction, if its old files are kept."""
    is_kept = all(history.is_kept(site, item, change) for change in item.record.changes if change.old_info)
    return f"; go back with {call or f'liveinstall.undo({item.transaction_id!r})'}" if is_kept else ""
