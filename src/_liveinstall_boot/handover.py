"""Files that several distributions install: a transaction lists each move of such a file, as planned at staging.

At each path the file of one distribution is in place; those of the others are in `replaced/<name>-<version>.part/`,
which has the layout of a part. So a swap, which writes nothing, has a file to restore, and retired distributions are
complete. In the order of their execution (paths are relative to the site directory, sha256 is the hash of the file):

    out   sha256  path or replaced  ->  retired or replaced     done if the target exists
    in    sha256  part or replaced  ->  path or replaced        done if the source no longer exists
    stay  sha256  path                                          another distribution's file with the same content

`out` comes first. A roll-back is in reverse order. All other files of a transaction have no such rows.
"""

import errno
import os
from os.path import dirname, join, lexists, normpath, relpath

from .codec import StaleError, read
from .files import make_directories, move, remove_empty, rename, sha256, touch
from .ownership import forget_bytecode, owned


def contested(site, record):
    """Return the absolute paths that a transaction's own moves handle.

    Args:
        site: the site directory.
        record: the transaction.
    """
    return {normpath(join(site, path)) for path in record.owners}


def without(paths, home, shared):
    """Remove the shared paths from a list.

    Args:
        paths: paths of a RECORD, relative to `home` or absolute.
        home: the directory that they are relative to.
        shared: the absolute paths to omit.
    """
    return [path for path in paths if normpath(join(home, path)) not in shared]


def owned_alone(tree, info, shared):
    """List the files that an old distribution owns and does not share.

    Args:
        tree: its `DistributionTree`.
        info: the path of its dist-info, which may have moved out already.
        shared: the absolute paths to omit, from `contested()`.

    Returns:
        A set and a list, as `ownership.owned()` does.

    Raises:
        OSError: the RECORD cannot be read.
        StaleError: the RECORD is damaged.
    """
    inside, outside = owned(tree.site_dir, read(join(info, "RECORD")))
    if shared:
        inside = set(without(inside, tree.site_dir, shared))
        outside = without(outside, tree.site_dir, shared)
    return inside, outside


def check_moves(site, record):
    """Check that each file to move or to keep is unchanged since staging.

    Args:
        site: the site directory.
        record: the transaction.

    Raises:
        StaleError: a file was changed or removed, or the target of a file that moves out exists.
    """
    for kind, digest, source, target in record.moves:
        path = join(site, source)
        try:
            same = sha256(path) == digest
        except OSError:
            same = False
        if not same or (kind == "out" and lexists(join(site, target))):
            raise StaleError("%s was changed by something else" % normpath(target if same else source))


def move_out(site, record, touched):
    """Move files out, to the retired trees and to `replaced/`.

    Args:
        site: the site directory.
        record: the transaction.
        touched: the directories to flush are added here.
    """
    _forget(site, record, touched)
    sources = _move(site, record, "out", touched)
    _remove_empty(site, record, sources, touched)


def move_in(site, record, touched):
    """Move files into place, from the parts and from `replaced/`.

    Args:
        site: the site directory.
        record: the transaction.
        touched: the directories to flush are added here.
    """
    _move(site, record, "in", touched)


def settle(site, record, touched):
    """Remove stale bytecode after the parts are in place, so that none belongs to another distribution's file.

    Args:
        site: the site directory.
        record: the transaction.
        touched: the directories to flush are added here.
    """
    _forget(site, record, touched)


def _move(site, record, selected, touched):
    sources = []
    for kind, _, source, target in record.moves:
        if kind == selected:
            source, target = join(site, source), normpath(join(site, target))
            if lexists(target):
                raise OSError(errno.EEXIST, "a file that is not in the plan is in the way", target)
            make_directories(dirname(target), touched)
            move(source, target, touched)
            sources.append(source)
    return sources


def move_back(site, record, touched, stuck):
    """Undo the moves that are observed on disk.

    After a power loss a later move may be on disk without an earlier one, so the content of files is compared.

    Args:
        site: the site directory.
        record: the transaction.
        touched: the directories to flush are added here.
        stuck: maps absolute paths that cannot be moved back to the OSError; failures are added.
    """
    for kind, digest, source, target in reversed(record.moves):
        source, target = normpath(join(site, source)), normpath(join(site, target))
        if kind == "stay" or not lexists(target):
            continue
        if source not in stuck if kind == "out" else not lexists(source) and sha256(target) == digest:
            _back(target, source, touched, stuck)
    _forget(site, record, touched)
    tidy(site, record, touched)


def _back(target, source, touched, stuck):
    make_directories(dirname(source), touched)
    touch(touched, target, source)
    try:
        rename(target, source, over=True)
    except OSError as error:
        stuck[target] = stuck[source] = error


def tidy(site, record, touched):
    """Remove the directories that are empty after the moves.

    Args:
        site: the site directory.
        record: the transaction.
        touched: the directories to flush are added here.
    """
    paths = [join(site, path) for _, _, *ends in record.moves for path in ends]
    _remove_empty(site, record, paths, touched)


def _remove_empty(site, record, paths, touched):
    for site_dir, inner in _below(site, record, paths):
        remove_empty(site_dir, inner, touched)


def _forget(site, record, touched):
    ends = {normpath(join(site, path)) for kind, _, *both in record.moves if kind != "stay" for path in both}
    for site_dir, inner in _below(site, record, contested(site, record) & ends):
        forget_bytecode(site_dir, inner, touched)


def _below(site, record, paths):
    """Each site directory with the paths below it, relative to it and with slashes, as in a RECORD."""
    for site_dir in {normpath(join(site, record.roots.get(scheme, "."))) for scheme in ("purelib", "platlib")}:
        inner = [relpath(path, site_dir).replace(os.sep, "/") for path in paths]
        yield site_dir, [path for path in inner if not path.startswith("../")]
