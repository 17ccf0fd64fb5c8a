"""Executing a plan: stage everything, then commit the immediate and the pending changes, each by one rename."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from liveinstall._changes.summaries import explain_imports, result_of
from liveinstall._environment.installed import files_of, owner_of
from liveinstall._environment.loaded import loaded_files
from liveinstall._staging.stage import check_conflicts, remove_parts, stage_all
from liveinstall._system.cancellation import ended_by
from liveinstall._system.presenter import presenter
from liveinstall._transactions import transaction as transactions
from liveinstall._transactions.pending import PendingChange, publish, publish_pending
from liveinstall.events import Committing, Staged
from liveinstall.results import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from liveinstall._changes.context import RequestContext
    from liveinstall._model import Candidate
    from liveinstall._requirements.request import Request
    from liveinstall._staging.bytecode import BytecodeCompiler
    from liveinstall._staging.part import Part
    from liveinstall.results import Change, Plan, Result


def execute(
    scene: RequestContext, request: Request, candidates: Sequence[Candidate], decided: Plan, compiler: BytecodeCompiler
) -> Result:
    """Execute a plan. After a failure before the first commit nothing is left behind.

    Args:
        scene: The environment as the request found it.
        request: The request.
        candidates: The distributions that the engine chose.
        decided: The plan.
        compiler: Compiles the bytecode of staged modules.

    Returns:
        The result, for the user.

    Raises:
        LiveInstallError: Staging, verification or the commit failed.
    """
    work = _Execution(scene, request, candidates, decided)
    parts = work.stage(compiler)
    now, later = work.commit(parts)
    explain_imports(scene.target)
    scene.lap("commit")
    notes = [note for part in parts.values() for note in part.notes] + transactions.take_unreported_failures(
        scene.target.site
    )
    before = [f"{change} waits as before" for change in decided.waiting if change.name not in work.asked]
    result = result_of(decided, staged=[change for change in decided.waiting if change.name in work.asked])
    if result.staged:
        scene.reporter.tell(Staged(result.staged))
        presenter().after_staging()
    transaction_id = (later if result.staged else now) or None
    return replace(
        result,
        transaction=transaction_id,
        notes=(*decided.notes, *work.verified, *notes, *before),
        seconds=scene.seconds,
    )


class _Execution:
    def __init__(self, scene: RequestContext, request: Request, candidates: Sequence[Candidate], decided: Plan) -> None:
        self.scene = scene
        self.site = scene.target.site
        self.request = request
        self.decided = decided
        changed = {change.name: change for change in decided.changes}
        self.chosen = {candidate.name: candidate for candidate in candidates if candidate.name in changed}
        self.removed = sorted(name for name in request.removals if name in changed)
        self.asked = {*self.chosen, *self.removed}
        self.swaps = {
            name: transactions.swap_of(self.site, changed[name], scene.replaced(name), "") for name in self.asked
        }
        self.sources: Mapping[str, Origin] = {}
        self.early: set[str] = set()
        self.verified: tuple[str, ...] = ()
        self.now_id = transactions.new_id()
        self.later_id = scene.waiting.ids[0] if scene.waiting.ids else transactions.new_id()

    def stage(self, compiler: BytecodeCompiler) -> dict[str, Part]:
        waiting = {change.name for change in self.decided.waiting}

        def label(name: str) -> tuple[str, str]:
            return self.later_id if name in waiting else self.now_id, self.swaps[name].old_hash or ""

        compiler.only(self._loaded_places())
        compiler.start_with(
            {name for name, candidate in self.chosen.items() if candidate.requested} or set(self.chosen)
        )
        parts = stage_all(self.chosen.values(), self.scene.target, label, compiler, self.scene.reporter.tell)
        self.scene.lap("stage")
        try:
            self._check_conflicts(parts)
            with ended_by(compiler.cancel):
                compiler.finish()
            self.scene.lap("compile")
            if self.request.verify:
                self._verify(parts)
            # What starts processes comes before the commit, which nothing shall interrupt.
            self.sources = self.scene.sources()
            self.early = self.scene.loaded_at_start(change.name for change in self.decided.waiting)
            self.scene.reporter.tell(Committing(self.decided.changes))
        except BaseException:
            compiler.cancel()
            remove_parts(parts.values())
            raise
        return parts

    def _verify(self, parts: Mapping[str, Part]) -> None:
        from liveinstall._changes.verification import check_imports

        entries = self._entries(parts)
        swaps = [entries[change.name].swap for change in self.decided.changes]
        self.verified = check_imports(self.scene, self.request, self.chosen, self.decided, swaps, parts)

    def _loaded_places(self) -> dict[str, set[str]]:
        """The loaded files for each staged upgrade: the next start needs the bytecode of their new versions."""
        names = [c.name for c in self.decided.waiting if c.name in self.chosen and self.scene.replaced(c.name)]
        files = loaded_files() if names else set()
        return dict.fromkeys(names, files)

    def _check_conflicts(self, parts: Mapping[str, Part]) -> None:
        groups = []
        for group in (self.decided.now, self.decided.waiting):
            names = [change.name for change in group if change.name in self.asked]
            leaving = (files_of(old) for old in map(self.scene.replaced, names) if old)
            groups.append(([parts[name] for name in names if name in parts], set().union(*leaving)))
        check_conflicts(groups, lambda path: owner_of(path, self.scene.here.values()))

    def commit(self, parts: Mapping[str, Part]) -> tuple[str, str]:
        """Commit the staged changes.

        Returns:
            The ids of the applied and of the pending transaction; empty if there is none.
        """
        target, waiting, decided = self.scene.target, self.scene.waiting, self.decided
        entries = self._entries(parts)
        if decided.now:
            now = [entries[change.name] for change in decided.now]
            publish(target, self.now_id, now, self.request.asked)
            transactions.apply(self.site, self.now_id)
        later = ""
        if decided.waiting or waiting.ids:
            asked = (*waiting.requests, *self.request.asked)
            left = [entries[change.name] for change in decided.waiting]
            later = publish_pending(target, waiting, left, asked, transaction_id=self.later_id, early=self.early)
        transactions.recover(self.site)
        return self.now_id if decided.now else "", later

    def _entries(self, parts: Mapping[str, Part]) -> dict[str, PendingChange]:
        """The changes that were pending before, with those of this request."""
        entries = dict(self.scene.waiting.entries)
        changed = {change.name: change for change in self.decided.changes}
        for name, candidate in self.chosen.items():
            self.swaps[name].part = os.path.relpath(parts[name].path, self.site)
            entries[name] = PendingChange(self.swaps[name], _about(changed[name], candidate, self.sources.get(name)))
        for name in self.removed:
            entries[name] = PendingChange(self.swaps[name], {"reason": changed[name].reason})
        return entries


def _about(change: Change, candidate: Candidate, source: Origin | None) -> dict[str, Any]:
    source = source or Origin(candidate.url, candidate.sha256)
    return {
        "reason": change.reason,
        "requested": candidate.requested,
        "requires": list(candidate.requires),
        "url": source.url,
        "sha256": source.sha256,
    }
