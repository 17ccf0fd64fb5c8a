"""The rules for a wheel's zip archive: every reader has to find the same files, and it must not be a zip bomb.

`zipfile` uses the central directory; other readers use each file's local header, or the last directory that they find.
So a wheel is refused unless both agree and there is nothing between the entries (APPNOTE 4.3, PyPI's ZIP advisory).
"""

from __future__ import annotations

import stat
import struct
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable
    from typing import NoReturn

    Refuse = Callable[[str, str], NoReturn]

MAX_FILES = 200_000
MAX_BYTES = 50 * 2**30
MAX_RATIO = 1000  # of a file's size to its packed size, above RATIO_FROM bytes; deflate itself ends at 1032
RATIO_FROM = 64 * 2**20
MAX_TOTAL_RATIO = 100  # of all sizes to the wheel's, above TOTAL_FROM bytes; real wheels end at 30
TOTAL_FROM = 256 * 2**20
_HEADER = struct.Struct("<4s5H3L2H")
_END, _END_64, _LOCATOR_64 = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_STORED, _DEFLATED = 0, 8
_SIZES_64, _SIZES_AFTER, _SIZES_AFTER_64 = struct.Struct("<QQ"), struct.Struct("<LLL"), struct.Struct("<LQQ")
_FIELD = struct.Struct("<HH")
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_SIZES_FOLLOW, _UTF8 = 0x8, 0x800
_BIG = 2**32 - 1
_MOST = (0xFFFF, 0xFFFF, _BIG, _BIG)  # what stands in the end where only the 64-bit one has room for it
_END_MARK = b"PK\5\6"
_TAIL = 2**17  # bytes: more than any true end
_ZIP64, _UNICODE_PATH = 1, 0x7075


def check_archive(archive: zipfile.ZipFile, size: int, refuse: Refuse, file_name: str) -> None:
    """Check an archive.

    Args:
        archive: The archive.
        size: Its size in bytes.
        refuse: Called as `refuse(entry, why)` for the first violation; it raises.
        file_name: The wheel's file name.
    """
    infos = archive.infolist()
    if len(infos) > MAX_FILES:
        refuse(infos[MAX_FILES].filename, f"is one of more than {MAX_FILES} files")
    for info in infos:
        _check_entry(info, refuse)
    total = sum(info.file_size for info in infos)
    if total > MAX_BYTES or (total > TOTAL_FROM and total > MAX_TOTAL_RATIO * size):
        refuse(max(infos, key=lambda info: info.file_size).filename, "and the rest are packed like a bomb")
    stream = archive.fp
    if stream is None:  # pragma: no cover  a caller's mistake
        raise ValueError("the archive is closed")
    position = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset != position:
            what = "shares its data with another file" if info.header_offset < position else "comes after hidden data"
            refuse(info.filename, what)
        position += _check_header(stream, info, refuse)
    if position != archive.start_dir:
        refuse(file_name, "has hidden data before its directory")
    directory = sum(_directory_size(info) for info in infos)
    stream.seek(archive.start_dir + directory)
    if not _is_true_end(stream.read(_TAIL), archive, directory):
        refuse(file_name, "has data after the archive, or an end that does not fit it")


def _check_entry(info: zipfile.ZipInfo, refuse: Refuse) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR and not info.is_dir()):
        refuse(info.filename, "is neither a file nor a directory")
    if info.is_dir() and info.file_size:
        refuse(info.filename, "is a directory with content")
    if info.flag_bits & _ENCRYPTED:
        refuse(info.filename, "is encrypted")
    if info.compress_type not in (_STORED, _DEFLATED):
        refuse(info.filename, f"is compressed in an unusual way ({info.compress_type})")
    if info.orig_filename != info.filename:
        refuse(info.orig_filename, "has a name that ends early")
    if info.file_size > RATIO_FROM and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        refuse(info.filename, "is packed like a bomb")


def _check_header(stream: IO[bytes], info: zipfile.ZipInfo, refuse: Refuse) -> int:
    """Compare a file's local header with the central directory; the bytes that the file takes in the archive."""
    stream.seek(info.header_offset)
    head = stream.read(_HEADER.size)
    if len(head) != _HEADER.size or not head.startswith(b"PK\3\4"):
        refuse(info.filename, "has no header of its own")
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _HEADER.unpack(head)
    name, extra = stream.read(name_length), _fields(stream.read(extra_length))
    if name != _encoded(info) or _UNICODE_PATH in extra or (info.extra and _UNICODE_PATH in _fields(info.extra)):
        refuse(info.filename, "has another name by its own header")
    if _BIG in (packed, size) and len(extra.get(_ZIP64, b"")) == _SIZES_64.size:
        size, packed = _SIZES_64.unpack(extra[_ZIP64])
    said, known = (crc, packed, size), (info.CRC, info.compress_size, info.file_size)
    follow = flags & _SIZES_FOLLOW
    if (flags ^ info.flag_bits) & (_ENCRYPTED | _SIZES_FOLLOW | _UTF8) or method != info.compress_type:
        refuse(info.filename, "is packed in another way by its own header")
    if said != known and not (follow and all(told in (0, true) for told, true in zip(said, known, strict=True))):
        refuse(info.filename, "has another size or checksum by its own header")
    taken: int = _HEADER.size + name_length + extra_length + info.compress_size
    if follow:
        stream.seek(info.header_offset + taken)
        taken += _descriptor_size(stream.read(24), known)
    return taken


def _descriptor_size(found: bytes, known: tuple[int, int, int]) -> int:
    """The size of a data descriptor after the data, in 64 or 32 bits, with or without a signature; 0 without one."""
    for form in (_SIZES_AFTER_64, _SIZES_AFTER):
        if form is _SIZES_AFTER_64 or max(known) <= _BIG:
            sizes = form.pack(*known)
            for mark in (b"PK\7\x08", b""):
                if found.startswith(mark + sizes):
                    return len(mark + sizes)
    return 0


def _encoded(info: zipfile.ZipInfo) -> bytes:
    name = info.orig_filename
    return name.encode("utf-8" if name.isascii() or info.flag_bits & _UTF8 else "cp437")


def _fields(extra: bytes) -> dict[int, bytes]:
    """The parts of an extra field: id -> content."""
    found = {}
    while len(extra) >= _FIELD.size:
        id, length = _FIELD.unpack_from(extra)
        found[id] = extra[_FIELD.size : _FIELD.size + length]
        extra = extra[_FIELD.size + length :]
    return found


def _directory_size(info: zipfile.ZipInfo) -> int:
    return 46 + len(_encoded(info)) + len(info.extra) + len(info.comment)


def _is_true_end(tail: bytes, archive: zipfile.ZipFile, directory: int) -> bool:
    """Whether `tail` is only the correct end record of a central directory of `directory` bytes."""
    count, comment = len(archive.infolist()), archive.comment
    known = [count, count, directory, archive.start_dir]
    at = len(tail) - _END.size - len(comment)
    if at not in (0, _END_64.size + _LOCATOR_64.size) or _END_MARK in comment:
        return False
    _, disk, first, *said, _ = _END.unpack_from(tail, at)
    if at:
        *_, here, other, count, total, length, start = _END_64.unpack_from(tail)
        if [here, other, count, total, length, start] != [0, 0, *known]:
            return False
        said = [known[at] if value == most else value for at, (value, most) in enumerate(zip(said, _MOST, strict=True))]
    return [disk, first, *said] == [0, 0, *known]
