"""Running in a home, and removing one: only what was made is removed."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from _liveinstall_boot.files import sha256
from liveinstall.commit.permission import check_permitted
from liveinstall.errors import HomeError
from liveinstall.homes import record as records
from liveinstall.homes.aside import MARK
from liveinstall.homes.base import version
from liveinstall.homes.making import home_of
from liveinstall.homes.running import command_of, give_way, hear, program_of
from liveinstall.reports import Ran

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from liveinstall.homes.record import Record
    from liveinstall.reports import Home

_FIRST = ("pyvenv.cfg", "bin/python", "bin/python3")  # without these it starts no more


def look(path: str | os.PathLike[str]) -> Home:
    """The home at `path`. Raises: HomeError."""
    place = os.path.abspath(path)
    return home_of(place, _read(place))


def run(
    path: str | os.PathLike[str],
    code: str | None = None,
    *,
    module: str | None = None,
    script: str | os.PathLike[str] | None = None,
    arguments: Sequence[str] = (),
    stdin: str = "",
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> Ran:
    """Run a program in the home at `path`, and hear what it says. The arguments are those of `liveinstall.trial()`.

    Raises: HomeError where it is no home, or for another version than its Python has by now; RequirementError,
    TrialError (it cannot be started, or did not end in `timeout` seconds).
    """
    program = program_of(code, module, script, arguments)
    begin = time.perf_counter()
    words, variables = _prepared(path, program)
    ended = hear(words, {**variables, **(env or {})}, stdin=stdin, timeout=timeout, cwd=cwd)
    return Ran(*ended, time.perf_counter() - begin)


def run_program(path: str | os.PathLike[str], program: Sequence[str]) -> int:
    """Run interpreter's arguments in a home with this process's own streams; the exit status."""
    return give_way(*_prepared(path, program))


def remove(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Remove the home at `path`, but only what was made there, and bytecode of it; the paths that stay, relative to it.

    Killed in the middle, it is removed by the next call. Raises: HomeError.
    """
    check_permitted()
    place = os.path.abspath(path)
    record = _read(place)
    try:
        return _remove(place, record)
    except OSError as error:
        raise HomeError(
            f"{place} could not be removed: {error}.", todo="What is left can be removed by another try.", path=place
        ) from error


def _prepared(path: str | os.PathLike[str], program: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    home = look(path)
    _check_version(home)
    scripts = os.path.dirname(home.python)
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "__PYVENV_LAUNCHER__")}
    variables["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])
    variables["VIRTUAL_ENV"] = home.path
    return command_of([home.python], program, scripts), variables


def _check_version(home: Home) -> None:
    """A library of another patch version works, until it does not. (Each interpreter looks itself, too)."""
    here = getattr(sys, "_base_executable", "") or sys.executable
    try:
        same = os.path.samefile(home.python, here)
    except OSError as error:
        raise HomeError(f"the Python of {home.path} is gone: {error}.", todo="Make it anew.", path=home.path) from error
    if same and home.version != version():
        what = f"{home.path} is for Python {home.version}, and its Python is {version()} by now."
        raise HomeError(what, todo="Remove it and make it anew.", path=home.path)


def _read(place: str) -> Record:
    try:
        with open(os.path.join(place, records.NAME), encoding="utf-8", errors="surrogateescape", newline="") as stream:
            return records.decode(stream.read())
    except (FileNotFoundError, NotADirectoryError):
        raise HomeError(f"{place} is no home.", path=place) from None
    except (OSError, ValueError) as error:
        raise HomeError(f"{place} is no home that can be read: {error}.", path=place) from error


def _remove(place: str, record: Record) -> tuple[str, ...]:
    """What lets it start goes first and its record last, so that a kill leaves what is removed by another call."""
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(place, MARK))
    order = sorted(record.paths(), key=lambda path: path not in _FIRST)
    for path in order:
        full = os.path.join(place, path)
        if not _is_reached_by_link(place, path) and _is_as_made(full, record, path):
            os.unlink(full)
    for path in sorted(record.directories(), key=len, reverse=True):
        _remove_bytecode(place, path)
        with suppress(OSError):
            if not _is_reached_by_link(place, path + "/x"):
                os.rmdir(os.path.join(place, path))
    left = _left(place)
    os.unlink(os.path.join(place, records.NAME))
    if not left:
        os.rmdir(place)
    return left


def _is_reached_by_link(place: str, path: str) -> bool:
    """Whether somebody has put a link in the place of a directory on the way."""
    parts = path.split("/")[:-1]
    return any(os.path.islink(os.path.join(place, *parts[:depth])) for depth in range(1, len(parts) + 1))


def _is_as_made(full: str, record: Record, path: str) -> bool:
    source, inode = record.hard.get(path, ("", 0))
    link = source or record.links.get(path)
    try:
        if os.path.islink(full):
            return os.readlink(full) == link
        return os.lstat(full).st_ino == inode if source else sha256(full) == record.files.get(path)
    except OSError:
        return False


def _remove_bytecode(place: str, path: str) -> None:
    """What Python has written for modules that were ours: their sources are gone."""
    cache = path if path.endswith("__pycache__") else f"{path}/__pycache__"
    full = os.path.join(place, cache)
    if not os.path.isdir(full) or _is_reached_by_link(place, f"{cache}/x"):
        return
    for name in os.listdir(full):
        source = os.path.join(os.path.dirname(full), name.partition(".")[0] + ".py")
        if name.endswith(".pyc") and not os.path.lexists(source):
            os.unlink(os.path.join(full, name))
    with suppress(OSError):
        os.rmdir(full)


def _left(place: str) -> tuple[str, ...]:
    found = []
    for directory, names, files in os.walk(place):
        here = os.path.relpath(directory, place)
        links = [name for name in names if os.path.islink(os.path.join(directory, name))]
        found += [os.path.normpath(os.path.join(here, name)) for name in (*files, *links)]
        if not names and not files and here != os.curdir:
            found.append(here)
    return tuple(sorted(set(found) - {records.NAME}))
