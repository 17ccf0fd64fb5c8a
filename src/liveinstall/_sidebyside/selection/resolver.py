"""Choose one version of each distribution that requirements need, in turn, from what there is. Values in, values out.

What an index could offer is not known here; an engine asks one. The search goes back to a choice that has to do with
what failed, never only to the last one, so it ends soon where there is much to choose from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from liveinstall._planning.satisfied import parse_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_STEPS = 20_000  # choices that are tried before giving up


@dataclass(frozen=True)
class AvailableVersion:
    """A version that there is: its Requires-Dist lines, and where it lies. `place` is empty in the environment."""

    name: str
    version: str
    requires: tuple[str, ...]
    place: str = ""
    info: str = ""


@dataclass(frozen=True)
class Dependency:
    """Somebody needs something: `line` is a requirement as it was written, `by` who needs it; None: the request."""

    line: str
    by: AvailableVersion | None = None

    def __str__(self) -> str:
        """`pandas 2.2.3 requires numpy>=1.26`, `numpy<2 was asked for`."""
        what = self.line.partition(";")[0].strip()
        return f"{self.by.name} {self.by.version} requires {what}" if self.by else f"{what} was asked for"


class ResolutionImpossible(Exception):  # noqa: N818  it is an answer
    """Nothing fits. `name`: of what; `chains`: for each who needs it the needs that lead there, the request first."""

    def __init__(self, name: str, chains: Sequence[Sequence[Dependency]], offers: Sequence[AvailableVersion]) -> None:
        self.name = name
        self.chains = [list(chain) for chain in chains]
        self.offers = list(offers)
        super().__init__(name)

    @property
    def is_missing(self) -> bool:
        """Whether no version fits any of the needs alone: more versions would help."""
        return not self.offers or len(self.chains) == 1

    def __str__(self) -> str:
        """Who required what, from the request on."""
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
        """Who needs it; and who asked them for an extra, because of which they may need it."""
        found = {need.by.name for need in self.needs.get(name, ()) if need.by}
        left = list(found)
        while left:
            askers = {need.by.name for need in self.needs.get(left.pop(), ()) if need.by and "[" in need.line} - found
            found |= askers
            left += askers
        return found

    def chain(self, need: Dependency) -> list[Dependency]:
        """The needs that lead to this one, from the request on."""
        found, seen = [need], set()
        while found[0].by and found[0].by.name not in seen:
            seen.add(found[0].by.name)
            found.insert(0, self.needs[found[0].by.name][0])
        return found


@dataclass
class _Choice:
    name: str
    left: Iterator[AvailableVersion]
    before: _Resolution
    blamed: set[str]  # whose other versions might help, should all fail


def solve(
    requirements: Iterable[str], offers: Callable[[str], Sequence[AvailableVersion]]
) -> dict[str, AvailableVersion]:
    """The chosen versions by name; `offers(name)` are those that there are, the best first.

    Raises: Unsolved, for the first thing that did not fit.
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
    """Choose for one need after the other, until all are met or one cannot be."""
    while state.queue:
        need, asked = state.queue.pop(0)
        name, extras, admits = parse_line(need.line, asked)
        if admits is None:
            continue
        state.needs.setdefault(name, []).append(need)
        here = state.chosen.get(name)
        if here is None:
            there = offers(name)
            fitting = iter([offer for offer in there if admits(offer.version)])
            here = next(fitting, None)
            if here is None:
                return ResolutionImpossible(name, [state.chain(need)], there)
            before = state.copy()
            before.queue.insert(0, (need, asked))
            before.needs[name].pop()
            choices.append(_Choice(name, fitting, before, set()))
            state.chosen[name] = here
            _push(state, here, frozenset(), None)
        elif not admits(here.version):
            return ResolutionImpossible(name, [state.chain(one) for one in state.needs[name]], offers(name))
        _push(state, here, extras, extras - state.extras.get(name, set()))
    return None


def _push(state: _Resolution, offer: AvailableVersion, extras: frozenset[str], new: frozenset[str] | None) -> None:
    """Queue what an offer needs; `new`: only what these extras add, None: what it needs without any."""
    if new is None:
        state.extras[offer.name] = set()
        state.queue += [(Dependency(line, offer), frozenset()) for line in offer.requires]
    elif new:
        state.extras[offer.name] |= extras
        state.queue += [(Dependency(line, offer), new) for line in offer.requires if "extra" in line]


def _go_back(choices: list[_Choice], blamed: set[str]) -> _Resolution | None:
    """To the last choice that has to do with what failed, and its next offer; None if there is none."""
    while choices:
        choice = choices.pop()
        if choice.name not in blamed:
            continue
        blamed |= choice.blamed
        offer = next(choice.left, None)
        if offer is None:
            blamed |= choice.before.requirers(choice.name) | _first_requirer(choice)
            continue
        state = choice.before.copy()
        need, asked = state.queue.pop(0)
        _, extras, _ = parse_line(need.line, asked)
        state.needs.setdefault(choice.name, []).append(need)
        state.chosen[choice.name] = offer
        choices.append(_Choice(choice.name, choice.left, choice.before, blamed))
        _push(state, offer, frozenset(), None)
        _push(state, offer, extras, extras)
        return state
    return None


def _first_requirer(choice: _Choice) -> set[str]:
    need, _ = choice.before.queue[0]
    return {need.by.name} if need.by else set()
