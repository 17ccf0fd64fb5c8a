"""The decision of `require()`: which of the stored and installed versions satisfy the request."""

from __future__ import annotations

import os

from liveinstall._environment.installed import installed
from liveinstall._environment.loaded import loaded
from liveinstall._planning.graph import Edge, Node, edges
from liveinstall._sidebyside import layout
from liveinstall._sidebyside.registry.format import Registry, Row, decode, located
from liveinstall._sidebyside.registry.index_builder import modules_of, registry_of, tops_of
from liveinstall._sidebyside.selection.candidates import CandidateProvider
from liveinstall._sidebyside.selection.resolver import AvailableVersion, ResolutionImpossible, solve
from liveinstall._system.caller import attribute, module_names
from liveinstall._system.lean_dataclasses import dataclass, replace
from liveinstall._system.lean_packaging import InvalidRequirement, canonicalize_name, parse_requirement_line
from liveinstall.errors import ActivationError, AlreadyLoadedError, NotStoredError, RequirementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from liveinstall._model import Distribution
    from liveinstall._sidebyside.activate import Active
    from liveinstall._sidebyside.store.store import Store

CHILD = "Two versions need two processes: python -m liveinstall run --with {requirements} ..."


@dataclass(frozen=True)
class SelectionContext:
    """The versions to choose from.

    Attributes:
        store: The store.
        find: Returns the installed distribution of a canonical name, or None.
        active: The side-by-side versions that are active in this process, or None.
    """

    store: Store
    find: Callable[[str], Distribution | None]
    active: Active | None = None

    def current(self, name: str) -> AvailableVersion | None:
        """Return the version that an import finds now, active or installed.

        Args:
            name: A canonical name.
        """
        if self.active:
            for pin, version, place in self.active.index.pins:
                if canonicalize_name(pin) == name:
                    return _pinned(pin, version, place)
            if self.active.index.exclusive:
                return None
        each = self.find(name)
        return AvailableVersion(each.name, each.version, each.requires, info=each.info) if each else None


def _pinned(name: str, version: str, place: str) -> AvailableVersion:
    from liveinstall._environment.installed import in_directory

    matches = (each for each in in_directory(place) if each.name == canonicalize_name(name))
    requires, info = next(((each.requires, each.info) for each in matches), ((), ""))
    return AvailableVersion(name, version, requires, place, info)


def choose(
    requirements: Sequence[str], context: SelectionContext, *, for_child: bool = False
) -> dict[str, AvailableVersion]:
    """Choose a version of each distribution that the requirements need; current versions before stored ones.

    Args:
        requirements: The requirements, by name only.
        context: The versions to choose from.
        for_child: Choose for a child process, which has nothing loaded. Default: for this process, in which loaded
            distributions keep their version.

    Returns:
        The chosen versions by canonical name.

    Raises:
        NotStoredError: No stored or installed version satisfies a requirement.
        AlreadyLoadedError: This process has loaded another version.
        ActivationError: The requirements contradict each other.
    """
    fixed: dict[str, AvailableVersion] = {}
    while True:
        offers = CandidateProvider(context.store, context.current, fixed)
        try:
            chosen = solve(requirements, offers)
        except ResolutionImpossible as error:
            raise _explained(error, requirements, fixed) from None
        if for_child:
            return chosen
        in_use = {name: current for name, current in _replaced(chosen, context) if is_loaded(current, chosen[name])}
        if not in_use:
            return chosen
        fixed |= in_use  # no other version of them is possible


def _replaced(
    chosen: Mapping[str, AvailableVersion], context: SelectionContext
) -> Iterable[tuple[str, AvailableVersion]]:
    """The current versions that another one is chosen for; one without a version where a distribution is new."""
    for name, offer in chosen.items():
        current = context.current(name)
        if offer.place and (current is None or current.place != offer.place):
            yield name, current or AvailableVersion(name, "", ())


def is_loaded(current: AvailableVersion, other: AvailableVersion) -> bool:
    """Return whether this process has imported modules of the current version, or other modules of the same names.

    Args:
        current: The version that an import finds now; one without metadata if there is none.
        other: The version that would replace it.
    """
    if current.place and any(_is_in(name, current.place) for name in module_names()):
        return True
    if current.place or not current.info:
        loaded_from = [name for name in modules_of(other.place, other.info) if attribute(name, "__file__")]
        return any(not _is_in(name, other.place) for name in loaded_from)
    from liveinstall._model import Distribution

    return bool(loaded([Distribution(current.name, current.version, current.info)]))


def _is_in(name: str, place: str) -> bool:
    return str(attribute(name, "__file__") or "").startswith(place + os.sep)


