"""Which files of a change several distributions bring: read from RECORDs, manifests and what is laid aside."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from _liveinstall_boot import codec, files, trees
from _liveinstall_boot.layout import PART as PART_SUFFIX
from _liveinstall_boot.layout import STATE
from liveinstall._changes.installed_overlaps import Aside
from liveinstall._environment.claims import Claims, bringing, claims_of, digest_of
from liveinstall._environment.installed import in_directory, read_distribution
from liveinstall._model import roots_of
from liveinstall._planning.graph import Node, named
from liveinstall._planning.overlaps import (
    ASIDE,
    NOBODY,
    PART,
    PLACE,
    RETIRED,
    Settled,
    SharedPath,
    in_order_of_dependency,
    settle,
)
from liveinstall._staging.restore import copy_or_link
from liveinstall._staging.stage import in_the_way
from liveinstall._transactions import history
from liveinstall._transactions.pending import Handover, PendingChange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from liveinstall._planning.overlaps import Move
    from liveinstall.results import Overlap, Target


class New(NamedTuple):
    """A file that comes: its sha256, and its path in the part."""

    digest: str
    inner: str


@dataclass
class SharedFiles:
    """What a set of changes, in the order of their installation, finds of others. `settled` says what is to be done.

    `new`: the files that come, by distribution and absolute path. `wanted`: orders to go back to, by path.
    """

    target: Target
    swaps: Sequence[codec.SwapChange]
    new: Mapping[str, Mapping[str, New]]
    wanted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settled: tuple[Settled, ...] = ()

    @classmethod
    def of(
        cls, target: Target, swaps: Iterable[codec.SwapChange], wanted: Mapping[str, tuple[str, ...]] | None = None
    ) -> SharedFiles:
        """Look at changes whose parts are staged."""
        swaps = list(swaps)
        return cls.found(target, swaps, {swap.name: staged_files(target, swap) for swap in swaps if swap.part}, wanted)

    @classmethod
    def found(
        cls,
        target: Target,
        swaps: Sequence[codec.SwapChange],
        new: Mapping[str, Mapping[str, New]],
        wanted: Mapping[str, tuple[str, ...]] | None = None,
    ) -> SharedFiles:
        """Look at changes that bring these files."""
        made = cls(target, swaps, new, wanted or {})
        made.settled = tuple(map(settle, _Survey(made).paths()))
        return made

    def moves(self, id: str) -> list[tuple[str, str, str, str]]:
        """The rows of a transaction `id`."""
        if not self.settled:
            return []
        places = _Places(self, id)
        return [
            (move.kind, move.digest, places.path(move, move.source, found), places.path(move, move.target, found))
            for found in self.settled
            for move in found.moves
            if move.kind != "copy"
        ]

    def handover(self, id: str) -> Handover:
        """What the transaction `id`, which is about to be published, does with the files. Needs the lock."""
        self.lay_copies_aside()
        names = self.touched()
        homes = dict.fromkeys((self.target.site, self.target.platlib)) if names else ()
        here = [found for home in homes for found in in_directory(home) if found.name in names]
        touched = {found.name: os.path.relpath(found.info, self.target.site) for found in here}
        return Handover(self.moves(id), self.owners(), touched)

    def lay_copies_aside(self) -> None:
        """Before it is published: what is lost otherwise. Needs the lock."""
        if not (self.settled or Aside(self.target).names):
            return
        places = _Places(self, "")
        places.sweep()
        for found in self.settled:
            places.forget(found)
            for move in found.moves:
                if move.kind == "copy":
                    places.copy(places.path(move, move.source, found), places.path(move, move.target, found))

    def owners(self) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Who had each path, and has it then; by its path from the site directory."""
        site = self.target.site
        return {os.path.relpath(s.path.path, site): (s.path.before, s.after) for s in self.settled}

    def overlaps(self, asked: AbstractSet[str]) -> tuple[Overlap, ...]:
        """The files that change hands because of the changes `asked`."""
        mine = (found for found in self.settled if asked & {*found.path.leaving, *found.path.coming})
        return tuple(overlap for found in mine if (overlap := found.overlap))

    def touched(self) -> set[str]:
        """The distributions that stay and find another content."""
        return {name for found in self.settled for name in found.touched}


