"""The registry files of an environment, and the start-up line that activates the selected one."""

from __future__ import annotations

import os
import re
import sys

from _liveinstall_boot import files, patient
from _liveinstall_boot.file_access import open_bounded
from liveinstall._sidebyside import layout
from liveinstall._sidebyside.registry.format import Registry, decode, encode, located
from liveinstall._system.durability import write_atomically
from liveinstall._system.lean_dataclasses import replace
from liveinstall.errors import RegistryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
# The line reads the variable itself, because importing a module for that would take five times as long at each start.
# `sitedir` is the only name that every site.py defines for an import line, and only at the top level of the line.
_LINE = (
    "import os, sys; "
    "(os.environ[{variable!r}] if not sys.flags.ignore_environment and {variable!r} in os.environ "
    "else os.path.exists(sys.prefix + '/{file}')) "
    'and exec("try:\\n from liveinstall._sidebyside.activate import start\\n'
    'except ImportError:\\n pass\\nelse:\\n start(sitedir)")\n'
)


def start_line(version: tuple[int, ...] = sys.version_info[:2]) -> tuple[str, str]:
    """Return the file name and the text of the start-up line (PEP 829: from Python 3.18 on a .start file).

    Args:
        version: The major and minor version of Python; default: those of this interpreter.
    """
    if version >= (3, 18):
        return layout.START_LINES[1], "liveinstall._sidebyside.activate:start_all\n"
    return layout.START_LINES[0], _LINE.format(variable=layout.REGISTRY_VARIABLE, file=layout.PREFIX_FILE)


def enable(site: str, *, on: bool) -> None:
    """Add or remove the start-up line; the caller holds the environment's lock. The commit point is one rename.

    Args:
        site: The site-packages directory.
        on: Whether to add it; else it is removed.
    """
    if on:
        name, text = start_line()
        _write(os.path.join(site, name), text, os.path.join(site, layout.STATE), is_locked=True)
    else:
        for name in layout.START_LINES:
            files.unlink(os.path.join(site, name))
    files.flush([site])


def path_of(site: str, name: str) -> str:
    """Return the path of a registry, which need not exist.

    Args:
        site: The site-packages directory.
        name: The name of the registry, or the path of a file.

    Returns:
        The absolute path.

    Raises:
        RegistryError: The name is invalid.
    """
    path = layout.registry_path(site, name)
    if os.path.dirname(path) == _registries(site) and not _NAME.fullmatch(os.path.basename(path)):
        raise RegistryError(f"{name!r} is not a registry name.", todo="Use letters, digits and . _ -", registry=name)
    return path


def is_inside(site: str, name: str) -> bool:
    """Return whether a registry belongs to the environment, rather than being a file elsewhere.

    Args:
        site: The site-packages directory.
        name: The name of the registry, or the path of a file.
    """
    return os.path.dirname(path_of(site, name)) == _registries(site)


def read(site: str, name: str) -> tuple[str, Registry]:
    """Read a registry.

    Args:
        site: The site-packages directory.
        name: The name of the registry, or the path of a file.

    Returns:
        Its absolute path and its content.

    Raises:
        RegistryError: It cannot be read, or is invalid.
    """
    path = path_of(site, name)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", opener=open_bounded) as stream:
            return path, decode(stream.read(), path)
    except OSError as error:
        known = ", ".join(known_names(site)) or "none"
        if isinstance(error, FileNotFoundError):
            what, todo = f"there is no registry {name}.", f"Existing registries: {known}."
        else:
            what, todo = f"the registry {name} cannot be read: {error}.", "Check the file and its permissions."
        raise RegistryError(what, todo=todo, registry=name) from None


def write(site: str, name: str, registry: Registry, remarks: Iterable[str] = ()) -> str:
    """Write a registry; the caller holds the environment's lock. The commit point is one rename.

    Args:
        site: The site-packages directory.
        name: The name of the registry, or the path of a file.
        registry: The content.
        remarks: Comments, one line each.

    Returns:
        The absolute path.

    Raises:
        RegistryError: It cannot be written.
    """
    path = path_of(site, name)
    try:
        _write(path, encode(registry, remarks), os.path.dirname(path), is_locked=is_inside(site, name))
        files.flush([os.path.dirname(path)])
    except OSError as error:
        raise RegistryError(f"{path} cannot be written: {error}.", registry=name) from None
    return path


def remove(site: str, name: str) -> str:
    """Remove a registry. The versions that it names stay in the store.

    Args:
        site: The site-packages directory.
        name: The name of the registry, or the path of a file.

    Returns:
        The path of the removed file.

    Raises:
        RegistryError: It does not exist, or cannot be removed.
    """
    path, _ = read(site, name)
    try:
        patient.unlink(path)
    except OSError as error:
        raise RegistryError(f"{path} cannot be removed: {error}.", registry=name) from None
    files.flush([os.path.dirname(path)])
    return path


def known_names(site: str) -> list[str]:
    """Return the names of the environment's registries, sorted."""
    try:
        entries = os.listdir(_registries(site))
    except OSError:
        return []
    own = (name for name in entries if name.endswith(layout.REGISTRY) and not name.startswith(layout.DRAFT))
    return sorted(name.removesuffix(layout.REGISTRY) for name in own)


def moved(registry: Registry, base: str, store: str) -> Registry:
    """Return a registry for a file in another directory: relative paths become absolute, except entries of the store.

    Args:
        registry: The registry.
        base: The directory of its file.
        store: The path of the store.
    """
    rows = []
    for row in registry.rows:
        place = located(row.place, base, store)
        rows.append(row if os.path.dirname(place) == store else replace(row, place=place))
    return replace(registry, rows=tuple(rows))


def _registries(site: str) -> str:
    return os.path.join(site, layout.STATE, layout.REGISTRIES)


def _write(path: str, text: str, directory: str, *, is_locked: bool) -> None:
    """Write a file by way of a draft in `directory`.

    With the lock, drafts of killed writers are removed; without it, a draft may belong to another writer.
    """
    draft = os.path.join(directory, layout.DRAFT + os.path.basename(path))
    os.makedirs(directory, exist_ok=True)
    for name in os.listdir(directory) if is_locked else ():
        if name.startswith(os.path.basename(draft)):
            files.unlink(os.path.join(directory, name))
    write_atomically(path, text, draft=draft if is_locked else f"{draft}.{os.getpid()}-")
