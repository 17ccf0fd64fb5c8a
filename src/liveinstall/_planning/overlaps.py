"""Files that several distributions install: the owner of each path after a change, and the moves. Pure functions.

At each path the file of one distribution is in place: its owner, the one installed last, as with pip and uv. The files
of the others are set aside. If the contents are equal, the file in place is not touched at all, because no distribution
would lose or regain anything: the new distribution's copy is set aside, and an owner that is removed takes along the
copy of a distribution that stays.
"""

from __future__ import annotations

import re

from liveinstall._system.lean_dataclasses import NamedTuple, dataclass, field
from liveinstall._system.lean_packaging import canonicalize_name
from liveinstall.results import Overlap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NOBODY = ""  # the owner of a file that no RECORD lists
PLACE, ASIDE, RETIRED, PART = "place", "aside", "retired", "part"


class Move(NamedTuple):
    """The move of one file between two slots. A slot is (PLACE, ASIDE, RETIRED or PART, name of the distribution).

    Attributes:
        kind: "out", "in" or "stay", as in the boot module's `handover`; or "copy", which is made during staging.
        digest: The SHA-256 of the file, hexadecimal.
        source: The slot that has the file.
        target: The slot that gets the file.
    """

    kind: str
    digest: str
    source: tuple[str, str]
    target: tuple[str, str]


@dataclass(frozen=True)
class SharedPath:
    """A path that several distributions install, or at which there is a file that no RECORD lists.

    Attributes:
        path: The absolute path.
        there: The SHA-256 of the file in place; empty if there is none.
        before: The distributions that install the path now, each before those that it replaced. The file of the
            first one is in place, unless it is in `aside`. NOBODY is among them if the file is in no RECORD.
        leaving: Those of `before` that are removed or replaced.
        coming: The distributions that will install the path, in the order of their installation.
        old: Name -> SHA-256 of the file that the distribution has now, if it is known.
        new: Name -> SHA-256 of the file that the distribution will install.
        aside: The distributions of which the file is set aside.
        wanted: An earlier order that an undo restores, in the form of `before`; empty if there is none.
    """

    path: str
    there: str
    before: tuple[str, ...]
    leaving: frozenset[str] = frozenset()
    coming: tuple[str, ...] = ()
    old: Mapping[str, str] = field(default_factory=dict)
    new: Mapping[str, str] = field(default_factory=dict)
    aside: frozenset[str] = frozenset()
    wanted: tuple[str, ...] = ()

    @property
    def holder(self) -> str | None:
        """The distribution that owns the file; None if there is no file, or none of them owns it."""
        return self.before[0] if self.there and self.before and self.before[0] not in self.aside else None

    @property
    def stays(self) -> tuple[str, ...]:
        """The distributions that install the path now and are neither removed nor replaced."""
        return tuple(name for name in self.before if name not in self.leaving)


@dataclass(frozen=True)
class Settled:
    """The owner of a path after a change, and the moves that lead there.

    Attributes:
        path: The path.
        after: The distributions that install the path after the change, in the order of `SharedPath.before`.
        moves: The moves, in the order of their execution.
        touched: The distributions that do not change themselves, but for which the content at the path changes.
        in_the_way: Whether a file that no RECORD lists would have to be replaced by another content.
    """

    path: SharedPath
    after: tuple[str, ...]
    moves: tuple[Move, ...] = ()
    touched: frozenset[str] = frozenset()
    in_the_way: bool = False

    def content(self, name: str) -> str:
        """Return the SHA-256 of a distribution's file after the change; empty if it is not known."""
        return self.path.new.get(name) or self.path.old.get(name, "")

    @property
    def overlap(self) -> Overlap | None:
        """The overlap to report; None if all contents are equal, or if nothing changes here."""
        owner, path = (self.after or (NOBODY,))[0], self.path
        others = tuple(name for name in self.after[1:] if name and self.content(name) != self.content(owner))
        new = others and not path.new.keys().isdisjoint({owner, *others})
        if not owner or not (new or self.touched):
            return None
        kept = {*path.new, *path.aside, path.holder}
        return Overlap(path.path, owner, others, tuple(name for name in others if name in kept), path.holder or "")


def settle(path: SharedPath) -> Settled:
    """Decide which distribution owns a path after a change. The path stays as long as one distribution installs it."""
    stays = [name for name in path.stays if name != NOBODY]
    order = _ordered([*reversed(path.coming), *stays], path.wanted)
    top = order[0] if order else None
    settled = Settled(path, tuple(order))
    if path.holder == NOBODY:
        in_the_way = bool(top is not None and top in path.new and path.new[top] != path.there)
        moves = (*_arriving(path, None), *_retired(path))
        return Settled(path, (NOBODY, *order), moves, in_the_way=in_the_way)
    if top is None:
        return Settled(path, (), _retired(path, with_holder=True))
    owner = _owner_of_untouched(path, top, settled.content(top))
    if owner is not None:
        after = (owner, *(name for name in order if name != owner))
        return Settled(path, after, _untouched(path, owner))
    changes = path.there and settled.content(top) != path.there
    return Settled(path, tuple(order), _exchanged(path, top), frozenset(stays) if changes else frozenset())


def _ordered(names: list[str], earlier: Iterable[str]) -> list[str]:
    """Restore the earlier order; names that are not in it were installed later and come first."""
    ranks = {name: rank for rank, name in enumerate(earlier)}
    return sorted(names, key=lambda name: ranks.get(name, -1))


