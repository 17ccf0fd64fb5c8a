"""Recovery of an interrupted swap with damaged files of its own: everything that can still be restored is restored.

Imported only if something is damaged, or left over after a roll-back.
"""

import os
from os.path import dirname, join

from .codec import (
    StaleError,
    SwapChange,
    TransactionRecord,
    decode_row,
    hexadecimal,
    read,
    read_record,
    readable_rows,
    record_rows,
    stem,
)
from .layout import HISTORY, MANIFEST, PART, RETIRED, STATE, list_transactions, record_path


def salvage_record(site, transaction_id, state, tries):
    """Reconstruct a transaction from a damaged record: from its intact rows, the retired trees and the parts.

    Args:
        site: the site directory.
        transaction_id: the id of the transaction.
        state: its state.
        tries: the number of failed swaps.

    Returns:
        A `TransactionRecord`, which may lack changes without a trace on disk.
    """
    record = TransactionRecord("", [], {})
    for line in _text(record_path(site, transaction_id, state, tries)).split("\n"):
        try:
            decode_row(record, line)
        except StaleError:
            pass
    record.transaction_id = transaction_id
    record.roots = {**_roots_of_others(site), **record.roots}
    add_retired(site, record)
    _add_parts(site, record)
    return record


def add_retired(site, record):
    """Add to a record a change for each retired tree that belongs to none of its changes.

    Args:
        site: the site directory.
        record: the transaction; its changes are extended.

    Returns:
        Whether there was such a tree.
    """
    directory = join(site, STATE, RETIRED, record.transaction_id)
    known = {stem(change.name, change.old_version) + PART for change in record.changes if change.old_info}
    new = [name for name in _names(directory) if name.endswith(PART) and name not in known]
    for name in new:
        distribution, _, version = name[: -len(PART)].rpartition("-")
        infos = [info for info in _names(join(directory, name)) if info.endswith((".dist-info", ".egg-info"))]
        info = infos[0] if infos else name[: -len(PART)] + ".dist-info"
        old_info = join(_site_dir(record), info) if _site_dir(record) else info
        record.changes.append(SwapChange(distribution, version, None, old_info, None, None))
    return bool(new)


def _add_parts(site, record):
    """Add the parts that name the transaction in their manifest, and that no change of the record lists."""
    known = {change.part for change in record.changes}
    for directory in {"", _site_dir(record)}:
        for name in _names(join(site, directory)):
            path = join(directory, name) if directory else name
            lines = _text(join(site, path, MANIFEST)).split("\n", 3) if name.endswith(PART) else []
            if path not in known and "transaction " + record.transaction_id in lines[:3]:
                infos = [info for info in _names(join(site, path)) if info.endswith(".dist-info")]
                start = infos[0][: -len(".dist-info")] if infos else name[: -len(PART)]
                distribution, _, version = start.rpartition("-")
                record.changes.append(SwapChange(distribution, None, version, None, None, path))


def _site_dir(record):
    """The most likely directory of a transaction's files, relative to the site directory."""
    paths = [change.old_info or change.part for change in record.changes]
    return dirname(paths[0]) if paths else ""


def _roots_of_others(site):
    """The directories of a wheel's schemes, from another transaction: they are the same for a whole environment."""
    directory = join(site, STATE, HISTORY)
    for name in reversed(_names(directory)):
        roots = _read_roots(join(directory, name))
        if roots:
            return roots
    for transaction_id, state, tries in list_transactions(site):
        try:
            return read_record(site, transaction_id, state, tries).roots
        except (OSError, StaleError):
            pass
    return {}


def _read_roots(path):
    record = TransactionRecord("", [], {})
    for line in _text(path).split("\n"):
        if line.startswith("root\t"):
            try:
                decode_row(record, line)
            except StaleError:
                return {}
    return record.roots


def salvage_listing(tree):
    """List the files of a part with a damaged manifest, from the intact rows and from the RECORD.

    Args:
        tree: the part, as a `DistributionTree`.

    Returns:
        A dictionary that maps paths in the tree to their sha256, or None if it is not known.
    """
    listed = {}
    info = tree.data[: -len(".data")] + ".dist-info"
    for directory in (tree.site_dir, tree.root):
        try:
            for path, digest, _ in list(record_rows(_text(join(directory, info, "RECORD")))):
                path = os.path.normpath(join(tree.site_dir, path))
                inner = os.path.relpath(path, tree.site_dir).replace(os.sep, "/")
                listed[tree.path_of(path) if inner.startswith("../") else inner] = hexadecimal(digest)
        except (StaleError, ValueError):
            pass
    listed.update({path: digest for _, _, digest, path in readable_rows(_text(join(tree.root, MANIFEST)))})
    listed.pop(".", None)
    return listed


def is_anything_left(site, transaction_id):
    """Return whether a retired tree still has files that could not be restored; bytecode does not count.

    Args:
        site: the site directory.
        transaction_id: the id of the transaction.
    """
    for _, _, names in os.walk(join(site, STATE, RETIRED, transaction_id)):
        if any(not name.endswith(".pyc") for name in names):
            return True
    return False


def _names(directory):
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _text(path):
    try:
        return read(path)
    except OSError:
        return ""
