"""Hostile wheels, made to order: `KINDS` lists them, `build()` makes one. Only the standard library is needed.

Each kind is a good wheel with one thing wrong, named for that, so that kinds never meet in an environment. The same
wheels are tried with liveinstall (tests/staging/test_hostile.py) and other installers (integration/reports/).
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

_DATE = 0x21  # 1 January 1980: the same wheel each time
_UTF8 = 0x800
_LIBRARY = "Lib" if os.name == "nt" else f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
_SITE = f"{_LIBRARY}/site-packages"
_LATE = b"VALUE = 1\n"
VICTIM = "victim"  # an installed distribution: its package, and its script victim-run


@lru_cache(maxsize=4)
def _deflated(data: bytes) -> bytes:
    deflate = zlib.compressobj(9, wbits=-15)
    return deflate.compress(data) + deflate.flush()


@dataclass
class Entry:
    """A file of the archive, with incorrect values in its headers, if any.

    `size` and `crc` stand in both headers, `local_name` and `local_size` only in its own. `sharing` are further entries
    whose headers lie within this one's, over the same data.
    """

    name: str
    data: bytes = b""
    mode: int = 0o100644
    method: int = zlib.DEFLATED
    flags: int = 0
    extra: bytes = b""
    size: int | None = None
    crc: int | None = None
    local_name: str | None = None
    local_size: int | None = None
    raw_name: bytes = b""
    sharing: list[Entry] = field(default_factory=list)

    def packed(self) -> bytes:
        """The data in the archive."""
        return _deflated(self.data) if self.method == zlib.DEFLATED else self.data

    def _fields(self, size: int | None = None) -> tuple[int, ...]:
        size = (len(self.data) if self.size is None else self.size) if size is None else size
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        flags = self.flags | (0 if self.raw_name or self.name.isascii() else _UTF8)
        return flags, self.method, 0, _DATE, crc, len(self.packed()), min(size, 2**32 - 1)

    def local(self, rest: bytes = b"") -> bytes:
        """Its own header; `rest` goes into the extra field."""
        name = self.raw_name or (self.name if self.local_name is None else self.local_name).encode()
        extra = struct.pack("<HH", 0x9999, len(rest)) + rest if rest else self.extra
        if (self.size or 0) >= 2**32:
            extra += struct.pack("<HHQQ", 1, 16, self.size, len(self.packed()))
        head = struct.pack("<4s5H3L2H", b"PK\3\4", 20, *self._fields(self.local_size), len(name), len(extra))
        return head + name + extra

    def central(self, offset: int) -> bytes:
        """Its row in the archive's directory."""
        name, extra = self.raw_name or self.name.encode(), self.extra
        if (self.size or 0) >= 2**32:
            extra += struct.pack("<HHQ", 1, 8, self.size)
        lengths = (len(name), len(extra), 0, 0, 0)
        where = (self.mode << 16, offset)
        return struct.pack("<4s6H3L5H2L", b"PK\1\2", 3 << 8 | 20, 20, *self._fields(), *lengths, *where) + name + extra


def pack(entries: list[Entry], *, comment: bytes = b"", count: int | None = None, gap: bytes = b"") -> bytes:
    """A zip archive. `count` is the number of files in its end record; `gap` is before its directory."""
    body, directory, rows = bytearray(), bytearray(), 0
    for entry in entries:
        heads: list[bytes] = []
        for each in reversed([entry, *entry.sharing]):
            heads.insert(0, each.local(heads[0] if heads else b""))
        for each, head in zip([entry, *entry.sharing], heads, strict=True):
            directory += each.central(len(body) + len(heads[0]) - len(head))
            rows += 1
        body += heads[0] + entry.packed()
    body += gap
    rows = rows if count is None else count
    end = b""
    if rows > 0xFFFF:
        record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, rows, rows, len(directory), len(body))
        end = record + struct.pack("<4sLQL", b"PK\6\7", 0, len(body) + len(directory), 1)
    rows = min(rows, 0xFFFF)
    end += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, rows, rows, len(directory), len(body), len(comment))
    return bytes(body + directory + end + comment)


