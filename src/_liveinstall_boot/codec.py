"""The formats that a start reads: transactions, manifests and RECORD. Plain text, a magic line first, `end` last.

Encoding and decoding are pure. A row of an unknown kind is ignored; anything else that does not fit is refused:
whatever bytes a file has, the result is a value that can be used, or `StaleError`.
"""

import errno
import os
import stat

from .layout import PART, record_path

MAGIC = "liveinstall-transaction 1"
MANIFEST_MAGIC = "liveinstall-manifest 1"
LIMIT = 32 * 2**20  # bytes of a text file; a longer one is not read, because a start must not take minutes


class StaleError(Exception):
    """The environment is not the one that was planned for, or a file of ours is damaged or of another version."""


class SwapChange:
    """One distribution's swap: paths are relative to the site directory, None where there is nothing."""

    __slots__ = ("name", "new_version", "old_hash", "old_info", "old_version", "part")

    def __init__(self, name, old_version, new_version, old_info, old_hash, part):
        self.name = name
        self.old_version = old_version or None
        self.new_version = new_version or None
        self.old_info = old_info or None  # the dist-info that goes out
        self.old_hash = old_hash or None  # sha256 of its RECORD, hexadecimal
        self.part = part or None  # the part that comes in


class TransactionRecord:
    """A transaction on disk.

    Attributes:
        transaction_id: its name, which sorts by time.
        changes: a list of `SwapChange`.
        roots: maps a wheel's schemes to directories, relative to the site directory.
        about: JSON for people, which a start does not read.
        tops: maps a distribution to the top-level import names that its change replaces or removes.
        libraries: maps a distribution to those top-level paths that hold shared libraries.
    """

    __slots__ = ("about", "changes", "libraries", "roots", "tops", "transaction_id")

    def __init__(self, transaction_id, changes, roots, about=""):
        self.transaction_id = transaction_id
        self.changes = changes
        self.roots = roots
        self.about = about
        self.tops = {}
        self.libraries = {}


def encode_record(record):
    """The text of a transaction.

    Raises:
        ValueError: a path has a tab or a line break in it.
    """
    rows = [("id", record.transaction_id)]
    rows += [("root", scheme, path) for scheme, path in record.roots.items()]
    for c in record.changes:
        fields = (c.name, c.old_version, c.new_version, c.old_info, c.old_hash, c.part)
        rows.append(("change", *tuple(field or "" for field in fields)))
    rows += [("tops", name, *tops) for name, tops in record.tops.items()]
    rows += [("libraries", name, *tops) for name, tops in record.libraries.items()]
    rows += [("about", record.about), ("end",)]
    if any("\t" in field or "\n" in field for row in rows for field in row):
        raise ValueError("a tab or a line break in a path cannot be recorded")
    return "\n".join([MAGIC] + ["\t".join(row) for row in rows]) + "\n"


def decode_record(text):
    """Read a transaction.

    Raises:
        StaleError: this is not a whole record of this version.
    """
    lines = text.split("\n")
    if lines[0] != MAGIC or lines[-2:] != ["end", ""]:
        raise StaleError("not a whole record of this version")
    record = TransactionRecord("", [], {})
    for line in lines[1:-2]:
        decode_row(record, line)
    if not record.transaction_id or not record.changes:
        raise StaleError("a record without an id or without a change")
    return record


def decode_row(record, line):
    """Read one line of a transaction into `record`. Raises StaleError, and then `record` is as it was."""
    kind, *fields = line.split("\t")
    if kind == "id":
        (name,) = _count(fields, 1)
        record.transaction_id = _file_name(name)
    elif kind == "root":
        scheme, path = _count(fields, 2)
        record.roots[scheme] = path
    elif kind == "change":
        name, old_version, new_version, old_info, old_hash, part = _count(fields, 6)
        for text in (name, "x" + old_version, "x" + new_version):
            _file_name(text)
        if not _has_suffix(old_info, ".dist-info", ".egg-info") or not _is_part_of(part, stem(name, new_version)):
            raise StaleError("the dist-info or the part of %r has another name" % name)
        if not (old_info or part):
            raise StaleError("a change of %r without a dist-info or a part" % name)
        record.changes.append(SwapChange(name, old_version, new_version, old_info, old_hash, part))
    elif kind in ("tops", "libraries") and fields:
        getattr(record, kind)[fields[0]] = fields[1:]
    elif kind == "about":
        (record.about,) = _count(fields, 1)


def _file_name(text):
    if text in ("", os.curdir, os.pardir) or "/" in text or os.sep in text or "\0" in text:
        raise StaleError("%r is not the name of a file" % text)
    return text


def _has_suffix(path, *suffixes):
    """Whether a relative path ends in a name with one of the suffixes; the empty path is fine."""
    return not path or (path.endswith(suffixes) and not os.path.basename(path).startswith(".") and _is_relative(path))


