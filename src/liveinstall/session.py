"""What a user calls: plan -> stage -> commit, under the environment's lock, and nothing else."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from liveinstall.commit import transaction as transactions
from liveinstall.commit.lock import environment_lock
from liveinstall.commit.visible import explain_staged, top_level_modules
from liveinstall.commit.waiting import Entry, Waiting, publish, publish_waiting
from liveinstall.environment import holds
from liveinstall.environment.installed import (
    check_metadata,
    check_replaceable,
    files_of,
    installed,
    owner_of,
    with_start_files,
)
from liveinstall.environment.loaded import disturbing, is_in, loaded, loaded_files
from liveinstall.environment.target import find_target
from liveinstall.errors import NotPendingError, RestartRequiredError
from liveinstall.model import Candidate, Change, Distribution, Holder, Pending, Plan, Result, Status, Target, Timing
from liveinstall.planning.engines import View
from liveinstall.planning.engines.choose import choose_engine
from liveinstall.planning.graph import Node
from liveinstall.planning.plan import Waits, changes_for, kept_after_cancel, make_plan
from liveinstall.planning.requests import Request, parse_request
from liveinstall.staging.bytecode import compile_for
from liveinstall.staging.stage import check_conflicts, remove_parts, stage_all

if TYPE_CHECKING:
    from liveinstall.staging.part import Part

When = Literal["auto", "now", "restart"]
RequirementLike = str | Requirement | os.PathLike[str]
Paths = Sequence[str | os.PathLike[str]]


def install(
    *requirements: RequirementLike,
    upgrade: bool = False,
    reinstall: bool = False,
    deps: bool = True,
    pre: bool = False,
    constraints: Paths = (),
    index_url: str | None = None,
    extra_index_urls: Sequence[str] = (),
    find_links: Paths = (),
    no_index: bool = False,
    when: When = "auto",
    dry_run: bool = False,
    timeout: float | None = None,
    engine: str = "auto",
) -> Result:
    """Install into the running environment without breaking what is running.

    What is new, or what nobody has loaded, is there on the next line; what would disturb a live process is staged
    and swapped in when Python next starts.

    Parameters: `requirements` are PEP 508 strings, `packaging` Requirements or paths of wheels. `constraints` are
    files or requirement strings. The other options are pip's, and pip's own configuration is honoured.
    `when="now"` refuses to wait (RestartRequiredError, nothing changed), `"restart"` makes everything wait.
    `dry_run` decides and changes nothing. `timeout`: seconds for the lock, and again for the engine.

    Raises: LiveInstallError, with the environment unchanged.
    """
    options = {name: value for name, value in locals().items() if name not in ("requirements", "dry_run")}
    if dry_run:
        return _result(plan(*requirements, **options), dry_run=True)
    request = parse_request(requirements, **options)
    target = find_target()
    with _changing(target, timeout), tempfile.TemporaryDirectory(prefix="liveinstall-") as directory:
        scene = _Scene.of(target)
        candidates = scene.resolve(request, directory, fetch=True)
        decided = scene.decide(request, candidates)
        _refuse_to_wait(request, decided, candidates)
        scene.check_replaceable(decided)
        return _carry_out(scene, request, candidates, decided)


def plan(*requirements: RequirementLike, engine: str = "auto", when: When = "auto", **options: Any) -> Plan:
    """Decide as `install()` would, with the same options, and change nothing: no lock, no hold."""
    request = parse_request(requirements, when=when, engine=engine, **options)
    scene = _Scene.of(find_target(for_change=False))
    with tempfile.TemporaryDirectory(prefix="liveinstall-") as directory:
        return scene.decide(request, scene.resolve(request, directory, fetch=False))


def pending() -> tuple[Pending, ...]:
    """What waits for the next start of Python, and what was set aside, with the reasons."""
    target = find_target(for_change=False)
    return tuple(_pending(target, item) for item in transactions.read_all(target.site))


def status() -> Status:
    """The environment at a glance: where it is, what waits and for whom, who holds it."""
    target = find_target(for_change=False)
    return Status(target, pending(), holds.holders(target.site), len(installed()), transactions.unreadable(target.site))


def cancel(*names: str) -> tuple[Change, ...]:
    """Take staged changes back: of these distributions, of what needs them, and of what only they needed.

    Without names everything that waits, and what was set aside. Returns what no longer waits.

    Raises: NotPendingError, LockTimeoutError.
    """
    target = find_target()
    wanted: set[str] = {canonicalize_name(name) for name in names}
    with _changing(target, None):
        scene = _Scene.of(target)
        entries = scene.waiting.entries
        dropped = _drop_failed(target, wanted)
        missing = wanted - set(entries) - {change.name for change in dropped}
        if missing or not (entries or dropped):
            raise NotPendingError(f"{', '.join(sorted(missing)) or 'nothing'} is not waiting for a restart.")
        kept = kept_after_cancel(scene.waits(), scene.before, wanted) if wanted else set()
        dropped += [_change(entry) for name, entry in entries.items() if name not in kept]
        left = [entry for name, entry in entries.items() if name in kept]
        publish_waiting(target, scene.waiting, left, scene.waiting.requests, early=with_start_files(target.site))
        transactions.recover(target.site)
        _explain(target)
        return tuple(dropped)


def finalize(*, force: bool = False) -> Result:
    """Swap what waits, where no live process is disturbed; what still waits comes back as staged.

    For interpreters that never run `site` (-S, embedded). What was set aside is tried again. `force` swaps although
    other processes hold the environment, but never what this process itself has loaded.

    Raises: CommitError, LockTimeoutError.
    """
    target = find_target(for_change=False)
    done: list[Change] = []
    left: list[Change] = []
    with environment_lock(target.site, who=transactions.command_line()):
        transactions.recover(target.site)
        transactions.retry(target.site)
        others = [] if force else [holder for holder in holds.holders(target.site) if not holder.mine]
        for item in list(transactions.read_all(target.site)):
            changes = _changes(item)
            why = _why_not_now(changes, others)
            if why:
                left += [replace(change, reason=why) for change in changes]
            else:
                transactions.apply(target.site, item.id, keep=True)
                done += [replace(change, timing=Timing.NOW) for change in changes]
    decided = Plan((*done, *left))
    return replace(_result(decided, dry_run=False), transaction=None)


def _why_not_now(changes: Iterable[Change], others: Sequence[Holder]) -> str:
    here = installed()
    mine = loaded(here[change.name] for change in changes if change.old_version and change.name in here)
    if mine:
        return f"{', '.join(sorted(mine))} is imported here"
    return f"held by {'; '.join(map(str, others))}" if others else ""


@contextmanager
def _changing(target: Target, timeout: float | None) -> Iterator[None]:
    """Lock the environment, recover what was interrupted, and hold it from now on; whatever fails, sweep."""
    with environment_lock(target.site, who=transactions.command_line(), timeout=timeout):
        transactions.recover(target.site)
        holds.take_hold(target.site)
        yield


@dataclass
class _Scene:
    """What a request meets: the environment as it is, what waits, who else holds it; and where the time goes."""

    target: Target
    here: Mapping[str, Distribution]
    waiting: Waiting
    others: Sequence[Holder]
    seconds: dict[str, float] = field(default_factory=dict)
    clock: float = field(default_factory=time.perf_counter)

    @classmethod
    def of(cls, target: Target) -> _Scene:
        others = [holder for holder in holds.holders(target.site) if not holder.mine]
        return cls(target, installed(), Waiting.read(target.site), others)

    def lap(self, phase: str) -> None:
        now = time.perf_counter()
        self.seconds[phase], self.clock = now - self.clock, now

    @property
    def before(self) -> dict[str, Node]:
        return {name: Node(found.version, found.requires) for name, found in self.here.items()}

    def waits(self) -> dict[str, Waits]:
        found = {}
        for name, entry in self.waiting.entries.items():
            version, about = entry.swap.new_version, entry.about
            node = Node(version, tuple(about.get("requires", ()))) if version else None
            found[name] = Waits(node, about.get("reason", ""), about.get("requested", True))
        return found

    def resolve(self, request: Request, directory: str, *, fetch: bool) -> Sequence[Candidate]:
        """Ask the engine, over the environment as it will be with all that waits."""
        check_metadata(request.names, (self.target.site, self.target.platlib))
        view = View(self.waiting.parts(self.target.site), self.waiting.replaced(self.target.site))
        self.lap("look around")
        engine = choose_engine(request.engine)
        found = engine.resolve(request, view, directory, fetch=fetch) if request.requirements else ()
        self.lap("resolve and fetch" if fetch else "resolve")
        return found

    def decide(self, request: Request, candidates: Sequence[Candidate]) -> Plan:
        before, waits = self.before, self.waits()
        changes, _ = changes_for(request, candidates, before, waits)
        touched = [self.here[change.name] for change in changes if change.name in self.here]
        decided = make_plan(request, candidates, before, waits, disturbing(touched, self.target, self.others))
        sources = [f"the editable install of {found.project} is replaced" for found in touched if found.project]
        self.lap("decide")
        return replace(decided, notes=(*decided.notes, *sources))

    def replaced(self, name: str) -> Distribution | None:
        """What leaves the environment when `name` comes in; what lies elsewhere is only shadowed."""
        found = self.here.get(name)
        return found if found and is_in(self.target, found) else None

    def check_replaceable(self, decided: Plan) -> None:
        for change in decided.changes:
            old = self.replaced(change.name)
            if old:
                check_replaceable(old, self.target)

    def check_conflicts(self, decided: Plan, parts: Mapping[str, Part]) -> None:
        leaving: dict[str, str] = {}
        for name in parts:
            old = self.replaced(name)
            leaving |= dict.fromkeys(files_of(old), name) if old else {}
        groups = [[parts[c.name] for c in group if c.name in parts] for group in (decided.now, decided.waiting)]
        check_conflicts(groups, leaving, lambda path: owner_of(path, self.here.values()))


def _refuse_to_wait(request: Request, decided: Plan, candidates: Iterable[Candidate]) -> None:
    chosen = {candidate.name for candidate in candidates}
    reasons = {change.name: change.reason for change in decided.waiting if change.name in chosen}
    if request.when == "now" and reasons:
        raise RestartRequiredError(
            "this cannot happen now: " + "; ".join(f"{name}: {reason}" for name, reason in reasons.items()) + ".",
            todo='Without when="now" it would be staged for the next start of Python.',
            reasons=reasons,
        )


def _carry_out(scene: _Scene, request: Request, candidates: Sequence[Candidate], decided: Plan) -> Result:
    """Stage everything, then commit: first what happens now, then what waits, each by one rename."""
    site, waiting = scene.target.site, {change.name for change in decided.waiting}
    now_id = transactions.new_id()
    later_id = scene.waiting.ids[0] if scene.waiting.ids else transactions.new_id()
    changed = {change.name: change for change in decided.changes}
    chosen = {candidate.name: candidate for candidate in candidates if candidate.name in changed}
    swaps = {name: transactions.swap_of(site, changed[name], scene.replaced(name), "") for name in chosen}
    parts = stage_all(
        chosen.values(),
        scene.target,
        lambda name: (later_id if name in waiting else now_id, swaps[name].old_hash or ""),
    )
    try:
        scene.check_conflicts(decided, parts)
    except BaseException:
        remove_parts(parts.values())
        raise
    scene.lap("stage")
    compile_for(_what_a_restart_imports(decided, parts))
    scene.lap("compile")
    entries = dict(scene.waiting.entries)
    for name, candidate in chosen.items():
        swaps[name].part = os.path.relpath(parts[name].path, site)
        entries[name] = Entry(swaps[name], _about(changed[name], candidate))
    early = with_start_files(site)
    if decided.now:
        publish(scene.target, now_id, [entries[c.name] for c in decided.now], request.requirements, early=early)
        transactions.apply(site, now_id)
    id = now_id if decided.now else None
    if decided.waiting or scene.waiting.ids:
        asked = (*scene.waiting.requests, *request.requirements)
        left = [entries[change.name] for change in decided.waiting]
        id = publish_waiting(scene.target, scene.waiting, left, asked, early=early) or id
    transactions.recover(site)
    _explain(scene.target)
    scene.lap("commit")
    notes = [*decided.notes, *(note for part in parts.values() for note in part.notes), *transactions.untold(site)]
    staged = tuple(change for change in decided.waiting if change.name in chosen)
    notes += [f"{change} waits as before" for change in decided.waiting if change.name not in chosen]
    result = _result(decided, dry_run=False)
    return replace(result, staged=staged, transaction=id, notes=tuple(notes), seconds=scene.seconds)


def _about(change: Change, candidate: Candidate) -> dict[str, Any]:
    return {
        "reason": change.reason,
        "requested": candidate.requested,
        "requires": list(candidate.requires),
        "url": candidate.url,
        "sha256": candidate.sha256,
    }


def _what_a_restart_imports(decided: Plan, parts: Mapping[str, Part]) -> Iterator[tuple[str, str]]:
    """The sources of staged upgrades whose old version this process has loaded, with their final places."""
    upgrades = [parts[change.name] for change in decided.waiting if change.name in parts and change.old_version]
    files = loaded_files() if upgrades else set()
    for part in upgrades:
        for source in part.sources:
            place = os.path.join(os.path.dirname(part.path), source)
            if place in files:
                yield os.path.join(part.path, source), place


def _explain(target: Target) -> None:
    """Let imports of what only waits say so."""
    staged = {}
    for entry in Waiting.read(target.site).entries.values():
        if entry.swap.part:
            for module in top_level_modules(os.path.join(target.site, entry.swap.part)):
                staged[module] = f"{entry.swap.name} {entry.swap.new_version}"
    explain_staged(staged)


def _change(entry: Entry) -> Change:
    old, new = entry.swap.old_version, entry.swap.new_version
    return Change(entry.swap.name, old, new, Timing.RESTART, entry.about.get("reason", ""))


def _changes(item: transactions.Transaction) -> tuple[Change, ...]:
    about = item.about.get("changes", {})
    return tuple(_change(Entry(change, about.get(change.name, {}))) for change in item.record.changes)


def _pending(target: Target, item: transactions.Transaction) -> Pending:
    why = transactions.note_of(target.site, item.id)
    if item.state != "failed":
        held = "; ".join(map(str, holds.holders(target.site)))
        wait = f"the end of {held}, then the next start of Python" if held else "the next start of Python"
        why = f"{wait} (the last try failed: {why})" if why else wait
    about = item.about
    return Pending(
        transaction=item.id,
        changes=_changes(item),
        since=float(about.get("created", 0)),
        pid=int(about.get("pid", 0)),
        command=str(about.get("command", "unknown")),
        requests=tuple(about.get("requests", ())),
        state=item.state,
        waits_for=why,
    )


def _drop_failed(target: Target, names: set[str]) -> list[Change]:
    """Discard what was set aside and has one of `names`, or all that was set aside."""
    dropped: list[Change] = []
    for item in list(transactions.read_all(target.site)):
        changes = _changes(item)
        if item.state == "failed" and (not names or names & {change.name for change in changes}):
            transactions.discard(target.site, item.id)
            dropped += changes
    return dropped


def _result(decided: Plan, *, dry_run: bool) -> Result:
    return Result(
        installed=tuple(change for change in decided.now if change.new_version),
        removed=tuple(change for change in decided.now if not change.new_version),
        staged=decided.waiting,
        unchanged=decided.unchanged,
        conflicts=decided.conflicts,
        notes=decided.notes,
        dry_run=dry_run,
    )
