"""The requirements of other requesters and of the host, which every request has to satisfy, too.

The engine gets them as the dependencies of generated wheels without files, one for each requester. So the resolution
satisfies them without upgrading them, and the engine's message about a conflict names the requester.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection

from liveinstall._planning.graph import Node
from liveinstall._planning.satisfied import unsatisfied
from liveinstall._redact import redact
from liveinstall._requirements.requirement import text_of, wrong
from liveinstall._system.lean_dataclasses import replace
from liveinstall._system.lean_packaging import (
    InvalidRequirement,
    canonicalize_name,
    is_requirement,
    parse_requirement_line,
)
from liveinstall._transactions.requesters import RequesterRequirement, read_requests, write_requests
from liveinstall.errors import ProtectedError, RequirementError, ResolutionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from liveinstall._model import Candidate
    from liveinstall._requirements.request import Request

HOST = "the host"
_METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 0\n{requires}\n"
_WHEEL = "Wheel-Version: 1.0\nGenerator: liveinstall\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class RequesterConstraints:
    """The recorded and protected requirements that are satisfied now and must stay satisfied.

    A requester's own earlier requirements on the distributions of this request do not count.

    Attributes:
        kept: The requirements, by requester.
    """

    def __init__(
        self, site: str, state: Mapping[str, Node], request: Request, requester: str, protect: Sequence[str]
    ) -> None:
        """Read the recorded requirements.

        Args:
            site: The environment's site-packages directory.
            state: The environment after all pending changes.
            request: The request.
            requester: The name of its requester; empty if none.
            protect: PEP 508 requirements of the host.
        """
        self._site = site
        self._request = request
        self._requester = requester
        self._recorded = [
            recorded
            for recorded in read_requests(site)
            if is_satisfied_by(recorded.requirement, state)
            and not (recorded.who == requester and name_of(recorded.requirement) in request.names)
        ]
        protect = [text for text in map(text_of, protect) if applies(text)]
        protected = [RequesterRequirement(HOST, text) for text in protect if is_satisfied_by(text, state)]
        # Protected distributions that are not installed: not required, but limited to these versions.
        self._limits = [text for text in protect if name_of(text) not in state]
        texts = (*(recorded.requirement for recorded in self._recorded), *protect)
        # The requirements whose dependencies are satisfied, too.
        self._fully_satisfied = {text for text in texts if not unsatisfied([text], state.get)}
        self.kept: dict[str, list[str]] = {}
        for each in (*self._recorded, *protected):
            self.kept.setdefault(each.who, []).append(each.requirement)
        self._names = {f"requested-by-{number}-{_slug(who)}": who for number, who in enumerate(self.kept, 1)}

    def with_them(self, request: Request, directory: str) -> Request:
        """Add the generated wheels to a request, if they do not change its meaning.

        Args:
            request: The request.
            directory: The absolute path of the directory to write the wheels into.

        Returns:
            The request for the engine.
        """
        parsed = {line: parse_requirement_line(line) for line in self._limits}
        limits = [line for line, each in parsed.items() if not each.extras and not each.url]
        request = replace(request, constraints=(*request.constraints, *limits))
        if not self.kept or not request.asked or not _accepts_wheels(request):
            return request
        wheel_directory = os.path.join(directory, "promises")
        os.mkdir(wheel_directory)
        wheels = [_write_wheel(wheel_directory, name, self.kept[who]) for name, who in self._names.items()]
        return replace(request, requirements=(*request.requirements, *wheels))

    def without_them(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Return the engine's choice without the generated wheels."""
        return [candidate for candidate in candidates if candidate.name not in self._names]

    def explained(self, error: ResolutionError) -> ResolutionError:
        """Replace the names of the generated wheels in an error of the engine by those of the requesters.

        Args:
            error: The engine's error.

        Returns:
            The error to raise; the same one if no generated wheel caused it.
        """
        if not any(name in error.what + error.log for name in self._names):
            return error
        what, log = self._with_requesters(error.what), self._with_requesters(error.log)
        requesters = tuple(who for name, who in self._names.items() if name in error.what + error.log)
        causes = "; ".join(f"{who} requires {redact(', '.join(self.kept[who]))}" for who in requesters)
        details = {**error.details, "log": log, "requesters": requesters}
        return ProtectedError(f"{what.rstrip('.')} ({causes}).", todo=error.todo, **details)

    def _with_requesters(self, text: str) -> str:
        for name, who in self._names.items():
            text = re.sub(rf"(all versions of )?\b{re.escape(name)}\b((==| )0\b)?", f"a requirement of {who}", text)
        return text

    def check(self, after: Mapping[str, Node]) -> None:
        """Check the requirements against the planned state, because engines may not honour all of them.

        Args:
            after: The environment after the request.

        Raises:
            ProtectedError: A requirement would no longer be satisfied.
        """
        kept = {who: list(texts) for who, texts in self.kept.items()}
        if self._limits:
            kept[HOST] = [*kept.get(HOST, ()), *(text for text in self._limits if name_of(text) in after)]
        broken = {who: why for who, texts in kept.items() for text in texts if (why := self._broken(text, after))}
        if broken:
            causes = redact("; ".join(f"{who} requires {', '.join(kept[who])}: {why}" for who, why in broken.items()))
            request = f"the request of {self._requester}" if self._requester else "the request"
            raise ProtectedError(
                f"{request} would break requirements of others. {causes}.", requesters=tuple(broken), log=""
            )

    def _broken(self, text: str, after: Mapping[str, Node]) -> str:
        """Why a requirement is not satisfied. Unsatisfied dependencies count only if they were satisfied before."""
        if text in self._fully_satisfied or not is_satisfied_by(text, after):
            return unsatisfied([text], after.get)
        return ""

    def record(self) -> None:
        """Record the requirements of this request. Needs the lock."""
        if self._requester:
            own = [
                RequesterRequirement(self._requester, shown(text))
                for text in self._request.requirements
                if name_of(text)
            ]
            write_requests(self._site, dict.fromkeys((*self._recorded, *own)))


