"""The formats that are read at start-up: transactions, manifests, RECORD. Plain text, a magic line first, `end` last.

Encoding and decoding are pure. A row of an unknown kind is ignored; anything else that is invalid is refused: whatever
bytes a file has, the result is a usable value, or `StaleError`.
"""

import errno
import os

from .file_access import read_bytes
from .layout import PART, record_path

MAGIC = "liveinstall-transaction 1"
SHARED_MAGIC = "liveinstall-transaction 2"  # has `move` rows: a reader that ignored them would do half of the swap
_HASH = len("sha256=") + 43  # characters of a hash in a RECORD
MANIFEST_MAGIC = "liveinstall-manifest 1"


class StaleError(Exception):
    """The environment has changed since the plan was made, or a file of ours is damaged or of another version."""


class SwapChange:
    """The swap of one distribution. Paths are relative to the site directory.

    Attributes:
        name: the normalized project name.
        old_version: the version that is replaced or removed, or None.
        new_version: the version that is installed, or None.
        old_info: the metadata directory of the old version, or None.
        old_hash: the sha256 of its RECORD, hexadecimal, or None.
        part: the part of the new version, or None.
    """

    __slots__ = ("name", "new_version", "old_hash", "old_info", "old_version", "part")

    def __init__(self, name, old_version, new_version, old_info, old_hash, part):
        self.name = name
        self.old_version = old_version or None
        self.new_version = new_version or None
        self.old_info = old_info or None
        self.old_hash = old_hash or None
        self.part = part or None


class TransactionRecord:
    """A transaction on disk.

    Attributes:
        transaction_id: its name, which sorts by time.
        changes: a list of `SwapChange`.
        roots: maps a wheel's schemes to directories, relative to the site directory.
        about: JSON for planning and for people, which is not read at start-up.
        tops: maps a distribution to the top-level import names that its change replaces or removes.
        libraries: maps a distribution to those top-level paths that contain shared libraries.
        retire: maps a distribution to what to remove with it, as found at staging (see `ownership.plan()`).
        owners: maps each path that several distributions install to (names before, names after). In both the
            distribution whose file is in place comes first. An empty name means a file that no RECORD lists.
        moves: (kind, sha256, source, target) of each move of such files (see `handover`).
    """

    __slots__ = ("about", "changes", "libraries", "moves", "owners", "retire", "roots", "tops", "transaction_id")

    def __init__(self, transaction_id, changes, roots, about=""):
        self.transaction_id = transaction_id
        self.changes = changes
        self.roots = roots
        self.about = about
        self.tops = {}
        self.libraries = {}
        self.retire = {}
        self.moves = []
        self.owners = {}


def encode_record(record):
    """Return the text of a `TransactionRecord`.

    Raises:
        ValueError: a path contains a tab or a line break.
    """
    rows = [("id", record.transaction_id)]
    rows += [("root", scheme, path) for scheme, path in record.roots.items()]
    for c in record.changes:
        fields = (c.name, c.old_version, c.new_version, c.old_info, c.old_hash, c.part)
        rows.append(("change", *tuple(field or "" for field in fields)))
    rows += [("tops", name, *tops) for name, tops in record.tops.items()]
    rows += [("libraries", name, *tops) for name, tops in record.libraries.items()]
    rows += [("retire", name, *fields) for name, fields in record.retire.items()]
    rows += [("move", *move) for move in record.moves]
    rows += [("owners", path, *(",".join(names) for names in both)) for path, both in record.owners.items()]
    rows += [("about", record.about), ("end",)]
    if any("\t" in field or "\n" in field for row in rows for field in row):
        raise ValueError("a tab or a line break in a path cannot be recorded")
    magic = SHARED_MAGIC if record.owners else MAGIC
    return "\n".join([magic] + ["\t".join(row) for row in rows]) + "\n"


