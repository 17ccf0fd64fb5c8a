"""What a request meets: the environment as it is, what waits in it, and who else holds it."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

from liveinstall.commit import transaction as transactions
from liveinstall.commit.lock import environment_lock
from liveinstall.commit.waiting import Waiting
from liveinstall.environment import holds
from liveinstall.environment.installed import check_metadata, check_replaceable, installed
from liveinstall.environment.loaded import disturbing, is_before, is_in, loaded_at_start
from liveinstall.planning.engines import View
from liveinstall.planning.graph import Node
from liveinstall.planning.plan import Waits, changes_for, make_plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from liveinstall.model import Candidate, Distribution, Holder, Plan, Target
    from liveinstall.planning.engines import Engine
    from liveinstall.planning.requests import Request


@contextmanager
def changing(target: Target, timeout: float | None = None) -> Iterator[None]:
    """Lock the environment, recover what was interrupted, and hold it from now on."""
    with environment_lock(target.site, who=transactions.command_line(), timeout=timeout):
        transactions.recover(target.site)
        holds.take_hold(target.site)
        yield


@contextmanager
def _importing(module: str) -> Iterator[None]:
    """Import what comes next while the engine's child process works."""
    thread = Thread(target=import_module, args=(module,))
    thread.start()
    try:
        yield
    finally:
        thread.join()


@dataclass
class Scene:
    """Read once for each request; `seconds` says where its time goes, by phase."""

    target: Target
    here: Mapping[str, Distribution]
    waiting: Waiting
    others: Sequence[Holder]
    seconds: dict[str, float] = field(default_factory=dict)
    clock: float = field(default_factory=time.perf_counter)

    @classmethod
    def of(cls, target: Target) -> Scene:
        """Look around."""
        clock = time.perf_counter()
        others = [holder for holder in holds.holders(target.site) if not holder.mine]
        return cls(target, installed(), Waiting.read(target.site), others, clock=clock)

    def lap(self, phase: str) -> None:
        """Charge the time since the last lap to `phase`."""
        now = time.perf_counter()
        self.seconds[phase], self.clock = now - self.clock, now

    @property
    def before(self) -> dict[str, Node]:
        """What imports find now."""
        return {name: Node(found.version, found.requires) for name, found in self.here.items()}

    def waits(self) -> dict[str, Waits]:
        """What waits, for planning."""
        found = {}
        for name, entry in self.waiting.entries.items():
            version, about = entry.swap.new_version, entry.about
            node = Node(version, tuple(about.get("requires", ()))) if version else None
            found[name] = Waits(node, about.get("reason", ""), about.get("requested", True))
        return found

    def resolve(self, request: Request, directory: str, engine: Engine, *, fetch: bool) -> Sequence[Candidate]:
        """Ask the engine, over the environment as it will be with all that waits."""
        check_metadata(request.names, (self.target.site, self.target.platlib))
        view = View(self.waiting.parts(self.target.site), self.waiting.replaced(self.target.site))
        self.lap("look around")
        with _importing("liveinstall.session.work"):
            found = engine.resolve(request, view, directory, fetch=fetch) if request.asked else ()
        self.lap("resolve and fetch" if fetch else "resolve")
        return found

    def decide(self, request: Request, candidates: Sequence[Candidate]) -> Plan:
        """Now or at restart, over what is here, what waits and what was chosen."""
        before, waits = self.before, self.waits()
        changes, _ = changes_for(request, candidates, before, waits)
        touched = [self.here[change.name] for change in changes if change.name in self.here]
        decided = make_plan(request, candidates, before, waits, disturbing(touched, self.target, self.others))
        sources = [f"the editable install of {found.project} is replaced" for found in touched if found.project]
        hidden = [
            f"{found.name} {found.version} in {os.path.dirname(found.info)} is first on sys.path, so imports find that"
            for found in touched
            if is_before(self.target, found)
        ]
        self.lap("decide")
        return replace(decided, notes=(*decided.notes, *sources, *hidden))

    def replaced(self, name: str) -> Distribution | None:
        """What leaves the environment when `name` comes in; what lies elsewhere is only shadowed."""
        found = self.here.get(name)
        if found is None or is_in(self.target, found):
            return found
        return installed((self.target.site, self.target.platlib)).get(name)  # shadowed itself, by PYTHONPATH

    def loaded_at_start(self, names: Iterable[str]) -> set[str]:
        """Which of `names` a bare start imports already, before a companion of a plain name would run."""
        return loaded_at_start(filter(None, map(self.replaced, names)), self.target.site)

    def check_replaceable(self, decided: Plan) -> None:
        """Raise DamagedError unless all that leaves can be removed by its RECORD."""
        for change in decided.changes:
            old = self.replaced(change.name)
            if old:
                check_replaceable(old, self.target)
