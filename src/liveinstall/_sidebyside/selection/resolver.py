"""Resolve requirements to one version of each distribution, among the versions that are stored or installed.

Values in, values out. Versions that only an index has are not considered; an engine looks for those. After a conflict
the search goes back to a choice that contributed to it, not merely to the last one (backjumping), so it ends soon even
if there are many versions.
"""

from __future__ import annotations

from liveinstall._planning.satisfied import parse_line
from liveinstall._system.lean_dataclasses import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_STEPS = 20_000  # the most choices that are tried


@dataclass(frozen=True)
class AvailableVersion:
    """A version that is stored or installed.

    Attributes:
        name: The canonical name of the distribution.
        version: The version.
        requires: The Requires-Dist lines of its metadata.
        place: The directory of its entry in a store, absolute; empty for an installed version.
        info: Its metadata directory, absolute.
    """

    name: str
    version: str
    requires: tuple[str, ...]
    place: str = ""
    info: str = ""


@dataclass(frozen=True)
class Dependency:
    """A requirement, and where it comes from.

    Attributes:
        line: The requirement as it was written.
        by: The version that requires it; None for the request.
    """

    line: str
    by: AvailableVersion | None = None

    def __str__(self) -> str:
        """Return a sentence: `pandas 2.2.3 requires numpy>=1.26`, or `numpy<2 was requested`."""
        what = self.line.partition(";")[0].strip()
        return f"{self.by.name} {self.by.version} requires {what}" if self.by else f"{what} was requested"


class ResolutionImpossible(Exception):  # noqa: N818  it is an answer
    """No version satisfies all requirements of a distribution.

    Attributes:
        name: The canonical name of the distribution.
        chains: For each requirement of it, the requirements that lead there, beginning with the request.
        offers: The versions that were available.
    """

    def __init__(self, name: str, chains: Sequence[Sequence[Dependency]], offers: Sequence[AvailableVersion]) -> None:
        self.name = name
        self.chains = [list(chain) for chain in chains]
        self.offers = list(offers)
        super().__init__(name)

    @property
    def is_missing(self) -> bool:
        """Whether no version satisfies even one requirement alone, so that more versions would help."""
        return not self.offers or len(self.chains) == 1

    def __str__(self) -> str:
        """Return the chains of requirements."""
        return "; ".join(", ".join(map(str, chain)) for chain in self.chains)


@dataclass
class _Resolution:
    queue: list[tuple[Dependency, frozenset[str]]]
    chosen: dict[str, AvailableVersion] = field(default_factory=dict)
    extras: dict[str, set[str]] = field(default_factory=dict)
    needs: dict[str, list[Dependency]] = field(default_factory=dict)

    def copy(self) -> _Resolution:
        return _Resolution(
            list(self.queue),
            dict(self.chosen),
            {name: set(extras) for name, extras in self.extras.items()},
            {name: list(needs) for name, needs in self.needs.items()},
        )

    def requirers(self, name: str) -> set[str]:
        """The distributions that require `name`, directly or by an extra that they require of another one."""
        requirers = {need.by.name for need in self.needs.get(name, ()) if need.by}
        queue = list(requirers)
        while queue:
            needs = self.needs.get(queue.pop(), ())
            new = {need.by.name for need in needs if need.by and "[" in need.line} - requirers
            requirers |= new
            queue += new
        return requirers

    def chain(self, need: Dependency) -> list[Dependency]:
        """The requirements that lead to `need`, beginning with the request."""
        chain, seen = [need], set()
        while chain[0].by and chain[0].by.name not in seen:
            seen.add(chain[0].by.name)
            chain.insert(0, self.needs[chain[0].by.name][0])
        return chain


@dataclass
class _Choice:
    name: str
    left: Iterator[AvailableVersion]
    before: _Resolution
    conflict_causes: set[str]  # the distributions of which another version might help if all versions of this fail


def solve(
    requirements: Iterable[str], offers: Callable[[str], Sequence[AvailableVersion]]
) -> dict[str, AvailableVersion]:
    """Choose a version of each distribution that the requirements need.

    Args:
        requirements: The requirements (PEP 508), by name only.
        offers: Returns the available versions of a canonical name, the best first.

    Returns:
        The chosen versions by canonical name.

    Raises:
        ResolutionImpossible: The requirements conflict, or a version is not available; of several conflicts the first.
    """
    state = _Resolution([(Dependency(line), frozenset()) for line in requirements])
    choices: list[_Choice] = []
    first: ResolutionImpossible | None = None
    for _ in range(_STEPS):
        failed = _advance(state, offers, choices)
        if failed is None:
            return state.chosen
        first = first or failed
        again = _go_back(choices, {failed.name} | state.requirers(failed.name))
        if again is None:
            raise first
        state = again
    raise first or ResolutionImpossible("", [], [])


def _advance(
    state: _Resolution, offers: Callable[[str], Sequence[AvailableVersion]], choices: list[_Choice]
) -> ResolutionImpossible | None:
    """Choose a version for one requirement after the other, until the queue is empty or one cannot be satisfied."""
    while state.queue:
        need, requested_extras = state.queue.pop(0)
        name, extras, admits = parse_line(need.line, requested_extras)
        if admits is None:
            continue
        state.needs.setdefault(name, []).append(need)
        chosen = state.chosen.get(name)
        if chosen is None:
            available = offers(name)
            matching = iter([offer for offer in available if admits(offer.version)])
            chosen = next(matching, None)
            if chosen is None:
                return ResolutionImpossible(name, [state.chain(need)], available)
            before = state.copy()
            before.queue.insert(0, (need, requested_extras))
            before.needs[name].pop()
            choices.append(_Choice(name, matching, before, set()))
            state.chosen[name] = chosen
            _push(state, chosen, frozenset(), None)
        elif not admits(chosen.version):
            return ResolutionImpossible(name, [state.chain(each) for each in state.needs[name]], offers(name))
        _push(state, chosen, extras, extras - state.extras.get(name, set()))
    return None


def _push(state: _Resolution, offer: AvailableVersion, extras: frozenset[str], new: frozenset[str] | None) -> None:
    """Queue the requirements of a version: those of the `new` extras, or, if None, those without any extra."""
    if new is None:
        state.extras[offer.name] = set()
        state.queue += [(Dependency(line, offer), frozenset()) for line in offer.requires]
    elif new:
        state.extras[offer.name] |= extras
        state.queue += [(Dependency(line, offer), new) for line in offer.requires if "extra" in line]


def _go_back(choices: list[_Choice], causes: set[str]) -> _Resolution | None:
    """Return to the last choice that contributed to a conflict, and its next version; None if there is none."""
    while choices:
        choice = choices.pop()
        if choice.name not in causes:
            continue
        causes |= choice.conflict_causes
        offer = next(choice.left, None)
        if offer is None:
            causes |= choice.before.requirers(choice.name) | _first_requirer(choice)
            continue
        state = choice.before.copy()
        need, requested_extras = state.queue.pop(0)
        _, extras, _ = parse_line(need.line, requested_extras)
        state.needs.setdefault(choice.name, []).append(need)
        state.chosen[choice.name] = offer
        choices.append(_Choice(choice.name, choice.left, choice.before, causes))
        _push(state, offer, frozenset(), None)
        _push(state, offer, extras, extras)
        return state
    return None


def _first_requirer(choice: _Choice) -> set[str]:
    need, _ = choice.before.queue[0]
    return {need.by.name} if need.by else set()
