"""Add requirements and their dependencies to a store; an engine fetches those that it does not have."""

from __future__ import annotations

import os
from pathlib import Path

from packaging.version import Version

from liveinstall._engines.base import View
from liveinstall._engines.select import choose_engine
from liveinstall._environment.installed import installed
from liveinstall._environment.metadata_view import describe
from liveinstall._redact import redact
from liveinstall._requirements.offline import ADVICE, is_offline
from liveinstall._requirements.request import parse_request
from liveinstall._sidebyside.selection.candidates import CandidateProvider, usable
from liveinstall._sidebyside.selection.resolver import AvailableVersion, ResolutionImpossible, solve
from liveinstall._sidebyside.store.store import Stored, parse_entry
from liveinstall._system.lean_dataclasses import replace
from liveinstall._system.temporary import writing_temporary
from liveinstall.errors import EngineError, RequirementError, ResolutionError
from liveinstall.events import Planning, ignore_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from liveinstall._model import Candidate, Distribution
    from liveinstall._requirements.request import Request, RequirementLike
    from liveinstall._sidebyside.store.store import Store
    from liveinstall.events import Event

_UNSUPPORTED = {  # options of `install()` that do not apply to stored versions, with the reason
    "user": "the store is not part of an installation scheme",
    "when": "loaded distributions do not change, so nothing is pending",
    "overlap": "each version has its own directory",
    "prefer": "loaded distributions do not change, so nothing is pending",
    "requester": "it concerns the environment, which does not change",
    "protect": "it concerns the environment, which does not change",
    "verify": "the environment does not change",
    "conflicts": "the environment does not change",
    "editable": "an editable project has only one version at a time",
}

_NOT_FOR_THE_ENGINE = ("requester", "protect", "prefer", "verify", "conflicts")


def fetch(
    requirements: Sequence[RequirementLike],
    store: Store,
    *,
    engine: str = "auto",
    tell: Callable[[Event], None] = ignore_event,
    over: Mapping[str, Distribution] | None = None,
    pins: Sequence[str] = (),
    **options: Any,
) -> tuple[Stored, ...]:
    """Make a store contain requirements and their dependencies, as if nothing were installed but `over`.

    If the store alone can satisfy the requirements, no index is used, unless `upgrade` is set. The environment does
    not change.

    Args:
        requirements: As for `liveinstall.install()`.
        store: The store.
        engine: The name of the engine, or "auto".
        tell: Called with each event.
        over: The distributions of a base environment, by name; versions of it that are satisfactory are not fetched.
        pins: Further requirements, on distributions of `over`; they need no hash.
        **options: Options of `liveinstall.install()` for the requirements and their sources.

    Returns:
        The entries that satisfy the requirements.

    Raises:
        RequirementError: A requirement is invalid, or an option does not apply.
        EngineError: The engine failed.
        WheelRefusedError: A wheel is damaged or hostile.
        StagingError: An entry could not be written.
        StoreError: The store cannot be used.
        LockTimeoutError: Another process has the lock of the store for too long. After each of these the store is
            unchanged.
    """
    request = parse_request(tuple(requirements), **_checked(options))
    tell(Planning(tuple(map(redact, request.asked))))
    if not request.require_hashes:
        request = replace(request, requirements=(*request.requirements, *pins))
    entries = None if _needs_engine(request) else stored(request.requirements, store, over)
    if entries is not None:
        return entries
    with store.working(request.timeout) as directory:
        return _Fetch(request, store, engine, tell, directory, over or {}).run()


def check_options(requirements: Sequence[str], options: Mapping[str, Any]) -> None:
    """Check requirements and options as `fetch()` does.

    Raises:
        RequirementError: A requirement is invalid, or an option does not apply.
    """
    parse_request(tuple(requirements), **_checked({name: options[name] for name in options if name != "engine"}))


