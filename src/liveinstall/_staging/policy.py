"""The rules that a wheel has to satisfy before it is unpacked; the result is an error, or notes for the user.

They follow the binary distribution format (PEP 427), entry points and RECORD (PEP 376). `installer` and pip check less:
pip accepts wrong RECORD hashes, and both overwrite files of other distributions.
"""

from __future__ import annotations

import io
import os
import re
import sys

from liveinstall._staging.entry_names import check_names
from liveinstall._staging.entry_points import commands_of
from liveinstall._staging.unpacked_wheel import UnpackedWheel, check_tree
from liveinstall._staging.zip_checks import check_archive
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._system.lean_packaging import (
    InvalidVersion,
    InvalidWheelFilename,
    canonicalize_name,
    compare_versions,
    name_and_version,
)
from liveinstall.errors import WheelRefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import NoReturn

MAX_TEXT = 8 * 2**20  # bytes of a file of the dist-info that is read as a whole; RECORD may have four times as many
_KNOWN_FORMAT = r"[01](\.[0-9]+)*"  # Wheel-Version: old builders wrote 0.x, which pip reads as 1.x
_ROW = 3  # path, hash, size
_HASHES = {"sha256", "sha384", "sha512"}
_MOST_DIGITS = 15
_RUNS = "runs at every start of Python"
_IN_SITE = r"^[^/]+\.data/(purelib|platlib)/"
_AT_START = r"[^/]+\.(pth|start)|(site|user)customize(/__init__)?\.[^/]+"
_SITE = r"(?i)(?:lib(?:64)?/python[^/]+|lib)/(?:site|dist)-packages/(.+)"
_STANDARD_LIBRARY = r"(?i)lib(64)?/python[0-9][^/]*/.+"
_SCRIPTS = r"(?i)(?:bin|scripts)/(.+)"
_OBJECT = r"[^\W\d]\w*(\.[^\W\d]\w*)* *: *[^\W\d]\w*(\.[^\W\d]\w*)* *(\[[^\]\n]*\])? *"
# Compiled when they are first used: trees that were checked before need none.
_HEADER = r"([A-Za-z0-9-]++):[ \t]*+([^\r\n]*+(?:\n[ \t][^\r\n]*+)*+)\n"
_PLAIN_HEAD = rf"(?:{_HEADER})*+\n?"
_HEAD_ENDS = r"(?>\r\n|\r|\n)(?>\r\n|\r|\n)"
_SCHEMES = {"purelib", "platlib", "headers", "scripts", "data"}
NOT_ITS_OWN = ("INSTALLER", "REQUESTED", "direct_url.json")  # written by the installing tool, never by a wheel


@dataclass(frozen=True)
class Checked:
    """A wheel that satisfies the rules.

    Attributes:
        name: The normalized project name.
        version: The version, as in METADATA.
        dist_info: The name of the `.dist-info` directory.
        data: The name of the `.data` directory, which need not exist.
        purelib: Whether the root belongs in purelib, else in platlib.
        record: The rows of RECORD: path -> (algorithm, digest in base64 without padding, size in bytes or None).
        left_out: The entries that are not unpacked, because the installing tool writes such files itself.
        commands: The launchers for the entry points: (name, object reference).
        notes: Notes for the user.
    """

    name: str
    version: str
    dist_info: str
    data: str
    purelib: bool
    record: Mapping[str, tuple[str, str, int | None]]
    left_out: frozenset[str]
    commands: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    def is_left_out(self, path: str) -> bool:
        """Return whether an entry is not unpacked: bytecode, and entries of `left_out`."""
        return path in self.left_out or "__pycache__" in path.split("/")


def unreadable(*more: type[BaseException]) -> tuple[type[BaseException], ...]:
    """The errors of `zipfile` for a damaged archive; NotImplementedError and UnicodeDecodeError are subclasses."""
    import struct
    import zipfile
    import zlib

    damaged = (zipfile.BadZipFile, zlib.error, struct.error)
    return *damaged, EOFError, ValueError, RuntimeError, OverflowError, *more


class _WheelPolicy:
    """The wheel that is checked, and its name for errors."""

    def __init__(self, archive: zipfile.ZipFile | UnpackedWheel, file_name: str, *, folds: bool) -> None:
        self.archive = archive
        self.file_name = file_name
        self.folds = folds

    def refuse(self, entry: str, why: str) -> NoReturn:
        raise refused(self.file_name, entry, why)


