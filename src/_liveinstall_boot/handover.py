"""Files that several distributions bring: a transaction lists each move of one, as it was planned at staging.

A path has the file of one distribution in place; those of the others lie in `replaced/<name>-<version>.part/`, laid out
like a part. So a swap, which writes nothing, has a file to put back, and what goes out is whole. In the order of their
execution (paths are relative to the site directory, sha256 is that of the file that moves):

    out   sha256  path or replaced  ->  retired or replaced     done when the target is there
    in    sha256  part or replaced  ->  path or replaced        done when the source is gone
    stay  sha256  path                                          another distribution's file of the same content

`out` comes first. Rolling back goes the other way round. All other files of a transaction are none of these.
"""

import errno
import os
from os.path import dirname, join, lexists, normpath, relpath

from .codec import StaleError
from .files import make_directories, move, remove_empty, rename, sha256, touch
from .ownership import forget_bytecode


def contested(site, record):
    """The absolute paths that a transaction's own moves see to."""
    return {normpath(join(site, path)) for path in record.owners}


def without(paths, home, shared):
    """Paths of a RECORD, relative to `home` or absolute, but for those in `shared`."""
    return [path for path in paths if normpath(join(home, path)) not in shared]


def check_moves(site, record):
    """Raise StaleError unless each file that is to move, or to stay, is the one that the plan saw."""
    for kind, digest, source, target in record.moves:
        path = join(site, source)
        try:
            same = sha256(path) == digest
        except OSError:
            same = False
        if not same or (kind == "out" and lexists(join(site, target))):
            raise StaleError("%s was changed by something else" % normpath(target if same else source))


def move_out(site, record, touched):
    _forget(site, record, touched)
    sources = _move(site, record, "out", touched)
    _remove_empty(site, record, sources, touched)


def move_in(site, record, touched):
    _move(site, record, "in", touched)


def settle(site, record, touched):
    """After the parts are in place: no bytecode of one distribution's file beside another's."""
    _forget(site, record, touched)


def _move(site, record, wanted, touched):
    sources = []
    for kind, _, source, target in record.moves:
        if kind == wanted:
            source, target = join(site, source), normpath(join(site, target))
            if lexists(target):
                raise OSError(errno.EEXIST, "a file that no plan knows is in the way", target)
            make_directories(dirname(target), touched)
            move(source, target, touched)
            sources.append(source)
    return sources


def move_back(site, record, touched, stuck):
    """Undo what of the moves is observed on disk. A power loss may keep a later one of two: contents tell."""
    for kind, digest, source, target in reversed(record.moves):
        source, target = normpath(join(site, source)), normpath(join(site, target))
        if kind == "stay" or not lexists(target):
            continue
        if source not in stuck if kind == "out" else not lexists(source) and sha256(target) == digest:
            _back(target, source, touched, stuck)
    _forget(site, record, touched)
    tidy(site, record, touched)


def _back(here, away, touched, stuck):
    make_directories(dirname(away), touched)
    touch(touched, here, away)
    try:
        rename(here, away, over=True)
    except OSError as error:
        stuck[here] = stuck[away] = error


def tidy(site, record, touched):
    """Remove the directories that moves have left empty."""
    paths = [join(site, path) for _, _, *ends in record.moves for path in ends]
    _remove_empty(site, record, paths, touched)


def _remove_empty(site, record, paths, touched):
    for home, inner in _below(site, record, paths):
        remove_empty(home, inner, touched)


def _forget(site, record, touched):
    ends = {normpath(join(site, path)) for kind, _, *both in record.moves if kind != "stay" for path in both}
    for home, inner in _below(site, record, contested(site, record) & ends):
        forget_bytecode(home, inner, touched)


def _below(site, record, paths):
    """The site directories, each with those of the paths that lie below it, as a RECORD writes them."""
    for home in {normpath(join(site, record.roots.get(scheme, "."))) for scheme in ("purelib", "platlib")}:
        inner = [relpath(path, home).replace(os.sep, "/") for path in paths]
        yield home, [path for path in inner if not path.startswith("../")]
