"""A wheel becomes a part: unpacked by `installer` into `<name>-<version>.part/`, ready to be renamed into place."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import zipfile
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NoReturn

import installer
from installer.destinations import WheelDestination
from installer.exceptions import InstallerError
from installer.records import Hash, RecordEntry
from installer.scripts import InvalidScript, Script
from installer.utils import Scheme, fix_shebang, get_launcher_kind
from packaging.version import Version

import _liveinstall_boot as boot
from _liveinstall_boot.codec import MANIFEST_MAGIC, encode_manifest, stem
from _liveinstall_boot.files import remove_tree
from liveinstall.errors import StagingError
from liveinstall.staging.policy import NOT_ITS_OWN, UNREADABLE, Checked, check_wheel, refused
from liveinstall.staging.source import Source, is_left_out
from liveinstall.staging.unpacked import Tree, link_listed, linked
from liveinstall.staging.writing import CHUNK, LARGE, Rejoined, copy, finish

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from installer.scripts import ScriptSection

    from liveinstall.model import Candidate, Target
    from liveinstall.staging.bytecode import BytecodeCompiler

_MAX_SCRIPT = 2**24  # bytes of a script whose first line is rewritten
_Row = tuple[int, int, str, str]
_Expected = tuple[str, str, int | None] | None  # a row of the wheel's RECORD


@dataclass(frozen=True)
class Part:
    """A staged distribution. `path` is absolute; `files` are where its files will be, absolute."""

    name: str
    version: str
    path: str
    files: tuple[str, ...]
    notes: tuple[str, ...]


def stage(
    candidate: Candidate, target: Target, transaction: str, *, replaces: str = "", compiler: BytecodeCompiler
) -> Part:
    """Unpack a candidate's wheel, or link an unpacked one, beside its place. Leaves nothing behind when it raises.

    `replaces`: sha256 of the RECORD of the version that goes, for the manifest.

    Raises: WheelRefusedError, StagingError.
    """
    with reading(candidate) as (archive, checked):
        destination = PartDestination(checked, candidate, os.path.basename(archive.filename or ""), target, compiler)
        return _unpack(archive, destination, transaction, replaces)


@contextmanager
def reading(candidate: Candidate) -> Iterator[tuple[zipfile.ZipFile | Tree, Checked]]:
    """Open a candidate's wheel and check it by the policy; what goes wrong within is told as its own failure.

    Raises: WheelRefusedError, StagingError.
    """
    file_name = os.path.basename(candidate.wheel)
    try:
        with _opened(candidate) as archive:
            file_name = os.path.basename(archive.filename or "")
            checked = check_wheel(archive, file_name, size=os.path.getsize(candidate.wheel or candidate.unpacked))
            if (checked.name, Version(checked.version)) != (candidate.name, Version(candidate.version)):
                raise refused(file_name, file_name, f"is not {candidate.name} {candidate.version}")
            yield archive, checked
    except UNREADABLE as error:
        raise refused(file_name, file_name, f"is not a whole wheel ({error})") from error
    except OSError as error:
        raise StagingError(
            f"{candidate.name} {candidate.version} could not be unpacked: {error}.", todo="Make room and retry."
        ) from error


def _opened(candidate: Candidate) -> zipfile.ZipFile | Tree:
    if candidate.unpacked:
        return Tree(candidate.unpacked, candidate.name, candidate.version)
    return zipfile.ZipFile(candidate.wheel)


def _unpack(archive: zipfile.ZipFile | Tree, destination: PartDestination, transaction: str, replaces: str) -> Part:
    path, checked = destination.path, destination.checked
    try:
        os.makedirs(path)
        write_manifest(path, MANIFEST_MAGIC + "\n")  # unfinished, but it tells a sweep that the directory is ours
        fill(archive, destination)
        write_manifest(path, encode_manifest(destination.rows, transaction, replaces))
    except BaseException:
        destination.compiler.cancel()  # or it would write into what is removed
        remove_tree(path)
        raise
    return Part(checked.name, destination.candidate.version, path, tuple(destination.targets), checked.notes)


def fill(archive: zipfile.ZipFile | Tree, destination: PartDestination) -> None:
    """Let `installer` write a checked wheel into a destination, which is a directory that exists.

    Raises: WheelRefusedError, OSError.
    """
    try:
        if isinstance(archive, Tree) and destination.candidate.shared:
            destination.link(archive)
        source = Source(archive, destination.checked, destination.linked)
        installer.install(source, destination, _metadata(destination.candidate))
    except (InvalidScript, InstallerError) as error:
        raise refused(destination.file_name, destination.file_name, f"cannot be unpacked ({error})") from error


def write_manifest(path: str, text: str) -> None:
    """Write a part's manifest; the magic line alone says that it is unfinished, and ours."""
    with open(os.path.join(path, boot.MANIFEST), "w", encoding="utf-8", newline="") as stream:
        stream.write(text)


