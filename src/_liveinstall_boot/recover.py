"""Recovery: roll back an interrupted swap, or clean up after a committed one.

Each function may itself be killed and run again: the moves that were made are observed on disk, never recorded.
"""

import atexit
import os
import sys
import time
from os.path import basename, dirname, isdir, join, lexists, normpath

from .codec import StaleError, hexadecimal, read, read_record, record_rows, stem
from .file_access import create
from .files import flush, flush_touched, make_directories, move, place, remove_empty, remove_tree, rename, sha256
from .handover import contested, move_back, tidy
from .holds import live_holds
from .layout import (
    COMPANIONS,
    HISTORY,
    LOCK,
    PART,
    RETIRED,
    STARTUP_FILES,
    STATE,
    TRANSACTIONS,
    TRIES,
    list_transactions,
    record_path,
)
from .locks import try_lock
from .ownership import forget_bytecode, owned
from .trees import part_tree, retired_tree, rows


def recover(site):
    """Roll every interrupted transaction back or forward. Needs the lock.

    A transaction with a damaged record is rolled back as far as the rest of the disk allows, and set aside.

    Args:
        site: the site directory.

    Raises:
        OSError: some files could not be moved; the next start continues.
    """
    for transaction_id, state, tries in list_transactions(site):
        if state == "swapping":
            record, damage = _read_or_salvage(site, transaction_id, state, tries)
            try:
                roll_back(site, record)
            except StaleError as error:  # some files stay in the retired tree
                damage = error
            if damage:
                note(site, transaction_id, "it was interrupted, and rolled back as far as possible: %s" % damage)
            set_state(site, transaction_id, (state, tries), ("failed", 0) if damage else after_failure(tries))
        elif state == "committed":
            try:
                clean_up(site, _read_or_salvage(site, transaction_id, state, tries)[0])
            except OSError as error:  # a leftover file is open elsewhere; all new files are in place
                note(site, transaction_id, str(error))
    sweep_companions(site)


def _read_or_salvage(site, transaction_id, state, tries):
    """The record of an interrupted transaction, and the error if it was damaged and has been salvaged, or None."""
    try:
        return read_record(site, transaction_id, state, tries), None
    except StaleError as error:
        from .salvage import salvage_record

        return salvage_record(site, transaction_id, state, tries), error


def roll_back(site, record):
    """Undo a swap as far as it is observed on disk. Idempotent: it may be killed and run again.

    Args:
        site: the site directory.
        record: the transaction.

    Raises:
        OSError: some files could not be moved (on Windows: they are open). All others are restored; the next start
            continues.
        StaleError: the locations of some files are unknown, so they stay in the retired tree. All others are restored.
    """
    _roll_back(site, record)
    from .salvage import add_retired, is_anything_left

    if is_anything_left(site, record.transaction_id) and add_retired(site, record):  # the record lacked changes
        _roll_back(site, record)
    if is_anything_left(site, record.transaction_id):
        kept = join(STATE, RETIRED, record.transaction_id)
        raise StaleError("it is not known where the files in %s belong" % kept)
    remove_tree(join(site, STATE, RETIRED, record.transaction_id))


def _roll_back(site, record):
    touched, stuck = {}, {}
    shared = contested(site, record)
    if shared:
        move_back(site, record, touched, stuck)
    maybe_still_old = {}
    for change in record.changes:
        if change.old_info:
            maybe_still_old.update(_not_retired(retired_tree(site, record, change), basename(change.old_info)))
    for change in record.changes:
        if change.part:
            _withdraw(part_tree(site, record, change), touched, maybe_still_old, stuck, shared)
    for change in record.changes:
        if change.old_info:
            tree = retired_tree(site, record, change)
            if isdir(tree.root):
                _restore(tree, touched, stuck)
    flush_touched(touched)
    for error in stuck.values():
        raise error


def _not_retired(tree, info):
    """Map the targets where an old file may still be to its hash in the old RECORD, or None.

    A power loss may lose a move and keep a later one.
    """
    for directory in (tree.root, tree.site_dir):
        try:
            text = read(join(directory, info, "RECORD"))
            inside, outside = owned(tree.site_dir, text)
            pairs = [(join(tree.site_dir, path), path) for path in inside]
            pairs += [(path, tree.path_of(path)) for path in outside]
        except (OSError, StaleError):
            continue
        targets = [target for target, path in pairs if not lexists(join(tree.root, path))]
        recorded = record_rows(text) if targets else ()
        hashes = {normpath(join(tree.site_dir, path)): digest for path, digest, _ in recorded}
        return {target: hashes.get(target) for target in targets}
    return {}


def _withdraw(tree, touched, maybe_still_old, stuck, shared):
    """Move a part's files back into it; at targets in `maybe_still_old` only if the content is new, and not also old.

    METADATA first, so that it does not look installed; then the startup files, because their lines need the others.
    """
    rows = {}
    for path, digest in _listed(tree).items():
        try:
            if normpath(tree.target(path)) not in shared:
                rows[path] = digest
        except StaleError:  # its scheme is missing in a damaged record
            pass
    paths = list(rows)
    for path in sorted(
        paths, key=lambda path: (path.endswith("/METADATA"), path.endswith(STARTUP_FILES)), reverse=True
    ):
        in_part, in_place = join(tree.root, path), tree.target(path)
        is_withdrawn = lexists(in_part) or not lexists(in_place)
        if not is_withdrawn and (in_place not in maybe_still_old or _is_new(in_place, rows[path], maybe_still_old)):
            make_directories(dirname(in_part), touched)
            try:
                move(in_place, in_part, touched)
            except OSError as error:
                stuck[in_place] = error
    forget_bytecode(tree.site_dir, [path for path in paths if not path.startswith(tree.data + "/")], touched)
    _remove_empty(tree, paths, touched)


