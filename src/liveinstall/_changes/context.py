"""What a request meets: the environment as it is, what waits in it, and who else holds it."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import TYPE_CHECKING

from liveinstall._engines.base import View
from liveinstall._environment import holders, running_versions
from liveinstall._environment.installed import check_metadata, check_replaceable, installed, installed_without_parts
from liveinstall._environment.loaded import disturbing, is_before, is_in, loaded_at_start
from liveinstall._planning.graph import Node, edges
from liveinstall._planning.plan import PendingNode, changes_for, future, make_plan
from liveinstall._system.caller import search_path
from liveinstall._system.command_line import command_line
from liveinstall._system.lock import environment_lock
from liveinstall._transactions import transaction as transactions
from liveinstall._transactions.pending import PendingChanges
from liveinstall.events import Planned, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from liveinstall._engines.base import Engine
    from liveinstall._model import Candidate, Distribution
    from liveinstall._requirements.request import Request
    from liveinstall.results import Holder, Origin, Plan, Target


@contextmanager
def changing(target: Target, timeout: float | None = None) -> Iterator[None]:
    """Lock the environment, recover what was interrupted, and hold it from now on."""
    with environment_lock(target.site, who=command_line(), timeout=timeout):
        transactions.recover(target.site)
        holders.take_hold(target.site)
        yield


@contextmanager
def _beside(work: Callable[[], object] | None) -> Iterator[None]:
    """Do `work` in a thread while the engine's child process works."""
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
    """Read once for each request; `seconds` says where its time goes, by phase."""

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
        """Read the environment. `reporter` gets the events; `meanwhile` runs in a thread while packages are fetched."""
        clock = time.perf_counter()
        others = [holder for holder in holders.holders(target.site) if not holder.mine]
        here = installed_without_parts()
        running_versions.remember(here)
        return cls(
            target,
            here,
            PendingChanges.read(target.site),
            others,
            reporter or Reporter(),
            clock=clock,
            meanwhile=meanwhile,
        )

    def lap(self, phase: str) -> None:
        """Charge the time since the last lap to `phase`."""
        now = time.perf_counter()
        self.seconds[phase], self.clock = now - self.clock, now

    @property
    def before(self) -> dict[str, Node]:
        """What imports find now."""
        return {name: Node(found.version, found.requires) for name, found in self.here.items()}

    def requested(self) -> set[str]:
        """What somebody has asked for by name, of what is here and of what waits."""
        here = {name for name, found in self.here.items() if os.path.exists(os.path.join(found.info, "REQUESTED"))}
        return here | {name for name, waits in self.waits().items() if waits.requested}

    def future(self) -> dict[str, Node]:
        """The environment with all that waits in place."""
        return future(self.before, self.waits())

    def after(self, request: Request, candidates: Iterable[Candidate]) -> dict[str, Node]:
        """The environment with all that waits, and this request."""
        return changes_for(request, candidates, self.before, self.waits())[1]

    def used_versions(self) -> dict[str, str]:
        """The distributions that live processes use: name -> version."""
        here = self.here.values()
        return {name: self.here[name].version for name in disturbing(here, self.target, self.others)}

    def waits(self) -> dict[str, PendingNode]:
        """What waits, for planning."""
        found = {}
        for name, entry in self.waiting.entries.items():
            version, about = entry.swap.new_version, entry.about
            node = Node(version, tuple(about.get("requires", ()))) if version else None
            found[name] = PendingNode(node, about.get("reason", ""), about.get("requested", True))
        return found

    def resolve(self, request: Request, directory: str, engine: Engine, *, fetch: bool) -> Sequence[Candidate]:
        """Ask the engine, over the environment as it will be with all that waits."""
        check_metadata(request.names, (self.target.site, self.target.platlib))
        hidden = self.waiting.replaced(self.target.site)
        here = installed_without_parts(hidden) if hidden else self.here
        view = View(self.waiting.parts(self.target.site), hidden, tuple(found.info for found in here.values()))
        self.lap("look around")
        with _beside(self.meanwhile if fetch else None):
            found = (
                engine.resolve(request, view, directory, fetch=fetch, tell=self.reporter.tell) if request.asked else ()
            )
        if fetch:
            self.sources = engine.sources
        self.lap("resolve and fetch" if fetch else "resolve")
        return found

    def decide(
        self,
        request: Request,
        candidates: Sequence[Candidate],
        overlaps: Mapping[str, frozenset[str]] | None = None,
    ) -> Plan:
        """Now or at restart, over what is here, what waits and what was chosen; `overlaps`: see `Situation`."""
        before, waits = self.before, self.waits()
        changes, _ = changes_for(request, candidates, before, waits)
        touched = [self.here[change.name] for change in changes if change.name in self.here]
        others = set().union(*overlaps.values()) - {change.name for change in changes} if overlaps else set()
        met = [*touched, *(self.here[name] for name in sorted(others) if name in self.here)]
        busy = {**disturbing(met, self.target, self.others), **self._run_from_parts()}
        users = self._users(request.removals, before)
        decided = make_plan(request, candidates, before, waits, busy, users, overlaps)
        sources = [f"the editable install of {found.project} is replaced" for found in touched if found.project]
        hidden = [
            f"{found.name} {found.version} in {os.path.dirname(found.info)} is first on sys.path, so imports find that"
            for found in touched
            if is_before(self.target, found)
        ]
        self.lap("decide")
        decided = replace(decided, notes=(*decided.notes, *sources, *hidden))
        self.reporter.tell(Planned(decided))
        return decided

    def _run_from_parts(self) -> dict[str, str]:
        """What this process sees in a version that is not in place yet: another one would not be found first."""
        parts = ((name, entry.swap.part) for name, entry in self.waiting.entries.items() if entry.swap.part)
        site = self.target.site
        return {
            name: f"this process runs from {part}"
            for name, part in parts
            if os.path.normpath(os.path.join(site, part)) in search_path()
        }

    def _users(self, removals: Collection[str], before: Mapping[str, Node]) -> Iterable[str]:
        """What needs one of `removals` and is used by a live process."""
        needing = {edge.requirer for edge in edges(before, on=removals)} if removals else ()
        return disturbing([self.here[name] for name in needing], self.target, self.others)

    def replaced(self, name: str) -> Distribution | None:
        """What leaves the environment when `name` comes in; what lies elsewhere is only shadowed."""
        found = self.here.get(name)
        if found is None or is_in(self.target, found):
            return found
        shadowed = installed((self.target.site, self.target.platlib)).get(name)  # by PYTHONPATH
        return shadowed if shadowed and is_in(self.target, shadowed) else None

    def loaded_at_start(self, names: Iterable[str]) -> set[str]:
        """Which of `names` a bare start imports already, before a companion of a plain name would run."""
        return loaded_at_start(filter(None, map(self.replaced, names)), self.target.site)

    def check_replaceable(self, decided: Plan) -> None:
        """Raise DamagedError unless all that leaves can be removed by its RECORD."""
        for change in decided.changes:
            old = self.replaced(change.name)
            if old:
                check_replaceable(old, self.target)