class Draft:
    """A valid wheel of a distribution `name`, to be spoilt. `outside` is a directory that no wheel may write to."""

    def __init__(self, name: str, outside: Path) -> None:
        self.name = name
        self.outside = outside
        self.file_name = f"{name}-1.0-py3-none-any.whl"
        self.info, self.data = f"{name}-1.0.dist-info", f"{name}-1.0.data"
        self.entries: list[Entry] = []
        self.edit_record: Callable[[bytes], bytes] | None = lambda text: text
        self.zip: dict[str, object] = {}
        self.edit_archive: Callable[[bytes], bytes] = lambda data: data
        self.add(f"{name}/__init__.py", f"NAME = {name!r}\n\n\ndef main():\n    print(NAME)\n")
        self.add(f"{name}/late.py", _LATE)
        self.add(f"{self.info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel = "Wheel-Version: 1.0\nGenerator: hostile\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        self.add(f"{self.info}/WHEEL", wheel)

    def add(self, name: str, data: bytes | str = b"escaped = True\n", **claims: object) -> Entry:
        """One more file; it gets its row in RECORD."""
        entry = Entry(name, data.encode() if isinstance(data, str) else data, **claims)  # type: ignore[arg-type]
        self.entries.append(entry)
        return entry

    def __getitem__(self, end: str) -> Entry:
        """The file with a name that ends like this."""
        return next(entry for entry in self.entries if entry.name.endswith(end))

    def drop(self, end: str) -> None:
        """Omit a file."""
        self.entries.remove(self[end])

    def edit(self, end: str, old: str, new: str) -> None:
        """Write `new` for `old` in a file."""
        entry = self[end]
        assert old.encode() in entry.data
        entry.data = entry.data.replace(old.encode(), new.encode())

    def rename(self, old: str, new: str) -> None:
        """Rename the directory `old` to `new`."""
        for entry in self.entries:
            entry.name = new + entry.name.removeprefix(old) if entry.name.startswith(old) else entry.name
        self.info = new if self.info == old else self.info

    def record(self) -> bytes:
        """RECORD, as it should be."""
        files = [entry for each in self.entries for entry in (each, *each.sharing) if not entry.name.endswith("/")]
        rows = [f"{_quoted(entry.name)},sha256={_digest(entry.data)},{len(entry.data)}" for entry in files]
        return "\n".join([*rows, f"{self.info}/RECORD,,", ""]).encode()

    def write(self, directory: Path) -> Path:
        """The wheel, in `directory`."""
        entries = list(self.entries)
        if self.edit_record:
            entries.append(Entry(f"{self.info}/RECORD", self.edit_record(self.record())))
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / self.file_name
        path.write_bytes(self.edit_archive(pack(entries, **self.zip)))  # type: ignore[arg-type]
        return path


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""')) if set(name) & set(',"\n\r') else name


def _digest(data: bytes, algorithm: str = "sha256") -> str:
    return base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).decode().rstrip("=")


Spoil = Callable[[Draft], object]


@dataclass(frozen=True)
class Kind:
    """One way to be hostile. Real wheels do what is `shown` in the notes, or `omitted`, too; all else is refused.

    What is `two files` is accepted where the file system does not fold case, and refused elsewhere.
    """

    name: str
    group: str
    aim: str
    spoil: Spoil

    @property
    def expected(self) -> str:
        """The expected outcome: refused, shown, omitted, or kept as two files."""
        return self.group if self.group in ("shown", "omitted", "two files") else "refused"


def _add(name: str, data: bytes | str = b"escaped = True\n", **claims: object) -> Spoil:
    """One more file; {name}, {info}, {data} and {outside} stand for the wheel's own."""
    return lambda d: d.add(name.format(**vars(d)), data, **claims)


