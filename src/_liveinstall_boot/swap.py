"""One transaction: old out, new in, or back again."""

import atexit
import os
import sys
import time
from os.path import basename, dirname, isdir, join, lexists, normpath, relpath

from . import (
    COMPANIONS,
    HISTORY,
    LOCK,
    MANIFEST,
    PART,
    RETIRED,
    STATE,
    TRANSACTIONS,
    TRIES,
    record_path,
    transactions,
    try_lock,
)
from .codec import Stale, decode_manifest, read, read_record, stem
from .files import (
    collect,
    flush,
    forget_bytecode,
    in_order,
    make_directories,
    move,
    owned,
    place,
    remove_empty,
    remove_tree,
    rename,
    sha256,
)
from .holds import _own_swap, live_holds


class InUse(Exception):
    """A live process uses what would be moved."""


class Tree:
    """A distribution's files away from their place, laid out like a wheel: a part, or what a swap has retired."""

    def __init__(self, root, home, site, roots, name, version):
        self.root = root
        self.home = home  # the directory that the tree's top level belongs in
        self.data = stem(name, version) + ".data"
        self.roots = {scheme: normpath(join(site, path)) for scheme, path in roots.items()}

    def target(self, path):
        """Where `path` of this tree belongs."""
        first, _, rest = path.partition("/")
        if first != self.data:
            return join(self.home, path)
        scheme, _, rest = rest.partition("/")
        return join(self.roots[scheme], rest)

    def path_of(self, target):
        """The opposite of `target()`, for a file that belongs outside of `home`."""
        for scheme in sorted(self.roots, key=lambda scheme: -len(self.roots[scheme])):
            inner = relpath(target, self.roots[scheme])
            if not inner.startswith(os.pardir):
                return "/".join((self.data, scheme, inner.replace(os.sep, "/")))
        raise Stale("%s lies outside of the environment" % target)


def retired_tree(site, record, change):
    root = join(site, STATE, RETIRED, record.id, stem(change.name, change.old_version) + PART)
    home = normpath(join(site, dirname(change.old_info)))
    return Tree(root, home, site, record.roots, change.name, change.old_version)


def part_tree(site, record, change):
    home = normpath(join(site, dirname(change.part)))
    return Tree(join(site, change.part), home, site, record.roots, change.name, change.new_version)


def _retire(site, record, change, touched):
    """Move an old distribution out, its dist-info first; what nobody's RECORD names stays where it is."""
    tree = retired_tree(site, record, change)
    info = basename(change.old_info)
    inside, outside = owned(tree.home, read(join(tree.home, info, "RECORD")))
    make_directories(tree.root, touched)
    move(join(tree.home, info), join(tree.root, info), touched, out=True)
    moves = [path for path in inside if "/" not in path]
    tops = {path.split("/", 1)[0] for path in inside if "/" in path} - {info}
    if any(path.endswith(".py") for path in moves):
        tops.add("__pycache__")
    for top in sorted(tops):
        if isdir(join(tree.home, top)):
            collect(tree.home, top, inside, moves)
    pairs = [(join(tree.home, path), path) for path in moves]
    pairs += [(path, tree.path_of(path)) for path in outside]
    for source, path in pairs:
        if lexists(source):
            make_directories(dirname(join(tree.root, path)), touched)
            move(source, join(tree.root, path), touched)
    for path in moves:
        if isdir(join(tree.root, path)) and not collect(tree.root, path, inside, []):
            raise Stale("%s %s is being changed by something else" % (change.name, change.old_version))
    remove_empty(tree.home, inside, touched)  # elsewhere only after the commit: what comes in may need them again


def check(site, record):
    """Raise Stale unless the environment is the one that the plan saw: pip, uv and conda take no lock of ours."""
    for change in record.changes:
        if change.old_info:
            path = join(site, change.old_info, "RECORD")
            if not lexists(path) or sha256(path) != change.old_hash:
                raise Stale("%s %s was changed by something else" % (change.name, change.old_version))
        if change.part:
            tree = part_tree(site, record, change)
            _check_whole(tree)
            name = _info(tree).partition("-")[0].lower() + "-"
            for entry in os.listdir(tree.home):
                foreign = not change.old_info or entry != basename(change.old_info)
                if foreign and entry.lower().startswith(name) and entry.endswith(".dist-info"):
                    raise Stale("%s was installed by something else" % change.name)


