"""The requirements of other requesters and of the host, which every request has to satisfy too.

The engine gets them as wheels without files, one for each requester, whose dependencies they are. So the resolution
satisfies them without upgrading them, and the engine's message about a conflict names the requester.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from liveinstall._planning.graph import Node
from liveinstall._planning.satisfied import unsatisfied
from liveinstall._redact import redact
from liveinstall._requirements.requirement import text_of, wrong
from liveinstall._transactions.requesters import RequesterRequirement, read_requests, write_requests
from liveinstall.errors import ProtectedError, RequirementError, ResolutionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from liveinstall._model import Candidate
    from liveinstall._requirements.request import Request

HOST = "the host"
_METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 0\n{requires}\n"
_WHEEL = "Wheel-Version: 1.0\nGenerator: liveinstall\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class RequesterConstraints:
    """The recorded and protected requirements that are satisfied and must stay so; `kept`: requester -> requirements.

    A requester's own earlier requirements for the distributions of this request do not count.

    Args:
        site: The environment's site-packages directory.
        state: The environment after all pending changes.
        request: The request.
        requester: The name of its requester; empty if none.
        protect: PEP 508 requirements of the host.
    """

    def __init__(
        self, site: str, state: Mapping[str, Node], request: Request, requester: str, protect: Sequence[str]
    ) -> None:
        self._site = site
        self._request = request
        self._requester = requester
        self._asked = [
            asked
            for asked in read_requests(site)
            if is_satisfied_by(asked.requirement, state)
            and not (asked.who == requester and name_of(asked.requirement) in request.names)
        ]
        protect = [text for text in map(text_of, protect) if applies(text)]
        held = [RequesterRequirement(HOST, text) for text in protect if is_satisfied_by(text, state)]
        self._limits = [text for text in protect if name_of(text) not in state]
        texts = (*(asked.requirement for asked in self._asked), *protect)
        self._whole = {text for text in texts if not unsatisfied([text], state.get)}
        self.kept: dict[str, list[str]] = {}
        for asked in (*self._asked, *held):
            self.kept.setdefault(asked.who, []).append(asked.requirement)
        self._names = {f"requested-by-{number}-{_plain(who)}": who for number, who in enumerate(self.kept, 1)}

    def with_them(self, request: Request, directory: str) -> Request:
        """The request for the engine, with the generated wheels if they do not change its meaning.

        Args:
            request: The request.
            directory: The directory to write the wheels into.
        """
        limits = [line for line in self._limits if not Requirement(line).extras and not Requirement(line).url]
        request = replace(request, constraints=(*request.constraints, *limits))
        if not self.kept or not request.asked or not _takes_more(request):
            return request
        place = Path(directory, "promises")
        place.mkdir()
        wheels = [_wheel(place, name, self.kept[who]) for name, who in self._names.items()]
        return replace(request, requirements=(*request.requirements, *wheels))

    def without_them(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """The engine's choice without the generated wheels."""
        return [candidate for candidate in candidates if candidate.name not in self._names]

    def explained(self, error: ResolutionError) -> ResolutionError:
        """The engine's error with the requesters' names in place of those of the generated wheels."""
        if not any(name in error.what + error.log for name in self._names):
            return error
        what, log = self._in_words(error.what), self._in_words(error.log)
        who = tuple(who for name, who in self._names.items() if name in error.what + error.log)
        told = "; ".join(f"{one} asked for {redact(', '.join(self.kept[one]))}" for one in who)
        details = {**error.details, "log": log, "requesters": who}
        return ProtectedError(f"{what.rstrip('.')} ({told}).", todo=error.todo, **details)

    def _in_words(self, text: str) -> str:
        for name, who in self._names.items():
            text = re.sub(rf"(all versions of )?\b{re.escape(name)}\b((==| )0\b)?", f"what {who} asked for", text)
        return text

    def check(self, after: Mapping[str, Node]) -> None:
        """Check the requirements against the planned state, whatever the engine chose.

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
            words = redact("; ".join(f"{who} asked for {', '.join(kept[who])}: {why}" for who, why in broken.items()))
            whose = f"what {self._requester} asks for" if self._requester else "this"
            raise ProtectedError(f"{whose} would break what others need. {words}.", requesters=tuple(broken), log="")

    def _broken(self, text: str, after: Mapping[str, Node]) -> str:
        """Why a requirement is not satisfied. Unsatisfied dependencies count only if they were satisfied before."""
        if text in self._whole or not is_satisfied_by(text, after):
            return unsatisfied([text], after.get)
        return ""

    def record(self) -> None:
        """Record the requirements of this request. Needs the lock."""
        if self._requester:
            mine = [
                RequesterRequirement(self._requester, shown(text))
                for text in self._request.requirements
                if name_of(text)
            ]
            write_requests(self._site, dict.fromkeys((*self._asked, *mine)))


def _takes_more(request: Request) -> bool:
    """Whether additional wheels only affect the choice of versions; if not, the requirements are only checked later."""
    hashed = request.require_hashes or any(_has_hashes(path) for path in request.files)
    whole = request.reinstall or (request.upgrade and request.upgrade_strategy == "eager")
    return request.deps and not hashed and not whole and ":all:" not in request.no_binary


def _has_hashes(path: str) -> bool:
    """Whether a requirements file has hashes, which is assumed of remote files and of those that include others."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return True
    others = ("-r", "--requirement", "-c", "--constraint")
    return any("--hash" in line or line.lstrip().startswith(others) for line in lines)


def shown(requirement: str) -> str:
    """A requirement in the form that is stored on disk: a URL with credentials is omitted."""
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
        if not isinstance(text, (str, Requirement)) or not name_of(str(text)):
            raise wrong(f"{str(text)!r} in protect= is not a requirement.", str(text))


def applies(requirement: str) -> bool:
    """Whether a requirement applies to this interpreter by its environment marker (PEP 508)."""
    marker = Requirement(requirement).marker
    return marker is None or marker.evaluate()


def is_satisfied_by(requirement: str, state: Mapping[str, Node]) -> bool:
    """Whether `state` has an allowed version of the distribution, without regard to dependencies and extras."""
    node = state.get(name_of(requirement))
    parsed = Requirement(requirement)
    alone = {name_of(requirement): Node(node.version)} if node else {}
    return not unsatisfied([f"{parsed.name}{parsed.specifier}"], alone.get)


def name_of(requirement: str) -> str:
    """The normalized project name of a requirement; empty for paths and the like."""
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return ""


def _plain(who: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", who).strip("-").lower()


def _wheel(place: Path, name: str, requires: Iterable[str]) -> str:
    stem = f"{name.replace('-', '_')}-0"
    path = place / f"{stem}-py3-none-any.whl"
    lines = "".join(f"Requires-Dist: {line}\n" for line in requires)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{stem}.dist-info/METADATA", _METADATA.format(name=name, requires=lines))
        archive.writestr(f"{stem}.dist-info/WHEEL", _WHEEL)
        archive.writestr(f"{stem}.dist-info/RECORD", "")
    return str(path)