def _edit(end: str, old: str, new: str) -> Spoil:
    return lambda d: d.edit(end, old, new)


def _record(change: Callable[[list[str], Draft], list[str]]) -> Spoil:
    """Edit the rows of RECORD; the row of late.py is the second."""

    def spoil(d: Draft) -> None:
        d.edit_record = lambda text: "\n".join([*change(text.decode().splitlines(), d), ""]).encode()

    return spoil


def _late(change: Callable[[str, str, str], str]) -> Spoil:
    """Edit late.py's row: `change(path, hash, size)`."""
    return _record(lambda rows, _: [rows[0], change(*rows[1].split(",")), *rows[2:]])


def _entry_points(text: str) -> Spoil:
    return lambda d: d.add(f"{d.info}/entry_points.txt", text.format(name=d.name))


def _set(**values: object) -> Spoil:
    """Set attributes of late.py's entry."""
    return lambda d: [setattr(d["late.py"], name, value) for name, value in values.items()]


def _zip(**values: object) -> Spoil:
    return lambda d: d.zip.update(values)


def _archive(change: Callable[[bytes], bytes]) -> Spoil:
    return lambda d: setattr(d, "edit_archive", change)


def _both(*spoils: Spoil) -> Spoil:
    return lambda d: [spoil(d) for spoil in spoils]


def _file_name(text: str) -> Spoil:
    return lambda d: setattr(d, "file_name", text.format(name=d.name))


def _elsewhere() -> bytes:
    """Another complete archive, to be hidden in one."""
    return pack([Entry("hidden/__init__.py", b"escaped = True\n")])


def _identity() -> Iterator[tuple[str, str, Spoil]]:
    yield "name_in_file_name", "the file name has another project", _file_name("other-1.0-py3-none-any.whl")
    yield "version_in_file_name", "the file name has another version", _file_name("{name}-2.0-py3-none-any.whl")
    yield "no_version_in_file_name", "its version is invalid", _file_name("{name}-one-py3-none-any.whl")
    yield "name_in_dist_info", "dist-info has another project", lambda d: d.rename(d.info, "other-1.0.dist-info")
    yield "version_in_dist_info", "other version", lambda d: d.rename(d.info, f"{d.name}-2.0.dist-info")
    yield "name_in_metadata", "METADATA has another project", lambda d: d.edit("METADATA", d.name, "other")
    yield "version_in_metadata", "other version", _edit("METADATA", "\nVersion: 1.0", "\nVersion: 2.0")
    yield "two_names", "METADATA has two names", _edit("METADATA", "\nVersion", "\nName: other\nVersion")
    yield "two_versions", "METADATA has two versions", _edit("METADATA", "\nVersion", "\nVersion: 1.0\nVersion")
    yield "no_name", "METADATA has no name", lambda d: d.edit("METADATA", f"Name: {d.name}\n", "")
    yield "code_as_version", "its version is code", _edit("METADATA", "\nVersion: 1.0", "\nVersion: 1.0;import os")
    yield "folded_version", "a line break in its version", _edit("METADATA", "\nVersion: 1.0", "\nVersion: 1.0\n ")
    yield "metadata_not_utf8", "bytes that are not text", lambda d: setattr(d["METADATA"], "data", b"Name: \xff\n")
    yield "no_metadata", "no METADATA", lambda d: d.drop("METADATA")
    yield "no_wheel_file", "no WHEEL", lambda d: d.drop("WHEEL")
    yield "no_record", "no RECORD", lambda d: setattr(d, "edit_record", None)
    yield "no_wheel_version", "WHEEL has no version", _edit("WHEEL", "Wheel-Version: 1.0\n", "")
    yield "new_wheel_version", "an unknown format", _edit("WHEEL", "Wheel-Version: 1.0", "Wheel-Version: 9.0")
    yield "no_dist_info", "no dist-info at all", lambda d: d.rename(d.info, f"{d.name}/info")
    yield "two_dist_infos", "a second project is registered", _add("other-1.0.dist-info/METADATA", "Name: other\n")
    yield "loud_dist_info", "the same in capitals", _add("other-1.0.DIST-INFO/METADATA", "Name: other\nVersion: 1\n")
    yield "dist_info_by_data", "the same through purelib", _add("{data}/purelib/other-1.0.dist-info/METADATA")
    yield "egg_info", "an egg-info registers another project", _add("other.egg-info/PKG-INFO", "Name: other\n")
    yield "egg_link", "an egg-link registers another project", _add("other.egg-link", "/somewhere\n")