def _check_whole(tree):
    """Raise Stale unless a part has all its files, in their sizes: a power loss or a cleaner may have taken some."""
    for _, size, _, path in _rows(tree):
        try:
            there = os.lstat(join(tree.root, path)).st_size == size
        except (FileNotFoundError, NotADirectoryError):
            there = False
        if not there:
            raise Stale("%s in the part %s is gone or damaged" % (path, basename(tree.root)))


def _rows(tree):
    try:
        return decode_manifest(read(join(tree.root, MANIFEST)))
    except (FileNotFoundError, NotADirectoryError):
        raise Stale("the part %s is gone or damaged" % basename(tree.root)) from None


def _info(tree):
    for name in os.listdir(tree.root) if isdir(tree.root) else ():
        if name.endswith(".dist-info"):
            return name
    raise Stale("the part %s is gone or damaged" % basename(tree.root))


def _swap(site, record):
    """Old out, new in. Whatever it raises, `roll_back()` restores the old."""
    touched = {}
    for change in record.changes:
        if change.old_info:
            _retire(site, record, change, touched)
    trees = [part_tree(site, record, change) for change in record.changes if change.part]
    infos = []
    for tree in trees:
        info = _info(tree)
        infos.append((join(tree.root, info), join(tree.home, info)))
        for name in sorted(os.listdir(tree.root)):
            if name == tree.data:
                for scheme in os.listdir(join(tree.root, name)):
                    place(join(tree.root, name, scheme), tree.roots[scheme], touched)
            elif name not in (info, MANIFEST):
                place(join(tree.root, name), join(tree.home, name), touched)
    for source, target in infos:  # last, so that no interrupted state looks installed
        place(source, target, touched)
    flush(in_order(touched))


def roll_back(site, record):
    """Undo what of a swap is observed on disk; idempotent, so that it may be killed and run again.

    What somebody holds stays where it is, all else is undone, and then this is raised: a next start ends it.
    """
    touched, stuck = {}, {}
    doubtful = set()
    for change in record.changes:
        if change.old_info:
            doubtful.update(_not_retired(retired_tree(site, record, change), basename(change.old_info)))
    for change in record.changes:
        if change.part:
            _withdraw(part_tree(site, record, change), touched, doubtful, stuck)
    for change in record.changes:
        if change.old_info:
            tree = retired_tree(site, record, change)
            if isdir(tree.root):
                _restore(tree, touched, stuck)
    flush(in_order(touched))
    for error in stuck.values():
        raise error
    remove_tree(join(site, STATE, RETIRED, record.id))


def _not_retired(tree, info):
    """Where an old version's files still are, or never were: a power loss may lose a move and keep a later one."""
    for directory in (tree.root, tree.home):
        try:
            inside, outside = owned(tree.home, read(join(directory, info, "RECORD")))
            pairs = [(join(tree.home, path), path) for path in inside] + [
                (path, tree.path_of(path)) for path in outside
            ]
        except (OSError, Stale):
            continue
        return [target for target, path in pairs if not lexists(join(tree.root, path))]
    return []


def _withdraw(tree, touched, doubtful, stuck):
    """Move a part's files back into it, METADATA first; where the old file may still be, only what is the new one."""
    rows = _listed(tree)
    paths = list(rows)
    for path in sorted(paths, key=lambda path: path.endswith("/METADATA"), reverse=True):
        away, here = join(tree.root, path), tree.target(path)
        if not lexists(away) and lexists(here) and (here not in doubtful or sha256(here) == rows[path]):
            make_directories(dirname(away), touched)
            try:
                move(here, away, touched)
            except OSError as error:
                stuck[here] = error
    forget_bytecode(tree.home, [path for path in paths if not path.startswith(tree.data + "/")], touched)
    _remove_empty(tree, paths, touched)


