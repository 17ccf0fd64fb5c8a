"""Applying one transaction: old files out, new files in."""

import os
import sys
from os.path import basename, dirname, isdir, join, lexists

from .codec import (
    StaleError,
    boot_of_manifest,
    decode_manifest,
    directories_of_manifest,
    is_not_ours,
    read_record,
)
from .files import flush_touched, make_directories, move, place, remove_empty, sha256
from .handover import check_moves, contested, move_in, move_out, owned_alone, settle
from .layout import MANIFEST, STARTUP_FILES, list_transactions, record_path
from .locks import begin_swap, end_swap
from .ownership import by_directory, collect, is_unchanged, paths_to_retire, planned
from .process import boot, say
from .recover import after_failure, clean_up, companion_stem, note, recover, roll_back, set_state, sweep_companions
from .trees import manifest, part_tree, retired_tree


class InUseError(Exception):
    """A live process uses files that would be moved."""


def _retire(site, record, change, touched, shared):
    """Move an old distribution out, its dist-info first; files that its RECORD does not list stay in place."""
    tree = retired_tree(site, record, change)
    info = basename(change.old_info)
    names = None
    found = None if shared else planned(tree.site_dir, record.retire.get(change.name, ()))
    if found:
        moves, outside, times = found
    else:
        inside, outside = owned_alone(tree, join(tree.site_dir, info), shared)
        names, times = by_directory(inside), {}
        moves = paths_to_retire(tree.site_dir, info, names, times)
    make_directories(tree.root, touched)
    move(join(tree.site_dir, info), join(tree.root, info), touched, out=True)
    # Startup files first: site.py reports an entry of one that does not exist, also after a kill.
    moves.sort(key=lambda path: not path.endswith(STARTUP_FILES))
    pairs = [(join(tree.site_dir, path), path) for path in moves]
    pairs += [(path, tree.path_of(path)) for path in outside]
    for source, path in pairs:
        if lexists(source):
            make_directories(dirname(join(tree.root, path)), touched)
            move(source, join(tree.root, path), touched)
    for path in moves:
        if isdir(join(tree.root, path)) and not is_unchanged(tree.root, path, times):
            if names is None:
                names = by_directory(owned_alone(tree, join(tree.root, info), shared)[0])
            if not collect(tree.root, path, names, [], {}):
                raise StaleError("%s %s is being changed by something else" % (change.name, change.old_version))
    # Other directories only after the commit: the new version may use them again.
    gone = ("", info, *moves)
    left = [directory for directory in names or () if directory.split("/", 1)[0] not in gone]
    remove_empty(tree.site_dir, [join(directory, "") for directory in left], touched)


def check(site, record):
    """Check that the environment has not changed since the plan was made: pip, uv and conda do not take our lock.

    Args:
        site: the site directory.
        record: the transaction.

    Raises:
        StaleError: it has changed, or a part is damaged.
        OSError: it cannot be read.
    """
    infos = {}  # site directory -> the names of the metadata directories in it
    for change in record.changes:
        if change.old_info and _hash_if_there(join(site, change.old_info, "RECORD")) != change.old_hash:
            raise StaleError("%s %s was changed by something else" % (change.name, change.old_version))
        if change.part:
            tree = part_tree(site, record, change)
            _check_complete(tree)
            name = _info(tree).partition("-")[0].lower() + "-"
            if tree.site_dir not in infos:
                infos[tree.site_dir] = [name for name in os.listdir(tree.site_dir) if name.endswith(".dist-info")]
            for entry in infos[tree.site_dir]:
                foreign = not change.old_info or entry != basename(change.old_info)
                if foreign and entry.lower().startswith(name):
                    raise StaleError("%s was installed by something else" % change.name)
    check_moves(site, record)


def _hash_if_there(path):
    try:
        return sha256(path)
    except OSError as error:
        if not is_not_ours(error):
            raise
        return None


def _check_complete(tree):
    """Raise StaleError unless a part has all files with their sizes: a power loss may have removed some.

    None was lost since this machine's last boot, so what was staged since then only needs its directories.
    """
    text = manifest(tree)
    staged = boot_of_manifest(text)
    if staged and staged == boot(tree.root):
        for directory in directories_of_manifest(text):
            if not isdir(join(tree.root, directory)):
                raise StaleError("%s in the part %s is missing" % (directory, basename(tree.root)))
        return
    for _, size, _, path in decode_manifest(text):
        try:
            is_complete = os.lstat(join(tree.root, path)).st_size == size
        except (FileNotFoundError, NotADirectoryError):
            is_complete = False
        if not is_complete:
            raise StaleError("%s in the part %s is missing or damaged" % (path, basename(tree.root)))


def _info(tree):
    for name in os.listdir(tree.root) if isdir(tree.root) else ():
        if name.endswith(".dist-info"):
            return name
    raise StaleError("the part %s is missing or damaged" % basename(tree.root))


