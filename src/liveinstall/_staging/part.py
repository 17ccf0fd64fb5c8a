"""Making a part from a wheel: unpacked or linked into `<name>-<version>.part/`, from where files are only renamed."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager

from _liveinstall_boot.codec import MANIFEST_MAGIC, encode_manifest, stem
from _liveinstall_boot.files import remove_tree
from _liveinstall_boot.layout import MANIFEST, PART
from _liveinstall_boot.process import boot
from liveinstall._staging.policy import Checked, check_wheel, refused, unreadable
from liveinstall._staging.unpacked_wheel import UnpackedWheel
from liveinstall._staging.verified_trees import recall, remember
from liveinstall._staging.writer import Writer
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._system.lean_packaging import compare_versions
from liveinstall._system.letter_case import folds_case
from liveinstall.errors import StagingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator

    from liveinstall._model import Candidate
    from liveinstall._staging.bytecode import BytecodeCompiler
    from liveinstall.results import Target


@dataclass(frozen=True)
class Part:
    """A staged distribution.

    Attributes:
        name: The normalized project name.
        version: The version.
        path: The absolute path of the part.
        files: The final absolute paths of its files.
        notes: Notes for the user.
    """

    name: str
    version: str
    path: str
    files: tuple[str, ...]
    notes: tuple[str, ...]


def stage(
    candidate: Candidate, target: Target, transaction: str, *, replaces: str = "", compiler: BytecodeCompiler
) -> Part:
    """Stage a candidate: unpack its wheel, or link an unpacked one, next to its final location.

    If it raises, nothing is left behind.

    Args:
        candidate: The chosen distribution.
        target: The environment.
        transaction: The id of the transaction, for the manifest.
        replaces: The SHA-256 of the RECORD of the replaced version, for the manifest; empty if there is none.
        compiler: Compiles the announced sources.

    Returns:
        The part.

    Raises:
        WheelRefusedError: The wheel violates a rule of safe unpacking.
        StagingError: A file cannot be written.
    """
    with reading(candidate, target.site) as (archive, checked):
        path = free_path(target.home(purelib=checked.purelib), candidate.name, candidate.version)
        file_name = os.path.basename(archive.filename or "")
        writer = Writer(path, checked, candidate, file_name, target, compiler)
        return _unpack(archive, writer, transaction, replaces)


@contextmanager
def reading(candidate: Candidate, directory: str) -> Iterator[tuple[zipfile.ZipFile | UnpackedWheel, Checked]]:
    """Open and check a candidate's wheel. Errors in the block are reported as failures of this wheel.

    Args:
        candidate: The chosen distribution.
        directory: The directory that the wheel is unpacked into, or one on the same file system, absolute.

    Returns:
        A context manager; it returns the wheel and the result of its check.

    Raises:
        WheelRefusedError: The wheel violates a rule of safe unpacking.
        StagingError: A file cannot be read or written.
    """
    file_name = os.path.basename(candidate.wheel)
    try:
        with _opened(candidate) as archive:
            file_name = os.path.basename(archive.filename or "")
            size, folds = os.path.getsize(candidate.wheel or candidate.unpacked), folds_case(directory)
            known = recall(archive, folds=folds) if isinstance(archive, UnpackedWheel) else None
            checked = known or check_wheel(archive, file_name, size=size, folds=folds)
            if checked.name != candidate.name or compare_versions(checked.version, candidate.version):
                raise refused(file_name, file_name, f"is not {candidate.name} {candidate.version}")
            yield archive, checked
    except unreadable() as error:
        raise refused(file_name, file_name, f"is not a complete wheel ({error})") from None
    except OSError as error:
        raise StagingError(
            f"{candidate.name} {candidate.version} could not be unpacked: {error}.",
            todo="Free disk space and try again.",
        ) from None


def _opened(candidate: Candidate) -> zipfile.ZipFile | UnpackedWheel:
    if candidate.unpacked:
        return UnpackedWheel(candidate.unpacked, candidate.name, candidate.version)
    from zipfile import ZipFile

    return ZipFile(candidate.wheel)


def _unpack(archive: zipfile.ZipFile | UnpackedWheel, writer: Writer, transaction: str, replaces: str) -> Part:
    path, checked = writer.path, writer.checked
    try:
        os.makedirs(path)
        write_manifest(path, MANIFEST_MAGIC + "\n")  # unfinished, but it identifies the directory for a sweep
        fill(archive, writer)
        writer.compiler.restore(path, writer.home, checked.record)
        write_manifest(path, encode_manifest(writer.rows, transaction, replaces, boot(path)))
    except BaseException:
        writer.compiler.cancel()  # otherwise it would write into a removed directory
        remove_tree(path)
        raise
    return Part(checked.name, writer.candidate.version, path, tuple(writer.targets), checked.notes)


def fill(archive: zipfile.ZipFile | UnpackedWheel, writer: Writer) -> None:
    """Write a checked wheel, with INSTALLER and the like, into an existing directory.

    The files of an unpacked wheel are linked; `installer` writes the rest, if there is any, and is loaded only then.

    Args:
        archive: The wheel.
        writer: Writes into the directory.

    Raises:
        WheelRefusedError: A file does not match RECORD.
        OSError: A file cannot be written.
    """
    metadata = _metadata(writer.candidate)
    if isinstance(archive, UnpackedWheel) and writer.candidate.shared:
        writer.link(archive)
    if isinstance(archive, UnpackedWheel) and writer.is_complete(archive):
        writer.complete(archive, metadata)
    else:
        from liveinstall._staging.installer_adapter import install

        install(archive, writer, metadata)
    if isinstance(archive, UnpackedWheel):
        remember(archive, writer.checked)


def write_manifest(path: str, text: str) -> None:
    """Write the manifest of a part.

    Args:
        path: The directory of the part, absolute.
        text: The manifest. Only the magic line marks the part as unfinished, and as one of liveinstall.
    """
    with open(os.path.join(path, MANIFEST), "w", encoding="utf-8", newline="") as stream:
        stream.write(text)


def free_path(home: str, name: str, version: str) -> str:
    """Return the path for a new part, with a number if the same version is staged already.

    Args:
        home: The site directory, absolute.
        name: The normalized project name.
        version: The version.
    """
    base = os.path.join(home, stem(name, version))
    path, number = base + PART, 1
    while os.path.lexists(path):
        path, number = f"{base}-{number}{PART}", number + 1
    return path


def _metadata(candidate: Candidate) -> dict[str, bytes]:
    files = {"INSTALLER": b"liveinstall\n"}
    if candidate.requested:
        files["REQUESTED"] = b""
    if candidate.direct_url is not None:
        files["direct_url.json"] = json.dumps(candidate.direct_url, sort_keys=True).encode()
    return files