def _records() -> Iterator[tuple[str, str, Spoil]]:
    yield "not_in_record", "a file that is not in RECORD", _record(lambda rows, _: rows[:1] + rows[2:])
    yield "only_in_record", "a row without a file", _record(lambda rows, d: [f"{d.name}/x.py,sha256=x,1", *rows])
    yield "outside_in_record", "a row for a file outside", _record(lambda rows, _: ["../../../x,,", *rows])
    yield "twice_in_record", "two rows for a file", _record(lambda rows, _: [*rows, rows[1]])
    yield "wrong_hash", "another hash", _late(lambda path, _, size: f"{path},sha256={_digest(b'other')},{size}")
    yield "weak_hash", "md5", _late(_hashed("md5"))
    yield "sha1_hash", "sha1", _late(_hashed("sha1"))
    yield "no_hash", "no hash", _late(lambda path, _, size: f"{path},,{size}")
    yield "unknown_hash", "an unknown hash", _late(lambda path, _, size: f"{path},crc99=AAAA,{size}")
    yield "wrong_size", "another size", _late(lambda path, hash, _: f"{path},{hash},11")
    yield "no_number_as_size", "a size that is not a number", _late(lambda path, hash, _: f"{path},{hash},²")
    yield "short_row", "a row of two fields", _late(lambda path, hash, _: f"{path},{hash}")
    yield "long_row", "an unterminated field", _late(lambda path, hash, size: f"{path},{hash},{size}{'0' * 200_000}")
    yield (
        "record_not_utf8",
        "bytes that are not text",
        lambda d: setattr(d, "edit_record", lambda text: text + b"\xff,,"),
    )
    loud = _edit("WHEEL", "Root-Is-Purelib: true", "Root-Is-Purelib: TRUE")
    yield "wrong_hash_loud", "Root-Is-Purelib: TRUE, and another hash", _both(loud, _set_wrong_hash)
    by_data = _both(_add("{data}/purelib/{name}/more.py", b"a = 1\n"), _record(_other_last_hash))
    yield "wrong_hash_by_data", "another hash of a file through purelib", by_data


def _hashed(algorithm: str) -> Callable[[str, str, str], str]:
    """A correct hash of another algorithm."""
    return lambda path, _, size: f"{path},{algorithm}={_digest(_LATE, algorithm)},{size}"


def _other_last_hash(rows: list[str], _: Draft) -> list[str]:
    path, _, size = rows[-2].split(",")
    return [*rows[:-2], f"{path},sha256={_digest(b'other')},{size}", rows[-1]]


def _set_wrong_hash(d: Draft) -> None:
    d.edit_record = lambda text: text.replace(_digest(d["late.py"].data).encode(), _digest(b"other").encode())


