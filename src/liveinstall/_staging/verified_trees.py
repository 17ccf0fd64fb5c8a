"""Unpacked wheels that were checked before, since the last boot of this machine, are not read again.

uv's cache has one tree for each wheel, which is linked into one environment after another. Before the first, every file
is read and compared with RECORD, and all rules for wheels are checked. The result is kept in the user's cache, with the
inodes, sizes, modes, owners and modification times of all files, and is valid while they are the same. The time of the
last status change is not among them, because each new link changes it. A power loss may change the content of files
that were just written, so a result is valid until the next boot; where the boot is not known, there is none.
"""

from __future__ import annotations

import json
import time

from _liveinstall_boot.process import boot
from liveinstall._staging.policy import Checked
from liveinstall._system.lean_hash import sha256
from liveinstall._system.package import __version__
from liveinstall._system.private_cache import PrivateCache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from liveinstall._staging.unpacked_wheel import UnpackedWheel

_DIRECTORY = "verified"
_RECENT = 2 * 10**9  # ns; a file that was changed so recently may change again within the resolution of its time


def recall(tree: UnpackedWheel, *, folds: bool) -> Checked | None:
    """Return the result of an earlier check of a tree, and mark the tree as verified.

    Args:
        tree: The unpacked wheel.
        folds: As for `check_wheel()`.

    Returns:
        The result; None if the tree, or what it was checked with, is not the same.
    """
    tree.state = _state(tree, folds=folds)
    content = PrivateCache(_DIRECTORY).read(_key(tree)) if tree.state else None
    if content is None:
        return None
    try:
        state, fields, rows = json.loads(bytes(content))
        if state != tree.state:
            return None
        name, version, dist_info, data, purelib, left_out, commands, notes = fields
        record = {path: (algorithm, digest, size) for path, algorithm, digest, size in rows}
        pairs = tuple((command, target) for command, target in commands)
        checked = Checked(name, version, dist_info, data, purelib, record, frozenset(left_out), pairs, tuple(notes))
    except (ValueError, TypeError):  # not of this version
        return None
    tree.is_verified = True
    return checked


def remember(tree: UnpackedWheel, checked: Checked) -> None:
    """Keep the result of a check. All files of the tree have been compared with RECORD since `recall()`.

    Args:
        tree: The unpacked wheel.
        checked: The result of the check.
    """
    newest = max((entry.changed for entry in tree.infolist()), default=0)
    if tree.is_verified or not tree.state or time.time_ns() - newest < _RECENT:
        return
    fields = [checked.name, checked.version, checked.dist_info, checked.data, checked.purelib]
    fields += [sorted(checked.left_out), checked.commands, checked.notes]
    rows = [(path, *row) for path, row in checked.record.items()]
    PrivateCache(_DIRECTORY).write(_key(tree), json.dumps([tree.state, fields, rows]).encode())


def _key(tree: UnpackedWheel) -> str:
    return sha256(tree.root.encode("utf-8", "surrogateescape")).hexdigest()


def _state(tree: UnpackedWheel, *, folds: bool) -> str:
    """A hash of all that a result depends on; empty if the boot is not known."""
    since = boot(tree.root)
    about = [__version__, since, folds, tree.filename, tree.infolist()]
    return sha256(json.dumps(about).encode()).hexdigest() if since else ""
