"""Files that several distributions bring: whose a path is then, and what moves for that. Values in, values out.

A path has one file in place, the *holder's*; the files of the others lie aside. What is installed last has the path, as
with pip and uv. Where the contents are the same the file in place is not touched at all: nobody loses or gets anything,
so the newcomer's copy is laid aside, and a holder that leaves takes along the copy of one that stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from liveinstall.results import Overlap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NOBODY = ""  # has a path that no RECORD names
PLACE, ASIDE, RETIRED, PART = "place", "aside", "retired", "part"


class Move(NamedTuple):
    """One file's move between `slots`, which are (kind of place, name of the distribution).

    `kind`: out, in or stay as the boot module has them; copy is made while the change is staged.
    """

    kind: str
    digest: str
    source: tuple[str, str]
    target: tuple[str, str]


@dataclass(frozen=True)
class SharedPath:
    """A path that several distributions bring, or that is somebody's who is not asked.

    `there` is the sha256 of the file in place, empty without one. `before`: who brings it now, by whom it was laid
    over; the first one's file is in place, if it is not `aside`; NOBODY is among them for a file in no RECORD.
    `leaving` of them go; `coming` do so in this order. `old` and `new`: the sha256 of what each has or brings, where it
    is known. `wanted`: an order from the past to go back to.
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
        """Whose file is in place; None where there is none, or where that is not among those who bring it."""
        return self.before[0] if self.there and self.before and self.before[0] not in self.aside else None

    @property
    def stays(self) -> tuple[str, ...]:
        """Who brings it and stays."""
        return tuple(name for name in self.before if name not in self.leaving)


@dataclass(frozen=True)
class Settled:
    """Whose a path is `after` the change, and the moves that make it so.

    `touched`: who stays and finds another content there. `in_the_way`: it is nobody's, and would be replaced.
    """

    path: SharedPath
    after: tuple[str, ...]
    moves: tuple[Move, ...] = ()
    touched: frozenset[str] = frozenset()
    in_the_way: bool = False

    def content(self, name: str) -> str:
        """The sha256 of what a distribution has of it after the change."""
        return self.path.new.get(name) or self.path.old.get(name, "")

    @property
    def overlap(self) -> Overlap | None:
        """What to tell of it: nothing where everybody has the same content, or where it is as it was."""
        owner, path = (self.after or (NOBODY,))[0], self.path
        others = tuple(name for name in self.after[1:] if name and self.content(name) != self.content(owner))
        new = others and not path.new.keys().isdisjoint({owner, *others})
        if not owner or not (new or self.touched):
            return None
        kept = {*path.new, *path.aside, path.holder}
        return Overlap(path.path, owner, others, tuple(name for name in others if name in kept), path.holder or "")


def settle(path: SharedPath) -> Settled:
    """Decide whose the path is then. It stays as long as one distribution brings it."""
    stays = [name for name in path.stays if name != NOBODY]
    order = _wanted([*reversed(path.coming), *stays], path.wanted)
    top = order[0] if order else None
    found = Settled(path, tuple(order))
    if path.holder == NOBODY:
        stuck = bool(top is not None and top in path.new and path.new[top] != path.there)
        moves = (*_laid_aside(path, None), *_retired(path))
        return Settled(path, (NOBODY, *order), moves, in_the_way=stuck)
    if top is None:
        return Settled(path, (), _retired(path, with_holder=True))
    left = _left_to(path, top, found.content(top))
    if left is not None:
        after = (left, *(name for name in order if name != left))
        return Settled(path, after, _untouched(path, left))
    changes = path.there and found.content(top) != path.there
    return Settled(path, tuple(order), _exchanged(path, top), frozenset(stays) if changes else frozenset())


def _wanted(order: list[str], wanted: Iterable[str]) -> list[str]:
    """What is not in the order from the past came later."""
    ranks = {name: rank for rank, name in enumerate(wanted)}
    return sorted(order, key=lambda name: ranks.get(name, -1))