def _names() -> Iterator[tuple[str, str, Spoil]]:
    yield "traversal", "../ out of site-packages", _add("../../../../escaped.py")
    yield "inner_traversal", "the same inside the path", _add("{name}/../../../../../escaped.py")
    yield "traversal_by_data", "../ out of a scheme", _add("{data}/data/../escaped.py")
    yield "directory_traversal", "a directory outside", _add("../../../../escaped/", b"", mode=0o40755)
    yield "absolute", "an absolute path", _add("{outside}/escaped.py")
    yield "drive", "a drive letter", _add("C:/escaped.py")
    yield "share", "a network share", _add("//host/share/escaped.py")
    yield "backslash", "..\\ out of site-packages", _add("..\\..\\escaped.py")
    yield "nul", "a NUL, where some tools stop reading", _add("{name}/a.py\0.txt")
    yield "line_break", "a line break, which corrupts RECORD", _add("{name}/a\nb.py")
    yield "line_separator", "U+2028, a line break for some tools", _add("{name}/a\u2028b.py")
    yield "escape_code", "an escape code for the terminal", _add("{name}/\x1b[2Ja.py")
    yield "delete_character", "DEL", _add("{name}/a\x7f.py")
    yield "right_to_left", "a name in right-to-left order", _add("{name}/a\u202eyp.txt")
    yield "stream", "a stream of another file, on Windows", _add("{name}/__init__.py:hidden")
    yield "device_name", "a device, on Windows", _add("{name}/NUL")
    yield "device_name_py", "a device with a suffix", _add("{name}/aux.py")
    yield "device_name_superscript", "COM¹, also a device", _add("{name}/com¹.txt")
    yield "trailing_dot", "a dot that Windows drops", _add("{name}/__init__.py.")
    yield "trailing_space", "a space that Windows drops", _add("{name}/__init__.py ")
    yield "empty_part", "an empty component", _add("{name}//a.py")
    yield "dot_part", "a component that is a dot", _add("{name}/./__init__.py")
    yield "long_name", "longer than file systems allow", _add("{name}/" + "a" * 300 + ".py")
    yield "long_path", "a path of 6,000 characters", _add("{name}/" + "abcde/" * 1000 + "a.py")
    unicode = _both(_add("{name}/\u00e9.py", b"a = 1\n"), _add("{name}/e\u0301.py"))
    yield "unicode_twin", "one file, if Unicode is normalised", unicode
    yield "duplicate", "two files with one name", _add("{name}/__init__.py")
    yield "file_and_directory", "a file that is also a directory", _add("{name}/late.py/a.py")
    yield "our_part", "a part of liveinstall", _add("other-1.0.part/a.py")
    yield "our_companion", "a companion of liveinstall", _add("other-1.0.part.pth", "import os\n")
    yield "our_companion_by_data", "the same through purelib", _add("{data}/purelib/other-1.0.part.pth", "")
    yield "our_state", "the state of liveinstall", _add(".liveinstall/transactions/1.pending")


def _archives() -> Iterator[tuple[str, str, Spoil]]:
    yield "symlink", "a symbolic link", _add("{name}/link", "/etc/passwd", mode=0o120777)
    through = _both(_add("{name}/way", "../../../..", mode=0o120777), _add("{name}/way/escaped.py"))
    yield "through_symlink", "a file through a link", through
    yield "device", "a device", _add("{name}/device", b"", mode=0o020666)
    yield "fifo", "a pipe", _add("{name}/pipe", b"", mode=0o010666)
    yield "encrypted", "an encrypted file", _set(flags=1)
    yield "strongly_encrypted", "the same with another flag", _set(flags=0x40)
    yield "unknown_compression", "an unknown compression method", _set(method=99)
    yield (
        "new_zip",
        "a future version of zip",
        _archive(lambda data: data.replace(b"PK\1\2\x14\3\x14", b"PK\1\2\x14\3\x63")),
    )
    yield "truncated", "the end is missing", _archive(lambda data: data[:-30])
    yield "no_archive", "no archive at all", _archive(lambda data: b"#!/bin/sh\n" + bytes(1000))
    yield "empty", "an empty file", _archive(lambda data: b"")
    yield "prepended", "a program before the archive", _archive(lambda data: b"MZ" + bytes(500) + data)
    yield "appended", "data after it", _archive(lambda data: data + bytes(40))
    yield "two_archives", "a second archive after it", _archive(lambda data: data + _elsewhere())
    yield "archive_in_comment", "a second archive in its comment", _zip(comment=_elsewhere())
    yield "hidden_file", "a file that is not in its directory", _zip(gap=Entry("hidden.py").local())
    yield "count_of_files", "its end record counts fewer files", _zip(count=2)
    yield "local_name", "a file's local header has another name", lambda d: _set(local_name=f"{d.name}/evil.py")(d)
    yield "local_size", "a file's local header has another size", _set(local_size=3)
    yield "unicode_path", "a second name in an extra field", _set(extra=_unicode_path("escaped.py"))
    yield "name_not_utf8", "a name that is not text", lambda d: d.add("x", raw_name=b"x/\xff.py", flags=_UTF8)
    yield "wrong_crc", "another checksum", _set(crc=1)
    yield "damaged_data", "data that cannot be unpacked", _damaged
    yield "smaller_than_it_is", "its header has a smaller size", _set(size=3)
    yield "larger_than_it_is", "its header has a larger size", _set(size=3000)


