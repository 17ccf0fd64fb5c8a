"""Staging all new distributions of a plan, or none."""

from __future__ import annotations

import os
from functools import partial

from _liveinstall_boot.files import remove_tree
from liveinstall._staging.part import Part, stage
from liveinstall._staging.restore import restore
from liveinstall._system.jobs import Job, in_threads
from liveinstall._system.letter_case import name_on_disk
from liveinstall.errors import FileConflictError
from liveinstall.events import Event, Staging, ignore_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from liveinstall._model import Candidate
    from liveinstall._staging.bytecode import BytecodeCompiler
    from liveinstall.results import Target


def stage_all(
    candidates: Iterable[Candidate],
    target: Target,
    label: Callable[[str], tuple[str, str]],
    compiler: BytecodeCompiler,
    tell: Callable[[Event], None] = ignore_event,
) -> dict[str, Part]:
    """Stage candidates in parallel. After a failure all parts are removed and the first error is raised.

    Args:
        candidates: The chosen distributions.
        target: The environment.
        label: Returns, for a name, the id of the part's transaction and the SHA-256 of the RECORD that it replaces.
        compiler: Compiles the written sources; it is stopped before anything is removed.
        tell: Receives a `Staging` event for each part. Default: events are discarded.

    Returns:
        The parts, by name.

    Raises:
        WheelRefusedError: A wheel violates a rule of safe unpacking.
        StagingError: A file cannot be written.
        RetiredError: The old files of an undo are missing or damaged.
    """

    def stage_one(candidate: Candidate) -> Part:
        transaction, replaces = label(candidate.name)
        if candidate.retired:
            return restore(candidate, target, transaction, replaces=replaces, compiler=compiler)
        return stage(candidate, target, transaction, replaces=replaces, compiler=compiler)

    largest_first = sorted(candidates, key=_size, reverse=True)
    parts: dict[str, Part] = {}
    failures = []
    jobs: list[Job] = []
    try:
        with in_threads((partial(stage_one, each) for each in largest_first), min(4, os.cpu_count() or 1)) as jobs:
            tell(Staging("", 0, len(jobs)))
            for job in jobs:
                if failure := job.failure():
                    failures.append(failure)  # the others are completed first, then all parts are removed
                for part in job.values():
                    parts[part.name] = part
                    tell(Staging(part.name, len(parts), len(jobs)))
    except BaseException:
        compiler.cancel()
        remove_parts(part for job in jobs for part in job.values())
        raise
    if failures:
        compiler.cancel()
        remove_parts(parts.values())
        raise failures[0]
    return parts


def _size(candidate: Candidate) -> int:
    """The relative amount of work for a candidate; unreadable ones fail when they are staged."""
    name = f"{candidate.name.replace('-', '_')}-{candidate.version}.dist-info"
    path = candidate.wheel or (candidate.unpacked and os.path.join(candidate.unpacked, name, "RECORD"))
    return os.path.getsize(path) if path and os.path.isfile(path) else 0


def remove_parts(parts: Iterable[Part]) -> None:
    """Remove staged parts that belong to no transaction yet."""
    for part in parts:
        remove_tree(part.path)


def check_conflicts(groups: Iterable[tuple[Iterable[Part], AbstractSet[str]]], owner: Callable[[str], str]) -> None:
    """Check that no part would overwrite a file of another distribution, or one that no RECORD lists.

    Args:
        groups: For each swap its parts, and the absolute paths that the same swap removes.
        owner: Returns the distribution of a path, or an empty string.

    Raises:
        FileConflictError: A part would overwrite a file.
    """
    seen: dict[str, str] = {}
    for parts, leaving in groups:
        for part in parts:
            for path in part.files:
                if seen.setdefault(path, part.name) != part.name:
                    raise conflict(part, path, seen[path])
            for path in in_the_way(part.files, leaving):
                raise conflict(part, path, owner(path))


