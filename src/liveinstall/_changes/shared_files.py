"""The files of a change that several distributions install: read from RECORDs, manifests and files set aside."""

from __future__ import annotations

import os
from collections import defaultdict

from _liveinstall_boot import codec, files, patient, trees
from _liveinstall_boot.layout import MANIFEST, STATE
from _liveinstall_boot.layout import PART as PART_SUFFIX
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
from liveinstall._staging.stage import existing, in_the_way
from liveinstall._system.lean_dataclasses import NamedTuple, dataclass, field
from liveinstall._system.letter_case import folds_case
from liveinstall._transactions import history
from liveinstall._transactions.pending import Handover

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from liveinstall._planning.overlaps import Move
    from liveinstall._transactions.published import PendingChange
    from liveinstall.results import Overlap, Target


class New(NamedTuple):
    """A new file.

    Attributes:
        digest: Its SHA-256, hexadecimal.
        inner: Its path relative to the part, with slashes; empty if nothing is staged.
    """

    digest: str
    inner: str


@dataclass
class SharedFiles:
    """The paths that a set of changes shares with each other or with other distributions.

    Attributes:
        target: The environment.
        swaps: The changes, in the order of their installation.
        new: The new files: name of the distribution -> absolute path -> file.
        wanted: For an undo: path relative to the site directory -> the distributions that installed it earlier, the
            owner first.
        settled: The shared paths, with their owners after the changes and the moves.
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
        """Find the shared paths of changes whose parts are staged.

        Args:
            target: The environment.
            swaps: The changes, in the order of their installation.
            wanted: For an undo; see the attribute.

        Returns:
            The shared paths.
        """
        swaps = list(swaps)
        unshared = _unshared(target, swaps)
        new = {swap.name: staged_files(target, swap, unshared) for swap in swaps if swap.part}
        return cls.found(target, swaps, new, wanted)

    @classmethod
    def found(
        cls,
        target: Target,
        swaps: Sequence[codec.SwapChange],
        new: Mapping[str, Mapping[str, New]],
        wanted: Mapping[str, tuple[str, ...]] | None = None,
    ) -> SharedFiles:
        """Find the shared paths of changes that install these files.

        Args:
            target: The environment.
            swaps: The changes, in the order of their installation.
            new: The new files; see the attribute.
            wanted: For an undo; see the attribute.

        Returns:
            The shared paths.
        """
        shared = cls(target, swaps, new, wanted or {})
        shared.settled = tuple(map(settle, _Survey(shared).paths()))
        return shared

    def moves(self, id: str) -> list[tuple[str, str, str, str]]:
        """Return the `move` rows of the transaction `id`; see the boot module's `handover`."""
        if not self.settled:
            return []
        slots = _SlotPaths(self, id)
        return [
            (move.kind, move.digest, slots.path(move, move.source, settled), slots.path(move, move.target, settled))
            for settled in self.settled
            for move in settled.moves
            if move.kind != "copy"
        ]

    def handover(self, id: str) -> Handover:
        """Prepare the moves of the transaction `id`, which is about to be published. Needs the lock."""
        self.lay_copies_aside()
        names = self.touched()
        sites = dict.fromkeys((self.target.site, self.target.platlib)) if names else ()
        distributions = [each for site in sites for each in in_directory(site) if each.name in names]
        touched = {each.name: os.path.relpath(each.info, self.target.site) for each in distributions}
        return Handover(self.moves(id), self.owners(), touched)

    def lay_copies_aside(self) -> None:
        """Copy the files that would be lost otherwise, before the transaction is published. Needs the lock."""
        if not (self.settled or Aside(self.target).names):
            return
        slots = _SlotPaths(self, "")
        slots.sweep()
        for settled in self.settled:
            slots.remove_outdated(settled)
            for move in settled.moves:
                if move.kind == "copy":
                    slots.copy(slots.path(move, move.source, settled), slots.path(move, move.target, settled))

    def owners(self) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Return the distributions that install each path before and after, the owner first.

        Returns:
            Path relative to the site directory -> (names before, names after).
        """
        site = self.target.site
        return {os.path.relpath(s.path.path, site): (s.path.before, s.after) for s in self.settled}

    def overlaps(self, asked: AbstractSet[str]) -> tuple[Overlap, ...]:
        """Return the overlaps that the changes of the distributions `asked` cause."""
        requested = (settled for settled in self.settled if asked & {*settled.path.leaving, *settled.path.coming})
        return tuple(overlap for settled in requested if (overlap := settled.overlap))

    def touched(self) -> set[str]:
        """Return the distributions that do not change themselves, but for which the content of a path changes."""
        return {name for settled in self.settled for name in settled.touched}


def in_order(entries: Iterable[PendingChange]) -> list[codec.SwapChange]:
    """Sort changes by the order of their installation: dependencies first, otherwise as requested."""
    by_name = {entry.swap.name: entry for entry in entries}
    needs = {
        name: frozenset(named(Node(entry.swap.new_version or "", tuple(entry.about.get("requires", ())))))
        for name, entry in by_name.items()
    }
    return [by_name[name].swap for name in in_order_of_dependency(by_name, needs)]


def handover(
    target: Target, wanted: Mapping[str, tuple[str, ...]] | None = None
) -> Callable[[str, Iterable[PendingChange]], Handover]:
    """Make a function that prepares the moves of shared files for a transaction that is about to be published.

    Args:
        target: The environment.
        wanted: For an undo; see `SharedFiles`.

    Returns:
        A function of the transaction's id and its changes. It needs the lock.
    """

    def of(id: str, entries: Iterable[PendingChange]) -> Handover:
        return SharedFiles.of(target, in_order(entries), wanted).handover(id)

    return of


def staged_files(target: Target, swap: codec.SwapChange, omitted: AbstractSet[str] = frozenset()) -> dict[str, New]:
    """List the files of a staged part, without its metadata, which no other distribution shares.

    Args:
        target: The environment.
        swap: The change that the part belongs to.
        omitted: The top-level directories of the part that are omitted.

    Returns:
        Final absolute path -> file.
    """
    tree = trees.part_tree(target.site, codec.TransactionRecord("", [swap], roots_of(target)), swap)
    names = _listed(tree.root) if omitted else []
    if names and all(name in omitted or name.endswith((".dist-info", MANIFEST)) for name in names):
        return {}
    tops = ((path.partition("/")[0], path, digest) for _, _, digest, path in trees.rows(tree))
    rows = [(path, digest) for top, path, digest in tops if top not in omitted and not top.endswith(".dist-info")]
    return {os.path.normpath(tree.target(path)): New(digest, path) for path, digest in rows}


def _unshared(target: Target, swaps: Sequence[codec.SwapChange]) -> set[str]:
    """The top-level directories of parts whose files nothing else has, because they do not exist in the environment.

    They are only looked for if all distributions are new, and not where names that differ only in case are one file.
    """
    found: list[str] = []
    if any(swap.old_info for swap in swaps) or folds_case(target.site):
        return set()
    for swap in swaps:
        tree = trees.part_tree(target.site, codec.TransactionRecord("", [swap], roots_of(target)), swap)
        names = _listed(tree.root)
        if tree.data in names and _leads_into_site(tree, target):
            return set()
        found += [name for name in names if name != tree.data and os.path.isdir(os.path.join(tree.root, name))]
    sites = dict.fromkeys((target.site, target.platlib))
    exist = {name for name in found for site in sites if os.path.lexists(os.path.join(site, name))}
    return {name for name in found if name not in exist and found.count(name) == 1}


def _listed(directory: str) -> list[str]:
    return os.listdir(directory) if os.path.isdir(directory) else []


def _leads_into_site(tree: trees.DistributionTree, target: Target) -> bool:
    """Whether a part may have data files for the site directory."""
    data = os.path.join(tree.root, tree.data)
    places = [
        os.path.join(tree.root_of(scheme), name) + os.sep
        for scheme in _listed(data)
        for name in _listed(os.path.join(data, scheme))
    ]
    sites = {target.site + os.sep, target.platlib + os.sep}
    return any(place.startswith(site) or site.startswith(place) for place in places for site in sites)


class _Survey:
    """Finds the shared paths. Most changes have none, so RECORDs are searched only for paths that may be shared."""

    def __init__(self, shared: SharedFiles) -> None:
        self.shared = shared
        site, self.new = shared.target.site, shared.new
        infos = [os.path.normpath(os.path.join(site, swap.old_info)) for swap in shared.swaps if swap.old_info]
        self.leaving = [each for each in map(read_distribution, infos) if each]
        self.old = claims_of(self.leaving)
        self.by_name = {each.name: each for each in self.leaving}
        self.aside = Aside(shared.target)
        self._history: list[history.HistoryEntry] | None = None

    def paths(self) -> Iterator[SharedPath]:
        """Every path of the changes that several distributions install, or that has a file in no RECORD."""
        coming = defaultdict(list)
        for swap in self.shared.swaps:
            for path in self.new.get(swap.name, ()):
                coming[path].append(swap.name)
        leaving = set().union(*self.old.values()) if self.old else set()
        present = set(existing(path for path in coming if path not in leaving))
        occupied = set(in_the_way(present, leaving))
        claims = {**self._claims_of_staying(leaving | present), **self.old}
        several = {path for path, names in coming.items() if len(names) > 1}
        claimed = (
            {path for paths in claims.values() for path in paths} if len(claims) > 1 or self.aside.names else set()
        )
        moved = {path for name, paths in self.old.items() for path in paths if set(coming.get(path, ())) - {name}}
        for path in sorted(several | present | claimed | moved):
            before = {name: paths[path] for name, paths in claims.items() if path in paths}
            names = {*before, *coming.get(path, ())}
            is_unlisted = path in occupied and not before
            if len(names) > 1 or is_unlisted or any(self.aside.has(self.by_name[name], path) for name in before):
                yield self._path(path, before, tuple(coming.get(path, ())))

    def _claims_of_staying(self, paths: AbstractSet[str]) -> Claims:
        """The claims of the distributions that stay on these paths."""
        leaving = {each.info for each in self.leaving}
        target = self.shared.target
        infos = (info for site in dict.fromkeys((target.site, target.platlib)) for info in bringing(site, paths))
        staying = [each for each in map(read_distribution, infos) if each and each.info not in leaving]
        self.by_name |= {each.name: each for each in staying}
        return claims_of(staying, paths)

    def _path(self, path: str, before: Mapping[str, str], coming: tuple[str, ...]) -> SharedPath:
        digest = digest_of(path)
        old = dict(before)
        aside = {name for name in before if self.aside.has(self.by_name[name], path)}
        for name in list(aside):
            old[name] = digest_of(self.aside.path(self.by_name[name], path))
        order = self._order(path, before)
        holder = _holder(digest, order, old, aside)
        if holder in aside:  # another tool has put its file in place again
            aside.discard(holder)
        return SharedPath(
            path,
            digest,
            tuple(order if holder is None else [holder, *(name for name in order if name != holder)]),
            frozenset(name for name in before if any(each.name == name for each in self.leaving)),
            coming,
            old,
            {name: self.new[name][path].digest for name in coming},
            frozenset(aside),
            self.shared.wanted.get(os.path.relpath(path, self.shared.target.site), ()),
        )

    def _order(self, path: str, names: Iterable[str]) -> list[str]:
        """The distributions, the last installed first, by the newest transaction that lists the path; else by age."""
        order = sorted(names, key=lambda name: (-os.stat(self.by_name[name].info).st_mtime, name))
        if len(order) > 1:
            if self._history is None:
                self._history = history.happened(self.shared.target.site)
            inner = os.path.relpath(path, self.shared.target.site)
            recorded = next((item.record.owners[inner][1] for item in self._history if inner in item.record.owners), ())
            ranks = {name: rank for rank, name in enumerate(recorded)}
            order.sort(key=lambda name: ranks.get(name, -1))
        return order


def _holder(digest: str, order: Sequence[str], old: Mapping[str, str], aside: set[str]) -> str | None:
    """The owner of the file in place, found by its content, because other tools do not record it."""
    if not digest:
        return None
    candidates = [name for name in order if name not in aside]
    matching = [name for name in candidates if old.get(name) == digest]
    if matching or not candidates:
        return matching[0] if matching else NOBODY
    reinstalled = [name for name in order if old.get(name) == digest]
    return reinstalled[0] if reinstalled else candidates[0]


class _SlotPaths:
    """The paths of slots on disk, relative to the site directory, and the copies that are made there."""

    def __init__(self, shared: SharedFiles, id: str) -> None:
        self.shared = shared
        self.site = shared.target.site
        self.swaps = {swap.name: swap for swap in shared.swaps}
        self.record = codec.TransactionRecord(id, list(shared.swaps), roots_of(shared.target))
        self.aside = Aside(shared.target)
        self.installed = {
            each.name: each
            for site in dict.fromkeys((shared.target.site, shared.target.platlib))
            for each in in_directory(site)
        }

    def path(self, move: Move, slot: tuple[str, str], settled: Settled) -> str:
        """The path of a slot, relative to the site directory."""
        return os.path.relpath(self._absolute(move, *slot, settled.path.path), self.site)

    def _absolute(self, move: Move, kind: str, name: str, path: str) -> str:
        if kind == PLACE:
            return path
        if kind == PART:
            return os.path.join(self.site, str(self.swaps[name].part), self.shared.new[name][path].inner)
        if kind == RETIRED:
            tree = trees.retired_tree(self.site, self.record, self.swaps[name])
        elif kind == ASIDE and move.source[0] == PART:
            site_dir = trees.part_tree(self.site, self.record, self.swaps[name]).site_dir
            tree = trees.replaced_tree(self.site, site_dir, self.record.roots, name, self.swaps[name].new_version)
        else:
            return self.aside.path(self.installed[name], path)
        return os.path.join(str(tree.root), tree.inner(path))

    def copy(self, source: str, target: str) -> None:
        """Set a copy aside: written elsewhere, then renamed, so that a kill leaves no incomplete file."""
        draft = os.path.join(self.site, STATE, f"draft-replaced-{os.urandom(8).hex()}", "file")
        os.mkdir(os.path.dirname(draft))
        full_source, full_target = os.path.join(self.site, source), os.path.join(self.site, target)
        copy_or_link(full_source, draft, os.stat(full_source).st_size)
        os.makedirs(os.path.dirname(full_target), exist_ok=True)
        patient.replace(draft, full_target)
        patient.rmdir(os.path.dirname(draft))

    def sweep(self) -> None:
        """Remove the files of distributions that another tool has removed or upgraded since they were set aside."""
        current = {codec.stem(each.name, each.version) + PART_SUFFIX for each in self.installed.values()}
        for name in self.aside.names - current:
            files.remove_tree(os.path.join(self.aside.root, name))

    def remove_outdated(self, settled: Settled) -> None:
        """Remove copies of files that another tool has put in place again."""
        path = settled.path
        for name in path.before:
            distribution = self.installed.get(name)
            if distribution and name not in path.aside and self.aside.has(distribution, path.path):
                patient.unlink(self.aside.path(distribution, path.path))