def _remove_empty(tree, paths, touched):
    """Remove the directories that these paths of a tree have left empty at their places."""
    remove_empty(tree.home, [path for path in paths if not path.startswith(tree.data + "/")], touched)
    for scheme, root in tree.roots.items():
        start = "%s/%s/" % (tree.data, scheme)
        remove_empty(root, [path[len(start) :] for path in paths if path.startswith(start)], touched)


def _listed(tree):
    """Path -> sha256 of what a part brings."""
    try:
        return {path: digest for _, _, digest, path in _rows(tree)}
    except (OSError, Stale):
        return {}  # damaged from outside; what it brought stays, what it replaced comes back


def _restore(tree, touched, stuck):
    """Move a retired tree's files back, but over nothing that is stuck."""
    pairs = []
    for name in sorted(os.listdir(tree.root), key=lambda name: name.endswith(".dist-info")):
        if name == tree.data:
            schemes = os.listdir(join(tree.root, name))
            pairs += [(join(tree.root, name, scheme), tree.roots[scheme]) for scheme in schemes]
        else:
            pairs.append((join(tree.root, name), join(tree.home, name)))
    for source, target in pairs:
        try:
            place(source, target, touched, stuck)
        except OSError as error:
            stuck[target] = error


def apply(site, id, tries=0, users=None):
    """Swap a pending transaction, or leave everything as it was and raise OSError, Stale or InUse.

    `users(site, record)`: who uses what would be moved; asked once the swap is announced, so that nobody is missed.
    On disk before: `<id>.pending` and the old version; the commit point is the rename to `<id>.committed`.
    Returns the record, and the (directory, name) of each .pth file that came in.
    """
    record = read_record(site, id, "pending", tries)
    check(site, record)
    trees = [part_tree(site, record, change) for change in record.changes if change.part]
    paths = [(tree.home, name) for tree in trees for name in sorted(os.listdir(tree.root)) if name.endswith(".pth")]
    set_state(site, id, ("pending", tries), ("swapping", tries))
    _own_swap.append(id)
    try:
        _refuse_what_is_in_use(users, site, record)
        _swap(site, record)
        set_state(site, id, ("swapping", tries), ("committed", 0))
    except InUse:
        set_state(site, id, ("swapping", tries), ("pending", tries))
        raise
    except BaseException:
        if lexists(record_path(site, id, "committed")):  # only its flush failed, so nothing is cleaned up yet
            return record, paths
        roll_back(site, record)
        set_state(site, id, ("swapping", tries), _after_failure(tries))
        raise
    finally:
        _own_swap.remove(id)
    try:
        clean_up(site, record)
    except OSError:
        pass  # it is committed; a next start or a next use finishes this
    return record, paths


def _refuse_what_is_in_use(users, site, record):
    for pid, names in users(site, record) if users else ():
        raise InUse("pid %d uses %s" % (pid, ", ".join(names)))


def _after_failure(tries):
    return ("failed", 0) if tries + 1 >= TRIES else ("pending", tries + 1)


def clean_up(site, record):
    """Remove what a committed transaction leaves; the companions last, because they lead a next start here."""
    touched = {}
    for change in record.changes:
        if change.part:
            remove_tree(join(site, change.part))
        if change.old_info:
            _remove_empty(retired_tree(site, record, change), _elsewhere(site, record, change), touched)
    flush(in_order(touched))
    history = join(site, STATE, HISTORY)
    os.makedirs(history, exist_ok=True)
    done = "%s.%d" % (record.id, _moment(history))
    rename(record_path(site, record.id, "committed"), join(history, done))
    sweep_companions(site)


def _elsewhere(site, record, change):
    """The paths in the retired tree of an old version's files that were outside of its site directory."""
    tree = retired_tree(site, record, change)
    try:
        _, outside = owned(tree.home, read(join(tree.root, basename(change.old_info), "RECORD")))
        return [tree.path_of(path) for path in outside]
    except (OSError, Stale):
        return []


