"""Resolving a request with an engine, under the requesters' constraints and the preference for loaded versions."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from liveinstall._changes.requester_constraints import RequesterConstraints, check_requester_options
from liveinstall._redact import redact
from liveinstall._requirements.offline import ADVICE, is_offline
from liveinstall.errors import EngineError, RequirementError, ResolutionError, WheelRefusedError
from liveinstall.events import Planning

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
    """The options of `install()` that engines do not have; `protect` are PEP 508 strings.

    Raises:
        RequirementError: An option is invalid.
    """

    requester: str | None = None
    protect: Sequence[str] = ()
    prefer: str = "newest"
    verify: bool | None = None

    def __post_init__(self) -> None:
        """Validate the options."""
        check_requester_options(self.requester, self.protect)
        if self.prefer not in _PREFERENCES:
            raise RequirementError(f"prefer={self.prefer!r} is not one of {', '.join(_PREFERENCES)}.", requirement="")


@dataclass
class RequestResolver:
    """Resolves one request, as a context manager.

    Attributes:
        scene: The environment as the request found it.
        request: The request.
        wishes: The options that engines do not have.
        engine: The engine; replaced by a fresh one of its kind if the resolution has to be repeated.
        directory: An empty directory, which the caller removes.
        notes: The notes for the result.
    """

    scene: RequestContext
    request: Request
    wishes: RequestPolicy
    engine: Engine
    directory: str
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scene.reporter.tell(Planning(tuple(map(redact, self.request.asked))))
        wishes = self.wishes
        state = self.scene.future()
        self._promises = RequesterConstraints(
            self.scene.target.site, state, self.request, wishes.requester or "", wishes.protect
        )
        self._asked = self._promises.with_them(self.request, self.directory)
        self._times = 0
        self._engines = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        """Exit the engines that were entered here."""
        self._engines.__exit__(*failure)  # type: ignore[arg-type]

    def candidates(self, *, fetch: bool) -> Sequence[Candidate]:
        """Resolve the request.

        Args:
            fetch: Whether to download and build wheels too.

        Returns:
            The chosen distributions.

        Raises:
            EngineError: The engine failed.
            ProtectedError: The request contradicts a requirement of the host or of another requester.
        """
        pins = self.scene.used_versions() if self.wishes.prefer == "loaded" else {}
        if not pins:
            return self._resolve(self._asked, self.engine, fetch=fetch)
        pinned = (*self._asked.constraints, *(f"{name}=={version}" for name, version in pins.items()))
        try:
            chosen = self._resolve(replace(self._asked, constraints=pinned), self.engine, fetch=fetch)
        except ResolutionError:
            self.notes.append("the versions that are loaded cannot satisfy this")
            self.engine = self._engines.enter_context(self.engine.fresh())
            return self._resolve(self._asked, self.engine, fetch=fetch)
        try:
            with self.engine.fresh() as another:
                self.notes += _version_concessions(chosen, self._resolve(self._asked, another, fetch=False), pins)
        except (EngineError, WheelRefusedError) as error:
            self.notes.append(f"what the newest would be is not known: {error.what.rstrip('.')}")
        return chosen

    def _resolve(self, request: Request, engine: Engine, *, fetch: bool) -> Sequence[Candidate]:
        self._times += 1
        directory = Path(self.directory, str(self._times))
        directory.mkdir()
        try:
            candidates = self.scene.resolve(request, str(directory), engine, fetch=fetch)
        except ResolutionError as error:
            if is_offline():
                error.todo = f"{error.todo} {ADVICE}".strip()
            explained = self._promises.explained(error)
            if explained is error:
                raise  # an error that is its own cause is an endless loop for code that follows causes
            raise explained from error
        return self._promises.without_them(candidates)

    def check(self, decided: Plan, candidates: Iterable[Candidate]) -> Plan:
        """Check a plan against the requesters' constraints.

        Args:
            decided: The plan.
            candidates: The chosen distributions.

        Returns:
            The plan with the notes of this request.

        Raises:
            ProtectedError: It would break a requirement of the host or of another requester.
        """
        self._promises.check(self.scene.after(self.request, candidates))
        offer: tuple[str, ...] = ()
        if self.wishes.prefer != "loaded" and self.request.when == "auto":
            helped = [c for c in decided.waiting if c.old_version and c.name not in self.request.names]
            asked = [c for c in decided.waiting if c.old_version and c.name in self.request.names]
            if helped and not asked:
                offer = ('prefer="loaded" would first try the versions that are loaded, which need no restart',)
        return replace(decided, notes=(*decided.notes, *self.notes, *offer))

    def record(self) -> None:
        """Record the requester and its requirements. Needs the lock."""
        self._promises.record()


def _version_concessions(
    found: Iterable[Candidate], free: Iterable[Candidate], pins: Mapping[str, str]
) -> Iterable[str]:
    chosen = {candidate.name: candidate.version for candidate in found}
    for candidate in free:
        name, newest = candidate.name, candidate.version
        if name in pins and pins[name] != newest:
            yield f"{name} stays at {pins[name]}, which is loaded; the newest that fits is {newest}"
        elif chosen.get(name, newest) != newest:
            yield f"{name} {chosen[name]} fits what is loaded; the newest is {newest}"
