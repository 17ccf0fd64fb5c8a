"""Resolving a request with an engine, under the requesters' constraints and the preference for loaded versions."""

from __future__ import annotations

import os
from contextlib import ExitStack

from liveinstall._changes.requester_constraints import RequesterConstraints, check_requester_options
from liveinstall._redact import redact
from liveinstall._requirements.offline import ADVICE, is_offline
from liveinstall._requirements.option_values import conflict_policy
from liveinstall._system.lean_dataclasses import dataclass, field, replace
from liveinstall.errors import EngineError, ProtectedError, RequirementError, ResolutionError, WheelRefusedError
from liveinstall.events import Planning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Self

    from liveinstall._changes.context import RequestContext
    from liveinstall._engines.base import Engine
    from liveinstall._model import Candidate
    from liveinstall._requirements.request import Request
    from liveinstall.results import Plan

_PREFERENCES = ("newest", "loaded")


@dataclass(frozen=True)
class RequestPolicy:
    """The options of `install()` that engines do not have.

    Attributes:
        requester: The name of the plugin that makes the request; None if it is the user.
        protect: The requirements that must stay satisfied, as PEP 508 strings.
        prefer: "newest" or "loaded": the versions to try first.
        verify: Whether to import the changed distributions before the commit. Default: the setting.
        conflicts: What to do with a request that would break installed distributions: "ask", "refuse", "allow", or
            empty for what the front end suggests. Default: the setting.

    Raises:
        RequirementError: An option is invalid.
    """

    requester: str | None = None
    protect: Sequence[str] = ()
    prefer: str = "newest"
    verify: bool | None = None
    conflicts: str | None = None

    def __post_init__(self) -> None:
        """Validate the options."""
        object.__setattr__(self, "conflicts", conflict_policy(self.conflicts))
        check_requester_options(self.requester, self.protect)
        if self.prefer not in _PREFERENCES:
            what = f"prefer={self.prefer!r} is not a valid value."
            raise RequirementError(what, todo=f"Use {' or '.join(_PREFERENCES)}.", requirement="")