def _moment(history):
    """Now, in microseconds; later than anything in the history, also after a clock was set back."""
    past = [name.rpartition(".")[2] for name in os.listdir(history)]
    return max([int(time.time() * 1000000)] + [int(stamp) + 1 for stamp in past if stamp.isdecimal()])


def recover(site):
    """Bring every interrupted transaction to a whole state. Needs the lock."""
    for id, state, tries in transactions(site):
        if state == "swapping":
            roll_back(site, read_record(site, id, state, tries))
            set_state(site, id, (state, tries), _after_failure(tries))
        elif state == "committed":
            try:
                clean_up(site, read_record(site, id, state, tries))
            except OSError as error:  # somebody has a file of it open; all that matters is in place
                note(site, id, str(error))
    sweep_companions(site)


def set_state(site, id, old, new):
    rename(record_path(site, id, *old), record_path(site, id, *new))
    flush([join(site, STATE, TRANSACTIONS)])


def note(site, id, reason):
    """Keep why a transaction waits or failed, for the next use of liveinstall. A full disk keeps nothing."""
    try:
        with open(join(site, STATE, TRANSACTIONS, id + ".note"), "w", encoding="utf-8", errors="replace") as stream:
            stream.write(reason + "\n")
    except OSError:
        pass


def sweep_companions(site):
    """Remove each companion whose part no waiting transaction has, and no live process sees."""
    wanted = {basename(part)[: -len(PART)] for hold in live_holds(site) for part in hold.sees}
    for id, state, tries in transactions(site):
        if state != "failed":
            try:
                record = read_record(site, id, state, tries)
            except (OSError, Stale):
                return  # not ours to judge: another version's, or damaged
            wanted.update(companion_stem(change) for change in record.changes)
    for name in os.listdir(site):
        if name.endswith(COMPANIONS) and name.lstrip("!").rpartition(PART)[0] not in wanted:
            try:
                os.unlink(join(site, name))
            except FileNotFoundError:
                pass
            except PermissionError:
                if os.name != "nt":
                    raise
                atexit.register(_sweep_at_exit, site)  # site.py has it open while its line runs (up to 3.12)


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
    """What a companion's name begins with. A removal has no part; its companion is named for what goes."""
    return basename(change.part)[: -len(PART)] if change.part else stem(change.name, change.old_version)


# --- at a start -------------------------------------------------------------------------------------------------------


def finalize_all(site, say):
    """Recover what was interrupted and swap what waits, for a starting interpreter. Needs the lock."""
    from .views import held, in_use, keep_view

    recover(site)
    for id, state, tries in transactions(site):
        if state == "pending":
            listed = {name for name in os.listdir(site) if name.endswith(".pth")}
            try:
                if in_use(site, read_record(site, id, state, tries)):
                    keep_view(site, must=True)
                    continue
                record, paths = apply(site, id, tries, held)
            except InUse:
                keep_view(site, must=True)
            except (OSError, Stale) as error:
                _give_up(site, id, error, say)
            else:
                companion = min(companion_stem(change) for change in record.changes)
                see(paths, {name for name in listed if name > companion and sys.version_info < (3, 15)})
    sweep_companions(site)


def _give_up(site, id, error, say):
    """After a failed try: note why, and set aside what can never succeed."""
    note(site, id, str(error))
    for other, state, tries in transactions(site):
        if other == id and state == "pending" and isinstance(error, Stale):
            set_state(site, id, (state, tries), ("failed", 0))
            state = "failed"
        if other == id and state == "failed":
            say(
                "liveinstall: a staged change was set aside and the old version stays: %s. "
                "See: python -m liveinstall status" % error
            )


def see(paths, still_to_come=()):
    """Let this process see what came in: forget cached listings, run new .pth files.

    `still_to_come`: names of .pth files that site.py is going to run by itself.
    """
    for finder in list(sys.path_importer_cache.values()):
        if hasattr(finder, "invalidate_caches"):
            finder.invalidate_caches()
    add = getattr(sys.modules.get("site"), "addpackage", None)
    for directory, name in paths:
        if add and name not in still_to_come:
            add(directory, name, None)
