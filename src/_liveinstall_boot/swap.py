"""One transaction: old out, new in."""

import os
import sys
from os.path import basename, dirname, isdir, join, lexists

from .codec import StaleError, is_not_ours, read, read_record
from .files import flush, in_order, make_directories, move, place, remove_empty, sha256
from .layout import MANIFEST, list_transactions, record_path
from .locks import begin_swap, end_swap
from .ownership import collect, owned, paths_to_retire
from .process import say
from .recover import after_failure, clean_up, companion_stem, note, recover, roll_back, set_state, sweep_companions
from .trees import part_tree, retired_tree, rows


class InUseError(Exception):
    """A live process uses what would be moved."""


def _retire(site, record, change, touched):
    """Move an old distribution out, its dist-info first; files that no RECORD names stay where they are."""
    tree = retired_tree(site, record, change)
    info = basename(change.old_info)
    inside, outside = owned(tree.site_dir, read(join(tree.site_dir, info, "RECORD")))
    make_directories(tree.root, touched)
    move(join(tree.site_dir, info), join(tree.root, info), touched, out=True)
    moves = paths_to_retire(tree.site_dir, info, inside)
    pairs = [(join(tree.site_dir, path), path) for path in moves]
    pairs += [(path, tree.path_of(path)) for path in outside]
    for source, path in pairs:
        if lexists(source):
            make_directories(dirname(join(tree.root, path)), touched)
            move(source, join(tree.root, path), touched)
    for path in moves:
        if isdir(join(tree.root, path)) and not collect(tree.root, path, inside, []):
            raise StaleError("%s %s is being changed by something else" % (change.name, change.old_version))
    remove_empty(tree.site_dir, inside, touched)  # elsewhere only after the commit: the new version may need them again


def check(site, record):
    """Check that the environment is the one that was planned for: pip, uv and conda do not take our lock.

    Args:
        site: the site directory.
        record: the transaction.

    Raises:
        StaleError: it is not, or a part is damaged.
        OSError: it cannot be read.
    """
    for change in record.changes:
        if change.old_info and _hash_if_there(join(site, change.old_info, "RECORD")) != change.old_hash:
            raise StaleError("%s %s was changed by something else" % (change.name, change.old_version))
        if change.part:
            tree = part_tree(site, record, change)
            _check_whole(tree)
            name = _info(tree).partition("-")[0].lower() + "-"
            for entry in os.listdir(tree.site_dir):
                foreign = not change.old_info or entry != basename(change.old_info)
                if foreign and entry.lower().startswith(name) and entry.endswith(".dist-info"):
                    raise StaleError("%s was installed by something else" % change.name)


def _hash_if_there(path):
    try:
        return sha256(path)
    except OSError as error:
        if not is_not_ours(error):
            raise
        return None


def _check_whole(tree):
    """Raise StaleError unless a part has all its files with their sizes: a power loss may have taken some."""
    for _, size, _, path in rows(tree):
        try:
            there = os.lstat(join(tree.root, path)).st_size == size
        except (FileNotFoundError, NotADirectoryError):
            there = False
        if not there:
            raise StaleError("%s in the part %s is gone or damaged" % (path, basename(tree.root)))


def _info(tree):
    for name in os.listdir(tree.root) if isdir(tree.root) else ():
        if name.endswith(".dist-info"):
            return name
    raise StaleError("the part %s is gone or damaged" % basename(tree.root))


def _swap(site, record):
    """Old out, new in. Whatever this raises, `roll_back()` restores the old."""
    touched = {}
    for change in record.changes:
        if change.old_info:
            _retire(site, record, change, touched)
    trees = [part_tree(site, record, change) for change in record.changes if change.part]
    infos = []
    for tree in trees:
        info = _info(tree)
        infos.append((join(tree.root, info), join(tree.site_dir, info)))
        for name in sorted(os.listdir(tree.root)):
            if name == tree.data:
                for scheme in os.listdir(join(tree.root, name)):
                    place(join(tree.root, name, scheme), tree.root_of(scheme), touched)
            elif name not in (info, MANIFEST):
                place(join(tree.root, name), join(tree.site_dir, name), touched)
    for source, target in infos:  # last, so that no interrupted state looks installed
        place(source, target, touched)
    flush(in_order(touched))