def check_directories(parts: Iterable[Part], leaving: AbstractSet[str], owner: Callable[[str], str]) -> None:
    """Check that no directory of a part is an existing file that stays, and no file of it an existing directory.

    Args:
        parts: The parts.
        leaving: The absolute paths that are removed.
        owner: Returns the distribution of a path, or an empty string.

    Raises:
        FileConflictError: A file and a directory have the same path.
    """
    seen: set[str] = set()
    for part in parts:
        for parent in by_directory(part.files):
            while parent not in seen:
                seen.add(parent)
                if os.path.lexists(parent):
                    if not os.path.isdir(parent) and parent not in leaving:
                        raise conflict(part, parent, owner(parent))
                    break
                parent = os.path.dirname(parent)
        for path in existing(part.files):
            if os.path.isdir(path) and not os.path.islink(path) and not _is_removed(path, leaving):
                raise conflict(part, path, owner(path))


def check_case(
    parts: Iterable[Part],
    pending: Iterable[tuple[str, str]],
    site: str,
    leaving: AbstractSet[str],
    owner: Callable[[str], str],
) -> None:
    """Check that no file of a part is the same file as another one whose name differs only in case.

    Only needed where the file system folds case, see `folds_case`; elsewhere these are two files, as with pip.

    Args:
        parts: The parts.
        pending: The absolute path and the distribution of each file of the pending changes.
        site: The site directory, absolute.
        leaving: The absolute paths that are removed.
        owner: Returns the distribution of a path, or an empty string.

    Raises:
        FileConflictError: Two names are one file.
    """
    seen = {path.casefold(): (path, name) for path, name in pending}
    for part in parts:
        for path in part.files:
            other, name = seen.setdefault(path.casefold(), (path, part.name))
            if other == path and path not in leaving and os.path.lexists(path):
                on_disk = name_on_disk(path, os.path.commonpath((path, site)))
                if on_disk != path and on_disk not in leaving:
                    other, name = on_disk, owner(on_disk)
            if other != path:
                raise conflict(part, path, name, f"is the same file as {other} on this file system and ")


def _is_removed(directory: str, leaving: AbstractSet[str]) -> bool:
    """Whether all files below a directory are removed; bytecode is removed with its source."""
    return all(
        os.path.join(root, name) in leaving or name.endswith(".pyc")
        for root, _, names in os.walk(directory)
        for name in names
    )


def by_directory(paths: Iterable[str]) -> dict[str, list[str]]:
    """Group absolute paths by their directories."""
    found: dict[str, list[str]] = {}
    for path in paths:
        directory = path.rpartition(os.sep)[0]
        if directory in found:
            found[directory].append(path)
        else:
            found[directory] = [path]
    return found


def existing(paths: Iterable[str]) -> Iterator[str]:
    """Find the paths that exist, links included; of a directory that does not exist no file is looked up.

    Args:
        paths: Absolute paths.

    Yields:
        Those of `paths` that exist.
    """
    for directory, inside in by_directory(paths).items():
        if os.path.isdir(directory or os.sep):
            yield from filter(os.path.lexists, inside)


def in_the_way(paths: Iterable[str], leaving: AbstractSet[str]) -> Iterator[str]:
    """Find the paths of existing files that stay.

    Args:
        paths: Absolute paths.
        leaving: The absolute paths that are removed, even if the file system has them in another case.

    Returns:
        Those of `paths` that exist and are not removed.
    """
    staying = list(existing(path for path in paths if path not in leaving))
    folded = {path.casefold(): path for path in leaving} if staying else {}
    for path in staying:
        same = folded.get(path.casefold(), "")
        if not (os.path.lexists(same) and os.path.samestat(os.lstat(path), os.lstat(same))):
            yield path


def conflict(part: Part, path: str, owner: str, relation: str = "") -> FileConflictError:
    """Make the error for a file that a part would overwrite.

    Args:
        part: The part.
        path: The absolute path of the file.
        owner: The distribution whose RECORD lists the file; empty if there is none.
        relation: The words between the file and its owner.

    Returns:
        The error to raise.
    """
    relation += f"belongs to {owner}" if owner else "belongs to no distribution"
    todo = (
        f"Remove {owner} first, or choose a version without that file." if owner else "Move the file elsewhere first."
    )
    what = f"{part.name} {part.version} would overwrite {path}, which {relation}."
    return FileConflictError(what, todo=todo, path=path, owner=owner)