def _explained(
    error: ResolutionImpossible, requirements: Sequence[str], fixed: Mapping[str, AvailableVersion]
) -> ActivationError:
    chains = tuple(tuple(map(str, chain)) for chain in error.chains)
    words = " --with ".join(f'"{text}"' for text in requirements)
    cause = f"({error})" if any(len(chain) > 1 for chain in chains) else ""
    if error.name in fixed:
        running = fixed[error.name].version or "another version"
        what = f"this process has imported {error.name} {running}, which is not the required version {cause}".rstrip()
        todo = f"Call require() before the first import. {CHILD.format(requirements=words)}"
        return AlreadyLoadedError(f"{what}.", todo=todo, name=error.name, chains=chains, running=running)
    available = ", ".join(dict.fromkeys(f"{o.version}{'' if o.place else ' (default)'}" for o in error.offers))
    if error.is_missing:
        line = str(error.chains[0][-1].line).partition(";")[0].strip() if error.chains else ""
        what = f"no stored or installed version satisfies {line} {cause}".rstrip()
        what += f"; available versions of {error.name}: {available or 'none'}"
        todo = f'Fetch it: install("{line}", parallel=True), or require(..., install=True).'
        return NotStoredError(f"{what}.", todo=todo, name=error.name, chains=chains)
    what = f"the requirements of {error.name} contradict each other: {error}; available versions: {available or 'none'}"
    return ActivationError(f"{what}.", todo=CHILD.format(requirements=words), name=error.name, chains=chains)


def registry_for(chosen: Mapping[str, AvailableVersion], context: SelectionContext) -> Registry:
    """Make the registry of the chosen stored versions and of the versions that are active already.

    Args:
        chosen: The result of `choose()`.
        context: The versions that were chosen from.

    Returns:
        The registry; the paths in it are absolute.
    """
    beside = {name: offer for name, offer in chosen.items() if offer.place}
    before = _absolute(context.active) if context.active else Registry()
    kept_pins = [row for row in before.pins if row.name not in beside]
    gone = {row.place for row in before.pins} - {row.place for row in kept_pins}
    kept = [row for row in before.rows if row.place not in gone]
    new = registry_of(
        ((offer.name, offer.version, offer.place) for name, offer in beside.items()),
        context.store.path,
        own_store=False,
    )
    rows = {(row.name, row.version, row.place): row for row in (*kept, *new.rows)}.values()
    often = {row.name for row in rows if not row.version and _places(rows, row) > 1}
    shared = (replace(row, shared=row.shared or (not row.version and row.name in often)) for row in rows)
    return Registry(tuple(shared), before.exclusive)


def broken_by(new: Mapping[str, AvailableVersion], context: SelectionContext) -> list[Edge]:
    """Find requirements of installed distributions that the chosen versions do not satisfy.

    Args:
        new: The chosen stored versions by canonical name.
        context: The versions that were chosen from.

    Returns:
        The unsatisfied requirements, sorted.

    Raises:
        ActivationError: The requirer is loaded in this process, or active.
    """
    exclusive = bool(context.active and context.active.index.exclusive)
    distributions = {} if exclusive else installed()
    before = {name: Node(each.version, each.requires) for name, each in distributions.items()}
    active = {canonicalize_name(name) for name, _, _ in context.active.index.pins} if context.active else set()
    for offer in filter(None, map(context.current, active)):
        before[offer.name] = Node(offer.version, offer.requires)
    after = {**before, **{name: Node(offer.version, offer.requires) for name, offer in new.items()}}
    kept = before.keys() - new.keys()
    broken = [edge for edge in edges(after, of=kept, on=new) if not edge.is_satisfied(after)]
    requirers = {edge.requirer for edge in broken}
    used = active | set(loaded(distributions[name] for name in requirers if name in distributions))
    for edge in broken:
        if edge.requirer in used:
            how = "active" if edge.requirer in active else "imported"
            version = new[edge.name].version
            what = f"{edge}, which is {how} in this process; {edge.name} {version} does not satisfy that."
            todo = CHILD.format(requirements=f'"{edge.name}=={version}"')
            raise ActivationError(what, todo=todo, name=edge.name, chains=((str(edge),),))
    return sorted(broken, key=str)


def tops_in_question(
    new: Mapping[str, AvailableVersion], broken: Iterable[Edge], context: SelectionContext
) -> tuple[str, ...]:
    """Find the top-level names that must not be imported yet for an activation to be possible.

    Args:
        new: The chosen stored versions by canonical name.
        broken: The unsatisfied requirements of installed distributions.
        context: The versions that were chosen from.

    Returns:
        The top-level import names of the new versions, of those that they replace, and of the requirers, sorted.
    """
    names: set[str] = set()
    affected = [context.current(name) for name in (*new, *(edge.requirer for edge in broken))]
    for each in (*new.values(), *affected):
        if each and each.info:
            names.update(tops_of(os.path.dirname(each.info), os.path.basename(each.info)))
    return tuple(sorted(names))


def _places(rows: Iterable[Row], row: Row) -> int:
    return len({other.place for other in rows if other.name == row.name and not other.version})


def _absolute(active: Active) -> Registry:
    registry = decode(active.text.decode("utf-8", "surrogateescape"), active.source)
    own = layout.own_store(active.arguments[4][0])
    rows = tuple(replace(row, place=located(row.place, active.base, own)) for row in registry.rows)
    return Registry(rows, registry.exclusive)


def check_simple(requirements: Sequence[str]) -> None:
    """Check that requirements are by name only: stored versions are not found by a URL or path.

    Raises:
        RequirementError: There is none, or one is invalid, or a URL or path.
    """
    if not requirements:
        raise RequirementError("no requirement was given.", todo='For example: require("requests<3").', requirement="")
    for text in requirements:
        try:
            simple = not parse_requirement_line(text).url
        except InvalidRequirement:
            simple = False
        if not simple:
            todo = "Install a URL or path with parallel=True, then require it by its name."
            raise RequirementError(f"{text!r} is not a requirement by name.", todo=todo, requirement=text)
