"""Move away what a repair replaces: nothing is deleted, and a repair that is killed is found again.

`.liveinstall/repaired/<id>/` has what was moved, numbered, and `todo` until the repair is done. `todo` is written
first, by one rename; so whatever was moved, it says from where, and what is still to be installed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from _liveinstall_boot import codec, files
from _liveinstall_boot.layout import STATE
from liveinstall._system.durability import write_atomically
from liveinstall._system.text_format import decode_rows, encode_rows
from liveinstall._transactions.transaction import new_id
from liveinstall.errors import CommitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REPAIRED = "repaired"
_MAGIC = "liveinstall-repair 1"
_KEPT = 5


@dataclass(frozen=True)
class Todo:
    """What a repair is about to do: `paths` (relative to the site directory) go, `reinstall` comes, if not empty."""

    reinstall: str
    paths: tuple[str, ...]


def encode_todo(todo: Todo) -> str:
    """The text of a journal. ValueError for a path with a tab or a line break in it."""
    return encode_rows(_MAGIC, [("reinstall", todo.reinstall), *(("moved", path) for path in todo.paths)])


def decode_todo(text: str) -> Todo | None:
    """None for anything but a whole record of this version."""
    try:
        rows = [(key, "\t".join(values)) for key, *values in decode_rows(_MAGIC, text)]
    except ValueError:
        return None
    reinstall = next((value for key, value in rows if key == "reinstall"), "")
    return Todo(reinstall, tuple(value for key, value in rows if key == "moved"))


def move_aside(site: str, paths: Iterable[str], reinstall: str = "") -> str:
    """Move absolute `paths` away; the directory that has them, with its `todo`. Needs the lock."""
    directory = os.path.join(site, STATE, REPAIRED, new_id())
    todo = Todo(reinstall, tuple(os.path.relpath(path, site) for path in paths))
    try:
        text = encode_todo(todo)
    except ValueError as error:
        raise CommitError(f"what is broken cannot be moved away: {error}. Nothing was changed.") from error
    os.makedirs(directory)
    write_atomically(os.path.join(directory, "todo"), text, draft=os.path.join(directory, "draft"))
    touched = dict.fromkeys((directory, os.path.dirname(directory)), 0)
    files.flush(touched)
    for number, path in enumerate(todo.paths):
        files.move(os.path.join(site, path), os.path.join(directory, str(number)), touched, out=True)
    files.flush(touched)
    return directory


def put_back(site: str, directory: str) -> None:
    """Undo `move_aside()`, but for what something else has taken the place of. Needs the lock."""
    todo = read_todo(directory)
    touched: dict[str, int] = {}
    for number, path in enumerate(todo.paths if todo else ()):
        source, target = os.path.join(directory, str(number)), os.path.join(site, path)
        if os.path.lexists(source) and not os.path.lexists(target):
            files.move(source, target, touched)
    files.flush(touched)
    finish(directory)


def finish(directory: str) -> None:
    """Say that a repair is done; what was moved is kept for the newest repairs. Needs the lock."""
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(directory, "todo"))
    with suppress(OSError):
        os.rmdir(directory)  # where nothing was moved
    home = os.path.dirname(directory)
    files.flush([directory, home])
    done = [name for name in sorted(os.listdir(home)) if not os.path.exists(os.path.join(home, name, "todo"))]
    for name in done[:-_KEPT]:
        files.remove_tree(os.path.join(home, name))


def read_todo(directory: str) -> Todo | None:
    """What a repair was about to do, if it is not done."""
    try:
        return decode_todo(codec.read(os.path.join(directory, "todo")))
    except OSError:
        return None


def unfinished(site: str) -> Iterator[tuple[str, Todo]]:
    """The repairs that were interrupted: their directories, and what they were about to do."""
    home = os.path.join(site, STATE, REPAIRED)
    for name in sorted(os.listdir(home)) if os.path.isdir(home) else ():
        todo = read_todo(os.path.join(home, name))
        if todo:
            yield os.path.join(home, name), todo
