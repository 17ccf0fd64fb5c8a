"""The rules for a wheel's zip archive: every reader has to find the same files, and it must not be a zip bomb.

`zipfile` uses the central directory; other readers use each file's local header, or the last directory that they find.
So a wheel is refused unless both agree and nothing is between the entries (APPNOTE 4.3, PyPI's ZIP advisory).
"""

from __future__ import annotations

import stat
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable
    from typing import IO, NoReturn

    Refuse = Callable[[str, str], NoReturn]

MAX_FILES = 200_000
MAX_BYTES = 50 * 2**30
MAX_RATIO = 1000  # of a file's size to its compressed size, above RATIO_FROM bytes; the limit of deflate itself is 1032
RATIO_FROM = 64 * 2**20
MAX_TOTAL_RATIO = 100  # of the total size to the wheel's size, above TOTAL_FROM bytes; real wheels have at most 30
TOTAL_FROM = 256 * 2**20
_HEADER = struct.Struct("<4s5H3L2H")
_END, _END_64, _LOCATOR_64 = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_STORED, _DEFLATED = 0, 8
_SIZES_64, _SIZES_AFTER, _SIZES_AFTER_64 = struct.Struct("<QQ"), struct.Struct("<LLL"), struct.Struct("<LQQ")
_FIELD = struct.Struct("<HH")
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_SIZES_FOLLOW, _UTF8 = 0x8, 0x800
_BIG = 2**32 - 1
_IN_64 = (0xFFFF, 0xFFFF, _BIG, _BIG)  # the values in the end record that only the 64-bit end record can hold
_END_MARK = b"PK\5\6"
_TAIL = 2**17  # bytes: more than any valid end record
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
        largest = max(infos, key=lambda info: info.file_size)
        refuse(largest.filename, "and the other files are compressed like a zip bomb")
    stream = archive.fp
    if stream is None:  # pragma: no cover  a mistake of the caller
        raise ValueError("the archive is closed")
    position = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset != position:
            shares = info.header_offset < position
            refuse(info.filename, "shares its data with another file" if shares else "follows hidden data")
        position += _check_header(stream, info, refuse)
    if position != archive.start_dir:
        refuse(file_name, "has hidden data before its directory")
    directory = sum(_directory_size(info) for info in infos)
    stream.seek(archive.start_dir + directory)
    if not _is_valid_end(stream.read(_TAIL), archive, directory):
        refuse(file_name, "has data after the archive, or an end record that does not match it")


def _check_entry(info: zipfile.ZipInfo, refuse: Refuse) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR and not info.is_dir()):
        refuse(info.filename, "is neither a file nor a directory")
    if info.is_dir() and info.file_size:
        refuse(info.filename, "is a directory with content")
    if info.flag_bits & _ENCRYPTED:
        refuse(info.filename, "is encrypted")
    if info.compress_type not in (_STORED, _DEFLATED):
        refuse(info.filename, f"has an unsupported compression method ({info.compress_type})")
    if info.orig_filename != info.filename:
        refuse(info.orig_filename, "has a null byte or a backslash in its name")
    if info.file_size > RATIO_FROM and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        refuse(info.filename, "is compressed like a zip bomb")


def _check_header(stream: IO[bytes], info: zipfile.ZipInfo, refuse: Refuse) -> int:
    """Compare a file's local header with the central directory; the size of the file in the archive, in bytes."""
    stream.seek(info.header_offset)
    head = stream.read(_HEADER.size)
    if len(head) != _HEADER.size or not head.startswith(b"PK\3\4"):
        refuse(info.filename, "has no local header")
    _, _, flags, method, _, _, crc, compressed, size, name_length, extra_length = _HEADER.unpack(head)
    name, extra = stream.read(name_length), _fields(stream.read(extra_length))
    if name != _encoded(info) or _UNICODE_PATH in extra or (info.extra and _UNICODE_PATH in _fields(info.extra)):
        refuse(info.filename, "has another name in its local header")
    if _BIG in (compressed, size) and len(extra.get(_ZIP64, b"")) == _SIZES_64.size:
        size, compressed = _SIZES_64.unpack(extra[_ZIP64])
    local, central = (crc, compressed, size), (info.CRC, info.compress_size, info.file_size)
    has_descriptor = flags & _SIZES_FOLLOW
    if (flags ^ info.flag_bits) & (_ENCRYPTED | _SIZES_FOLLOW | _UTF8) or method != info.compress_type:
        refuse(info.filename, "has other flags or another compression method in its local header")
    agree = all(value in (0, known) for value, known in zip(local, central, strict=True))
    if local != central and not (has_descriptor and agree):
        refuse(info.filename, "has another size or checksum in its local header")
    total: int = _HEADER.size + name_length + extra_length + info.compress_size
    if has_descriptor:
        stream.seek(info.header_offset + total)
        total += _descriptor_size(stream.read(24), central)
    return total


def _descriptor_size(data: bytes, central: tuple[int, int, int]) -> int:
    """The size of a data descriptor at the start of `data`, in 64 or 32 bits, with or without a signature; or 0."""
    for form in (_SIZES_AFTER_64, _SIZES_AFTER):
        if form is _SIZES_AFTER_64 or max(central) <= _BIG:
            sizes = form.pack(*central)
            for signature in (b"PK\7\x08", b""):
                if data.startswith(signature + sizes):
                    return len(signature + sizes)
    return 0


def _encoded(info: zipfile.ZipInfo) -> bytes:
    name = info.orig_filename
    return name.encode("utf-8" if name.isascii() or info.flag_bits & _UTF8 else "cp437")


def _fields(extra: bytes) -> dict[int, bytes]:
    """The blocks of an extra field: id -> content."""
    blocks = {}
    while len(extra) >= _FIELD.size:
        id, length = _FIELD.unpack_from(extra)
        blocks[id] = extra[_FIELD.size : _FIELD.size + length]
        extra = extra[_FIELD.size + length :]
    return blocks


def _directory_size(info: zipfile.ZipInfo) -> int:
    return 46 + len(_encoded(info)) + len(info.extra) + len(info.comment)


def _is_valid_end(tail: bytes, archive: zipfile.ZipFile, directory: int) -> bool:
    """Whether `tail` is only the correct end record of a central directory of `directory` bytes."""
    count, comment = len(archive.infolist()), archive.comment
    expected = [count, count, directory, archive.start_dir]
    position = len(tail) - _END.size - len(comment)
    if position not in (0, _END_64.size + _LOCATOR_64.size) or _END_MARK in comment:
        return False
    _, disk, first_disk, *values, _ = _END.unpack_from(tail, position)
    if position:
        *_, disk_64, first_disk_64, count, total, length, start = _END_64.unpack_from(tail)
        if [disk_64, first_disk_64, count, total, length, start] != [0, 0, *expected]:
            return False
        values = [
            known if value == in_64 else value for value, in_64, known in zip(values, _IN_64, expected, strict=True)
        ]
    return [disk, first_disk, *values] == [0, 0, *expected]