def _unicode_path(name: str) -> bytes:
    return struct.pack("<HHBL", 0x7075, 5 + len(name), 1, 0) + name.encode()


def _damaged(d: Draft) -> None:
    entry = d.add(f"{d.name}/data.txt", b"a text that repeats, a text that repeats " * 20)
    packed = entry.packed()
    d.edit_archive = lambda data: data.replace(packed, b"\xff" * len(packed))


def _bombs() -> Iterator[tuple[str, str, Spoil]]:
    yield "ratio", "70 MiB of zeros", _add("{name}/zeros", bytes(70 * 2**20))
    yield "many_zeros", "480 MiB in pieces that are each harmless", _many_zeros
    yield "claimed_size", "its header claims 60 GiB", _set(size=60 * 2**30)
    yield "overlapping", "many files over the same data", _overlapping
    yield "many_files", "more files than any real wheel", _many_files
    yield "large_metadata", "METADATA of 40 MiB", lambda d: d.edit("METADATA", "1.0\n", "1.0\n\n" + " " * 40 * 2**20)


def _many_zeros(d: Draft) -> None:
    zeros = bytes(60 * 2**20)
    for number in range(8):
        d.add(f"{d.name}/zeros{number}", zeros)


def _overlapping(d: Draft) -> None:
    zeros = bytes(10 * 2**20)
    first = d.add(f"{d.name}/zeros", zeros)
    first.sharing = [Entry(f"{d.name}/zeros{number}", zeros) for number in range(20)]


def _many_files(d: Draft) -> None:
    d.entries += [Entry(f"{d.name}/{number}", method=0) for number in range(200_001)]


def _scripts() -> Iterator[tuple[str, str, Spoil]]:
    evil = "#!python\nprint('escaped')\n"
    console = "[console_scripts]\n"
    yield "script_python", "a script in place of the interpreter", _add("{data}/scripts/python3", evil)
    yield "script_below", "a script in a directory", _add("{data}/scripts/below/tool", evil)
    yield "script_activate", "a script in place of activate", _add("{data}/scripts/activate", evil)
    yield (
        "entry_point_python",
        "a command in place of the interpreter",
        _entry_points(console + "python3 = {name}:main\n"),
    )
    yield "entry_point_path", "a command with a path", _entry_points(console + "../../../escaped = {name}:main\n")
    hidden = "[DEFAULT]\npython3 = {name}:main\n" + console + "tool = {name}:main\n"
    yield "entry_point_default", "the interpreter through [DEFAULT]", _entry_points(hidden)
    yield "entry_point_code", "code for an object", _entry_points(console + "tool = {name}:main();import os\n")
    yield "entry_point_line", "a second line of code", _entry_points(console + "tool = {name}:main\n  import os\n")
    yield "entry_point_module", "a command without a function", _entry_points(console + "tool = {name}\n")
    yield "entry_point_space", "a name with a line break", _entry_points(console + "tool\x85x = {name}:main\n")
    yield "entry_points_broken", "no section", _entry_points("tool = {name}:main\n")
    yield "entry_points_percent", "a broken substitution", _entry_points(console + "tool = %(x)s\n")


