"""The state of the environment for one request: installed distributions, pending changes, and processes that use it."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager, nullcontext
from threading import Thread

from liveinstall._engines.base import View
from liveinstall._environment import holders, running_versions
from liveinstall._environment.installed import check_metadata, check_replaceable, installed, installed_without_parts
from liveinstall._environment.loaded import disturbing, is_before, is_in
from liveinstall._planning.graph import Node, edges
from liveinstall._planning.plan import PendingNode, changes_for, future, make_plan
from liveinstall._system.caller import search_path
from liveinstall._system.command_line import command_line
from liveinstall._system.lean_dataclasses import dataclass, field, replace
from liveinstall._system.lock import environment_lock
from liveinstall._transactions import transaction as transactions
from liveinstall._transactions.published import PendingChanges
from liveinstall.events import Planned, Reporter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from liveinstall._engines.base import Engine
    from liveinstall._model import Candidate, Distribution
    from liveinstall._requirements.request import Request
    from liveinstall.results import Holder, Origin, Plan, Target


@contextmanager
def changing(target: Target, timeout: float | None = None) -> Iterator[None]:
    """Lock the environment for a change, recover interrupted changes, and protect the packages of this process.

    Args:
        target: The environment.
        timeout: Seconds to wait for the lock. Default: 60.

    Raises:
        LockTimeoutError: Another process is changing the environment.
        NotWritableError: The environment cannot be written to.
        DisabledError: The environment variable LIVEINSTALL_DISABLE is set.
    """
    trial = sys.modules.get("liveinstall._homes.background_trial")  # which would count as a process that uses packages
    with trial.paused() if trial else nullcontext(), environment_lock(target.site, who=command_line(), timeout=timeout):
        transactions.recover(target.site)
        holders.take_hold(target.site)
        yield


@contextmanager
def _in_background(work: Callable[[], object] | None) -> Iterator[None]:
    """Call `work` in a thread while the engine's child process runs."""
    if work is None:
        yield
        return
    thread = Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@dataclass
