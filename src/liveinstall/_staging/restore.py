"""Making a part from retired files, to undo a transaction: they are verified against their own RECORD.

The retired files are never changed. Small files are copied, because people edit sources in site-packages, which would
change a linked file too. Large files (libraries, models) are hard-linked if the file system supports it, which takes no
time and no space. Bytecode is compiled again; its rows in RECORD are ignored.
"""

from __future__ import annotations

import os

from _liveinstall_boot import trees
from _liveinstall_boot.codec import MANIFEST_MAGIC, StaleError, encode_manifest, read, record_rows
from _liveinstall_boot.file_access import open_regular
from _liveinstall_boot.files import remove_tree, sha256
from _liveinstall_boot.process import boot
from liveinstall._model import roots_of
from liveinstall._staging.part import Part, free_path, write_manifest
from liveinstall._system import lean_hash
from liveinstall._system.dist_info import encoded, is_rewritten_script, verifiable_files
from liveinstall.errors import RetiredError, StagingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from liveinstall._model import Candidate, Retired
    from liveinstall._staging.bytecode import BytecodeCompiler
    from liveinstall.results import Target

LINKED_FROM = 2**20  # bytes; smaller files are copied
_Row = tuple[int, int, str, str]
_File = tuple[str, str, str, list[str]]  # the final path, its source, its path in the part, the hashes in RECORD


def restore(
    candidate: Candidate, target: Target, transaction: str, *, replaces: str, compiler: BytecodeCompiler
) -> Part:
    """Make a part from a candidate's retired files. If it raises, nothing is left behind.

    Args:
        candidate: The distribution to restore; its `retired` is not None.
        target: The environment.
        transaction: The id of the transaction, for the manifest.
        replaces: The SHA-256 of the RECORD of the replaced version, for the manifest; empty if there is none.
        compiler: Compiles the announced sources.

    Returns:
        The part.

    Raises:
        RetiredError: A retired file is missing, or its hash is not the one in RECORD.
        StagingError: A file cannot be written.
    """
    assert candidate.retired
    restoration = _Restoration(candidate, candidate.retired, target)
    try:
        os.makedirs(restoration.path)
        write_manifest(restoration.path, MANIFEST_MAGIC + "\n")
        rows = []
        for row in restoration.restore_all():
            compiler.announce(candidate.name, restoration.path, restoration.site_dir, row[3])
            rows.append(row)
        write_manifest(restoration.path, encode_manifest(rows, transaction, replaces, boot(restoration.path)))
    except BaseException as error:
        compiler.cancel()  # otherwise it would write into a removed directory
        remove_tree(restoration.path)
        if isinstance(error, OSError):
            raise StagingError(
                f"{candidate.name} {candidate.version} could not be restored: {error}.",
                todo="Free disk space and try again.",
            ) from None
        raise
    return Part(candidate.name, candidate.version, restoration.path, tuple(restoration.targets), ())


def check_restorable(candidate: Candidate, target: Target) -> None:
    """Check a candidate's retired files as `restore()` does, without writing anything.

    Args:
        candidate: The distribution to restore; its `retired` is not None.
        target: The environment.

    Raises:
        RetiredError: A retired file is missing or unreadable, or its hash is not the one in RECORD.
    """
    assert candidate.retired
    restoration = _Restoration(candidate, candidate.retired, target)
    for _, source, path, hashes in restoration.files():
        restoration.digest(source, path, hashes)


