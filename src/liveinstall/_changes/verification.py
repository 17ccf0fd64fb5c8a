"""The option `verify`: import the changed distributions, and the loaded ones that depend on them, before the commit."""

from __future__ import annotations

import os

from _liveinstall_boot import codec
from liveinstall._environment.installed import in_directory, record_of
from liveinstall._homes.import_check import Verified, import_names, verify
from liveinstall._model import roots_of
from liveinstall._planning.graph import edges
from liveinstall._transactions import published
from liveinstall.errors import DamagedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from liveinstall._changes.context import RequestContext
    from liveinstall._changes.shared_files import SharedFiles
    from liveinstall._model import Candidate, Distribution
    from liveinstall._requirements.request import Request
    from liveinstall._staging.part import Part
    from liveinstall.results import Plan


def check_imports(
    context: RequestContext,
    request: Request,
    chosen: Mapping[str, Candidate],
    decided: Plan,
    swaps: Iterable[codec.SwapChange],
    parts: Mapping[str, Part],
    shared: SharedFiles,
) -> tuple[str, ...]:
    """Import all affected modules in a preview with the staged changes applied.

    Args:
        context: The state of the environment.
        request: The request.
        chosen: The chosen distributions, by name.
        decided: The plan.
        swaps: The records of the changes.
        parts: The staged parts, by name.
        shared: The files that several distributions install.

    Returns:
        Notes for the result.

    Raises:
        VerificationError: A module cannot be imported that can be imported now, or is new.
    """
    changed = {change.name for change in decided.changes} & {*chosen, *request.removals}
    staged = [each for part in parts.values() for each in in_directory(part.path)]
    imports = [Verified(each.name, _modules(each), _modules(context.replaced(each.name))) for each in staged]
    dependents = _dependents(context, request, chosen.values(), changed)
    imports += [Verified(each.name, modules, modules) for each in dependents for modules in [_modules(each)]]
    if not any(each.modules for each in imports):
        return ()
    site = context.target.site
    before = [item.record for item in published.read_all(site) if item.state == "pending"]
    after = codec.TransactionRecord("verified", list(swaps), roots_of(context.target))
    after.moves, after.owners = shared.moves(after.transaction_id), shared.owners()
    notes = verify(context.target, before, after, imports)
    context.lap("verify")
    return notes


def _dependents(
    context: RequestContext, request: Request, chosen: Iterable[Candidate], changed: set[str]
) -> list[Distribution]:
    """The distributions that running processes have loaded and that depend on a change, in their future versions."""
    state = context.after(request, chosen)
    affected, new = set(changed), set(changed)
    while new:
        new = {edge.requirer for edge in edges(state, on=new)} - affected
        affected |= new
    used = context.used_versions().keys() & affected - changed
    pending = context.waiting.entries
    dependents: list[Distribution] = []
    for name in sorted(used & state.keys()):
        part = pending[name].swap.part if name in pending else None
        if part:
            dependents += in_directory(os.path.normpath(os.path.join(context.target.site, part)))
        else:
            dependents.append(context.here[name])
    return dependents


def _modules(distribution: Distribution | None) -> tuple[str, ...]:
    try:
        return import_names(record_of(distribution)[0]) if distribution else ()
    except DamagedError:
        return ()