def _places() -> Iterator[tuple[str, str, Spoil]]:
    yield "unknown_scheme", "an unknown scheme", _add("{data}/etc/passwd")
    yield "no_scheme", "a file outside of the schemes", _add("{data}/passwd")
    yield "foreign_data", "another project's .data", _add("other-1.0.data/scripts/tool")
    yield "twice_by_purelib", "one file through two schemes", _add("{data}/purelib/{name}/late.py")
    yield "twice_by_data", "the same through data", _add("{data}/data/" + _SITE + "/{name}/late.py")
    yield "interpreter_by_data", "the interpreter through data", _add("{data}/data/bin/python3", "#!/bin/sh\n")
    yield "settings_by_data", "pyvenv.cfg of the environment", _add("{data}/data/pyvenv.cfg", "home = /x\n")
    stdlib = _add("{data}/data/" + _SITE.rpartition("/")[0] + "/json/__init__.py")
    yield "stdlib_by_data", "the standard library through data", stdlib
    yield "other_package", "a file of another project", _add(f"{VICTIM}/__init__.py")
    yield "other_by_data", "the same through data", _add("{data}/data/" + _SITE + f"/{VICTIM}/__init__.py")
    other = _entry_points(f"[console_scripts]\n{VICTIM}-run = {{name}}:main\n")
    yield "other_script", "another project's command", other


def _shown() -> Iterator[tuple[str, str, Spoil]]:
    yield "pth", "a .pth file runs code at each start", _add("{name}.pth", "import os\n")
    yield "pth_by_purelib", "the same through purelib", _add("{data}/purelib/{name}.pth", "import os\n")
    yield "pth_by_data", "the same through data", _add("{data}/data/" + _SITE + "/{name}.pth", "import os\n")
    yield "start_file", "a .start file runs code (Python 3.15)", _add("{name}.start", "{name}:main\n")
    yield "customize_site", "sitecustomize runs code", _add("sitecustomize.py", "")
    yield "customize_user", "an extension module usercustomize runs code", _add("usercustomize.abi3.so", "")
    commands = _entry_points("[console_scripts]\n{name}-tool = {name}:main\n")
    twin = _both(commands, _add("{data}/scripts/{name}-tool", "#!python\nprint('escaped')\n"))
    yield "script_and_entry_point", "two files for one command", twin


def _two_files() -> Iterator[tuple[str, str, Spoil]]:
    yield "case_twin", "one file, if case is ignored", _add("{name}/LATE.py")


def _left_out() -> Iterator[tuple[str, str, Spoil]]:
    yield "direct_url", "a direct_url.json of its own", _add("{info}/direct_url.json", '{"url": "escaped"}')
    yield "installer_file", "it contains its own INSTALLER", _add("{info}/INSTALLER", "escaped\n")
    yield (
        "bytecode",
        "bytecode that does not match its source",
        _add("{name}/__pycache__/late.cpython-311.pyc", b"escaped"),
    )


GROUPS: dict[str, Callable[[], Iterator[tuple[str, str, Spoil]]]] = {
    "identity": _identity,
    "RECORD": _records,
    "names": _names,
    "archive": _archives,
    "bombs": _bombs,
    "scripts": _scripts,
    "places": _places,
    "shown": _shown,
    "omitted": _left_out,
    "two files": _two_files,
}
KINDS = {name: Kind(name, group, aim, spoil) for group, kinds in GROUPS.items() for name, aim, spoil in kinds()}


def build(kind: str, directory: Path, *, outside: Path) -> Path:
    """Make the wheel of a kind in `directory`. `outside` is the target of those that write outside."""
    draft = Draft(kind, outside)
    KINDS[kind].spoil(draft)
    return draft.write(directory)


def build_good(name: str, directory: Path) -> Path:
    """A valid wheel with a command `<name>-run`."""
    draft = Draft(name, directory)
    _entry_points(f"[console_scripts]\n{name}-run = {{name}}:main\n")(draft)
    return draft.write(directory)
