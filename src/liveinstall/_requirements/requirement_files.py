"""Files with requirements: dependency groups (PEP 735), inline script metadata (PEP 723), lock files (PEP 751).

They are read here instead of by the engine, so that older engines work, too.
"""

from __future__ import annotations

import os
import platform
import re
import tomllib
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from liveinstall._requirements.requirement import CHECK_PATH, wrong
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._system.lean_packaging import canonicalize_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")  # as in PEP 723
_STRONG = ("sha256", "sha384", "sha512")


@dataclass(frozen=True)
class Locked:
    """The packages that a lock file selects for this interpreter.

    Attributes:
        requirements: Direct references (PEP 508) with hashes.
        editables: The absolute paths of projects to install in editable mode.
        indexed: The normalized names of packages from an index, whose URL is therefore not a direct one (PEP 610).
    """

    requirements: tuple[str, ...]
    editables: tuple[str, ...]
    indexed: frozenset[str]


def read_group(spelled: str) -> tuple[str, ...]:
    """Read a dependency group (PEP 735), with the groups that it includes.

    Args:
        spelled: `NAME`, for the pyproject.toml in the current directory, or `PATH/pyproject.toml:NAME`.

    Returns:
        The requirements.

    Raises:
        RequirementError: The file or the group is missing or invalid.
    """
    path, colon, name = spelled.rpartition(":")
    path = os.path.abspath(os.path.expanduser(path if colon else "pyproject.toml"))
    if os.path.basename(path) != "pyproject.toml":
        raise wrong(f"{spelled!r} is not NAME or PATH/pyproject.toml:NAME.", spelled)
    groups = _toml(path, "project file", spelled).get("dependency-groups")
    if not isinstance(groups, dict):
        raise wrong(f"{path} has no [dependency-groups].", spelled)
    normalized: dict[str, Any] = {}
    for key, entries in groups.items():
        if canonicalize_name(key) in normalized:
            raise wrong(f"{path} has the group {canonicalize_name(key)!r} twice.", spelled)
        normalized[canonicalize_name(key)] = entries
    return tuple(dict.fromkeys(_members(canonicalize_name(name), normalized, path, spelled, ())))


def _members(name: str, groups: Mapping[str, Any], path: str, spelled: str, trail: tuple[str, ...]) -> list[str]:
    if name not in groups:
        raise wrong(f"{path} has no group {name!r}.", spelled, todo=f"It has: {', '.join(groups) or 'none'}.")
    if name in trail:
        raise wrong(f"the groups of {path} include each other: {' -> '.join((*trail, name))}.", spelled)
    if not isinstance(groups[name], list):
        raise wrong(f"the group {name!r} of {path} is not a list.", spelled)
    requirements = []
    for entry in groups[name]:
        if isinstance(entry, str):
            requirements.append(entry)
        elif isinstance(entry, dict) and set(entry) == {"include-group"} and isinstance(entry["include-group"], str):
            included = canonicalize_name(entry["include-group"])
            requirements += _members(included, groups, path, spelled, (*trail, name))
        else:
            raise wrong(f"the group {name!r} of {path} has an invalid entry: {entry!r}.", spelled)
    return requirements


