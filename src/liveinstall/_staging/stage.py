"""Staging all new distributions of a plan, or none."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from _liveinstall_boot.files import remove_tree
from liveinstall._staging.part import Part, stage
from liveinstall._staging.restore import restore
from liveinstall.errors import FileConflictError
from liveinstall.events import Event, Staging, ignore_event

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

    def one(candidate: Candidate) -> Part:
        transaction, replaces = label(candidate.name)
        if candidate.retired:
            return restore(candidate, target, transaction, replaces=replaces, compiler=compiler)
        return stage(candidate, target, transaction, replaces=replaces, compiler=compiler)

    biggest_first = sorted(candidates, key=_size, reverse=True)
    parts: dict[str, Part] = {}
    failures = []
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        jobs = [pool.submit(one, candidate) for candidate in biggest_first]
        try:
            tell(Staging("", 0, len(jobs)))
            for job in jobs:
                failure = job.exception()
                if failure:
                    failures.append(failure)  # the others are completed first, then all parts are removed
                    continue
                made = job.result()
                parts[made.name] = made
                tell(Staging(made.name, len(parts), len(jobs)))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            compiler.cancel()
            remove_parts(job.result() for job in jobs if job.done() and not job.cancelled() and not job.exception())
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
    """No directory of a part may be a file that stays, and no file of it a directory; FileConflictError."""
    seen: set[str] = set()
    for part in parts:
        for path in part.files:
            above = os.path.dirname(path)
            while above not in seen:
                seen.add(above)
                if os.path.lexists(above):
                    if not os.path.isdir(above) and above not in leaving:
                        raise conflict(part, above, owner(above))
                    break
                above = os.path.dirname(above)
            if os.path.isdir(path) and not os.path.islink(path) and not _leaves(path, leaving):
                raise conflict(part, path, owner(path))


def _leaves(directory: str, leaving: AbstractSet[str]) -> bool:
    """Whether all files below a directory go; bytecode goes with its source."""
    return all(
        os.path.join(home, name) in leaving or name.endswith(".pyc")
        for home, _, names in os.walk(directory)
        for name in names
    )


def in_the_way(paths: Iterable[str], leaving: AbstractSet[str]) -> Iterator[str]:
    """What is there and does not leave, be it under another case of its name."""
    there = [path for path in paths if path not in leaving and os.path.lexists(path)]
    folded = {path.casefold(): path for path in leaving} if there else {}
    for path in there:
        same = folded.get(path.casefold(), "")
        if not (os.path.lexists(same) and os.path.samestat(os.lstat(path), os.lstat(same))):
            yield path


def conflict(part: Part, path: str, owner: str) -> FileConflictError:
    """A part would overwrite a file of another distribution, or of nobody (`owner` is empty)."""
    whose = f"belongs to {owner}" if owner else "belongs to no distribution"
    todo = f"Remove {owner} first, or take a version without that file." if owner else "Move the file away first."
    what = f"{part.name} {part.version} would overwrite {path}, which {whose}."
    return FileConflictError(what, todo=todo, path=path, owner=owner)