def _left_to(path: SharedPath, top: str, content: str) -> str | None:
    """Who of those that stay has the file in place from now on, untouched; None if it is to be another file."""
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


def _untouched(path: SharedPath, left: str) -> tuple[Move, ...]:
    """The file in place stays; who leaves takes along a copy."""
    moves: list[Move] = []
    holder = path.holder or ""
    taken = left if left in path.aside else ""
    if holder != left:
        if not taken:
            moves.append(_copy(path, holder))
        source = (ASIDE, left) if taken else (ASIDE, holder)
        moves.append(Move("out", path.there, source, (RETIRED, holder)))
    stay = Move("stay", path.there, (PLACE, ""), (PLACE, ""))
    return (*moves, *_retired(path), stay, *_laid_aside(path, None))


def _exchanged(path: SharedPath, top: str) -> tuple[Move, ...]:
    """Another file comes into place; that of a holder who stays is laid aside."""
    holder = path.holder
    theirs = (name for name in path.stays if name not in path.aside and name != holder and path.there)
    moves = [_copy(path, name) for name in theirs if path.old.get(name) == path.there]  # another tool put both there
    moves += _retired(path)
    if holder is not None:
        target = (RETIRED if holder in path.leaving else ASIDE, holder)
        moves.append(Move("out", path.there, (PLACE, ""), target))
    if top not in path.new and top in path.aside:
        moves.append(Move("in", path.old[top], (ASIDE, top), (PLACE, "")))
    return (*moves, *_laid_aside(path, top))


def _retired(path: SharedPath, *, with_holder: bool = False) -> tuple[Move, ...]:
    """The files of those who leave; one that another tool has overwritten is lost, and none goes with it."""
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


def _laid_aside(path: SharedPath, top: str | None) -> tuple[Move, ...]:
    """Where the files of those who come go: into place for `top`, else aside."""
    return tuple(
        Move("in", path.new[name], (PART, name), (PLACE, "") if name == top else (ASIDE, name)) for name in path.coming
    )


def _copy(path: SharedPath, name: str) -> Move:
    return Move("copy", path.there, (PLACE, ""), (ASIDE, name))


def disturbs(found: Iterable[Settled]) -> dict[str, frozenset[str]]:
    """For each change the distributions whose files it would replace or bring: it waits if one of them must not change.

    Those that stay and find another content, those that the file moves away from, and those that bring another one too.
    """
    others: dict[str, set[str]] = {}
    for settled in found:
        path = settled.path
        for name in path.leaving | {*path.coming}:
            others.setdefault(name, set()).update(settled.touched)
        for name in path.coming:
            rivals = {other for other in path.coming if path.new[other] != path.new[name]}
            others[name] |= (path.leaving | rivals) - {name}
    return {name: frozenset(found) for name, found in others.items() if found}


def as_asked(names: Iterable[str], requirements: Iterable[str]) -> list[str]:
    """The names in the order of a request's requirements; first what it does not name, as the engine has it."""
    asked = {_name_of(text): rank for rank, text in enumerate(requirements, 1)}
    return sorted(names, key=lambda name: asked.get(name, 0))


def _name_of(text: str) -> str:
    """The name that a requirement, or the path of an archive, begins with."""
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._]*(?:-[A-Za-z._][A-Za-z0-9._]*)*", re.split(r"[/\\]", text)[-1])
    return canonicalize_name(found[0]) if found else ""


def in_order_of_dependency(names: Iterable[str], needs: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """What is needed first, else as given: so what needs something has the last word on a file of both."""
    names = list(names)
    done: dict[str, None] = {}

    def visit(name: str, above: frozenset[str]) -> None:
        for other in (each for each in names if each in needs.get(name, ()) and each not in above and each not in done):
            visit(other, above | {other})
        done.setdefault(name)

    for name in names:
        visit(name, frozenset({name}))
    return tuple(done)
