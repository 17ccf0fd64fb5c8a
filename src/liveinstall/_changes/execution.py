"""Executing a plan: stage everything, then commit the immediate and the pending changes, each by one rename."""

from __future__ import annotations

import os
from collections.abc import Mapping

from liveinstall._changes.shared_files import SharedFiles, handover, in_order
from liveinstall._changes.summaries import explain_imports, result_of
from liveinstall._environment.installed import files_of, owner_of
from liveinstall._environment.loaded import loaded_files
from liveinstall._planning.overlaps import as_asked, disturbs
from liveinstall._staging.stage import (
    check_case,
    check_conflicts,
    check_directories,
    conflict,
    in_the_way,
    remove_parts,
    stage_all,
)
from liveinstall._system.cancellation import ended_by
from liveinstall._system.durability import begin_flush
from liveinstall._system.lean_dataclasses import replace
from liveinstall._system.letter_case import folds_case
from liveinstall._system.presenter import presenter
from liveinstall._transactions import transaction as transactions
from liveinstall._transactions.pending import Handover, publish, publish_pending
from liveinstall._transactions.pending import prepare as prepare_pending
from liveinstall._transactions.published import PendingChange
from liveinstall.events import Committing, Staged
from liveinstall.results import Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from liveinstall._changes.context import RequestContext
    from liveinstall._model import Candidate
    from liveinstall._requirements.request import Request
    from liveinstall._staging.bytecode import BytecodeCompiler
    from liveinstall._staging.part import Part
    from liveinstall.results import Change, Plan, Result


Overlaps = Mapping[str, frozenset[str]]


def execute(
    context: RequestContext,
    request: Request,
    candidates: Sequence[Candidate],
    decided: Plan,
    compiler: BytecodeCompiler,
    *,
    again: Callable[[Overlaps], Plan],
    owners: Mapping[str, tuple[str, ...]] | None = None,
) -> Result:
    """Execute a plan. After a failure before the first commit nothing is left behind.

    Args:
        context: The state of the environment.
        request: The request.
        candidates: The distributions that the engine chose.
        decided: The plan.
        compiler: Compiles the bytecode of staged modules.
        again: Makes the plan again, with the shared files that the staged parts have (see `Situation.overlaps`).
        owners: For an undo: path relative to the site directory -> the distributions that installed it earlier, the
            owner first.

    Returns:
        The result, for the user.

    Raises:
        LiveInstallError: Staging, verification or the commit failed.
    """
    execution = _Execution(context, request, candidates, decided, owners)
    parts = execution.stage(compiler, again)
    decided = execution.decided
    now, later = execution.commit(parts)
    if now:
        compiler.keep_at_exit(loaded_files)
    explain_imports(context.target)
    context.lap("commit")
    notes = [note for part in parts.values() for note in part.notes] + transactions.take_unreported_failures(
        context.target.site
    )
    requested = execution.requested
    still_pending = [f"{change} is still pending" for change in decided.waiting if change.name not in requested]
    result = result_of(decided, staged=[change for change in decided.waiting if change.name in requested])
    if result.staged:
        context.reporter.tell(Staged(result.staged))
        presenter().after_staging()
    transaction_id = (later if result.staged else now) or None
    return replace(
        result,
        transaction=transaction_id,
        notes=(*decided.notes, *execution.verification_notes, *notes, *still_pending),
        seconds=context.seconds,
        overlaps=execution.shared.overlaps(requested),
    )


def prepare(
    context: RequestContext,
    request: Request,
    candidates: Sequence[Candidate],
    decided: Plan,
    compiler: BytecodeCompiler,
    *,
    again: Callable[[Overlaps], Plan],
    facts: Mapping[str, Any],
) -> str:
    """Stage a plan as a prepared transaction, which has no effect until it is armed.

    Args:
        context: As for `execute()`.
        request: As for `execute()`.
        candidates: As for `execute()`.
        decided: The plan. The requested changes are all immediate or all pending.
        compiler: As for `execute()`.
        again: As for `execute()`.
        facts: Further facts for the record.

    Returns:
        The id of the transaction.

    Raises:
        LiveInstallError: Staging or verification failed, and nothing is left.
    """
    execution = _Execution(context, request, candidates, decided, None)
    return execution.prepare(execution.stage(compiler, again), facts)