@dataclass
class RequestResolver:
    """Resolves one request, as a context manager.

    Attributes:
        context: The state of the environment.
        request: The request.
        policy: The options that engines do not have.
        engine: The engine; replaced by a fresh one of its kind if the resolution has to be repeated.
        directory: An empty directory, which the caller removes.
        notes: The notes for the result.
    """

    context: RequestContext
    request: Request
    policy: RequestPolicy
    engine: Engine
    directory: str
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read the requesters' constraints, and report the request."""
        self.context.reporter.tell(Planning(tuple(map(redact, self.request.asked))))
        state = self.context.future()
        self._constraints = RequesterConstraints(
            self.context.target.site, state, self.request, self.policy.requester or "", self.policy.protect
        )
        self._constrained = self._constraints.with_them(self.request, self.directory)
        self._resolutions = 0
        self._remedies: dict[tuple[str, ...], tuple[str, ...]] = {(): ()}
        self._engines = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        """Exit the engines that were entered here."""
        self._engines.__exit__(*failure)  # type: ignore[arg-type]

    def candidates(self, *, fetch: bool) -> Sequence[Candidate]:
        """Resolve the request.

        Args:
            fetch: Whether to download and build wheels, too; if not, their files are listed.

        Returns:
            The chosen distributions.

        Raises:
            EngineError: The engine failed.
            ProtectedError: The request contradicts a requirement of the host or of another requester.
        """
        pins = self.context.used_versions() if self.policy.prefer == "loaded" else {}
        if not pins:
            return self._resolve(self._constrained, self.engine, fetch=fetch, listed=not fetch)
        pinned = (*self._constrained.constraints, *(f"{name}=={version}" for name, version in pins.items()))
        try:
            chosen = self._resolve(
                replace(self._constrained, constraints=pinned), self.engine, fetch=fetch, listed=not fetch
            )
        except ResolutionError:
            self.notes.append("the loaded versions cannot satisfy the request")
            self.engine = self._engines.enter_context(self.engine.fresh())
            return self._resolve(self._constrained, self.engine, fetch=fetch, listed=not fetch)
        try:
            with self.engine.fresh() as another:
                newest = self._resolve(self._constrained, another, fetch=False, listed=False)
                self.notes += _version_concessions(chosen, newest, pins)
        except (EngineError, WheelRefusedError) as error:
            self.notes.append(f"the newest versions could not be determined: {error.what.rstrip('.')}")
        return chosen

    def _resolve(self, request: Request, engine: Engine, *, fetch: bool, listed: bool) -> Sequence[Candidate]:
        self._resolutions += 1
        directory = os.path.join(self.directory, str(self._resolutions))
        os.mkdir(directory)
        try:
            candidates = self.context.resolve(request, directory, engine, fetch=fetch, listed=listed)
        except ResolutionError as error:
            from liveinstall._changes.resolution_advice import advice

            if error.todo == ResolutionError.usual_todo:
                error.todo = advice(error.what, self.request, self.context.here) or error.todo
            if is_offline():
                error.todo = f"{error.todo} {ADVICE}".strip()
            explained = self._constraints.explained(error)
            if explained is error:
                raise  # an error that is its own cause is an endless loop for code that follows causes
            raise explained from None
        return self._constraints.without_them(candidates)

    def check(self, decided: Plan, candidates: Iterable[Candidate]) -> Plan:
        """Check a plan against the requesters' constraints.

        Args:
            decided: The plan.
            candidates: The chosen distributions.

        Returns:
            The plan with the notes of this request, and with a remedy for its conflicts if there is one.

        Raises:
            ProtectedError: It would break a requirement of the host or of another requester.
        """
        self._constraints.check(self.context.after(self.request, candidates))
        tip: tuple[str, ...] = ()
        if self.policy.prefer != "loaded" and self.request.when == "auto":
            upgrades = [change for change in decided.waiting if change.old_version]
            avoidable = [change for change in upgrades if change.name not in self.request.names]
            if avoidable and len(avoidable) == len(upgrades):
                tip = ('prefer="loaded" keeps loaded versions where possible, and may avoid the restart',)
        if decided.conflicts not in self._remedies:
            requirers = {text.partition(" ")[0] for text in decided.conflicts}
            self._remedies[decided.conflicts] = self._remedy(sorted(requirers - self.request.names))
        remedy = self._remedies[decided.conflicts]
        notes = (*decided.notes, *self.notes, *self.engine.warnings(), *tip)
        return replace(decided, notes=notes, remedy=remedy)

    def _remedy(self, names: Sequence[str]) -> tuple[str, ...]:
        """The requirements with `names`, if the resolver finds versions for all that leave no conflict."""
        is_plain = self.policy.prefer == "newest" and not self.policy.requester and not self.policy.protect
        if not names or not is_plain or not _is_plain(self.request):
            return ()
        together, constrained = (
            replace(each, requirements=(*each.requirements, *names), names=each.names.union(names))
            for each in (self.request, self._constrained)
        )
        try:
            engine = self._engines.enter_context(self.engine.fresh())
            candidates = self._resolve(constrained, engine, fetch=False, listed=False)
            self._constraints.check(self.context.after(together, candidates))
        except (EngineError, WheelRefusedError, ProtectedError):
            return ()
        return () if self.context.decide(together, candidates, is_remedy=True).conflicts else together.requirements

    def record(self) -> None:
        """Record the requester and its requirements. Needs the lock."""
        self._constraints.record()


def _is_plain(request: Request) -> bool:
    """Whether a call with only the requirements would mean the same."""
    from liveinstall._system.lean_packaging import InvalidRequirement, parse_requirement_line

    same = {name: getattr(request, name) for name in ("when", "timeout", "verify", "overlap")}
    try:
        has_urls = any(parse_requirement_line(text).url for text in request.requirements)
    except InvalidRequirement:  # a path, for example
        return False
    return not has_urls and request == type(request)(request.requirements, request.names, **same)


def _version_concessions(
    chosen: Iterable[Candidate], unpinned: Iterable[Candidate], pins: Mapping[str, str]
) -> Iterable[str]:
    """Notes on the versions that are older than without the pins."""
    versions = {candidate.name: candidate.version for candidate in chosen}
    for candidate in unpinned:
        name, newest = candidate.name, candidate.version
        if name in pins and pins[name] != newest:
            yield f"{name} stays at {pins[name]}, which is loaded; the newest compatible version is {newest}"
        elif versions.get(name, newest) != newest:
            yield f"{name} {versions[name]} is compatible with the loaded versions; the newest is {newest}"
