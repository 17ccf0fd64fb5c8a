"""The formats that a start reads: transactions, manifests and RECORD. Plain text, a magic line first, `end` last.

Encoding and decoding are pure; a row of an unknown kind is ignored, anything else that does not fit is refused.
"""

from .layout import record_path

MAGIC = "liveinstall-transaction 1"
MANIFEST_MAGIC = "liveinstall-manifest 1"


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
        kind, *fields = line.split("\t")
        if kind == "id":
            (record.transaction_id,) = _count(fields, 1)
        elif kind == "root":
            scheme, record.roots[scheme] = _count(fields, 2)
        elif kind == "change":
            record.changes.append(SwapChange(*_count(fields, 6)))
        elif kind in ("tops", "libraries") and fields:
            getattr(record, kind)[fields[0]] = fields[1:]
        elif kind == "about":
            (record.about,) = _count(fields, 1)
    if not record.transaction_id or not record.changes:
        raise StaleError("a record without an id or without a change")
    return record


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
    rows = [line.split(" ", 3) for line in lines[lines.index("") + 1 : -2]]
    return [(int(mode, 8), int(size), digest, path) for mode, size, digest, path in rows]


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
    """The text of a file, which `encode(errors="surrogateescape")` turns back into the same bytes. Raises OSError."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
        return stream.read()


def read_record(site, transaction_id, state, tries=0):
    """Read a transaction that `list_transactions()` has listed. Raises OSError and StaleError."""
    return decode_record(read(record_path(site, transaction_id, state, tries)))