def stored(
    requirements: Sequence[str], store: Store, over: Mapping[str, Distribution] | None = None
) -> tuple[Stored, ...] | None:
    """Find the entries of a store that satisfy requirements and their dependencies; None if one is missing.

    Args:
        requirements: The requirements.
        store: The store.
        over: As for `fetch()`.
    """
    if any("://" in text or os.path.isabs(text) for text in requirements):
        return None

    def current(name: str) -> AvailableVersion | None:
        found = (over or {}).get(name)
        return AvailableVersion(found.name, found.version, found.requires, "", found.info) if found else None

    try:
        chosen = solve(requirements, CandidateProvider(store, current))
    except ResolutionImpossible:
        return None
    return tuple(entry for entry in map(_entry_at, (offer.place for offer in chosen.values() if offer.place)) if entry)


def _entry_at(path: str) -> Stored | None:
    parsed = parse_entry(os.path.basename(path))
    return Stored(*parsed, path) if parsed else None


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    for name, reason in _UNSUPPORTED.items():
        value = options.get(name)
        if value and value not in ("auto", "newest", "allow"):
            raise RequirementError(f"{name}= and parallel=True contradict each other: {reason}.", requirement=name)
    return {name: value for name, value in options.items() if name not in _NOT_FOR_THE_ENGINE}


def _needs_engine(request: Request) -> bool:
    """Whether only an engine can tell which versions satisfy the request."""
    sources = request.files or request.constraints or request.engine_arguments or request.no_binary
    newest = request.upgrade or request.reinstall or request.pre
    return bool(sources or newest or request.require_hashes or not request.deps)


class _Fetch:
    def __init__(
        self,
        request: Request,
        store: Store,
        engine: str,
        tell: Callable[[Event], None],
        directory: str,
        over: Mapping[str, Distribution],
    ) -> None:
        self.request = request
        self.store = store
        self.engine = engine
        self.tell = tell
        self.directory = directory
        infos = tuple(distribution.info for distribution in installed().values())
        described = os.path.join(directory, "over")
        with writing_temporary():
            describe(over.values(), described)
        self.view = View((described,) if over else (), hidden=infos)  # as if nothing else were installed

    def run(self) -> tuple[Stored, ...]:
        """Resolve, and fetch the distributions that the store does not have."""
        is_empty = not self.store.entries()
        chosen = self._ask(self.request, "resolve", fetch=is_empty)
        present = {} if self.request.reinstall else self._already_stored(chosen)
        missing = [each for each in chosen if each.name not in present and not (each.wheel or each.unpacked)]
        if missing:
            fetched = {each.name: each for each in self._ask(self._request_for(missing), "fetch", fetch=True)}
            lacking = [each.name for each in missing if each.name not in fetched]
            if lacking:
                raise EngineError(f"the engine fetched nothing for {', '.join(lacking)}.", log="")
            chosen = [
                replace(fetched[each.name], requested=each.requested) if each in missing else each for each in chosen
            ]
        new = [each for each in chosen if each.name not in present]
        added = self.store.add_all(new, anew=self.request.reinstall, tell=self.tell)
        entries = {**present, **{entry.name: entry for entry in added}}
        return tuple(entries[each.name] for each in chosen)

    def _already_stored(self, chosen: Sequence[Candidate]) -> dict[str, Stored]:
        """The entries for versions from an index. A version from a URL or path may have any content."""
        versions = {each.name: str(Version(each.version)) for each in chosen if each.direct_url is None}
        entries = [entry for entry in self.store.entries() if versions.get(entry.name) == entry.version]
        return {entry.name: entry for entry in usable(entries)}

    def _request_for(self, missing: Sequence[Candidate]) -> Request:
        """The request for the missing versions; the whole request again where a pin would lose information."""
        request = self.request
        if request.files or request.require_hashes or any(each.direct_url is not None for each in missing):
            return request
        names = frozenset(each.name for each in missing)
        pins = tuple(f"{each.name}=={each.version}" for each in missing)
        return replace(request, requirements=pins, names=names, deps=False, upgrade=False, constraints=())

    def _ask(self, request: Request, phase: str, *, fetch: bool) -> list[Candidate]:
        directory = Path(self.directory, phase)
        with writing_temporary():
            directory.mkdir()
        with choose_engine(self.engine) as engine:
            try:
                candidates = engine.resolve(request, self.view, str(directory), fetch=fetch, tell=self.tell)
            except ResolutionError as error:
                if is_offline():
                    error.todo = f"{error.todo} {ADVICE}".strip()
                raise
            engine.keep()
        return list(candidates)
