"""What a wheel must be before anything of it is unpacked (design: security). Values in, an error or notes out.

`installer` and pip check less: pip accepts wrong RECORD hashes, both overwrite other distributions' files.
"""

from __future__ import annotations

import csv
import io
import re
import stat
import unicodedata
import zipfile
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import TYPE_CHECKING, NoReturn

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from liveinstall.errors import WheelRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_FILES = 200_000
MAX_BYTES = 50 * 2**30
MAX_RATIO = 1000  # of a member's size to its compressed size, above RATIO_FROM bytes; deflate itself ends at 1032
RATIO_FROM = 64 * 2**20
_ZIP64_END = 76  # bytes of its record and locator
_ROW = 3  # path, hash, size
_HASHES = {"sha256", "sha384", "sha512"}
_ILLEGAL = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$")
_OURS = re.compile(r"(?i)(\.part|\.part\.pth|\.part\.start)$|^\.liveinstall$|^_liveinstall_finalizer_")
_INTERPRETER = re.compile(r"(?i)^(python|pythonw|pypy)[0-9.]*t?(\.exe)?$")
_AT_START = re.compile(r"^[^/]+\.(pth|start)$|^(sitecustomize|usercustomize)(\.py|/__init__\.py)$")
_SCHEMES = {"purelib", "platlib", "headers", "scripts", "data"}


@dataclass(frozen=True)
class Checked:
    """A wheel that passed: its RECORD (path -> (algorithm, hash, size or None)) and what a person should know."""

    name: str
    version: str
    dist_info: str
    data: str
    purelib: bool
    record: Mapping[str, tuple[str, str, int | None]]
    notes: tuple[str, ...]


class _Check:
    def __init__(self, archive: zipfile.ZipFile, file_name: str) -> None:
        self.archive = archive
        self.file_name = file_name

    def refuse(self, entry: str, why: str) -> NoReturn:
        raise WheelRefusedError(
            f"{self.file_name} is refused: {entry!r} {why}.",
            todo="Tell the project, or take another version.",
            wheel=self.file_name,
            entry=entry,
        )


def check_wheel(archive: zipfile.ZipFile, file_name: str, *, size: int) -> Checked:
    """Check a wheel of `size` bytes; WheelRefusedError names the entry that breaks a rule."""
    check = _Check(archive, file_name)
    _check_archive(check, size)
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    _check_names(check, names)
    dist_info = _dist_info(check, names)
    name, version = _check_identity(check, dist_info)
    data = dist_info.removesuffix(".dist-info") + ".data"
    _check_layout(check, names, dist_info, data)
    record = _check_record(check, names, dist_info)
    if f"{dist_info}/entry_points.txt" in names:
        _check_entry_points(check, _text(check, f"{dist_info}/entry_points.txt"))
    return Checked(name, version, dist_info, data, _is_purelib(check, dist_info), record, _start_notes(name, names))