def refused(wheel: str, entry: str, why: str) -> WheelRefusedError:
    """Make the error for a wheel.

    Args:
        wheel: The wheel's file name.
        entry: The offending entry; may be empty.
        why: The violated rule, as a predicate of the entry.

    Returns:
        The error to raise.
    """
    todo = "Report it to the project's maintainers, or choose another version."
    return WheelRefusedError(f"{wheel} is refused: {entry!r} {why}.", todo=todo, wheel=wheel, entry=entry)


def check_wheel(archive: zipfile.ZipFile | UnpackedWheel, file_name: str, *, size: int, folds: bool = True) -> Checked:
    """Check a wheel.

    Args:
        archive: The archive, or an unpacked wheel.
        file_name: The wheel's file name (PEP 427).
        size: The archive's size in bytes.
        folds: Whether names that differ only in case are one file where the wheel is unpacked; see `folds_case`.

    Returns:
        The checked wheel.

    Raises:
        WheelRefusedError: An entry violates a rule.
    """
    check = _WheelPolicy(archive, file_name, folds=folds)
    if isinstance(archive, UnpackedWheel):
        check_tree(archive, check.refuse)
    else:
        check_archive(archive, size, check.refuse, file_name)
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    directories = [info.filename[:-1] for info in archive.infolist() if info.is_dir()]
    check_names(names, directories, check.refuse, folds=folds)
    dist_info = _dist_info(check, names)
    name, version = _check_identity(check, dist_info)
    data = dist_info.removesuffix(".dist-info") + ".data"
    notes = _check_layout(check, names, dist_info, data)
    record = _check_record(check, names, dist_info)
    left_out = {f"{dist_info}/{own}" for own in ("RECORD", *NOT_ITS_OWN)}
    commands: list[tuple[str, str]] = []
    if f"{dist_info}/entry_points.txt" in names:
        commands = _check_entry_points(check, f"{dist_info}/entry_points.txt")
        replaced = sorted({f"{data}/scripts/{command}" for command, _ in commands}.intersection(names))
        left_out.update(replaced)
        notes += [f"{script} is replaced by the command of the same name" for script in replaced]
    notes = [f"{name}: {note}" for note in notes]
    purelib = _is_purelib(check, dist_info)
    kept = frozenset(left_out)
    return Checked(name, version, dist_info, data, purelib, record, kept, tuple(commands), tuple(notes))


def start_notes(name: str, wheel: str, paths: Iterable[str] = ()) -> tuple[str, ...]:
    """Make notes on the code of a wheel that runs at every start of Python.

    Args:
        name: The normalized project name.
        wheel: The path of the wheel or of the unpacked wheel; empty if it is not on this machine.
        paths: The paths of its files, if it is not on this machine.

    Returns:
        The notes; empty if the wheel cannot be read.
    """
    try:
        if wheel:
            from zipfile import ZipFile

            with UnpackedWheel(wheel, name, "0") if os.path.isdir(wheel) else ZipFile(wheel) as archive:
                paths = archive.namelist()
    except unreadable(OSError):
        return ()  # staging will report the error
    return tuple(f"{name}: {path} {_RUNS}" for path in paths if _runs_at_start(re.sub(_IN_SITE, "", path)))


def _runs_at_start(path: str) -> bool:
    """Whether a file of the site directory is read by every start of Python."""
    may_be = path.endswith((".pth", ".start")) or path.startswith(("sitecustomize", "usercustomize"))
    return may_be and re.fullmatch(_AT_START, path) is not None


def _dist_info(check: _WheelPolicy, names: Iterable[str]) -> str:
    tops = {name.partition("/")[0] for name in names}
    directories = sorted(top for top in tops if top.lower().endswith(".dist-info"))
    if len(directories) != 1:
        check.refuse(", ".join(directories) or "*.dist-info", "must be exactly one directory")
    return directories[0]


