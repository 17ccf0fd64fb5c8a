"""Making a part of retired files, to undo a transaction: they are verified against their own RECORD.

The retired files are never changed. Small files are copied, because people edit sources in site-packages, which would
change a linked file too. Large files (libraries, models) are hard-linked if the file system supports it, which takes no
time and no space. Bytecode has no hash, so it is compiled again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING

from _liveinstall_boot import trees
from _liveinstall_boot.codec import MANIFEST_MAGIC, StaleError, encode_manifest, read, record_rows
from _liveinstall_boot.files import remove_tree, sha256
from liveinstall._model import roots_of
from liveinstall._staging.part import Part, free_path, write_manifest
from liveinstall._system.dist_info import encoded
from liveinstall.errors import RetiredError, StagingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from liveinstall._model import Candidate, Retired
    from liveinstall._staging.bytecode import BytecodeCompiler
    from liveinstall.results import Target

LINKED_FROM = 2**20  # bytes; smaller files are copied
_Row = tuple[int, int, str, str]


def restore(
    candidate: Candidate, target: Target, transaction: str, *, replaces: str, compiler: BytecodeCompiler
) -> Part:
    """Make a part of a candidate's retired files. If it raises, nothing is left behind.

    The arguments are those of `stage()`.

    Raises:
        RetiredError: A retired file is missing, or its hash is not the one in RECORD.
        StagingError: A file cannot be written.
    """
    assert candidate.retired
    work = _Restoration(candidate, candidate.retired, target)
    try:
        os.makedirs(work.path)
        write_manifest(work.path, MANIFEST_MAGIC + "\n")
        rows = []
        for row in work.bring():
            compiler.announce(candidate.name, work.path, work.home, row[3])
            rows.append(row)
        write_manifest(work.path, encode_manifest(rows, transaction, replaces))
    except BaseException as error:
        compiler.cancel()  # otherwise it would write into a removed directory
        remove_tree(work.path)
        if isinstance(error, OSError):
            raise StagingError(
                f"{candidate.name} {candidate.version} could not be brought back: {error}.", todo="Make room and retry."
            ) from error
        raise
    return Part(candidate.name, candidate.version, work.path, tuple(work.targets), ())


class _Restoration:
    """Restores one distribution. The scheme's directories may have changed since its files were retired."""

    def __init__(self, candidate: Candidate, kept: Retired, target: Target) -> None:
        name, version = candidate.name, candidate.version
        self.candidate = candidate
        self.kept = kept
        self.home = os.path.dirname(kept.info)
        self.path = free_path(self.home, name, version)
        self.source = trees.DistributionTree(kept.root, self.home, kept.site, kept.roots, name, version)
        self.destination = trees.DistributionTree(self.path, self.home, target.site, roots_of(target), name, version)
        self.targets: list[str] = []

    def bring(self) -> Iterator[_Row]:
        """Restore each file in RECORD; the rows of the manifest."""
        for inner, hash in self._recorded().items():
            target = os.path.normpath(os.path.join(self.home, inner))
            outside = inner.startswith("../") or os.path.isabs(inner)
            source = os.path.join(self.kept.root, self.source.path_of(target) if outside else inner)
            path = self.destination.path_of(target) if outside else inner
            told = hash or inner == f"{os.path.basename(self.kept.info)}/RECORD"  # of which the hash is known, too
            if told and not os.path.lexists(source) and os.path.lexists(target):
                source = target  # it was never retired, since another distribution has the same file
            if os.path.lexists(source) or hash:
                self.targets.append(target)
                yield self._bring(source, path, hash)

    def _recorded(self) -> dict[str, str]:
        """Path -> hash of each file in the retired RECORD, without bytecode, which cannot be verified."""
        record = os.path.join(self.kept.root, os.path.basename(self.kept.info), "RECORD")
        if not os.path.lexists(record):
            record = os.path.join(self.kept.info, "RECORD")  # the distribution is installed, and gets back its own
        if not os.path.isfile(record) or sha256(record) != self.kept.sha256:
            raise self._damaged(record, "RECORD is gone or damaged")
        try:
            rows = [(os.path.normpath(path).replace(os.sep, "/"), hash) for path, hash, _ in record_rows(read(record))]
        except StaleError as error:
            raise self._damaged(record, str(error)) from error
        return {path: hash for path, hash in rows if hash or not path.endswith(".pyc")}

    def _bring(self, source: str, path: str, hash: str) -> _Row:
        full = os.path.join(self.path, *path.split("/"))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if os.path.islink(source):
            os.symlink(os.readlink(source), full)  # what it leads to is somebody's own row, or nobody's
            return 0o777, os.lstat(full).st_size, hashlib.sha256(os.readlink(full).encode()).hexdigest(), path
        if not os.path.isfile(source):
            raise self._damaged(source, f"{path} is gone")
        about, digest = os.stat(source), _digest(source, "sha256")
        algorithm, _, wanted = hash.partition("=")
        if wanted and wanted != encoded(digest if algorithm == "sha256" else _digest(source, algorithm)):
            raise self._damaged(source, f"{path} is not what its RECORD says")
        copy_or_link(source, full, about.st_size)
        return about.st_mode & 0o7777, about.st_size, digest.hex(), path

    def _damaged(self, path: str, why: str) -> RetiredError:
        name, version = self.candidate.name, self.candidate.version
        return RetiredError(
            f"the old files of {name} {version} cannot be brought back: {why}.",
            todo=f'Install it again: liveinstall.install("{name}=={version}"). What is left lies in {self.kept.root}',
            name=name,
            path=path,
            transaction=os.path.basename(os.path.dirname(self.kept.root)),
        )


def _digest(path: str, algorithm: str) -> bytes:
    """The hash of a file; empty for an unknown algorithm, so that the comparison fails."""
    with open(path, "rb") as stream:
        try:
            return hashlib.file_digest(stream, algorithm).digest()
        except ValueError:
            return b""


def copy_or_link(source: str, target: str, size: int) -> None:
    """Copy a file that people may edit, link a big one."""
    if size >= LINKED_FROM:
        try:
            os.link(source, target)
        except OSError:
            pass  # FAT, some network file systems, too many links, another user's file
        else:
            return
    with open(source, "rb") as stream, open(target, "xb") as out:
        shutil.copyfileobj(stream, out)
    shutil.copystat(source, target)