def start_notes(name: str, wheel: str) -> tuple[str, ...]:
    """What of a wheel will run at every start of Python, for a plan; nothing of a wheel that cannot be read."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return _start_notes(name, archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return ()  # staging it will say why


def _start_notes(name: str, paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{name}: {path} runs at every start of Python" for path in paths if _AT_START.match(path))


def _check_archive(check: _Check, size: int) -> None:
    infos = check.archive.infolist()
    if len(infos) > MAX_FILES:
        check.refuse(infos[MAX_FILES].filename, f"is one of more than {MAX_FILES} files")
    if sum(info.file_size for info in infos) > MAX_BYTES:
        check.refuse(max(infos, key=lambda info: info.file_size).filename, "makes it larger than any real wheel")
    for info in infos:
        mode = info.external_attr >> 16
        if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            check.refuse(info.filename, "is neither a file nor a directory")
        if info.flag_bits & 1:
            check.refuse(info.filename, "is encrypted")
        if info.file_size > RATIO_FROM and info.file_size > MAX_RATIO * max(info.compress_size, 1):
            check.refuse(info.filename, "is packed like a bomb")
    first = min((info.header_offset for info in infos), default=0)
    if first:
        check.refuse(check.file_name, "has data before the archive")
    end = check.archive.start_dir + sum(_directory_size(info) for info in infos) + 22 + len(check.archive.comment)
    if not 0 <= size - end <= _ZIP64_END:
        check.refuse(check.file_name, "has data after the archive")


def _directory_size(info: zipfile.ZipInfo) -> int:
    encoded = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
    return 46 + len(encoded) + len(info.extra) + len(info.comment)


def _check_names(check: _Check, names: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        parts = name.split("/")
        if name.startswith("/") or ".." in parts or "" in parts or "." in parts:
            check.refuse(name, "leaves the directory that it belongs in")
        if _ILLEGAL.search(name):
            check.refuse(name, "has a character that not every system allows in a name")
        if any(_RESERVED.match(part) or part.endswith((".", " ")) for part in parts):
            check.refuse(name, "is a name that Windows does not allow")
        if any(_OURS.search(part) for part in parts):
            check.refuse(name, "uses a name that liveinstall keeps for itself")
        folded = unicodedata.normalize("NFC", name).casefold()
        if folded in seen:
            check.refuse(name, f"is the same file as {seen[folded]!r} on some systems")
        seen[folded] = name


def _dist_info(check: _Check, names: Iterable[str]) -> str:
    found = sorted({name.partition("/")[0] for name in names if name.partition("/")[0].endswith(".dist-info")})
    if len(found) != 1:
        check.refuse(", ".join(found) or "*.dist-info", "must be exactly one directory")
    return found[0]


def _check_identity(check: _Check, dist_info: str) -> tuple[str, str]:
    """File name, dist-info and METADATA must name the same distribution."""
    try:
        name, version, *_ = parse_wheel_filename(check.file_name)
    except InvalidWheelFilename as error:
        check.refuse(check.file_name, f"is not a wheel's name ({error})")
    metadata = HeaderParser().parsestr(_text(check, f"{dist_info}/METADATA"))
    own_name, _, own_version = dist_info.removesuffix(".dist-info").partition("-")
    for entry, said, says in (
        (dist_info, own_name, own_version),
        (f"{dist_info}/METADATA", metadata.get("Name", ""), metadata.get("Version", "")),
    ):
        try:
            same = canonicalize_name(said) == name and Version(says) == version
        except InvalidVersion:
            same = False
        if not same:
            check.refuse(entry, f"says {said} {says}, the file name {name} {version}")
    return name, metadata["Version"]


def _check_layout(check: _Check, names: Iterable[str], dist_info: str, data: str) -> None:
    for name in names:
        top, _, rest = name.partition("/")
        if top.endswith(".data"):
            scheme, _, inner = rest.partition("/")
            if top != data or scheme not in _SCHEMES or not inner:
                check.refuse(name, "belongs to no known place")
            if scheme == "scripts" and ("/" in inner or _INTERPRETER.match(inner)):
                check.refuse(name, "would be a script in place of an interpreter or in a subdirectory")
        elif top.endswith((".egg-info", ".egg-link")):
            check.refuse(name, "would register another distribution")
        if name.endswith(".pyc") and "__pycache__" in name:
            continue  # not unpacked: bytecode is the interpreter's business
    for name in (f"{dist_info}/METADATA", f"{dist_info}/WHEEL", f"{dist_info}/RECORD"):
        if name not in names:
            check.refuse(name, "is missing")


def _check_record(check: _Check, names: Iterable[str], dist_info: str) -> dict[str, tuple[str, str, int | None]]:
    """RECORD and archive must be a bijection, with sha256 or stronger."""
    own = {f"{dist_info}/{name}" for name in ("RECORD", "RECORD.jws", "RECORD.p7s")}
    record: dict[str, tuple[str, str, int | None]] = {}
    for row in csv.reader(io.StringIO(_text(check, f"{dist_info}/RECORD"))):
        if not row:
            continue
        if len(row) != _ROW:
            check.refuse(row[0], "is a damaged row of RECORD")
        path, hashed, size = row
        if path in record:
            check.refuse(path, "stands twice in RECORD")
        algorithm, _, digest = hashed.partition("=")
        if path not in own and (algorithm not in _HASHES or not digest):
            check.refuse(path, "has no hash in RECORD, or a weak one")
        record[path] = (algorithm, digest, int(size) if size.isdigit() else None)
    files = set(names)
    for path in sorted(files - set(record) - own):
        check.refuse(path, "is not in RECORD")
    for path in sorted(set(record) - files - own):
        check.refuse(path, "is in RECORD but not in the archive")
    return record


def _check_entry_points(check: _Check, text: str) -> None:
    section = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif line and line[0] not in "#;" and section in ("console_scripts", "gui_scripts"):
            name = line.partition("=")[0].strip()
            if not name or name in (".", "..") or _ILLEGAL.search(name) or "/" in name or _INTERPRETER.match(name):
                check.refuse(name, "is not a name that a script may have")


def _is_purelib(check: _Check, dist_info: str) -> bool:
    wheel = HeaderParser().parsestr(_text(check, f"{dist_info}/WHEEL"))
    if not wheel.get("Wheel-Version", "").startswith("1."):
        check.refuse(f"{dist_info}/WHEEL", f"has the unknown version {wheel.get('Wheel-Version')}")
    return wheel.get("Root-Is-Purelib", "").strip().lower() == "true"


def _text(check: _Check, name: str) -> str:
    try:
        info = check.archive.getinfo(name)
        if info.file_size > 64 * 2**20:
            check.refuse(name, "is far too large")
        return check.archive.read(info).decode("utf-8")
    except KeyError:
        check.refuse(name, "is missing")
    except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError) as error:
        check.refuse(name, f"cannot be read ({error})")