def _is_part_of(path, start):
    """Whether a path is that of a part whose name begins so; a number may follow. The empty path is fine."""
    name = os.path.basename(path)
    number = name[len(start) : -len(PART)].removeprefix("-")
    return not path or (_has_suffix(path, PART) and name.startswith(start) and (not number or number.isdecimal()))


def _is_relative(path):
    return not path.startswith("/") and path[1:2] != ":" and "\0" not in path


def _count(fields, wanted):
    if len(fields) != wanted:
        raise StaleError("a record's row has %d fields instead of %d" % (len(fields), wanted))
    return fields


def encode_manifest(rows, transaction="", replaces=""):
    """The text of a part's manifest.

    Args:
        rows: (mode, size in bytes, sha256, path in the part) of each file.
        transaction: the id of the transaction that the part belongs to.
        replaces: the sha256 of the old version's RECORD.
    """
    head = [MANIFEST_MAGIC, "transaction " + transaction, "replaces " + replaces, ""]
    return "\n".join(head + ["%o %d %s %s" % row for row in rows] + ["end", ""])


def decode_manifest(text):
    """The rows of a part's manifest, as `encode_manifest()` takes them.

    Raises:
        StaleError: the manifest is damaged.
    """
    lines = text.split("\n")
    if lines[0] != MANIFEST_MAGIC or lines[-2:] != ["end", ""]:
        raise StaleError("a part's manifest is damaged")
    if "" not in lines[:-1]:
        raise StaleError("a part's manifest is damaged")
    return [_manifest_row(line) for line in lines[lines.index("") + 1 : -2]]


def readable_rows(text):
    """The rows of a damaged manifest that can still be read, as a list."""
    rows = []
    for line in text.split("\n"):
        try:
            rows.append(_manifest_row(line))
        except StaleError:
            pass
    return rows


def _manifest_row(line):
    try:
        mode, size, digest, path = line.split(" ", 3)
        mode, size = int(mode, 8), int(size)
    except ValueError:
        raise StaleError("a part's manifest is damaged: %s" % line[:80]) from None
    names = path.replace("\\", "/").split("/")
    if not path or not _is_relative(path) or os.pardir in names or size < 0 or not 0 <= mode < 2**18:
        raise StaleError("a part's manifest is damaged: %s" % line[:80])
    return mode, size, digest, path


def record_rows(text):
    """Iterate over (path, hash, size) of each file in a RECORD, as written there.

    Raises:
        StaleError: the RECORD is damaged.
    """
    for line in text.splitlines():
        if line.startswith('"'):
            path, quote, rest = line[1:].rpartition('"')
            if not quote or rest.count(",") != 2:
                raise StaleError("a damaged RECORD: %s" % line[:80])
            yield (path.replace('""', '"'), *rest.split(",")[1:])
        elif line:
            fields = line.rsplit(",", 2)
            if len(fields) != 3 or not fields[0]:
                raise StaleError("a damaged RECORD: %s" % line[:80])
            yield tuple(fields)


def record_paths(text):
    """Iterate over the paths in a RECORD. Raises StaleError."""
    return (path for path, _, _ in record_rows(text))


def stem(name, version):
    """What the names of a distribution's dist-info, part and data directory begin with."""
    return "%s-%s" % (name.replace("-", "_"), version)


def read(path):
    """The text of a file, which `encode(errors="surrogateescape")` turns back into the same bytes.

    Raises:
        OSError: it cannot be read, is not a regular file, or is longer than `LIMIT` (EFBIG).
    """
    with open(path, encoding="utf-8", errors="surrogateescape", newline="", opener=open_regular) as stream:
        if os.fstat(stream.fileno()).st_size > LIMIT:
            raise OSError(errno.EFBIG, "too long to be a file of ours", path)
        return stream.read()


def is_not_ours(error):
    """Whether an OSError means that a file is missing, too long, or not a regular file."""
    return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EFBIG, errno.EINVAL, errno.ELOOP, errno.EISDIR)


def open_regular(path, flags):
    """An opener for `open()` that takes regular files only: a FIFO would block for ever. Raises OSError."""
    try:
        handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise OSError(errno.EINVAL, "not a regular file", path) from None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return handle


def read_record(site, transaction_id, state, tries=0):
    """Read a transaction that `list_transactions()` has listed. Raises OSError and StaleError."""
    try:
        record = decode_record(read(record_path(site, transaction_id, state, tries)))
    except OSError as error:
        if error.errno == errno.ENOENT or not is_not_ours(error):
            raise
        raise StaleError("the record is not a file that can be read") from None
    if record.transaction_id != transaction_id:
        raise StaleError("the record is that of another transaction")
    return record