def read_names(path: str, seen: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Read the project names in a requirements file and those that it includes, as `pip uninstall -r`.

    Args:
        path: The path of the file.
        seen: The absolute paths of the files that were read already.

    Returns:
        The names; paths are omitted, because the names of their projects are unknown.

    Raises:
        RequirementError: A file is missing or cannot be read.
    """
    full = os.path.abspath(os.path.expanduser(path))
    if full in seen:
        return ()
    text = re.sub(r"\\\r?\n", "", _read(full, "requirements file", path))
    names: list[str] = []
    for line in (re.sub(r"(^|\s+)#.*$", "", line).strip() for line in text.splitlines()):
        nested = re.match(r"(?:-r|--requirement)[\s=]*(.+)", line)
        name = re.match(r"(?:(?:-e|--editable)[\s=]*)?([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:[\[;@=<>!~( ]|$)", line)
        egg = re.search(r"[#&]egg=([A-Za-z0-9._-]+)", line)
        if nested:
            names += read_names(os.path.join(os.path.dirname(full), nested[1].strip()), seen | {full})
        elif egg or (name and not line.startswith("--")):
            names.append((egg or name)[1])  # type: ignore[index]
        elif line.partition("#")[0].endswith(".whl"):
            names.append(os.path.basename(line.partition("#")[0]).partition("-")[0])
    return tuple(dict.fromkeys(names))


def read_script(script: str) -> tuple[str, ...]:
    """Read the requirements in a script's inline metadata (PEP 723).

    Args:
        script: The path of the script.

    Returns:
        The requirements.

    Raises:
        RequirementError: The script is missing, has no valid metadata, or requires another version of Python.
    """
    path = os.path.abspath(os.path.expanduser(script))
    blocks = [match["content"] for match in _BLOCK.finditer(_read(path, "script", script)) if match["type"] == "script"]
    if len(blocks) != 1:
        raise wrong(f"{path} has {'no' if not blocks else 'more than one'} block of script metadata (PEP 723).", script)
    text = "".join(line[2:] if line.startswith("# ") else line[1:] for line in blocks[0].splitlines(keepends=True))
    metadata = _parsed(text, path, script)
    dependencies = metadata.get("dependencies", [])
    if not isinstance(dependencies, list) or not all(isinstance(each, str) for each in dependencies):
        raise wrong(f"the dependencies of {path} are not a list of requirements.", script)
    _check_python(metadata.get("requires-python", ""), path, script)
    return tuple(dependencies)


def _check_python(specifier: Any, path: str, spelled: str) -> None:
    version = platform.python_version()
    try:
        is_satisfied = SpecifierSet(str(specifier)).contains(version, prereleases=True)
    except InvalidSpecifier:
        raise wrong(f"requires-python of {path} is invalid: {specifier!r}.", spelled) from None
    if not is_satisfied:
        raise wrong(f"{path} requires Python {specifier}, and this is {version}.", spelled)


def read_lock(lock: str, *, extras: tuple[str, ...] = (), groups: tuple[str, ...] | None = None) -> Locked:
    """Read a lock file (PEP 751), and select its packages for this interpreter.

    Args:
        lock: The path of the lock file, absolute or relative to the current directory.
        extras: The extras to select.
        groups: The dependency groups to select. Default: the file's default groups.

    Returns:
        The selected packages.

    Raises:
        RequirementError: The file is invalid or not for this interpreter, or a file in it has no strong hash.
    """
    path = os.path.abspath(os.path.expanduser(lock))
    content = _toml(path, "lock file", lock)
    try:  # the selection and PylockSelectError were added in packaging 26.1
        from packaging.pylock import Pylock, PylockSelectError, PylockValidationError
    except ImportError:
        raise wrong(
            "lock files need packaging 26.1 or newer.", lock, todo='install("packaging>=26.1"), and restart.'
        ) from None
    try:
        pylock = Pylock.from_dict(content)
        _check_known("extra", extras, pylock.extras or (), path, lock)
        _check_known(
            "group", groups or (), [*(pylock.dependency_groups or ()), *(pylock.default_groups or ())], path, lock
        )
        selected = list(pylock.select(extras=extras, dependency_groups=groups))
    except (PylockValidationError, PylockSelectError) as error:
        raise wrong(
            f"{path} cannot be used: {error}.", lock, todo="Create it again with the tool that made it."
        ) from None
    if not selected:
        raise wrong(f"{path} has no packages for this interpreter.", lock)
    directory = os.path.dirname(path)
    return Locked(
        tuple(
            f"{package.name} @ {_url(source, directory, lock)}"
            for package, source in selected
            if not _is_editable(source)
        ),
        tuple(_project_of(source, directory) for _, source in selected if _is_editable(source)),
        frozenset(package.name for package, _ in selected if not package.is_direct),
    )


def _check_known(kind: str, requested: tuple[str, ...], available: Any, path: str, lock: str) -> None:
    known = {canonicalize_name(name) for name in available}
    missing = [name for name in requested if canonicalize_name(name) not in known]
    if missing:
        raise wrong(
            f"{path} has no {kind} {missing[0]!r}.", lock, todo=f"It has: {', '.join(sorted(known)) or 'none'}."
        )


def _is_editable(source: Any) -> bool:
    return bool(getattr(source, "editable", False))


def _project_of(source: Any, directory: str) -> str:
    return os.path.normpath(os.path.join(directory, source.path, source.subdirectory or ""))


def _url(source: Any, directory: str, lock: str) -> str:
    """The URL of a locked package, with its hash or commit. Paths are relative to the lock file."""
    path = os.path.normpath(os.path.join(directory, source.path)) if source.path else ""
    local = bool(path) and (not getattr(source, "url", None) or os.path.exists(path))
    url = Path(path).as_uri() if local else source.url
    fragment = []
    if hasattr(source, "commit_id"):
        url = f"{source.type}+{url}@{source.commit_id}"
    elif hasattr(source, "hashes"):
        strong = next(((name, source.hashes[name]) for name in _STRONG if name in source.hashes), None)
        if strong is None:
            raise wrong(f"{lock} has no sha256 for {url}.", lock)
        fragment.append(f"{strong[0]}={strong[1]}")
    if getattr(source, "subdirectory", None):
        fragment.append(f"subdirectory={source.subdirectory}")
    return url + ("#" + "&".join(fragment) if fragment else "")


def _toml(path: str, kind: str, spelled: str) -> dict[str, Any]:
    return _parsed(_read(path, kind, spelled), path, spelled)


def _parsed(text: str, path: str, spelled: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise wrong(f"{path} is not TOML: {error}.", spelled) from None


def _read(path: str, kind: str, spelled: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise wrong(f"there is no {kind} at {path}.", spelled, todo=CHECK_PATH) from None
    except (OSError, UnicodeDecodeError) as error:
        raise wrong(f"the {kind} {path} cannot be read: {error}.", spelled) from None
