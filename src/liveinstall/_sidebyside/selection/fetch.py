"""Bring requirements and all that they need into a store: what it has is used, the rest is fetched by an engine."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from liveinstall._engines.base import View
from liveinstall._engines.select import choose_engine
from liveinstall._environment.installed import installed
from liveinstall._redact import redact
from liveinstall._requirements.offline import ADVICE, is_offline
from liveinstall._requirements.request import parse_request
from liveinstall._sidebyside.selection.candidates import CandidateProvider, usable
from liveinstall._sidebyside.selection.resolver import ResolutionImpossible, solve
from liveinstall._sidebyside.store.store import Stored, parse_entry
from liveinstall._system.temporary import writing_temporary
from liveinstall.errors import EngineError, RequirementError, ResolutionError
from liveinstall.events import Planning, ignore_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from liveinstall._model import Candidate
    from liveinstall._requirements.request import Request, RequirementLike
    from liveinstall._sidebyside.store.store import Store
    from liveinstall.events import Event

_NEVER = {  # what makes no sense for what lies beside the environment
    "user": "what lies side by side belongs to no scheme",
    "when": "nothing that is loaded is touched, so nothing waits",
    "prefer": "nothing that is loaded is touched, so nothing waits",
    "requester": "it is a promise about the environment",
    "protect": "it is a promise about the environment",
    "verify": "the environment stays as it is",
    "editable": "a project that is used where it lies has one version at a time",
}

_NOT_ASKED = ("requester", "protect", "prefer", "verify")


def fetch(
    requirements: Sequence[RequirementLike],
    store: Store,
    *,
    engine: str = "auto",
    tell: Callable[[Event], None] = ignore_event,
    **options: Any,
) -> tuple[Stored, ...]:
    """See that `store` has these requirements and all that they need, as if nothing were installed; what it needs.

    What the store can satisfy alone is not looked for elsewhere, unless `upgrade` asks for the newest. `options` are
    those of `install()` that say what is wanted and where it comes from. The environment is left alone.

    Raises: RequirementError, EngineError, WheelRefusedError, StagingError, StoreError, LockTimeoutError; what was
    not there is not there then either.
    """
    request = parse_request(tuple(requirements), **_checked(options))
    tell(Planning(tuple(map(redact, request.asked))))
    found = None if _asks_for_more(request) else stored(request.requirements, store)
    if found is not None:
        return found
    with store.working(request.timeout) as directory:
        return _Fetch(request, store, engine, tell, directory).run()


def check_options(requirements: Sequence[str], options: Mapping[str, Any]) -> None:
    """RequirementError for options that `fetch()` would not understand."""
    parse_request(tuple(requirements), **_checked({name: options[name] for name in options if name != "engine"}))


def stored(requirements: Sequence[str], store: Store) -> tuple[Stored, ...] | None:
    """What of a store satisfies the requirements and all that they need; None if something is missing."""
    if any("://" in text or os.path.isabs(text) for text in requirements):
        return None
    try:
        chosen = solve(requirements, CandidateProvider(store))
    except ResolutionImpossible:
        return None
    return tuple(entry for entry in map(_entry_at, (offer.place for offer in chosen.values())) if entry)


def _entry_at(path: str) -> Stored | None:
    parsed = parse_entry(os.path.basename(path))
    return Stored(*parsed, path) if parsed else None


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    for name, why in _NEVER.items():
        value = options.get(name)
        if value and value not in ("auto", "newest"):
            raise RequirementError(f"{name}= and parallel=True contradict each other: {why}.", requirement=name)
    return {name: value for name, value in options.items() if name not in _NOT_ASKED}


def _asks_for_more(request: Request) -> bool:
    """Whether only an engine knows what is wanted."""
    asked = request
    where = asked.files or asked.constraints or asked.engine_arguments or asked.no_binary
    return bool(where or asked.upgrade or asked.reinstall or asked.require_hashes or asked.pre or not asked.deps)


class _Fetch:
    def __init__(
        self, request: Request, store: Store, engine: str, tell: Callable[[Event], None], directory: str
    ) -> None:
        self.request = request
        self.store = store
        self.engine = engine
        self.tell = tell
        self.directory = directory
        infos = tuple(found.info for found in installed().values())
        self.view = View(hidden=infos)  # as if nothing were installed

    def run(self) -> tuple[Stored, ...]:
        """Resolve; then fetch what the store has not."""
        is_empty = not self.store.entries()
        chosen = self._ask(self.request, "resolve", fetch=is_empty)
        there = {} if self.request.reinstall else self._there(chosen)
        left = [one for one in chosen if one.name not in there and not (one.wheel or one.unpacked)]
        if left:
            fetched = {one.name: one for one in self._ask(self._only(left), "fetch", fetch=True)}
            gone = [one.name for one in left if one.name not in fetched]
            if gone:
                raise EngineError(f"the engine fetched nothing for {', '.join(gone)}.", log="")
            chosen = [replace(fetched[one.name], requested=one.requested) if one in left else one for one in chosen]
        new = [one for one in chosen if one.name not in there]
        added = self.store.add_all(new, anew=self.request.reinstall, tell=self.tell)
        known = {**there, **{entry.name: entry for entry in added}}
        return tuple(known[one.name] for one in chosen)

    def _there(self, chosen: Sequence[Candidate]) -> dict[str, Stored]:
        """What an index's choice need not be fetched for. What comes from elsewhere may have any content."""
        wanted = {one.name: str(Version(one.version)) for one in chosen if one.direct_url is None}
        entries = [entry for entry in self.store.entries() if wanted.get(entry.name) == entry.version]
        return {entry.name: entry for entry in usable(entries)}

    def _only(self, left: Sequence[Candidate]) -> Request:
        """The request for what was chosen and is not there; all of it again where a pin says less than was asked."""
        asked = self.request
        if asked.files or asked.require_hashes or any(one.direct_url is not None for one in left):
            return asked
        names = frozenset(one.name for one in left)
        pins = tuple(f"{one.name}=={one.version}" for one in left)
        return replace(asked, requirements=pins, names=names, deps=False, upgrade=False, constraints=())

    def _ask(self, request: Request, phase: str, *, fetch: bool) -> list[Candidate]:
        directory = Path(self.directory, phase)
        with writing_temporary():
            directory.mkdir()
        with choose_engine(self.engine) as engine:
            try:
                found = engine.resolve(request, self.view, str(directory), fetch=fetch, tell=self.tell)
            except ResolutionError as error:
                if is_offline():
                    error.todo = f"{error.todo} {ADVICE}".strip()
                raise
            engine.keep()
        return list(found)