def in_order(entries: Iterable[PendingChange]) -> list[codec.SwapChange]:
    """The changes in the order of their installation: what is needed first, else as they were asked for."""
    swaps = {entry.swap.name: entry for entry in entries}
    needs = {
        name: frozenset(named(Node(entry.swap.new_version or "", tuple(entry.about.get("requires", ())))))
        for name, entry in swaps.items()
    }
    return [swaps[name].swap for name in in_order_of_dependency(swaps, needs)]


def handover(
    target: Target, wanted: Mapping[str, tuple[str, ...]] | None = None
) -> Callable[[str, Iterable[PendingChange]], Handover]:
    """What a transaction that is about to be published does with files of others, by its id and its entries."""

    def of(id: str, entries: Iterable[PendingChange]) -> Handover:
        return SharedFiles.of(target, in_order(entries), wanted).handover(id)

    return of


def staged_files(target: Target, swap: codec.SwapChange) -> dict[str, New]:
    """The files of a staged part, by their absolute paths: all but its metadata, which is nobody else's."""
    tree = trees.part_tree(target.site, codec.TransactionRecord("", [swap], roots_of(target)), swap)
    rows = [row for row in trees.rows(tree) if not row[3].partition("/")[0].endswith(".dist-info")]
    return {os.path.normpath(tree.target(path)): New(digest, path) for _, _, digest, path in rows}


class _Survey:
    """Finds the paths. Most changes share nothing with anybody: so RECORDs are only searched for what may be."""

    def __init__(self, shared: SharedFiles) -> None:
        self.shared = shared
        site, self.new = shared.target.site, shared.new
        infos = [os.path.normpath(os.path.join(site, swap.old_info)) for swap in shared.swaps if swap.old_info]
        self.leaving = [found for found in map(read_distribution, infos) if found]
        self.old = claims_of(self.leaving)
        self.by_name = {found.name: found for found in self.leaving}
        self.aside = Aside(shared.target)
        self._history: list[history.HistoryEntry] | None = None

    def paths(self) -> Iterator[SharedPath]:
        """Every path of the changes that is not one distribution's alone."""
        coming = defaultdict(list)
        for swap in self.shared.swaps:
            for path in self.new.get(swap.name, ()):
                coming[path].append(swap.name)
        gone = set().union(*self.old.values()) if self.old else set()
        fresh = {path for path in coming if path not in gone and os.path.lexists(path)}
        unknown = set(in_the_way(fresh, gone))
        claims = {**self._claims_of_others(gone | fresh), **self.old}
        several = {path for path, names in coming.items() if len(names) > 1}
        claimed = (
            {path for paths in claims.values() for path in paths} if len(claims) > 1 or self.aside.names else set()
        )
        moved = {path for name, paths in self.old.items() for path in paths if set(coming.get(path, ())) - {name}}
        for path in sorted(several | fresh | claimed | moved):
            before = {name: paths[path] for name, paths in claims.items() if path in paths}
            names = {*before, *coming.get(path, ())}
            nobodys = path in unknown and not before
            if len(names) > 1 or nobodys or any(self.aside.has(self.by_name[name], path) for name in before):
                yield self._path(path, before, tuple(coming.get(path, ())))

    def _claims_of_others(self, paths: AbstractSet[str]) -> Claims:
        """What of the paths those that stay bring."""
        leaving = {found.info for found in self.leaving}
        target = self.shared.target
        infos = (info for home in dict.fromkeys((target.site, target.platlib)) for info in bringing(home, paths))
        found = [each for each in map(read_distribution, infos) if each and each.info not in leaving]
        self.by_name |= {each.name: each for each in found}
        return claims_of(found, paths)

    def _path(self, path: str, before: Mapping[str, str], coming: tuple[str, ...]) -> SharedPath:
        there = digest_of(path)
        old = dict(before)
        aside = {name for name in before if self.aside.has(self.by_name[name], path)}
        for name in list(aside):
            old[name] = digest_of(self.aside.path(self.by_name[name], path))
        order = self._order(path, before)
        holder = _holder(there, order, old, aside)
        if holder in aside:  # another tool has put it there again
            aside.discard(holder)
        return SharedPath(
            path,
            there,
            tuple(order if holder is None else [holder, *(name for name in order if name != holder)]),
            frozenset(name for name in before if any(found.name == name for found in self.leaving)),
            coming,
            old,
            {name: self.new[name][path].digest for name in coming},
            frozenset(aside),
            self.shared.wanted.get(os.path.relpath(path, self.shared.target.site), ()),
        )

    def _order(self, path: str, names: Iterable[str]) -> list[str]:
        """Who was laid over by whom, as the newest transaction that knows the path has it; else by age."""
        found = sorted(names, key=lambda name: (-os.stat(self.by_name[name].info).st_mtime, name))
        if len(found) > 1:
            if self._history is None:
                self._history = history.happened(self.shared.target.site)
            inner = os.path.relpath(path, self.shared.target.site)
            known = next((done.record.owners[inner][1] for done in self._history if inner in done.record.owners), ())
            ranks = {name: rank for rank, name in enumerate(known)}
            found.sort(key=lambda name: ranks.get(name, -1))
        return found


