"""The journal of repairs: replaced files are moved, not deleted, and an interrupted repair can be completed.

`.liveinstall/repaired/<id>/` contains the moved files, numbered, and the file `todo` until the repair is complete.
`todo` is written first, by one rename; it lists the original paths, and the requirement that is still to be installed.
"""

from __future__ import annotations

import os
from contextlib import suppress

from _liveinstall_boot import codec, files, patient
from _liveinstall_boot.layout import STATE
from liveinstall._system.durability import write_atomically
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._system.text_format import decode_rows, encode_rows
from liveinstall._transactions.transaction import new_id
from liveinstall.errors import CommitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REPAIRED = "repaired"
_MAGIC = "liveinstall-repair 1"
_KEPT = 5  # the number of newest repairs whose moved files are kept


@dataclass(frozen=True)
class Todo:
    """The steps of a repair.

    Attributes:
        reinstall: The requirement to install; empty if none.
        paths: The paths to move away, relative to the site directory.
    """

    reinstall: str
    paths: tuple[str, ...]


def encode_todo(todo: Todo) -> str:
    """Encode a journal as text.

    Args:
        todo: The steps of the repair.

    Returns:
        The text.

    Raises:
        ValueError: A path has a tab or a line break in it.
    """
    return encode_rows(_MAGIC, [("reinstall", todo.reinstall), *(("moved", path) for path in todo.paths)])


def decode_todo(text: str) -> Todo | None:
    """Parse a journal; None unless it is complete and of this version."""
    try:
        rows = [(key, "\t".join(values)) for key, *values in decode_rows(_MAGIC, text)]
    except ValueError:
        return None
    reinstall = next((value for key, value in rows if key == "reinstall"), "")
    return Todo(reinstall, tuple(value for key, value in rows if key == "moved"))


def move_aside(site: str, paths: Iterable[str], reinstall: str = "") -> str:
    """Begin a repair by moving files away. Needs the lock.

    Args:
        site: The site-packages directory.
        paths: The absolute paths to move.
        reinstall: The requirement to install afterwards; empty if none.

    Returns:
        The directory of the repair.

    Raises:
        CommitError: A path cannot be written to the journal.
    """
    directory = os.path.join(site, STATE, REPAIRED, new_id())
    todo = Todo(reinstall, tuple(os.path.relpath(path, site) for path in paths))
    try:
        text = encode_todo(todo)
    except ValueError as error:
        raise CommitError(f"the damaged files cannot be moved away: {error}. Nothing was changed.") from None
    os.makedirs(directory)
    write_atomically(os.path.join(directory, "todo"), text, draft=os.path.join(directory, "draft-"))
    touched = dict.fromkeys((directory, os.path.dirname(directory)), 0)
    files.flush(touched)
    for number, path in enumerate(todo.paths):
        files.move(os.path.join(site, path), os.path.join(directory, str(number)), touched, out=True)
    files.flush(touched)
    return directory


def put_back(site: str, directory: str) -> None:
    """Undo `move_aside()`, except for paths that have been created again since. Needs the lock.

    Args:
        site: The site-packages directory.
        directory: The directory of the repair.
    """
    todo = read_todo(directory)
    touched: dict[str, int] = {}
    for number, path in enumerate(todo.paths if todo else ()):
        source, target = os.path.join(directory, str(number)), os.path.join(site, path)
        if os.path.lexists(source) and not os.path.lexists(target):
            files.move(source, target, touched)
    files.flush(touched)
    finish(directory)


def finish(directory: str) -> None:
    """Mark a repair as complete. Only the moved files of the newest repairs are kept. Needs the lock."""
    with suppress(FileNotFoundError):
        patient.unlink(os.path.join(directory, "todo"))
    with suppress(OSError):
        patient.rmdir(directory)  # if nothing was moved
    parent = os.path.dirname(directory)
    files.flush([directory, parent])
    complete = [name for name in sorted(os.listdir(parent)) if not os.path.exists(os.path.join(parent, name, "todo"))]
    for name in complete[:-_KEPT]:
        files.remove_tree(os.path.join(parent, name))


def read_todo(directory: str) -> Todo | None:
    """Read the steps of an incomplete repair; None if it is complete or its journal is unreadable."""
    try:
        return decode_todo(codec.read(os.path.join(directory, "todo")))
    except OSError:
        return None


def unfinished(site: str) -> Iterator[tuple[str, Todo]]:
    """List the interrupted repairs: their directories and steps."""
    parent = os.path.join(site, STATE, REPAIRED)
    for name in sorted(os.listdir(parent)) if os.path.isdir(parent) else ():
        todo = read_todo(os.path.join(parent, name))
        if todo:
            yield os.path.join(parent, name), todo
