"""What `require()` decides: which versions satisfy the request, over what is stored and what the environment has."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from liveinstall._environment.installed import installed
from liveinstall._environment.loaded import loaded
from liveinstall._planning.graph import Edge, Node, edges
from liveinstall._sidebyside import layout
from liveinstall._sidebyside.registry.format import Registry, Row, decode, located
from liveinstall._sidebyside.registry.index_builder import modules_of, registry_of, tops_of
from liveinstall._sidebyside.selection.candidates import CandidateProvider
from liveinstall._sidebyside.selection.resolver import AvailableVersion, ResolutionImpossible, solve
from liveinstall._system.caller import attribute, module_names
from liveinstall.errors import ActivationError, AlreadyLoadedError, NotStoredError, RequirementError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from liveinstall._model import Distribution
    from liveinstall._sidebyside.activation.activate import Active
    from liveinstall._sidebyside.store.store import Store

CHILD = "Two versions need two processes: python -m liveinstall run --with {asked} ..."


@dataclass(frozen=True)
class SelectionContext:
    """The store, what the default environment has of a canonical name, and what is active already."""

    store: Store
    find: Callable[[str], Distribution | None]
    active: Active | None = None

    def here(self, name: str) -> AvailableVersion | None:
        """What an import finds without anything new."""
        if self.active:
            for pin, version, place in self.active.index.pins:
                if canonicalize_name(pin) == name:
                    return _pinned(pin, version, place)
            if self.active.index.exclusive:
                return None
        found = self.find(name)
        return AvailableVersion(found.name, found.version, found.requires, info=found.info) if found else None


def _pinned(name: str, version: str, place: str) -> AvailableVersion:
    from liveinstall._environment.installed import in_directory

    found = next((each for each in in_directory(place) if each.name == canonicalize_name(name)), None)
    return AvailableVersion(name, version, found.requires if found else (), place, found.info if found else "")


def choose(
    requirements: Sequence[str], scene: SelectionContext, *, for_child: bool = False
) -> dict[str, AvailableVersion]:
    """One version of each distribution that the requirements need, in turn; what is here goes before what is stored.

    What this process has loaded stays as it is, unless it is `for_child`, which has loaded nothing. Raises:
    NotStoredError, AlreadyLoadedError, ActivationError.
    """
    fixed: dict[str, AvailableVersion] = {}
    while True:
        offers = CandidateProvider(scene.store, scene.here, fixed)
        try:
            chosen = solve(requirements, offers)
        except ResolutionImpossible as error:
            raise _explained(error, requirements, fixed) from error
        if for_child:
            return chosen
        busy = {name: here for name, here in _replaced(chosen, scene) if is_loaded(here, chosen[name])}
        if not busy:
            return chosen
        fixed |= busy  # their other versions are out of the question


def _replaced(
    chosen: Mapping[str, AvailableVersion], scene: SelectionContext
) -> Iterable[tuple[str, AvailableVersion]]:
    """What is here in another version, or in another place, than was chosen; nothing stands for what is not here."""
    for name, offer in chosen.items():
        here = scene.here(name)
        if offer.place and (here is None or here.place != offer.place):
            yield name, here or AvailableVersion(name, "", ())


def is_loaded(here: AvailableVersion, other: AvailableVersion) -> bool:
    """Whether this process has imported what `other` would bring, or the version `here` of it."""
    if here.place and any(_is_in(name, here.place) for name in module_names()):
        return True
    if here.place or not here.info:
        loaded_from = [name for name in modules_of(other.place, other.info) if attribute(name, "__file__")]
        return any(not _is_in(name, other.place) for name in loaded_from)
    from liveinstall._model import Distribution

    return bool(loaded([Distribution(here.name, here.version, here.info)]))


def _is_in(name: str, place: str) -> bool:
    return str(attribute(name, "__file__") or "").startswith(place + os.sep)


def _explained(
    error: ResolutionImpossible, requirements: Sequence[str], fixed: Mapping[str, AvailableVersion]
) -> ActivationError:
    chains = tuple(tuple(map(str, chain)) for chain in error.chains)
    asked = " --with ".join(f'"{text}"' for text in requirements)
    told = f"({error})" if any(len(chain) > 1 for chain in chains) else ""
    if error.name in fixed:
        running = fixed[error.name].version or "another version"
        what = f"this process has imported {error.name} {running}, which is not what is required {told}".rstrip()
        todo = f"Call require() before the first import. {CHILD.format(asked=asked)}"
        return AlreadyLoadedError(f"{what}.", todo=todo, name=error.name, chains=chains, running=running)
    there = ", ".join(dict.fromkeys(f"{o.version}{'' if o.place else ' (default)'}" for o in error.offers))
    if error.is_missing:
        line = str(error.chains[0][-1].line).partition(";")[0].strip() if error.chains else ""
        what = f"nothing here satisfies {line} {told}".rstrip() + f"; of {error.name} there is {there or 'nothing'}"
        todo = f'Fetch it: install("{line}", parallel=True), or require(..., install=True).'
        return NotStoredError(f"{what}.", todo=todo, name=error.name, chains=chains)
    what = f"the requirements of {error.name} contradict each other: {error}; there is {there or 'nothing'}"
    return ActivationError(f"{what}.", todo=CHILD.format(asked=asked), name=error.name, chains=chains)


def registry_for(chosen: Mapping[str, AvailableVersion], scene: SelectionContext) -> Registry:
    """The registry of what was chosen from stores, and of what is active already."""
    beside = {name: offer for name, offer in chosen.items() if offer.place}
    before = _absolute(scene.active) if scene.active else Registry()
    kept_pins = [row for row in before.pins if row.name not in beside]
    gone = {row.place for row in before.pins} - {row.place for row in kept_pins}
    kept = [row for row in before.rows if row.place not in gone]
    new = registry_of(
        ((offer.name, offer.version, offer.place) for name, offer in beside.items()), scene.store.path, own_store=False
    )
    rows = {(row.name, row.version, row.place): row for row in (*kept, *new.rows)}.values()
    often = {row.name for row in rows if not row.version and _places(rows, row) > 1}
    shared = (replace(row, shared=row.shared or (not row.version and row.name in often)) for row in rows)
    return Registry(tuple(shared), before.exclusive)


def broken_by(new: Mapping[str, AvailableVersion], scene: SelectionContext) -> list[Edge]:
    """What the default environment requires and what is new does not satisfy.

    Raises: ActivationError if it is something that this process has loaded, or that is active, that requires it.
    """
    shut = bool(scene.active and scene.active.index.exclusive)
    here = {} if shut else installed()
    before = {name: Node(each.version, each.requires) for name, each in here.items()}
    active = {canonicalize_name(name) for name, _, _ in scene.active.index.pins} if scene.active else set()
    for offer in filter(None, map(scene.here, active)):
        before[offer.name] = Node(offer.version, offer.requires)
    after = {**before, **{name: Node(offer.version, offer.requires) for name, offer in new.items()}}
    kept = before.keys() - new.keys()
    broken = [edge for edge in edges(after, of=kept, on=new) if not edge.is_satisfied(after)]
    used = active | set(loaded(here[name] for name in {edge.requirer for edge in broken} if name in here))
    for edge in broken:
        if edge.requirer in used:
            how = "active" if edge.requirer in active else "imported"
            what = f"{edge}, which is {how} in this process, and {edge.name} {new[edge.name].version} was asked for."
            todo = CHILD.format(asked=f'"{edge.name}=={new[edge.name].version}"')
            raise ActivationError(what, todo=todo, name=edge.name, chains=((str(edge),),))
    return sorted(broken, key=str)


def tops_in_question(
    new: Mapping[str, AvailableVersion], broken: Iterable[Edge], scene: SelectionContext
) -> tuple[str, ...]:
    """The top-level names of what comes, of what it replaces, and of what then lacks something.

    With none of them imported nothing is in its way.
    """
    found: set[str] = set()
    there = [scene.here(name) for name in (*new, *(edge.requirer for edge in broken))]
    for each in (*new.values(), *there):
        if each and each.info:
            found.update(tops_of(os.path.dirname(each.info), os.path.basename(each.info)))
    return tuple(sorted(found))


def _places(rows: Iterable[Row], row: Row) -> int:
    return len({other.place for other in rows if other.name == row.name and not other.version})


def _absolute(active: Active) -> Registry:
    found = decode(active.text.decode("utf-8", "surrogateescape"), active.source)
    own = layout.own_store(active.asked[4][0])
    rows = tuple(replace(row, place=located(row.place, active.base, own)) for row in found.rows)
    return Registry(rows, found.exclusive)


def check_simple(requirements: Sequence[str]) -> None:
    """RequirementError for what is no requirement by name: what lies at a URL or a path was not stored by it."""
    if not requirements:
        raise RequirementError("no requirement was given.", todo='For example: require("requests<3").', requirement="")
    for text in requirements:
        try:
            simple = not Requirement(text).url
        except InvalidRequirement:
            simple = False
        if not simple:
            todo = "What lies at a URL or a path is installed with parallel=True, and required by its name."
            raise RequirementError(f"{text!r} is no requirement by name.", todo=todo, requirement=text)