class _Restoration:
    """Restores one distribution. The scheme's directories may have changed since its files were retired."""

    def __init__(self, candidate: Candidate, retired: Retired, target: Target) -> None:
        name, version = candidate.name, candidate.version
        self.candidate = candidate
        self.retired = retired
        self.site_dir = os.path.dirname(retired.info)
        self.path = free_path(self.site_dir, name, version)
        self.source = trees.DistributionTree(retired.root, self.site_dir, retired.site, retired.roots, name, version)
        self.destination = trees.DistributionTree(
            self.path, self.site_dir, target.site, roots_of(target), name, version
        )
        self.targets: list[str] = []

    def restore_all(self) -> Iterator[_Row]:
        """Restore each file in RECORD; the rows of the manifest."""
        for target, source, path, hashes in self.files():
            self.targets.append(target)
            yield self._restore(source, path, hashes)

    def files(self) -> Iterator[_File]:
        """Find the source of each file in RECORD."""
        for inner, hashes in self._recorded().items():
            target = os.path.normpath(os.path.join(self.site_dir, inner))
            is_outside = inner.startswith("../") or os.path.isabs(inner)
            source = os.path.join(self.retired.root, self.source.path_of(target) if is_outside else inner)
            path = self.destination.path_of(target) if is_outside else inner
            # The hash of RECORD itself is known, too: _recorded() has compared it.
            is_verifiable = hashes or inner == f"{os.path.basename(self.retired.info)}/RECORD"
            if is_verifiable and not os.path.lexists(source) and os.path.lexists(target):
                source = target  # it was never retired, because another distribution has the same file
            if os.path.lexists(source) or hashes:
                yield target, source, path, hashes

    def _recorded(self) -> dict[str, list[str]]:
        """The hashes of each file in the retired RECORD, by path."""
        record = os.path.join(self.retired.root, os.path.basename(self.retired.info), "RECORD")
        if not os.path.lexists(record):
            record = os.path.join(self.retired.info, "RECORD")  # the distribution is installed, and was not replaced
        if not os.path.isfile(record) or sha256(record) != self.retired.sha256:
            raise self._damaged(record, "RECORD is missing or damaged")
        try:
            rows = [(os.path.normpath(path).replace(os.sep, "/"), *rest) for path, *rest in record_rows(read(record))]
        except StaleError as error:
            raise self._damaged(record, str(error)) from None
        return {path: [hash for hash, _ in listed if hash] for path, listed in verifiable_files(rows).items()}

    def _restore(self, source: str, path: str, hashes: Sequence[str]) -> _Row:
        full = os.path.join(self.path, *path.split("/"))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        digest = self.digest(source, path, hashes)
        if os.path.islink(source):
            os.symlink(os.readlink(source), full)
            return 0o777, os.lstat(full).st_size, digest.hex(), path
        status = os.stat(source)
        copy_or_link(source, full, status.st_size)
        return status.st_mode & 0o7777, status.st_size, digest.hex(), path

    def digest(self, source: str, path: str, hashes: Sequence[str]) -> bytes:
        """The SHA-256 of an intact file, or of a link's target, which has its own row if it is in a RECORD."""
        if os.path.islink(source):
            return lean_hash.sha256(os.readlink(source).encode()).digest()
        if not os.path.isfile(source):
            raise self._damaged(source, f"{path} is missing")
        try:
            digest = _digest(source, "sha256")
            found = {hash: digest if hash.startswith("sha256=") else _digest(source, hash) for hash in hashes}
        except OSError as error:
            raise self._damaged(source, f"{path} cannot be read ({error.strerror})") from None
        is_intact = not found or any(hash.partition("=")[2] == encoded(value) for hash, value in found.items())
        if not is_intact and not ("/scripts/" in path and is_rewritten_script(source, hashes)):
            raise self._damaged(source, f"{path} does not match its RECORD")
        return digest

    def _damaged(self, path: str, why: str) -> RetiredError:
        name, version = self.candidate.name, self.candidate.version
        return RetiredError(
            f"the old files of {name} {version} cannot be restored: {why}.",
            todo=f'Install it again: liveinstall.install("{name}=={version}"). The remaining files are in '
            f"{self.retired.root}",
            name=name,
            path=path,
            transaction=os.path.basename(os.path.dirname(self.retired.root)),
        )


def _digest(path: str, hash: str) -> bytes:
    """The hash of a file by the algorithm of another hash; empty if that is unknown, so that the comparison fails."""
    with open(path, "rb", opener=open_regular) as stream:
        try:
            from hashlib import file_digest  # loads OpenSSL

            return file_digest(stream, hash.partition("=")[0]).digest()
        except ValueError:
            return b""


def copy_or_link(source: str, target: str, size: int) -> None:
    """Hard-link a large file if that is possible; copy any other one, because people may edit it.

    Args:
        source: The path of the file.
        target: The path of the new file.
        size: The size in bytes.

    Raises:
        OSError: The file cannot be written.
    """
    if size >= LINKED_FROM:
        try:
            os.link(source, target)
        except OSError:
            pass  # FAT, some network file systems, too many links, or a file of another user
        else:
            return
    import shutil  # takes 5 ms, and most requests copy nothing

    with open(source, "rb", opener=open_regular) as stream, open(target, "xb") as out:
        shutil.copyfileobj(stream, out)
    shutil.copystat(source, target)