def _holder(there: str, order: Sequence[str], old: Mapping[str, str], aside: set[str]) -> str | None:
    """Whose the file in place is: told by content, since other tools keep no account of it."""
    if not there:
        return None
    inside = [name for name in order if name not in aside]
    matching = [name for name in inside if old.get(name) == there]
    if matching or not inside:
        return matching[0] if matching else NOBODY
    again = [name for name in order if old.get(name) == there]
    return again[0] if again else inside[0]


class _Places:
    """Where the slots of moves are on disk, relative to the site directory; and the copies that are made there."""

    def __init__(self, shared: SharedFiles, id: str) -> None:
        self.shared = shared
        self.site = shared.target.site
        self.swaps = {swap.name: swap for swap in shared.swaps}
        self.record = codec.TransactionRecord(id, list(shared.swaps), roots_of(shared.target))
        self.aside = Aside(shared.target)
        self.here = {
            found.name: found
            for home in dict.fromkeys((shared.target.site, shared.target.platlib))
            for found in in_directory(home)
        }

    def path(self, move: Move, slot: tuple[str, str], found: Settled) -> str:
        """A slot, relative to the site directory."""
        return os.path.relpath(self._full(move, *slot, found.path.path), self.site)

    def _full(self, move: Move, kind: str, name: str, path: str) -> str:
        if kind == PLACE:
            return path
        if kind == PART:
            return os.path.join(self.site, str(self.swaps[name].part), self.shared.new[name][path].inner)
        if kind == RETIRED:
            tree = trees.retired_tree(self.site, self.record, self.swaps[name])
        elif kind == ASIDE and move.source[0] == PART:
            home = trees.part_tree(self.site, self.record, self.swaps[name]).site_dir
            tree = trees.replaced_tree(self.site, home, self.record.roots, name, self.swaps[name].new_version)
        else:
            return self.aside.path(self.here[name], path)
        return os.path.join(str(tree.root), tree.inner(path))

    def copy(self, source: str, target: str) -> None:
        """Lay a copy aside: written elsewhere, then renamed, so that a kill leaves no part of one."""
        draft = os.path.join(self.site, STATE, "draft-replaced", "file")
        files.remove_tree(os.path.dirname(draft))
        os.mkdir(os.path.dirname(draft))
        full, end = os.path.join(self.site, source), os.path.join(self.site, target)
        copy_or_link(full, draft, os.stat(full).st_size)
        os.makedirs(os.path.dirname(end), exist_ok=True)
        os.replace(draft, end)

    def sweep(self) -> None:
        """Remove the files of distributions that another tool has removed or upgraded since they were laid aside."""
        known = {codec.stem(found.name, found.version) + PART_SUFFIX for found in self.here.values()}
        for name in self.aside.names - known:
            files.remove_tree(os.path.join(self.aside.root, name))

    def forget(self, found: Settled) -> None:
        """Remove copies of files that another tool has put into place again."""
        for name in found.path.before:
            if name in self.here and name not in found.path.aside and self.aside.has(self.here[name], found.path.path):
                os.unlink(self.aside.path(self.here[name], found.path.path))