def _accepts_wheels(request: Request) -> bool:
    """Whether additional wheels only affect the choice of versions; if not, the requirements are only checked later."""
    is_hashed = request.require_hashes or any(_has_hashes(path) for path in request.files)
    changes_dependencies = request.reinstall or (request.upgrade and request.upgrade_strategy == "eager")
    return request.deps and not is_hashed and not changes_dependencies and ":all:" not in request.no_binary


def _has_hashes(path: str) -> bool:
    """Whether a requirements file has hashes, which is assumed of remote files and of those that include others."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            lines = stream.read().splitlines()
    except OSError:
        return True
    includes = ("-r", "--requirement", "-c", "--constraint")
    return any("--hash" in line or line.lstrip().startswith(includes) for line in lines)


def shown(requirement: str) -> str:
    """Return a requirement in the form that is stored on disk: a URL with credentials is omitted."""
    return requirement if redact(requirement) == requirement else requirement.partition("@")[0].strip()


def check_requester_options(requester: str | None, protect: Sequence[str]) -> None:
    """Validate the options `requester` and `protect`.

    Args:
        requester: A printable name with at least one letter or digit; or None.
        protect: PEP 508 strings or `packaging` Requirements.

    Raises:
        RequirementError: One of them is invalid.
    """
    is_name = isinstance(requester, str) and requester.isprintable() and re.search(r"[A-Za-z0-9]", requester)
    if requester is not None and not is_name:
        raise RequirementError(f"requester={requester!r} is not a name.", requirement="")
    if isinstance(protect, str) or not isinstance(protect, Collection):
        raise wrong("protect= takes a sequence of requirements, not a string.", str(protect))
    for text in protect:
        if not (isinstance(text, str) or is_requirement(text)) or not name_of(str(text)):
            raise wrong(f"{str(text)!r} in protect= is not a requirement.", str(text))


def applies(requirement: str) -> bool:
    """Return whether a requirement applies to this interpreter by its environment marker (PEP 508)."""
    marker = parse_requirement_line(requirement).marker
    return marker is None or marker.evaluate()


def is_satisfied_by(requirement: str, state: Mapping[str, Node]) -> bool:
    """Return whether the distribution has an allowed version, regardless of dependencies and extras.

    Args:
        requirement: The requirement (PEP 508).
        state: The distributions, by name.
    """
    node = state.get(name_of(requirement))
    parsed = parse_requirement_line(requirement)
    without_dependencies = {name_of(requirement): Node(node.version)} if node else {}
    return not unsatisfied([f"{parsed.name}{parsed.specifier}"], without_dependencies.get)


def name_of(requirement: str) -> str:
    """Return the normalized project name of a requirement; empty for paths and the like."""
    try:
        return canonicalize_name(parse_requirement_line(requirement).name)
    except InvalidRequirement:
        return ""


def _slug(requester: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", requester).strip("-").lower()


def _write_wheel(directory: str, name: str, requires: Iterable[str]) -> str:
    stem = f"{name.replace('-', '_')}-0"
    path = os.path.join(directory, f"{stem}-py3-none-any.whl")
    lines = "".join(f"Requires-Dist: {line}\n" for line in requires)
    from zipfile import ZipFile

    with ZipFile(path, "w") as archive:
        archive.writestr(f"{stem}.dist-info/METADATA", _METADATA.format(name=name, requires=lines))
        archive.writestr(f"{stem}.dist-info/WHEEL", _WHEEL)
        archive.writestr(f"{stem}.dist-info/RECORD", "")
    return path
