"""Installing into the side-by-side store; the environment does not change."""

from __future__ import annotations

from liveinstall._environment.target import current_site
from liveinstall._sidebyside.store.store import Store
from liveinstall.events import Done, Reporter
from liveinstall.results import Change, Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from liveinstall._requirements.request import RequirementLike
    from liveinstall._sidebyside.store.store import Stored


def put_beside(requirements: Sequence[RequirementLike], options: Mapping[str, Any], reporter: Reporter) -> Result:
    """Add requirements and their dependencies to the store: `liveinstall.install(parallel=True)`.

    Args:
        requirements: As for `liveinstall.install()`.
        options: The other options of `liveinstall.install()`.
        reporter: Receives the events.

    Returns:
        The added and the already stored distributions.

    Raises:
        LiveInstallError: As for `fetch()`.
    """
    from liveinstall._sidebyside.registry.index_builder import write_tables

    with reporter:
        store = Store.default(current_site())
        before = {entry.path for entry in store.entries()}
        entries = fetch_missing(requirements, store, options, reporter)
        write_tables([entry.path for entry in entries], store.path)
        new = [entry for entry in entries if entry.path not in before]
        result = Result(
            installed=tuple(_change(entry, None, "") for entry in new),
            unchanged=tuple(
                _change(entry, entry.version, "it is already stored") for entry in entries if entry.path in before
            ),
            parallel=True,
            notes=(f"import it with require(), or in a child process; it is stored in {store.path}",) if new else (),
        )
        reporter.tell(Done(result))
        return result


def fetch_missing(
    requirements: Sequence[RequirementLike], store: Store, options: Mapping[str, Any], reporter: Reporter
) -> tuple[Stored, ...]:
    """Call `fetch()`, which is loaded only here, because of the engines.

    Args:
        requirements: As for `liveinstall.install()`.
        store: The store to add to.
        options: The other options of `liveinstall.install()`.
        reporter: Receives the events.

    Returns:
        The entries that satisfy the requirements.
    """
    from liveinstall._sidebyside.selection.fetch import fetch

    return fetch(requirements, store, tell=reporter.tell, **options)


def _change(entry: Stored, old: str | None, reason: str) -> Change:
    return Change(entry.name, old, entry.version, reason=reason)