def _swap(site, record):
    """Move old files out and new files in. After any error `roll_back()` restores the old ones."""
    touched = {}
    shared = contested(site, record)
    for change in record.changes:
        if change.old_info:
            _retire(site, record, change, touched, shared)
    if shared:
        move_out(site, record, touched)
        move_in(site, record, touched)
    trees = [part_tree(site, record, change) for change in record.changes if change.part]
    infos = []
    for tree in trees:
        info = _info(tree)
        infos.append((join(tree.root, info), join(tree.site_dir, info)))
        for name in sorted(os.listdir(tree.root), key=lambda name: name.endswith(STARTUP_FILES)):
            if name == tree.data:
                for scheme in os.listdir(join(tree.root, name)):
                    place(join(tree.root, name, scheme), tree.root_of(scheme), touched)
            elif name not in (info, MANIFEST):
                place(join(tree.root, name), join(tree.site_dir, name), touched)
    if shared:
        settle(site, record, touched)
    for source, target in infos:  # last, so that an interrupted swap does not look installed
        place(source, target, touched)
    flush_touched(touched)


def apply(site, transaction_id, tries=0, users=None):
    """Apply a pending transaction. Needs the lock.

    On disk before: `<id>.pending` and the old version; the commit point is the rename to `<id>.committed`. After a
    kill, `recover()` rolls back before that point and forward after it.

    Args:
        site: the site directory.
        transaction_id: the id of the transaction.
        tries: the number of its failed tries.
        users: a function like `views.held()`; called after the swap is announced, so that it misses no process.

    Returns:
        The record, and a list of (directory, name) of the new .pth files, and of the .start files (Python 3.15).

    Raises:
        OSError, StaleError, InUseError: the swap failed, and the old version is in place.
    """
    record = read_record(site, transaction_id, "pending", tries)
    check(site, record)
    trees = [part_tree(site, record, change) for change in record.changes if change.part]
    files = [(tree.site_dir, name) for tree in trees for name in sorted(os.listdir(tree.root))]
    files = [file for file in files if file[1].endswith(STARTUP_FILES)]
    set_state(site, transaction_id, ("pending", tries), ("swapping", tries))
    begin_swap(transaction_id)
    try:
        _check_not_in_use(users, site, record)
        _swap(site, record)
        set_state(site, transaction_id, ("swapping", tries), ("committed", 0))
    except InUseError:
        set_state(site, transaction_id, ("swapping", tries), ("pending", tries))
        raise
    except BaseException:
        if lexists(
            record_path(site, transaction_id, "committed")
        ):  # only the flush after the rename failed, so nothing is cleaned up yet
            return record, files
        roll_back(site, record)
        set_state(site, transaction_id, ("swapping", tries), after_failure(tries))
        raise
    finally:
        end_swap(transaction_id)
    try:
        clean_up(site, record)
    except OSError:
        pass  # it is committed; the next start or the next use continues the clean-up
    return record, files


def _check_not_in_use(users, site, record):
    for pid, names in users(site, record) if users else ():
        raise InUseError("pid %d uses %s" % (pid, ", ".join(names)))


# --- at start-up ------------------------------------------------------------------------------------------------------


def finalize_all(site):
    """Recover interrupted transactions and apply pending ones, in a starting interpreter. Needs the lock.

    Args:
        site: the site directory.

    Returns:
        The (directory, name) of the new startup files that site.py has not listed; or None if nothing was applied, and
        this process imports no part either.
    """
    from .views import adopt_view, held, in_use

    recover(site)
    new_files = None
    for transaction_id, state, tries in list_transactions(site):
        if state == "pending":
            listed = {name for name in os.listdir(site) if name.endswith(".pth")}
            try:
                if in_use(site, read_record(site, transaction_id, state, tries)):
                    adopt_view(site, swap_blocked=True)
                    new_files = new_files or []
                    continue
                record, files = apply(site, transaction_id, tries, held)
            except InUseError:
                adopt_view(site, swap_blocked=True)
                new_files = new_files or []
            except Exception as error:  # an unexpected error must not prevent the other transactions
                _give_up(site, transaction_id, error)
            else:
                companion = min(companion_stem(change) for change in record.changes)
                site_will_run = {name for name in listed if name > companion and sys.version_info < (3, 15)}
                new_files = (new_files or []) + [file for file in files if file[1] not in site_will_run]
                forget_listings()
    sweep_companions(site)
    return new_files


def _give_up(site, transaction_id, error):
    """After a failed try, record the reason, and set aside a transaction that can never succeed."""
    note(site, transaction_id, str(error))
    for other, state, tries in list_transactions(site):
        if other == transaction_id and state == "pending" and not isinstance(error, OSError):
            set_state(site, transaction_id, (state, tries), ("failed", 0))
            state = "failed"
        if other == transaction_id and state == "failed":
            say(
                "liveinstall: a staged change was set aside and the old version stays: %s. "
                "See: python -m liveinstall status" % error
            )


def forget_listings():
    """Let this process import new files: invalidate the cached listings of directories."""
    for finder in list(sys.path_importer_cache.values()):
        try:
            finder.invalidate_caches()
        except Exception:  # another finder may lack the method or fail; the swap is complete anyway
            pass


def run_startup_files(files):
    """Run new .pth files at once, and from Python 3.15 on .start files.

    Args:
        files: the (directory, name) of each.
    """
    if sys.version_info >= (3, 15):
        from .startup_files import run

        if run(files):
            return
    add = getattr(sys.modules.get("site"), "addpackage", None)
    for directory, name in files:
        if add and name.endswith(".pth"):
            add(directory, name, None)