def decode_record(text):
    """Parse the text of a transaction; returns a `TransactionRecord`.

    Raises:
        StaleError: the text is incomplete, damaged or of another version.
    """
    lines = text.split("\n")
    if lines[0] not in (MAGIC, SHARED_MAGIC) or lines[-2:] != ["end", ""]:
        raise StaleError("not a whole record of this version")
    record = TransactionRecord("", [], {})
    for line in lines[1:-2]:
        decode_row(record, line)
    if not record.transaction_id or not record.changes:
        raise StaleError("a record without an id or without a change")
    return record


def decode_row(record, line):
    """Parse one line of a transaction.

    Args:
        record: the `TransactionRecord` to which the line is added.
        line: the line, without a line feed.

    Raises:
        StaleError: the line is invalid; `record` is unchanged.
    """
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
    elif kind in ("tops", "libraries", "retire") and fields:
        getattr(record, kind)[fields[0]] = fields[1:]
    elif kind == "move":
        move, _, source, target = _count(fields, 4)
        if move not in ("out", "in", "stay") or not source or not _is_relative(source) or not _is_relative(target):
            raise StaleError("a move of an unknown kind, or from or to an absolute path")
        record.moves.append(tuple(fields))
    elif kind == "owners":
        path, *both = _count(fields, 3)
        if not path or not _is_relative(path):
            raise StaleError("owners of an absolute path")
        record.owners[path] = tuple(tuple(names.split(",")) for names in both)
    elif kind == "about":
        (record.about,) = _count(fields, 1)


def _file_name(text):
    if text in ("", os.curdir, os.pardir) or "/" in text or os.sep in text or "\0" in text:
        raise StaleError("%r is not the name of a file" % text)
    return text


def _has_suffix(path, *suffixes):
    """Whether a path is relative and has one of the suffixes, or is empty."""
    return not path or (path.endswith(suffixes) and not os.path.basename(path).startswith(".") and _is_relative(path))


def _is_part_of(path, start):
    """Whether a path is that of a part whose name has this start and perhaps a number, or is empty."""
    name = os.path.basename(path)
    number = name[len(start) : -len(PART)].removeprefix("-")
    return not path or (_has_suffix(path, PART) and name.startswith(start) and (not number or number.isdecimal()))


def _is_relative(path):
    return not path.startswith("/") and path[1:2] != ":" and "\0" not in path


def _count(fields, expected):
    if len(fields) != expected:
        raise StaleError("a record's row has %d fields instead of %d" % (len(fields), expected))
    return fields


def encode_manifest(rows, transaction="", replaces="", boot=""):
    """Return the text of a part's manifest.

    Args:
        rows: (mode, size in bytes, sha256, path in the part) of each file.
        transaction: the id of the transaction that the part belongs to.
        replaces: the sha256 of the old version's RECORD; empty if there is none.
        boot: when and where it was staged, as `process.boot()` returns it.
    """
    head = [MANIFEST_MAGIC, "transaction " + transaction, "replaces " + replaces]
    head += ["boot " + boot, ""] if boot else [""]
    return "\n".join(head + ["%o %d %s %s" % row for row in rows] + ["end", ""])


def decode_manifest(text):
    """Parse a part's manifest; returns the rows that `encode_manifest()` takes.

    Raises:
        StaleError: the manifest is damaged.
    """
    return [_manifest_row(line) for line in _manifest_lines(text)]


def _manifest_lines(text):
    lines = text.split("\n")
    if lines[0] != MANIFEST_MAGIC or lines[-2:] != ["end", ""]:
        raise StaleError("a part's manifest is damaged")
    if "" not in lines[:-1]:
        raise StaleError("a part's manifest is damaged")
    return lines[lines.index("") + 1 : -2]


def directories_of_manifest(text):
    """Return the set of the directories with files of a part; much faster than `decode_manifest()`.

    Raises:
        StaleError: the manifest is damaged.
    """
    try:
        paths = [line.split(" ", 3)[3] for line in _manifest_lines(text)]
    except IndexError:
        raise StaleError("a part's manifest is damaged") from None
    return {path.rpartition("/")[0] for path in paths}