class _Execution:
    """The state of one execution, from the plan to the commit."""

    def __init__(
        self,
        context: RequestContext,
        request: Request,
        candidates: Sequence[Candidate],
        decided: Plan,
        owners: Mapping[str, tuple[str, ...]] | None,
    ) -> None:
        self.context = context
        self.owners = owners
        self.site = context.target.site
        self.request = request
        self.decided = decided
        changed = {change.name: change for change in decided.changes}
        self.chosen = {candidate.name: candidate for candidate in candidates if candidate.name in changed}
        self.removed = sorted(name for name in request.removals if name in changed)
        self.requested = {*self.chosen, *self.removed}
        self.swaps = {
            name: transactions.swap_of(self.site, changed[name], context.replaced(name), "") for name in self.requested
        }
        self.sources: Mapping[str, Origin] = {}
        self.shared = SharedFiles(context.target, (), {})
        self.early: set[str] = set()
        self.verification_notes: tuple[str, ...] = ()
        self.now_id = transactions.new_id()
        self.later_id = context.waiting.ids[0] if context.waiting.ids else transactions.new_id()

    def stage(self, compiler: BytecodeCompiler, again: Callable[[Overlaps], Plan]) -> dict[str, Part]:
        """Stage, compile and verify all requested distributions; the parts, by name."""
        pending = {change.name for change in self.decided.waiting}

        def label(name: str) -> tuple[str, str]:
            return self.later_id if name in pending else self.now_id, self.swaps[name].old_hash or ""

        compiler.only(self._loaded_files())
        requested = {name for name, candidate in self.chosen.items() if candidate.requested}
        versions = {name: candidate.version for name, candidate in self.chosen.items()}
        compiler.start_with(requested or set(self.chosen), versions)
        parts = stage_all(self.chosen.values(), self.context.target, label, compiler, self.context.reporter.tell)
        self.context.lap("stage")
        try:
            begin_flush(self.site)
            self._settle(parts, again)
            # All calls that may start processes precede the commit, which must not be interrupted.
            with ended_by(compiler.cancel):
                self.sources = self.context.sources()
                compiler.finish()
            self.context.lap("compile")
            if self.request.verify:
                self._verify(parts)
            self.early = self.context.loaded_at_start(change.name for change in self.decided.waiting)
            self.context.reporter.tell(Committing(self.decided.changes))
        except BaseException:
            compiler.cancel()
            remove_parts(parts.values())
            raise
        return parts

    def _verify(self, parts: Mapping[str, Part]) -> None:
        from liveinstall._changes.verification import check_imports

        entries = self._entries(parts)
        swaps = [entries[change.name].swap for change in self.decided.changes]
        self.verification_notes = check_imports(
            self.context, self.request, self.chosen, self.decided, swaps, parts, self.shared
        )

    def _loaded_files(self) -> dict[str, set[str]]:
        """The loaded files for each staged upgrade: the next start needs the bytecode of their new versions."""
        names = [c.name for c in self.decided.waiting if c.name in self.chosen and self.context.replaced(c.name)]
        files = loaded_files() if names else set()
        return dict.fromkeys(names, files)

    def _settle(self, parts: Mapping[str, Part], again: Callable[[Overlaps], Plan]) -> None:
        """Find the shared files, and defer the changes that would replace files of distributions that are in use."""
        entries = self._entries(parts)
        swaps = in_order(_among(entries, self.decided.changes))
        self.shared = SharedFiles.of(self.context.target, swaps, self.owners)
        overlaps = disturbs(self.shared.settled)
        if overlaps:
            self.decided = again(overlaps)
        self._check_conflicts(parts)

    def _check_conflicts(self, parts: Mapping[str, Part]) -> None:
        """Raise FileConflictError for files that must not be overwritten."""
        groups, removed_files = [], set()
        for group in (self.decided.now, self.decided.waiting):
            names = [change.name for change in group if change.name in self.requested]
            leaving = set().union(*(files_of(old) for old in map(self.context.replaced, names) if old))
            groups.append(([parts[name] for name in names if name in parts], leaving))
            removed_files |= leaving

        def owner(path: str) -> str:
            return owner_of(path, self.context.here.values())

        if folds_case(self.site):
            pending = [(path, name) for name, new in self.shared.new.items() if name not in parts for path in new]
            check_case(parts.values(), pending, self.site, removed_files, owner)
        if self.request.overlap == "refuse":
            check_conflicts(groups, owner)
        for settled in self.shared.settled:
            coming = [name for name in settled.path.coming if name in parts]
            is_refused = self.request.overlap == "refuse" and settled.path.stays
            if coming and (settled.in_the_way or is_refused):
                raise conflict(parts[coming[-1]], settled.path.path, next(iter(settled.path.stays), ""))
        check_directories(parts.values(), removed_files, owner)
        for part in parts.values():
            metadata = (path for path in part.files if os.path.dirname(path).endswith(".dist-info"))
            for path in in_the_way(metadata, removed_files):
                raise conflict(part, path, owner(path))

    def commit(self, parts: Mapping[str, Part]) -> tuple[str, str]:
        """Commit the staged changes; the ids of the applied and of the pending transaction, empty if there is none."""
        target, pending, decided = self.context.target, self.context.waiting, self.decided
        entries = self._entries(parts)
        if decided.now:
            now = _among(entries, decided.now)
            publish(target, self.now_id, now, self.request.asked, handover=self._handover(self.now_id, now))
            transactions.apply(self.site, self.now_id)
        later = ""
        if decided.waiting or pending.ids:
            requests = (*pending.requests, *self.request.asked)
            deferred = _among(entries, decided.waiting)
            later = publish_pending(
                *(target, pending, deferred, requests),
                transaction_id=self.later_id,
                early=self.early,
                handover=self._handover,
            )
        transactions.recover(self.site)
        return self.now_id if decided.now else "", later

    def prepare(self, parts: Mapping[str, Part], facts: Mapping[str, Any]) -> str:
        """Write the staged changes, with all pending ones if they have to wait, as a prepared transaction; its id."""
        waits = any(change.name in self.requested for change in self.decided.waiting)
        changes = self.decided.waiting if waits else self.decided.now
        transaction_id = self.later_id if waits else self.now_id
        requests = (*(self.context.waiting.requests if waits else ()), *self.request.asked)
        entries = _among(self._entries(parts), changes)
        try:
            early = self.context.loaded_at_start(change.name for change in changes)
            facts = {**facts, "early": sorted(early), "names": sorted(self.requested)}
            moves = self._handover(transaction_id, entries)
            prepare_pending(self.context.target, transaction_id, entries, requests, handover=moves, facts=facts)
        except BaseException:
            remove_parts(parts.values())
            raise
        return transaction_id

    def _handover(self, transaction_id: str, entries: Sequence[PendingChange]) -> Handover:
        """The moves of shared files, as already found if these are all changes; else read again from disk."""
        if {entry.swap.name for entry in entries} == {swap.name for swap in self.shared.swaps}:
            return self.shared.handover(transaction_id)
        return handover(self.context.target, self.owners)(transaction_id, entries)

    def _entries(self, parts: Mapping[str, Part]) -> dict[str, PendingChange]:
        """The changes that were pending before, with those of this request."""
        entries = dict(self.context.waiting.entries)
        changed = {change.name: change for change in self.decided.changes}
        for name in as_asked(self.chosen, self.request.requirements):
            candidate = self.chosen[name]
            entries.pop(name, None)  # a distribution that is staged again is installed last
            self.swaps[name].part = os.path.relpath(parts[name].path, self.site)
            entries[name] = PendingChange(self.swaps[name], _about(changed[name], candidate, self.sources.get(name)))
        for name in self.removed:
            entries[name] = PendingChange(self.swaps[name], {"reason": changed[name].reason})
        return entries


def _among(entries: Mapping[str, PendingChange], changes: Iterable[Change]) -> list[PendingChange]:
    """The entries of these changes, in the order of the entries, because each engine returns another order."""
    names = {change.name for change in changes}
    return [entry for name, entry in entries.items() if name in names]


def _about(change: Change, candidate: Candidate, source: Origin | None) -> dict[str, Any]:
    source = source or Origin(candidate.url, candidate.sha256)
    return {
        "reason": change.reason,
        "requested": candidate.requested,
        "requires": list(candidate.requires),
        "url": source.url,
        "sha256": source.sha256,
    }