def _is_new(path, digest, maybe_still_old):
    """Whether a file has the new content and not the old one, which may be the same."""
    return sha256(path) == digest != hexadecimal(maybe_still_old[path] or "")


def _restore(tree, touched, stuck):
    """Move a retired tree's files back, but not over new files that are stuck."""
    pairs = []
    for name in sorted(
        os.listdir(tree.root), key=lambda name: (name.endswith(".dist-info"), name.endswith(STARTUP_FILES))
    ):
        if name == tree.data:
            schemes = os.listdir(join(tree.root, name))
            pairs += [(join(tree.root, name, scheme), tree.roots[scheme]) for scheme in schemes if scheme in tree.roots]
        else:
            pairs.append((join(tree.root, name), join(tree.site_dir, name)))
    for source, target in pairs:
        try:
            place(source, target, touched, stuck)
        except OSError as error:
            stuck[target] = error


def _listed(tree):
    """A dictionary that maps the paths in a part to their sha256."""
    try:
        return {path: digest for _, _, digest, path in rows(tree)}
    except (OSError, StaleError):
        from .salvage import salvage_listing

        return salvage_listing(tree)


def clean_up(site, record):
    """Remove the leftovers of a committed transaction; companions last, so that the next start continues if killed.

    Args:
        site: the site directory.
        record: the transaction.

    Raises:
        OSError: not everything could be removed; the next start continues.
    """
    touched = {}
    for change in record.changes:
        if change.part:
            remove_tree(join(site, change.part))
        if change.old_info:
            tree = retired_tree(site, record, change)
            _remove_empty(tree, _elsewhere(tree), touched)
    if record.moves:
        tidy(site, record, touched)
    flush_touched(touched)
    history = join(site, STATE, HISTORY)
    os.makedirs(history, exist_ok=True)
    done = "%s.%d" % (record.transaction_id, _moment(history))
    rename(record_path(site, record.transaction_id, "committed"), join(history, done))
    sweep_companions(site)


def _remove_empty(tree, paths, touched):
    """Remove the directories that these paths of a tree have left empty at their final locations."""
    remove_empty(tree.site_dir, [path for path in paths if not path.startswith(tree.data + "/")], touched)
    for scheme, root in tree.roots.items():
        start = "%s/%s/" % (tree.data, scheme)
        remove_empty(root, [path[len(start) :] for path in paths if path.startswith(start)], touched)


def _elsewhere(tree):
    """The paths, in a retired tree, of an old version's files that were outside its site directory."""
    walk = os.walk(join(tree.root, tree.data))
    paths = [join(directory, name) for directory, inner, names in walk for name in inner + names]
    return [path[len(tree.root) + 1 :].replace(os.sep, "/") for path in paths]


def _moment(history):
    """Now, in microseconds; later than anything in the history, even if the clock was set back."""
    past = [name.rpartition(".")[2] for name in os.listdir(history)]
    return max([int(time.time() * 1000000)] + [int(stamp) + 1 for stamp in past if stamp.isdecimal()])


def after_failure(tries):
    """Return the (state, tries) of a transaction after one more failure; `tries` is the number before it."""
    return ("failed", 0) if tries + 1 >= TRIES else ("pending", tries + 1)


def set_state(site, transaction_id, old, new):
    """Change the state of a transaction durably, by one rename.

    Args:
        site: the site directory.
        transaction_id: its id.
        old: its (state, tries).
        new: the new (state, tries).

    Raises:
        OSError: the state was not changed, or only the flush failed.
    """
    rename(record_path(site, transaction_id, *old), record_path(site, transaction_id, *new))
    flush([join(site, STATE, TRANSACTIONS)])


def note(site, transaction_id, reason):
    """Record why a transaction is pending or failed, for the next use of liveinstall; not possible on a full disk.

    Args:
        site: the site directory.
        transaction_id: its id.
        reason: the text for people.
    """
    start = join(site, STATE, TRANSACTIONS, transaction_id)
    try:
        handle, draft = create(start + ".draft-")
        with open(handle, "w", encoding="utf-8", errors="replace") as stream:
            stream.write(reason + "\n")
        rename(draft, start + ".note", over=True)
    except OSError:
        pass


def sweep_companions(site):
    """Remove the companions whose parts no pending transaction has and no live process imports. Raises OSError.

    Also those of another kind than this Python's: a .start file makes `site` ignore the .pth file of the same name.
    """
    needed = {basename(part)[: -len(PART)] for hold in live_holds(site) for part in hold.sees}
    for transaction_id, state, tries in list_transactions(site):
        if state != "failed":
            try:
                record = read_record(site, transaction_id, state, tries)
            except (OSError, StaleError):
                return  # damaged, or of another version: its companions are unknown
            needed.update(companion_stem(change) for change in record.changes)
    kind = COMPANIONS[sys.version_info >= (3, 18)]
    for name in os.listdir(site):
        is_needed = name.endswith(kind) and name.lstrip("!").rpartition(PART)[0] in needed
        if name.endswith(COMPANIONS) and not is_needed:
            try:
                os.unlink(join(site, name))
            except FileNotFoundError:
                pass
            except PermissionError:
                if os.name != "nt":
                    raise
                atexit.register(_sweep_at_exit, site)  # up to 3.12, site.py keeps it open while its line runs


def _sweep_at_exit(site):
    try:
        handle = try_lock(join(site, STATE, LOCK))
        if handle is not None:
            atexit.unregister(_sweep_at_exit)
            sweep_companions(site)
            os.close(handle)
    except OSError:
        pass


def companion_stem(change):
    """Return the start of a companion's name: the name of the part, or of the removed version."""
    return basename(change.part)[: -len(PART)] if change.part else stem(change.name, change.old_version)
