"""Installing beside the environment, which stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liveinstall._environment.target import current_site
from liveinstall._sidebyside.registry.index_builder import write_tables
from liveinstall._sidebyside.store.store import Store
from liveinstall.events import Done, Reporter
from liveinstall.results import Change, Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from liveinstall._requirements.request import RequirementLike
    from liveinstall._sidebyside.store.store import Stored


def put_beside(requirements: Sequence[RequirementLike], options: Mapping[str, Any], reporter: Reporter) -> Result:
    """See `liveinstall.install(parallel=True)`."""
    with reporter:
        store = Store.default(current_site())
        before = {entry.path for entry in store.entries()}
        found = fetch_missing(requirements, store, options, reporter)
        write_tables([entry.path for entry in found], store.path)
        new = [entry for entry in found if entry.path not in before]
        result = Result(
            installed=tuple(_change(entry, None, "") for entry in new),
            unchanged=tuple(_change(entry, entry.version, "it is stored") for entry in found if entry.path in before),
            parallel=True,
            notes=(f"import it with require(), or in a child process; it lies in {store.path}",) if new else (),
        )
        reporter.tell(Done(result))
        return result


def fetch_missing(
    requirements: Sequence[RequirementLike], store: Store, options: Mapping[str, Any], reporter: Reporter
) -> tuple[Stored, ...]:
    from liveinstall._sidebyside.selection.fetch import fetch  # engines, only where something is fetched

    return fetch(requirements, store, tell=reporter.tell, **options)


def _change(entry: Stored, old: str | None, reason: str) -> Change:
    return Change(entry.name, old, entry.version, reason=reason)