def boot_of_manifest(text):
    """Return when and where a part was staged, as `process.boot()` returned it then; empty if that is not recorded."""
    for line in text.partition("\n\n")[0].split("\n"):
        if line.startswith("boot "):
            return line[len("boot ") :]
    return ""


def readable_rows(text):
    """Return the rows of a damaged manifest that can still be read, as a list."""
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
    climbs = os.pardir in path and os.pardir in path.replace("\\", "/").split("/")
    if not path or climbs or not _is_relative(path) or size < 0 or not 0 <= mode < 2**18:
        raise StaleError("a part's manifest is damaged: %s" % line[:80])
    return mode, size, digest, path


def record_rows(text):
    """Iterate over (path, hash, size) of each file in a RECORD, as written there.

    Raises:
        StaleError: the RECORD is damaged.
    """
    if "\0" in text:
        raise StaleError("a damaged RECORD: a null byte")
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


def record_columns(text):
    """Return the lists of all paths, hashes and sizes in a RECORD; None if it needs `record_rows()`, as few do.

    This takes a third of the time.
    """
    if "\r" in text:  # pip ends lines with CRLF
        text = text.replace("\r\n", "\n")
    if '"' in text or "\0" in text or "\r" in text:
        return None
    rows = text.removesuffix("\n")
    fields = rows.replace("\n", ",").split(",")
    paths, hashes, sizes = fields[::3], fields[1::3], fields[2::3]
    # Otherwise a row may have more or fewer fields, or end in another way.
    is_aligned = len(paths) == len(sizes) == rows.count("\n") + 1 and all(paths)
    is_usual = is_aligned and set(map(len, hashes)) <= {0, _HASH} and "".join(["0", *sizes]).isdecimal()
    return (paths, hashes, sizes) if is_usual else None


def record_paths(text):
    """Return the paths in a RECORD as a list. Raises StaleError."""
    columns = record_columns(text)
    return columns[0] if columns else [row[0] for row in record_rows(text)]


def hexadecimal(digest):
    """Convert a hash of a RECORD to the format of a manifest; None if it is not a SHA-256."""
    from binascii import a2b_base64

    try:
        algorithm, _, value = digest.partition("=")
        value = value.replace("-", "+").replace("_", "/")
        return a2b_base64(value + "=" * (-len(value) % 4)).hex() if algorithm == "sha256" else None
    except ValueError:
        return None


def stem(name, version):
    """Return the common start of the names of a distribution's dist-info, part and data directory.

    Args:
        name: the normalized project name.
        version: the version.
    """
    return "%s-%s" % (name.replace("-", "_"), version)


def read(path):
    """Return the text of a file, which `encode(errors="surrogateescape")` turns back into the same bytes.

    Raises:
        OSError: it cannot be read, is not a regular file, or is longer than `file_access.LIMIT` (EFBIG).
    """
    return read_bytes(path).decode("utf-8", "surrogateescape")


def is_not_ours(error):
    """Return whether an OSError means that a file is missing, too long, or not a regular file."""
    return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EFBIG, errno.EINVAL, errno.ELOOP, errno.EISDIR)


def read_record(site, transaction_id, state, tries=0):
    """Read a transaction that `list_transactions()` has listed.

    Args:
        site: the site directory.
        transaction_id: its id.
        state: its state.
        tries: the number of its failed tries.

    Returns:
        A `TransactionRecord`.

    Raises:
        OSError: the file cannot be read, or does not exist.
        StaleError: the record is damaged or of another version.
    """
    try:
        record = decode_record(read(record_path(site, transaction_id, state, tries)))
    except OSError as error:
        if error.errno == errno.ENOENT or not is_not_ours(error):
            raise
        raise StaleError("the record is not a file that can be read") from None
    if record.transaction_id != transaction_id:
        raise StaleError("the record is that of another transaction")
    return record