def _check_identity(check: _WheelPolicy, dist_info: str) -> tuple[str, str]:
    """Check that the file name, the `.dist-info` directory and METADATA name the same distribution."""
    try:
        name, version = name_and_version(check.file_name)
    except InvalidWheelFilename as error:
        check.refuse(check.file_name, f"is not a valid wheel name ({error})")
    fields = read_head(_text(check, f"{dist_info}/METADATA"))
    for field in ("Name", "Version"):
        if len(fields.get(field.lower(), ())) != 1 or "\n" in fields[field.lower()][0]:
            check.refuse(f"{dist_info}/METADATA", f"must have exactly one {field}")
    (metadata_name,), (metadata_version,) = fields["name"], map(str.strip, fields["version"])
    directory_name, _, directory_version = dist_info.removesuffix(".dist-info").partition("-")
    for entry, entry_name, entry_version in (
        (dist_info, directory_name, directory_version),
        (f"{dist_info}/METADATA", metadata_name, metadata_version),
    ):
        try:
            is_same = canonicalize_name(entry_name) == name and not compare_versions(entry_version, version)
        except InvalidVersion:
            is_same = False
        if not is_same:
            check.refuse(entry, f"is for {entry_name} {entry_version}, but the file name is for {name} {version}")
    return name, metadata_version


def read_head(text: str) -> Mapping[str, Sequence[str]]:
    """Parse the headers of a METADATA or WHEEL file as `email` does (core metadata, PEP 427).

    `email` itself is used only for files with unusual syntax: it is slow to import, and parses descriptions, too.

    Args:
        text: The content of the file.

    Returns:
        Name of the header in lower case -> its values.
    """
    end = re.search(_HEAD_ENDS, text)
    head = text[: end.end()] if end else text
    fields: dict[str, list[str]] = {}
    if re.fullmatch(_PLAIN_HEAD, head):
        for header in re.finditer(_HEADER, head):
            fields.setdefault(header[1].lower(), []).append(header[2])
        return fields
    from email.parser import HeaderParser

    for key, value in HeaderParser().parsestr(head).items():
        fields.setdefault(key.lower(), []).append(value)
    return fields


def _is_standard_library(path: str) -> bool:
    """Whether a data file would be in the standard library; that of Windows is `Lib`, next to others."""
    if os.name == "nt":
        head, _, inner = path.partition("/")
        return head.lower() == "lib" and re.split(r"[/.]", inner)[0] in sys.stdlib_module_names
    return re.fullmatch(_STANDARD_LIBRARY, path) is not None


def _check_layout(check: _WheelPolicy, names: Iterable[str], dist_info: str, data: str) -> list[str]:
    """Check the final locations of all files; return notes for the user."""
    for name in (f"{dist_info}/METADATA", f"{dist_info}/WHEEL", f"{dist_info}/RECORD"):
        if name not in names:
            check.refuse(name, "is missing")
    notes = []
    for name in names:
        scheme, inner = _location(check, name, data)
        if scheme == "scripts" and _is_interpreter(inner):
            check.refuse(name, "would replace an interpreter by a script")
        elif scheme == "data" and (_is_standard_library(inner) or _is_interpreter(inner)):
            check.refuse(name, "would change Python itself")
        elif scheme == "site":
            _check_site(check, name, inner, dist_info)
            if _runs_at_start(inner):
                notes.append(f"{name} {_RUNS}")
    return notes


def _is_interpreter(name: str) -> bool:
    """Whether a program has the name of an interpreter, on any system, or a file that of its configuration."""
    lower = name.lower()
    if lower == "pyvenv.cfg" or lower.endswith("._pth"):
        return True
    stem = next((lower.removesuffix(end) for end in (".exe", ".bat", ".cmd", ".com") if lower.endswith(end)), lower)
    rests = [stem.removeprefix(start) for start in ("pythonw", "python", "pypy") if stem.startswith(start)]
    return any(not rest.removesuffix("t").strip("0123456789.") for rest in rests)


def _location(check: _WheelPolicy, name: str, data: str) -> tuple[str, str]:
    """The scheme of an entry (site, scripts, headers or data), and its path in it."""
    top, _, rest = name.partition("/")
    if not top.lower().endswith(".data"):
        return "site", name
    scheme, _, inner = rest.partition("/")
    if top != data or scheme not in _SCHEMES or not inner:
        check.refuse(name, "has an unknown installation scheme")
    if scheme == "scripts" and "/" in inner:
        check.refuse(name, "would be a script in a subdirectory")
    if scheme in ("purelib", "platlib"):
        return "site", inner
    if scheme == "data":
        for real_scheme, pattern in (("site", _SITE), ("scripts", _SCRIPTS)):
            match = re.fullmatch(pattern, inner)
            if match:
                return real_scheme, match[1]
    return scheme, inner


