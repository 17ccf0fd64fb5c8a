"""The registries of an environment on disk, and the line that makes starts of Python look for one."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from _liveinstall_boot import files
from liveinstall._sidebyside import layout
from liveinstall._sidebyside.registry.format import Registry, decode, encode, located
from liveinstall._system.durability import write_atomically
from liveinstall.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
# The variable is looked at here, because importing a module for it would cost each start five times as much. `sitedir`
# is the one name that every site.py gives an import line, at the line's top level only.
_LINE = (
    "import os, sys; "
    "(os.environ[{variable!r}] if not sys.flags.ignore_environment and {variable!r} in os.environ "
    "else os.path.exists(sys.prefix + '/{file}')) "
    'and exec("try:\\n from liveinstall._sidebyside.activation.activate import start\\n'
    'except ImportError:\\n pass\\nelse:\\n start(sitedir)")\n'
)


def start_line(version: tuple[int, ...] = sys.version_info[:2]) -> tuple[str, str]:
    """The file name and the text of the start-up line for a version of Python (PEP 829: from 3.18 on a .start file)."""
    if version >= (3, 18):
        return layout.START_LINES[1], "liveinstall._sidebyside.activation.activate:start_all\n"
    return layout.START_LINES[0], _LINE.format(variable=layout.REGISTRY_VARIABLE, file=layout.PREFIX_FILE)


def enable(site: str, *, on: bool) -> None:
    """Put the start-up line into the site directory, by one rename, or take it out. Needs the environment's lock."""
    if on:
        name, text = start_line()
        _write(os.path.join(site, name), text, os.path.join(site, layout.STATE), is_locked=True)
    else:
        for name in layout.START_LINES:
            files.unlink(os.path.join(site, name))
    files.flush([site])


def is_enabled(site: str) -> bool:
    """Whether starts of Python in this environment look for a registry."""
    return any(os.path.exists(os.path.join(site, name)) for name in layout.START_LINES)


def ignored(site: str) -> str:
    """What the variable says, where nobody looks; empty if somebody does, or it says nothing."""
    return "" if is_enabled(site) or sys.flags.ignore_environment else os.environ.get(layout.REGISTRY_VARIABLE, "")


def path_of(site: str, name: str) -> str:
    """Where a registry lies, or would; RegistryError for a name that none can have. A path stays what it is."""
    path = layout.registry_path(site, name)
    if os.path.dirname(path) == _home(site) and not _NAME.fullmatch(os.path.basename(path)):
        raise RegistryError(f"{name!r} is no name for a registry.", todo="Use letters, digits and . _ -", registry=name)
    return path


def is_inside(site: str, name: str) -> bool:
    """Whether a registry is one of the environment's, and no file of somebody's own."""
    return os.path.dirname(path_of(site, name)) == _home(site)


def read(site: str, name: str) -> tuple[str, Registry]:
    """The path and the content of a registry that is given by name or path; RegistryError if it cannot be read."""
    path = path_of(site, name)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return path, decode(stream.read(), path)
    except OSError as error:
        known = ", ".join(known_names(site)) or "none"
        todo = f"There is: {known}." if isinstance(error, FileNotFoundError) else ""
        raise RegistryError(f"there is no registry {name} ({error}).", todo=todo, registry=name) from error


def write(site: str, name: str, registry: Registry, remarks: Iterable[str] = ()) -> str:
    """Write a registry, by one rename; its path. Before the rename there is the old one, or none. Needs the lock."""
    path = path_of(site, name)
    try:
        _write(path, encode(registry, remarks), os.path.dirname(path), is_locked=is_inside(site, name))
        files.flush([os.path.dirname(path)])
    except OSError as error:
        raise RegistryError(f"{path} cannot be written: {error}.", registry=name) from error
    return path


def remove(site: str, name: str) -> str:
    """Remove a registry; its path. RegistryError if there is none. What it names stays in the store."""
    path, _ = read(site, name)
    try:
        os.unlink(path)
    except OSError as error:
        raise RegistryError(f"{path} cannot be removed: {error}.", registry=name) from error
    files.flush([os.path.dirname(path)])
    return path


def known_names(site: str) -> list[str]:
    """The names of the environment's registries."""
    try:
        found = os.listdir(_home(site))
    except OSError:
        return []
    own = (name for name in found if name.endswith(layout.REGISTRY) and not name.startswith(layout.DRAFT))
    return sorted(name.removesuffix(layout.REGISTRY) for name in own)


def moved(registry: Registry, base: str, store: str) -> Registry:
    """A registry for a file in another directory: relative places become absolute, entries of the store stay."""
    rows = []
    for row in registry.rows:
        place = located(row.place, base, store)
        rows.append(row if os.path.dirname(place) == store else replace(row, place=place))
    return replace(registry, rows=tuple(rows))


def _home(site: str) -> str:
    return os.path.join(site, layout.STATE, layout.REGISTRIES)


def _write(path: str, text: str, directory: str, *, is_locked: bool) -> None:
    """Write a file in `directory`, flush it, and rename it in.

    What a kill leaves there the next one that has the lock writes over; without a lock each has a draft of its own.
    """
    draft = os.path.join(directory, layout.DRAFT + os.path.basename(path))
    draft += "" if is_locked else f".{os.getpid()}-{os.urandom(4).hex()}"
    os.makedirs(directory, exist_ok=True)
    write_atomically(path, text, draft=draft)