def apply(site, transaction_id, tries=0, users=None):
    """Swap a pending transaction. Needs the lock.

    On disk before: `<id>.pending` and the old version; the commit point is the rename to `<id>.committed`.

    Args:
        site: the site directory.
        transaction_id: the transaction.
        tries: how often it has failed.
        users: a function like `views.held()`; called once the swap is announced, so that no user is missed.

    Returns:
        The record, and a list of (directory, name) of the .pth files that came in.

    Raises:
        OSError, StaleError, InUseError: the swap failed, and everything is as it was.
    """
    record = read_record(site, transaction_id, "pending", tries)
    check(site, record)
    trees = [part_tree(site, record, change) for change in record.changes if change.part]
    pth_files = [
        (tree.site_dir, name) for tree in trees for name in sorted(os.listdir(tree.root)) if name.endswith(".pth")
    ]
    set_state(site, transaction_id, ("pending", tries), ("swapping", tries))
    begin_swap(transaction_id)
    try:
        _refuse_what_is_in_use(users, site, record)
        _swap(site, record)
        set_state(site, transaction_id, ("swapping", tries), ("committed", 0))
    except InUseError:
        set_state(site, transaction_id, ("swapping", tries), ("pending", tries))
        raise
    except BaseException:
        if lexists(
            record_path(site, transaction_id, "committed")
        ):  # only its flush failed, so nothing is cleaned up yet
            return record, pth_files
        roll_back(site, record)
        set_state(site, transaction_id, ("swapping", tries), after_failure(tries))
        raise
    finally:
        end_swap(transaction_id)
    try:
        clean_up(site, record)
    except OSError:
        pass  # it is committed; a next start or a next use finishes this
    return record, pth_files


def _refuse_what_is_in_use(users, site, record):
    for pid, names in users(site, record) if users else ():
        raise InUseError("pid %d uses %s" % (pid, ", ".join(names)))


# --- at a start -------------------------------------------------------------------------------------------------------


def finalize_all(site):
    """Recover what was interrupted and swap what is pending, for a starting interpreter. Needs the lock."""
    from .views import adopt_view, held, in_use

    recover(site)
    for transaction_id, state, tries in list_transactions(site):
        if state == "pending":
            listed = {name for name in os.listdir(site) if name.endswith(".pth")}
            try:
                if in_use(site, read_record(site, transaction_id, state, tries)):
                    adopt_view(site, swap_blocked=True)
                    continue
                record, pth_files = apply(site, transaction_id, tries, held)
            except InUseError:
                adopt_view(site, swap_blocked=True)
            except Exception as error:  # one of a kind that nobody knew must not keep the others from being swapped
                _give_up(site, transaction_id, error)
            else:
                companion = min(companion_stem(change) for change in record.changes)
                refresh_imports(pth_files, {name for name in listed if name > companion and sys.version_info < (3, 15)})
    sweep_companions(site)


def _give_up(site, transaction_id, error):
    """After a failed try: note why, and set aside a transaction that can never succeed."""
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


def refresh_imports(pth_files, site_will_run=()):
    """Let this process import what came in: forget cached listings, run new .pth files.

    Args:
        pth_files: (directory, name) of the new .pth files.
        site_will_run: the names of those that site.py is going to run by itself.
    """
    for finder in list(sys.path_importer_cache.values()):
        try:
            finder.invalidate_caches()
        except Exception:  # it has none, or is somebody else's and fails: what is in place is in place
            pass
    add = getattr(sys.modules.get("site"), "addpackage", None)
    for directory, name in pth_files:
        if add and name not in site_will_run:
            add(directory, name, None)
