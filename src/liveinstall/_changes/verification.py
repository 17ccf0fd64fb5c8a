"""What must be importable for a change to be accepted: what it brings, and what is loaded and needs what it changes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from _liveinstall_boot import codec
from liveinstall._environment.installed import in_directory, record_of
from liveinstall._homes.import_check import Verified, import_names, verify
from liveinstall._model import roots_of
from liveinstall._planning.graph import edges
from liveinstall._transactions import transaction as transactions
from liveinstall.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from liveinstall._changes.context import RequestContext
    from liveinstall._changes.shared_files import SharedFiles
    from liveinstall._model import Candidate, Distribution
    from liveinstall._requirements.request import Request
    from liveinstall._staging.part import Part
    from liveinstall.results import Plan


def check_imports(
    scene: RequestContext,
    request: Request,
    chosen: Mapping[str, Candidate],
    decided: Plan,
    swaps: Iterable[codec.SwapChange],
    parts: Mapping[str, Part],
    shared: SharedFiles,
) -> tuple[str, ...]:
    """Raise VerificationError unless all imports work with the swaps in place; notes for the result."""
    changed = {change.name for change in decided.changes} & {*chosen, *request.removals}
    coming = [found for part in parts.values() for found in in_directory(part.path)]
    wanted = [Verified(found.name, _modules(found), _modules(scene.replaced(found.name))) for found in coming]
    needing = _dependents(scene, request, chosen.values(), changed)
    wanted += [Verified(found.name, modules, modules) for found in needing for modules in [_modules(found)]]
    if not any(each.modules for each in wanted):
        return ()
    site = scene.target.site
    before = [item.record for item in transactions.read_all(site) if item.state == "pending"]
    after = codec.TransactionRecord("verified", list(swaps), roots_of(scene.target))
    after.moves, after.owners = shared.moves(after.transaction_id), shared.owners()
    notes = verify(scene.target, before, after, wanted)
    scene.lap("verify")
    return notes


def _dependents(
    scene: RequestContext, request: Request, chosen: Iterable[Candidate], changed: set[str]
) -> list[Distribution]:
    """What live processes have loaded and needs, at whatever remove, what is changed; as it will be."""
    state = scene.after(request, chosen)
    needing, new = set(changed), set(changed)
    while new:
        new = {edge.requirer for edge in edges(state, on=new)} - needing
        needing |= new
    used = scene.used_versions().keys() & needing - changed
    waits = scene.waiting.entries
    found: list[Distribution] = []
    for name in sorted(used & state.keys()):
        part = waits[name].swap.part if name in waits else None
        if part:
            found += in_directory(os.path.normpath(os.path.join(scene.target.site, part)))
        else:
            found.append(scene.here[name])
    return found


def _modules(found: Distribution | None) -> tuple[str, ...]:
    try:
        return import_names(record_of(found)[0]) if found else ()
    except DamagedError:
        return ()