def _owner_of_untouched(path: SharedPath, top: str, content: str) -> str | None:
    """The owner of the file in place if that file can stay untouched; None if another file has to replace it."""
    holder, stays = path.holder, path.stays
    lost = top not in path.new and top not in path.aside and top != holder  # another tool has overwritten its file
    if holder is None:
        return None
    if holder in stays and (top == holder or content == path.there or lost):
        return holder
    if content == path.there:
        same = [name for name in stays if path.old.get(name) == path.there]
        return next((name for name in same if name in path.aside), same[0] if same else None)
    return top if lost else None


def _untouched(path: SharedPath, owner: str) -> tuple[Move, ...]:
    """The file in place stays; a removed distribution gets a copy for its retired files."""
    moves: list[Move] = []
    holder = path.holder or ""
    has_copy = owner in path.aside
    if holder != owner:
        if not has_copy:
            moves.append(_copy(path, holder))
        source = (ASIDE, owner) if has_copy else (ASIDE, holder)
        moves.append(Move("out", path.there, source, (RETIRED, holder)))
    stay = Move("stay", path.there, (PLACE, ""), (PLACE, ""))
    return (*moves, *_retired(path), stay, *_arriving(path, None))


def _exchanged(path: SharedPath, top: str) -> tuple[Move, ...]:
    """Another file replaces the one in place, which is set aside if its owner stays."""
    holder = path.holder
    overwritten = (name for name in path.stays if name not in path.aside and name != holder and path.there)
    # Another tool has put the same file there for both.
    moves = [_copy(path, name) for name in overwritten if path.old.get(name) == path.there]
    moves += _retired(path)
    if holder is not None:
        target = (RETIRED if holder in path.leaving else ASIDE, holder)
        moves.append(Move("out", path.there, (PLACE, ""), target))
    if top not in path.new and top in path.aside:
        moves.append(Move("in", path.old[top], (ASIDE, top), (PLACE, "")))
    return (*moves, *_arriving(path, top))


def _retired(path: SharedPath, *, with_holder: bool = False) -> tuple[Move, ...]:
    """The moves of removed distributions' files; a file that another tool has overwritten is lost and has no move."""
    moves = []
    for name in path.before:
        if name not in path.leaving:
            continue
        if name == path.holder:
            moves += [Move("out", path.there, (PLACE, ""), (RETIRED, name))] if with_holder else []
            continue
        if name not in path.aside and path.there and path.old.get(name) == path.there:
            moves.append(_copy(path, name))
        elif name not in path.aside:
            continue
        moves.append(Move("out", path.old[name], (ASIDE, name), (RETIRED, name)))
    return tuple(moves)


def _arriving(path: SharedPath, top: str | None) -> tuple[Move, ...]:
    """The moves of new files: that of `top` into place, all others aside."""
    return tuple(
        Move("in", path.new[name], (PART, name), (PLACE, "") if name == top else (ASIDE, name)) for name in path.coming
    )


def _copy(path: SharedPath, name: str) -> Move:
    return Move("copy", path.there, (PLACE, ""), (ASIDE, name))


def disturbs(found: Iterable[Settled]) -> dict[str, frozenset[str]]:
    """Find the distributions that each change affects through shared paths; see `Situation.overlaps`.

    A change has to be pending if one of these must not change now. They are the distributions that stay and for which
    the content at a path changes, those that a file moves away from, and those that install another content there too.

    Args:
        found: The shared paths of all changes.

    Returns:
        Name of a change -> names of the affected distributions. Changes that affect none are omitted.
    """
    affected: dict[str, set[str]] = {}
    for settled in found:
        path = settled.path
        for name in path.leaving | {*path.coming}:
            affected.setdefault(name, set()).update(settled.touched)
        for name in path.coming:
            rivals = {other for other in path.coming if path.new[other] != path.new[name]}
            affected[name] |= (path.leaving | rivals) - {name}
    return {name: frozenset(names) for name, names in affected.items() if names}


def as_asked(names: Iterable[str], requirements: Iterable[str]) -> list[str]:
    """Sort names by the order of a request's requirements.

    Args:
        names: Normalized project names, in the engine's order.
        requirements: PEP 508 requirements, paths or URLs of archives.

    Returns:
        First the names that no requirement has, in the given order; then those of the requirements.
    """
    ranks = {_name_of(text): rank for rank, text in enumerate(requirements, 1)}
    return sorted(names, key=lambda name: ranks.get(name, 0))


def _name_of(text: str) -> str:
    """The normalized project name at the beginning of a requirement or of an archive's file name; empty if none."""
    last = text.replace("\\", "/").rpartition("/")[2]
    if last.isalnum() and last.isascii():
        return canonicalize_name(last)
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._]*(?:-[A-Za-z._][A-Za-z0-9._]*)*", last)
    return canonicalize_name(match[0]) if match else ""


def in_order_of_dependency(names: Iterable[str], needs: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """Sort dependencies before the distributions that depend on them, so that the latter own a shared path.

    Args:
        names: The names; otherwise their order stays as it is.
        needs: Name -> names of its dependencies. Cycles are allowed.

    Returns:
        The names in the order of their installation.
    """
    names = list(names)
    done: dict[str, None] = {}

    def visit(name: str, dependents: frozenset[str]) -> None:
        dependencies = [each for each in names if each in needs.get(name, ())]
        for other in (each for each in dependencies if each not in dependents and each not in done):
            visit(other, dependents | {other})
        done.setdefault(name)

    for name in names:
        visit(name, frozenset({name}))
    return tuple(done)
