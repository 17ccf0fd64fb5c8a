"""The files that several distributions will install, for a plan: by the RECORDs of wheels, which are not unpacked."""

from __future__ import annotations

import os

from liveinstall._changes.shared_files import New, SharedFiles, in_order, staged_files
from liveinstall._planning.overlaps import as_asked, disturbs
from liveinstall._staging.wheel_files import files_of_wheel
from liveinstall._transactions import transaction as transactions
from liveinstall._transactions.published import PendingChange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from liveinstall._changes.context import RequestContext
    from liveinstall._model import Candidate
    from liveinstall._requirements.request import Request
    from liveinstall.results import Overlap, Plan


class Preview:
    """The shared files of a plan before staging.

    Attributes:
        unknown: The distributions whose files are not known before their installation, with the reason.
    """

    def __init__(
        self, context: RequestContext, request: Request, candidates: Iterable[Candidate], decided: Plan
    ) -> None:
        """Read the files of the plan's wheels and staged parts.

        Args:
            context: The state of the environment.
            request: The request.
            candidates: The distributions that the engine chose.
            decided: The plan.
        """
        chosen = {candidate.name: candidate for candidate in candidates}
        changed = {change.name: change for change in decided.changes}
        entries = {name: entry for name, entry in context.waiting.entries.items() if name in changed}
        new: dict[str, Mapping[str, New]] = {}
        self.unknown: dict[str, str] = {}
        for name, entry in entries.items():
            if entry.swap.part:
                new[name] = staged_files(context.target, entry.swap)
        for name in (*as_asked(chosen, request.requirements), *sorted(request.removals)):
            old = context.replaced(name)
            if name in changed and not (old and not os.path.isfile(os.path.join(old.info, "RECORD"))):
                entries.pop(name, None)
                swap = transactions.swap_of(context.target.site, changed[name], old, "")
                requires = list(chosen[name].requires) if name in chosen else []
                entries[name] = PendingChange(swap, {"requires": requires})
                digests = files_of_wheel(chosen[name], context.target) if name in chosen else {}
                new[name] = {path: New(digest, "") for path, digest in digests.items()}
                if name in chosen and not (chosen[name].wheel or chosen[name].unpacked or chosen[name].listing):
                    self.unknown[name] = chosen[name].unlisted or "it has no wheel yet"
        self._requested = {*chosen, *request.removals}
        self._shared = SharedFiles.found(context.target, in_order(entries.values()), new)

    @property
    def notes(self) -> list[str]:
        """Notes on the distributions whose files are not known."""
        return [f"{name}: {why}, so overlaps of its files are not known yet" for name, why in self.unknown.items()]

    @property
    def disturbs(self) -> dict[str, frozenset[str]]:
        """See `Situation.overlaps`."""
        return disturbs(self._shared.settled)

    @property
    def overlaps(self) -> tuple[Overlap, ...]:
        """The shared files whose owner would change because of the request."""
        return self._shared.overlaps(self._requested)
