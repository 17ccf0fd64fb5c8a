"""What others have asked for, and what the host protects: solved together with each request, and never broken by it.

An engine is given it as wheels without files that need it, one for each who asked. So it counts in the resolution,
but is not upgraded, and the engine's own words about a conflict name who asked.
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
    """What holds in `state` and has to go on holding; `kept`: who -> requirements.

    `requester`'s own older requests for what it asks for now do not count.
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
        """The request that an engine is asked: with the wheels, where it can take them."""
        limits = [line for line in self._limits if not Requirement(line).extras and not Requirement(line).url]
        request = replace(request, constraints=(*request.constraints, *limits))
        if not self.kept or not request.asked or not _takes_more(request):
            return request
        place = Path(directory, "promises")
        place.mkdir()
        wheels = [_wheel(place, name, self.kept[who]) for name, who in self._names.items()]
        return replace(request, requirements=(*request.requirements, *wheels))

    def without_them(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """What the engine chose, without the wheels."""
        return [candidate for candidate in candidates if candidate.name not in self._names]

    def explained(self, error: ResolutionError) -> ResolutionError:
        """The engine's error with the names of those who asked in it."""
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
        """ProtectedError if `after` breaks a promise, whatever the engine made of it."""
        kept = {who: list(texts) for who, texts in self.kept.items()}
        if self._limits:
            kept[HOST] = [*kept.get(HOST, ()), *(text for text in self._limits if name_of(text) in after)]
        broken = {who: why for who, texts in kept.items() for text in texts if (why := self._broken(text, after))}
        if broken:
            words = redact("; ".join(f"{who} asked for {', '.join(kept[who])}: {why}" for who, why in broken.items()))
            whose = f"what {self._requester} asks for" if self._requester else "this"
            raise ProtectedError(f"{whose} would break what others need. {words}.", requesters=tuple(broken), log="")

    def _broken(self, text: str, after: Mapping[str, Node]) -> str:
        """What is wrong with a promise; what was broken below it before is not this request's doing."""
        if text in self._whole or not is_satisfied_by(text, after):
            return unsatisfied([text], after.get)
        return ""

    def record(self) -> None:
        """Remember what was asked for now. Needs the lock."""
        if self._requester:
            mine = [
                RequesterRequirement(self._requester, shown(text))
                for text in self._request.requirements
                if name_of(text)
            ]
            write_requests(self._site, dict.fromkeys((*self._asked, *mine)))


def _takes_more(request: Request) -> bool:
    """Whether a wheel more changes nothing but the choice; else the promises are only checked afterwards."""
    hashed = request.require_hashes or any(_has_hashes(path) for path in request.files)
    whole = request.reinstall or (request.upgrade and request.upgrade_strategy == "eager")
    return request.deps and not hashed and not whole and ":all:" not in request.no_binary


def _has_hashes(path: str) -> bool:
    """A file from elsewhere, or one that names another, is taken for one with hashes."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return True
    others = ("-r", "--requirement", "-c", "--constraint")
    return any("--hash" in line or line.lstrip().startswith(others) for line in lines)


def shown(requirement: str) -> str:
    """A requirement as it may be kept on disk: a URL with a secret in it is left out."""
    return requirement if redact(requirement) == requirement else requirement.partition("@")[0].strip()


def check_requester_options(requester: str | None, protect: Sequence[str]) -> None:
    """RequirementError for a requester without a name, or a protected requirement that cannot be understood."""
    is_name = isinstance(requester, str) and requester.isprintable() and re.search(r"[A-Za-z0-9]", requester)
    if requester is not None and not is_name:
        raise RequirementError(f"requester={requester!r} is not a name.", requirement="")
    if isinstance(protect, str) or not isinstance(protect, Collection):
        raise wrong("protect= takes a sequence of requirements, not a string.", str(protect))
    for text in protect:
        if not isinstance(text, (str, Requirement)) or not name_of(str(text)):
            raise wrong(f"{str(text)!r} in protect= is not a requirement.", str(text))


def applies(requirement: str) -> bool:
    """Whether its marker holds here."""
    marker = Requirement(requirement).marker
    return marker is None or marker.evaluate()


def is_satisfied_by(requirement: str, state: Mapping[str, Node]) -> bool:
    """Whether what it names is there, in a version that it admits."""
    node = state.get(name_of(requirement))
    found = Requirement(requirement)
    alone = {name_of(requirement): Node(node.version)} if node else {}
    return not unsatisfied([f"{found.name}{found.specifier}"], alone.get)


def name_of(requirement: str) -> str:
    """Its canonical name; empty for what is not a requirement, such as a path."""
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