def free_path(home: str, name: str, version: str) -> str:
    """Where a new part goes; numbered when the same version is staged already."""
    base = os.path.join(home, stem(name, version))
    path, number = base + boot.PART, 1
    while os.path.lexists(path):
        path, number = f"{base}-{number}{boot.PART}", number + 1
    return path


def _metadata(candidate: Candidate) -> dict[str, bytes]:
    files = {"INSTALLER": b"liveinstall\n"}
    if candidate.requested:
        files["REQUESTED"] = b""
    if candidate.direct_url is not None:
        files["direct_url.json"] = json.dumps(candidate.direct_url, sort_keys=True).encode()
    return files


class PartDestination(WheelDestination):
    """Writes a wheel's files into a part, hashing while writing and comparing with the wheel's own RECORD."""

    def __init__(
        self, checked: Checked, candidate: Candidate, file_name: str, target: Target, compiler: BytecodeCompiler
    ) -> None:
        self.home = target.home(purelib=checked.purelib)
        self.path = free_path(self.home, candidate.name, candidate.version)
        self.checked = checked
        self.candidate = candidate
        self.compiler = compiler
        self.file_name = file_name
        self.root = "purelib" if checked.purelib else "platlib"
        self.python = target.python
        self.places = {
            "purelib": target.site,
            "platlib": target.platlib,
            "scripts": target.scripts,
            "data": target.data,
            "headers": target.headers,
        }
        self.rows: list[_Row] = []
        self.targets: list[str] = []
        self._data = stem(candidate.name, candidate.version) + ".data"  # as the transaction spells them
        self._directories: set[str] = set()
        self._added = {f"{checked.dist_info}/{name}" for name in NOT_ITS_OWN}
        self._unlisted = self._added | {f"{checked.dist_info}/{name}" for name in ("RECORD.jws", "RECORD.p7s")}
        self._seen: set[str] = set()
        self.linked: dict[str, str] = {}  # path -> its row in RECORD

    def link(self, tree: Tree) -> None:
        """Link what goes to the root and can be linked, at once: through `installer` it takes twice as long."""
        checked, home = self.checked, self.home + os.sep
        listed = {
            path: row
            for path, row in checked.record.items()
            if not path.startswith(checked.data + "/") and not is_left_out(path, checked)
        }

        def refuse(path: str, why: str) -> NoReturn:
            raise refused(self.file_name, path, why)

        for found in link_listed(tree, listed, self.path, refuse):
            path = found.path
            target = home + path.replace("/", os.sep)
            self._seen.add(target)
            self.targets.append(target)
            self.rows.append((found.mode, found.size, found.sha256.hex(), path))
            self.linked[path] = _quoted((path, f"sha256={_base64(found.sha256)}", str(found.size)))
            self.compiler.announce(checked.name, self.path, self.home, path)

    def write_file(
        self, scheme: Scheme, path: str | os.PathLike[str], stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:
        """Write one file of the wheel, or of the metadata that is added to it."""
        path = os.fspath(path)
        source = path if scheme == self.root and path in self.checked.record else f"{self.checked.data}/{scheme}/{path}"
        expected = None if path in self._added else self.checked.record.get(source)
        if expected is None and path not in self._unlisted:  # the policy has seen to it; a second look costs nothing
            raise refused(self.file_name, source, "is not in RECORD")
        try:
            return self._write_checked(scheme, path, stream, executable=is_executable, source=source, expected=expected)
        except UNREADABLE as error:
            raise refused(self.file_name, source, f"cannot be unpacked ({error})") from error

    def _write_checked(
        self, scheme: Scheme, path: str, stream: BinaryIO, *, executable: bool, source: str, expected: _Expected
    ) -> RecordEntry:
        if scheme == "scripts":
            head = stream.read(CHUNK)
            if head.startswith(b"#!python"):
                content = head + stream.read(_MAX_SCRIPT)
                if len(content) > _MAX_SCRIPT:
                    raise refused(self.file_name, source, "is far too large for a script of Python")
                self._compare(source, expected, len(content), _digest(expected, content))
                with fix_shebang(io.BytesIO(content), self.python) as fixed:
                    return self._write(scheme, path, fixed, executable=True, source=source)
            stream = Rejoined(head, stream)  # type: ignore[assignment]
            executable = True
        return self._write(scheme, path, stream, executable=executable, source=source, expected=expected)

    def write_script(self, name: str, module: str, attr: str, section: ScriptSection) -> RecordEntry:
        """Write the launcher of an entry point."""
        file_name, data = Script(name, module, attr, section).generate(self.python, get_launcher_kind())
        return self._write(Scheme("scripts"), file_name, io.BytesIO(data), executable=True)

    def finalize_installation(
        self, scheme: Scheme, record_file_path: str, records: Iterable[tuple[Scheme, RecordEntry]]
    ) -> None:
        """Write RECORD as it will be right at the final place."""
        text = "".join(self.linked.values()) + "".join(
            _quoted(entry.to_row(self._prefix(entry_scheme))) for entry_scheme, entry in records
        )
        self._write(scheme, record_file_path, io.BytesIO(text.encode()), executable=False)

    def _prefix(self, scheme: str) -> str | None:
        if self.places[scheme] == self.home:
            return None
        place = self.places[scheme]
        if scheme == "headers":
            place = os.path.join(place, self.checked.name)
        return os.path.relpath(place, self.home).replace(os.sep, "/") + "/"

    def _inner(self, scheme: str, path: str) -> str:
        """Where a file lies in the part."""
        if self.places[scheme] == self.home:
            return path
        return f"{self._data}/{scheme}/{self.checked.name + '/' if scheme == 'headers' else ''}{path}"

    def _write(
        self,
        scheme: Scheme,
        path: str,
        stream: BinaryIO,
        *,
        executable: bool,
        source: str = "",
        expected: _Expected = None,
    ) -> RecordEntry:
        inner, target = self._inner(scheme, path), self._target(scheme, path, source)
        full = os.path.join(self.path, *inner.split("/"))
        directory = os.path.dirname(full)
        if directory not in self._directories:
            os.makedirs(directory, exist_ok=True)
            self._directories.add(directory)
        sha256 = hashlib.sha256()
        other = hashlib.new(expected[0]) if expected and expected[0] not in ("sha256", "") else None
        hashes = [sha256, other] if other else [sha256]
        mode = linked(stream, full, executable=executable) if self.candidate.shared else None
        with nullcontext() if mode is not None else open(full, "xb", buffering=0) as out:
            size = copy(stream, out, hashes, large=bool(expected and (expected[2] or 0) > LARGE))
            if out:
                mode = finish(out, executable=executable)
        if expected:
            self._compare(source, expected, size, (other or sha256).digest())
        self.compiler.announce(self.checked.name, self.path, self.home, inner)
        assert mode is not None
        self.rows.append((mode, size, sha256.hexdigest(), inner))
        self.targets.append(target)
        return RecordEntry(path, Hash("sha256", _base64(sha256.digest())), size)

    def _target(self, scheme: Scheme, path: str, source: str) -> str:
        """Where a file will be. Two entries may get there by two ways, of which the last would win."""
        target = os.path.normpath(os.path.join(self.home, self._prefix(scheme) or "", path))
        if target in self._seen:
            raise refused(self.file_name, source or path, "would be written twice")
        self._seen.add(target)
        return target

    def _compare(self, source: str, expected: _Expected, size: int, digest: bytes) -> None:
        if expected and expected[1] and (expected[2] not in (None, size) or expected[1] != _base64(digest)):
            raise refused(self.file_name, source, "is not what its RECORD says")


def _digest(expected: _Expected, content: bytes) -> bytes:
    return hashlib.new((expected and expected[0]) or "sha256", content).digest()


def _base64(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def _quoted(row: Iterable[str]) -> str:
    path, *rest = row
    if "," not in path and '"' not in path:
        return ",".join([path, *rest]) + "\n"
    doubled = path.replace('"', '""')
    return ",".join([f'"{doubled}"', *rest]) + "\n"