class RequestContext:
    """The state of the environment, read once for each request.

    Attributes:
        target: The environment's installation scheme.
        here: The importable distributions, by name.
        waiting: The pending changes.
        others: The other processes that use the environment.
        reporter: Receives the events.
        seconds: The duration of each finished phase, in seconds.
        clock: When the current phase began, as of `time.perf_counter()`.
        sources: Returns the origins of the resolved distributions, by name.
        meanwhile: Called in a thread while packages are fetched.
    """

    target: Target
    here: Mapping[str, Distribution]
    waiting: PendingChanges
    others: Sequence[Holder]
    reporter: Reporter = field(default_factory=Reporter)
    seconds: dict[str, float] = field(default_factory=dict)
    clock: float = field(default_factory=time.perf_counter)
    sources: Callable[[], Mapping[str, Origin]] = dict
    meanwhile: Callable[[], object] | None = None

    @classmethod
    def of(
        cls, target: Target, reporter: Reporter | None = None, meanwhile: Callable[[], object] | None = None
    ) -> RequestContext:
        """Read the environment.

        Args:
            target: The environment's installation scheme.
            reporter: Receives the events. Default: they are discarded.
            meanwhile: Called in a thread while packages are fetched. Default: nothing.

        Returns:
            Its state.
        """
        clock = time.perf_counter()
        other_processes = [holder for holder in holders.holders(target.site) if not holder.mine]
        distributions = installed_without_parts()
        running_versions.remember(distributions)
        return cls(
            target,
            distributions,
            PendingChanges.read(target.site),
            other_processes,
            reporter or Reporter(),
            clock=clock,
            meanwhile=meanwhile,
        )

    def lap(self, phase: str) -> None:
        """Record the time since the last call as the duration of `phase`."""
        now = time.perf_counter()
        self.seconds[phase], self.clock = now - self.clock, now

    @property
    def before(self) -> dict[str, Node]:
        """The importable distributions, for planning."""
        return {name: Node(each.version, each.requires) for name, each in self.here.items()}

    def requested(self) -> set[str]:
        """Return the installed and pending distributions that a user requested by name (REQUESTED, PEP 376)."""
        marked = {name for name, each in self.here.items() if os.path.exists(os.path.join(each.info, "REQUESTED"))}
        return marked | {name for name, pending in self.waits().items() if pending.requested}

    def future(self) -> dict[str, Node]:
        """Return the environment after all pending changes."""
        return future(self.before, self.waits())

    def after(self, request: Request, candidates: Iterable[Candidate]) -> dict[str, Node]:
        """Return the environment after all pending changes and a request.

        Args:
            request: The request.
            candidates: The distributions that the engine chose.

        Returns:
            The distributions, by name.
        """
        return changes_for(request, candidates, self.before, self.waits(), self._beneath(request.removals))[1]

    def used_versions(self) -> dict[str, str]:
        """Return the distributions that running processes use: name -> version."""
        in_use = disturbing(self.here.values(), self.target, self.others)
        return {name: self.here[name].version for name in in_use}

    def waits(self) -> dict[str, PendingNode]:
        """Return the pending changes by name, for planning."""
        pending = {}
        beneath = self._beneath(name for name, entry in self.waiting.entries.items() if not entry.swap.new_version)
        for name, entry in self.waiting.entries.items():
            version, about = entry.swap.new_version, entry.about
            node = Node(version, tuple(about.get("requires", ()))) if version else None
            pending[name] = PendingNode(
                *(node, about.get("reason", ""), about.get("requested", True)),
                shadows=name in self.here and self.replaced(name) is None,
                beneath=beneath.get(name),
            )
        return pending

    def _beneath(self, removals: Iterable[str]) -> dict[str, Node]:
        """The distributions outside of the environment that are importable after removals in it, by name."""
        infos = {name: old.info for name in removals if (old := self.replaced(name))}
        if not infos:
            return {}
        left = installed_without_parts((*self.waiting.replaced(self.target.site), *infos.values()))
        return {name: Node(left[name].version, left[name].requires) for name in infos if name in left}

    def resolve(
        self, request: Request, directory: str, engine: Engine, *, fetch: bool, listed: bool = False
    ) -> Sequence[Candidate]:
        """Resolve a request with an engine, for the environment after all pending changes.

        Args:
            request: The request.
            directory: An empty directory for the engine's files, absolute.
            engine: The engine.
            fetch: Whether to download and build wheels, too.
            listed: Whether to list the files of wheels that are not fetched.

        Returns:
            The chosen distributions; empty if the request has no requirements.

        Raises:
            EngineError: The engine failed.
            DamagedError: A requested distribution is installed more than once, or has no usable metadata.
        """
        check_metadata(request.names, (self.target.site, self.target.platlib))
        hidden = self.waiting.replaced(self.target.site)
        remaining = installed_without_parts(hidden) if hidden else self.here
        view = View(self.waiting.parts(self.target.site), hidden, tuple(each.info for each in remaining.values()))
        self.lap("look around")
        with _in_background(self.meanwhile if fetch else None):
            candidates = (
                engine.resolve(request, view, directory, fetch=fetch, listed=listed, tell=self.reporter.tell)
                if request.asked
                else ()
            )
        if fetch:
            self.sources = engine.sources
        self.lap("resolve and fetch" if fetch else "resolve")
        return candidates

    def decide(
        self,
        request: Request,
        candidates: Sequence[Candidate],
        overlaps: Mapping[str, frozenset[str]] | None = None,
        *,
        is_remedy: bool = False,
    ) -> Plan:
        """Decide which changes are applied now and which at restart, and report the plan.

        Args:
            request: The request.
            candidates: The distributions that the engine chose.
            overlaps: See `Situation`.
            is_remedy: Whether this is not the request, but what could be requested instead; it is not reported.

        Returns:
            The plan for the request and for all pending changes.
        """
        before, pending, beneath = self.before, self.waits(), self._beneath(request.removals)
        changes, _ = changes_for(request, candidates, before, pending, beneath)
        changed = [self.here[change.name] for change in changes if change.name in self.here]
        sharing = set().union(*overlaps.values()) - {change.name for change in changes} if overlaps else set()
        affected = [*changed, *(self.here[name] for name in sorted(sharing) if name in self.here)]
        in_use = {**disturbing(affected, self.target, self.others), **self._run_from_parts()}
        users = self._users(request.removals, before)
        decided = make_plan(request, candidates, before, pending, in_use, users, overlaps, beneath)
        editable = [f"the editable install of {old.project} is replaced" for old in changed if old.project]
        shadowing = [
            f"{old.name} {old.version} in {os.path.dirname(old.info)} comes first on sys.path, so it is still imported"
            for old in changed
            if is_before(self.target, old)
        ]
        again = [
            f"{name} {node.version} outside of the environment is imported again" for name, node in beneath.items()
        ]
        self.lap("decide")
        decided = replace(decided, notes=(*decided.notes, *editable, *shadowing, *again))
        if not is_remedy:
            self.reporter.tell(Planned(decided))
        return decided

    def _run_from_parts(self) -> dict[str, str]:
        """The distributions that this process imports from staged parts: name -> reason why they cannot change now.

        Their part precedes the site directory on `sys.path`, so imports would not find a version in the latter.
        """
        parts = ((name, entry.swap.part) for name, entry in self.waiting.entries.items() if entry.swap.part)
        site = self.target.site
        return {
            name: f"this process runs from {part}"
            for name, part in parts
            if os.path.normpath(os.path.join(site, part)) in search_path()
        }

    def _users(self, removals: Collection[str], before: Mapping[str, Node]) -> Iterable[str]:
        """The distributions that depend on one of `removals` and are used by a running process."""
        dependents = {edge.requirer for edge in edges(before, on=removals)} if removals else ()
        return disturbing([self.here[name] for name in dependents], self.target, self.others)

    def replaced(self, name: str) -> Distribution | None:
        """Return the distribution that a new version of `name` replaces; one outside the environment is only shadowed.

        Args:
            name: The normalized project name.

        Returns:
            The distribution in the environment, or None.
        """
        importable = self.here.get(name)
        if importable is None or is_in(self.target, importable):
            return importable
        shadowed = installed((self.target.site, self.target.platlib)).get(name)  # for example by PYTHONPATH
        return shadowed if shadowed and is_in(self.target, shadowed) else None

    def loaded_at_start(self, names: Iterable[str]) -> set[str]:
        """Return those of `names` that Python imports at start-up before an ordinarily named companion would run."""
        from liveinstall._environment.start_imports import loaded_at_start  # most requests have no pending changes

        return loaded_at_start(filter(None, map(self.replaced, names)), self.target.site)

    def check_replaceable(self, decided: Plan) -> None:
        """Check that all replaced distributions can be removed by their RECORD.

        Args:
            decided: The plan.

        Raises:
            DamagedError: The RECORD of one of them is missing or unusable.
        """
        for change in decided.changes:
            old = self.replaced(change.name)
            if old:
                check_replaceable(old, self.target)