def _check_site(check: _WheelPolicy, name: str, inner: str, dist_info: str) -> None:
    top = inner.partition("/")[0]
    lower = top.lower()
    is_ours = lower == ".liveinstall" or lower.startswith("_liveinstall_finalizer_")
    if is_ours or lower.endswith((".part", ".part.pth", ".part.start")):
        check.refuse(name, "uses a name that is reserved for liveinstall")
    if lower.endswith((".egg-info", ".egg-link")) or (
        lower.endswith(".dist-info") and (top != dist_info or inner != name)
    ):
        check.refuse(name, "would register another distribution, or the same one twice")


def _check_record(check: _WheelPolicy, names: Iterable[str], dist_info: str) -> dict[str, tuple[str, str, int | None]]:
    """Check that RECORD and archive list the same files, with SHA-256 or a stronger hash."""
    without_hash = {f"{dist_info}/{name}" for name in ("RECORD", "RECORD.jws", "RECORD.p7s")}  # PEP 427
    record: dict[str, tuple[str, str, int | None]] = {}
    for row in _rows(check, f"{dist_info}/RECORD"):
        if len(row) != _ROW or not _is_size(row[2]):
            check.refuse(row[0], "is a damaged row of RECORD")
        path, (hashed, size) = row[0].replace("\\", "/"), row[1:]  # as some builders on Windows wrote it
        if path in record:
            check.refuse(path, "is listed twice in RECORD")
        algorithm, _, digest = hashed.partition("=")
        if path not in without_hash and (algorithm not in _HASHES or not digest):
            check.refuse(path, "has no hash in RECORD, or a weak one")
        record[path] = (algorithm, digest.rstrip("="), int(size) if size else None)
    files = set(names)
    for path in sorted(files - set(record) - without_hash):
        check.refuse(path, "is not in RECORD")
    for path in sorted(set(record) - files - without_hash):
        check.refuse(path, "is in RECORD but not in the archive")
    for info in check.archive.infolist():
        if record.get(info.filename, ("", "", None))[2] not in (None, info.file_size):
            check.refuse(info.filename, "has another size in RECORD")
    return record


def _is_size(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS)


def _rows(check: _WheelPolicy, name: str) -> Iterator[list[str]]:
    """The rows of RECORD without blank lines, which some tools write."""
    import csv

    try:
        yield from filter(None, csv.reader(io.StringIO(_text(check, name, 4 * MAX_TEXT), newline="")))
    except csv.Error as error:
        check.refuse(name, f"cannot be read ({error})")


def _check_entry_points(check: _WheelPolicy, name: str) -> list[tuple[str, str]]:
    """Check the entry points, parsed as `installer` does it, so that no unchecked script is generated."""
    try:
        rows = commands_of(_text(check, name))
    except ValueError as error:
        check.refuse(name, f"cannot be read ({error})")
    for script, target in rows:
        if not script or "/" in script or _is_interpreter(script):
            check.refuse(script, "is not an allowed name of a script")
        plain = ":" in target and all(map(str.isidentifier, target.replace(":", ".", 1).split(".")))
        if not plain and not re.fullmatch(_OBJECT, target):
            check.refuse(script, f"is a script for {target!r}, which is not of the form module:function")
    check_names(dict.fromkeys(script for script, _ in rows), (), check.refuse, folds=check.folds)
    return rows


def _is_purelib(check: _WheelPolicy, dist_info: str) -> bool:
    wheel = read_head(_text(check, f"{dist_info}/WHEEL"))
    version = next(iter(wheel.get("wheel-version", ())), None)
    if version != "1.0" and not re.fullmatch(_KNOWN_FORMAT, (version or "").strip()):
        check.refuse(f"{dist_info}/WHEEL", f"has the unknown version {version} of the format")
    return next(iter(wheel.get("root-is-purelib", ())), "").strip().lower() == "true"


def _text(check: _WheelPolicy, name: str, limit: int = MAX_TEXT) -> str:
    try:
        info = check.archive.getinfo(name)
        if info.file_size > limit:
            check.refuse(name, "is far too large")
        return check.archive.read(info.filename).decode("utf-8")
    except KeyError:
        check.refuse(name, "is missing")
    except unreadable() as error:
        check.refuse(name, f"cannot be read ({error})")
