"""The diagnosis of damage from other tools or killed processes, which only reads, and the repair of each damage."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import defaultdict
from functools import cached_property
from pathlib import Path
from stat import S_ISREG

from packaging.version import InvalidVersion, Version

from _liveinstall_boot import codec
from _liveinstall_boot.file_access import open_bounded, open_regular, read_bytes
from _liveinstall_boot.layout import MANIFEST, PART
from liveinstall._environment.installed import read_distribution
from liveinstall._repair.journal import unfinished
from liveinstall._system.dist_info import encoded, is_rewritten_script, verifiable_files
from liveinstall._system.lean_dataclasses import dataclass, field
from liveinstall._system.lean_packaging import canonicalize_name
from liveinstall._transactions import published
from liveinstall.reports import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from liveinstall._model import Distribution
    from liveinstall.results import Target

_KNOWN_TOOLS = ("", "pip", "uv", "liveinstall")  # other installers (conda, Debian) have their own records
_NEVER_REPORTED = {"__pycache__", "_virtualenv.py", "sitecustomize.py", "usercustomize.py"}
_MODULES = (".py", ".so", ".pyd")
_FAMILY = codec.MAGIC.rpartition(" ")[0]
_ROW = 3  # path, hash, size
_LONGEST = 200  # bytes of a line that are looked at
_NAMED = 3  # the number of files that a message lists


@dataclass(frozen=True)
class Damage:
    """A finding, with its repair.

    Attributes:
        finding: The public value.
        moves: The absolute paths to move away.
        reinstall: The requirement to install afterwards; empty if none.
        finishes: The directory of the interrupted repair that this completes; empty if none.
        live: Whether running processes may use the moved files.
        owner: The `.dist-info` directory of a distribution whose original files may all still be on this disk, although
            other distributions have replaced them; empty if none.
    """

    finding: Finding
    moves: tuple[str, ...] = ()
    reinstall: str = ""
    finishes: str = ""
    live: bool = True
    owner: str = ""


@dataclass(frozen=True)
class _Info:
    """A `.dist-info` directory. `rows` are the (path, hash, size) of its RECORD; None if it cannot be read."""

    path: str
    name: str
    version: str
    tool: str
    has_metadata: bool
    rows: Sequence[Sequence[str]] | None
    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    replaced: dict[str, str] = field(default_factory=dict)  # file -> the distribution that has replaced it

    @cached_property
    def directory(self) -> str:
        return os.path.dirname(self.path)

    @property
    def is_whole(self) -> bool:
        return self.has_metadata and self.rows is not None

    @property
    def rank(self) -> tuple[bool, int, Version]:
        """The sort key of duplicates; the best is last: complete, with the fewest differences, newest."""
        try:
            version = Version(self.version)
        except InvalidVersion:
            version = Version("0")
        return self.is_whole, -len(self.missing) - len(self.changed), version


def find_damage(
    target: Target, names: Iterable[str] = (), *, hashes: bool = True, known: Iterable[Distribution] = ()
) -> list[Damage]:
    """Find the damage in an environment.

    Args:
        target: The environment.
        names: Only the damage of these distributions. Default: all damage.
        hashes: Whether to compare file contents with RECORD. False compares only sizes, without reading the files.
        known: Distributions whose metadata has just been read, to save time.

    Returns:
        The damage, each with its repair.
    """
    read = {distribution.info: distribution for distribution in known}
    directories = dict.fromkeys((target.site, target.platlib))
    infos = [info for directory in directories for info in _infos(directory, read, hashes=hashes)]
    stashed = [info for info in infos if os.path.basename(info.path).startswith("~")]
    installed = [info for info in infos if info not in stashed]
    _note_replaced(installed)
    owned = _owned(installed)
    damages = [*_left_overs(target, stashed, installed, owned), *_distributions(installed, stashed, owned)]
    damages += [*_unowned(target, owned), *_own_files(target.site)]
    requested = {canonicalize_name(name) for name in names}
    damages += [_replaced(info) for info in installed if info.replaced and info.name in requested]
    return [damage for damage in damages if not requested or damage.finding.name in requested]


def _note_replaced(installed: Sequence[_Info]) -> None:
    """Move changed files that match the RECORD of another distribution from `changed` to `replaced`."""
    suspects = {_absolute(info.directory, file) for info in installed for file in info.changed}
    owners: dict[str, str] = {}
    for info in installed if suspects else ():
        for file, hashed, _ in info.rows or ():
            path = _absolute(info.directory, file)
            if path in suspects and file not in info.changed and hashed and _matches_hash(path, hashed):
                owners[path] = info.name
    for info in installed:
        for file in info.changed:
            if _absolute(info.directory, file) in owners:
                info.replaced[file] = owners[_absolute(info.directory, file)]
        info.changed[:] = [file for file in info.changed if file not in info.replaced]


def _matches_hash(path: str, hashed: str) -> bool:
    """Whether a file has the SHA-256 hash of a RECORD row."""
    with open(path, "rb", opener=open_regular) as stream:
        digest = hashlib.file_digest(stream, "sha256").digest()
    return hashed.rstrip("=") == f"sha256={encoded(digest)}"


def _replaced(info: _Info) -> Damage:
    """The replaced files of a requested distribution: no error, but a repair can restore them."""
    owners = " and ".join(sorted(set(info.replaced.values())))
    what = f"{_list(list(info.replaced))} {owners}'s"
    repair = f"restore the files of {info.name}"
    requirement = f"{info.name}=={info.version}"
    return Damage(Finding("replaced", info.name, info.path, what, repair), reinstall=requirement, owner=info.path)


def _infos(directory: str, known: Mapping[str, Distribution], *, hashes: bool) -> Iterator[_Info]:
    if not os.path.isdir(directory):
        return
    # Relative to an open directory, stat() is a fifth faster, and there are tens of thousands of files.
    handle = os.open(directory, os.O_RDONLY) if os.stat in os.supports_dir_fd else None
    try:
        for entry in sorted(os.listdir(directory)):
            path = os.path.join(directory, entry)
            if entry.endswith(".dist-info") and os.path.isdir(path):
                info = _read(path, known.get(path) or read_distribution(path))
                rows = info.rows or ()
                suspects = None if hashes or handle is None else _of_other_sizes(rows, handle)
                files = {} if suspects == set() else verifiable_files(rows)
                for file in files:
                    if suspects is None or file in suspects:
                        _compare(info, file, files[file], handle, hashes=hashes)
                yield info
    finally:
        if handle is not None:
            os.close(handle)


def _read(path: str, known: Distribution | None) -> _Info:
    stem = os.path.basename(path).removesuffix(".dist-info")
    name, _, version = stem.partition("-")
    rows: Sequence[Sequence[str]] | None
    try:
        with open(os.path.join(path, "RECORD"), encoding="utf-8", newline="", opener=open_bounded) as stream:
            rows = _rows(stream.read())
    except (OSError, ValueError, csv.Error):
        rows = None
    if not rows or any(len(row) != _ROW for row in rows) or not any(_is_metadata(row[0]) for row in reversed(rows)):
        rows = None
    try:
        tool = read_bytes(os.path.join(path, "INSTALLER"))[:_LONGEST].decode("utf-8", "replace").strip()
    except OSError:
        tool = ""
    if known:
        return _Info(path, known.name, known.version, tool, has_metadata=True, rows=rows)
    return _Info(path, canonicalize_name(name), version, tool, has_metadata=False, rows=rows)


def _rows(text: str) -> list[Sequence[str]] | None:
    """The rows of a RECORD; None if it has a null byte."""
    columns = codec.record_columns(text)
    if columns:
        return list(zip(*columns, strict=True))
    return [row for row in csv.reader(io.StringIO(text, newline="")) if row] if "\0" not in text else None


def _is_metadata(file: str) -> bool:
    return file.endswith(".dist-info/METADATA")


def _of_other_sizes(rows: Iterable[Sequence[str]], directory: int) -> set[str]:
    """The files that are missing, or do not have every recorded size; a fast filter, because most files do.

    Args:
        rows: The (path, hash, size) of each row of a RECORD.
        directory: The descriptor of the site directory.
    """
    stat, suspects = os.stat, set()
    for file, hashed, size in rows:
        if "/__pycache__/" not in file:
            try:
                status = stat(file, dir_fd=directory)
            except OSError:
                suspects.add(file)
                continue
            if size != str(status.st_size) and (size or hashed):
                suspects.add(file)
    return suspects


def _compare(
    info: _Info, file: str, recorded: Sequence[tuple[str, str]], directory: int | None, *, hashes: bool
) -> None:
    """Note a missing or changed file; `directory` is a descriptor of the site directory, or None."""
    try:
        status = os.stat(file if directory is not None else _absolute(info.directory, file), dir_fd=directory)
    except OSError:
        if not os.path.lexists(_absolute(info.directory, file)):
            info.missing.append(file)
        return
    if not S_ISREG(status.st_mode) or not recorded:
        return
    actual = str(status.st_size or "")  # compared as text: Python refuses to convert thousands of digits
    same_size = [hashed for hashed, size in recorded if not size.isdecimal() or size.lstrip("0") == actual]
    is_changed, path = not same_size, _absolute(info.directory, file)
    if same_size and hashes and all(hashed.startswith("sha256=") for hashed in same_size):
        is_changed = not any(_matches_hash(path, hashed) for hashed in same_size)
    if is_changed and not (os.pardir in file and is_rewritten_script(path, [hashed for hashed, _ in recorded])):
        info.changed.append(file)


def _owned(infos: Iterable[_Info]) -> set[str]:
    """The owned paths: top-level entries of the site directories, and all RECORD paths outside of these directories."""
    owned: set[str] = set()
    for info in infos:
        files = [row[0] for row in info.rows or ()]
        owned.update(os.path.join(info.directory, top) for top in {file.partition("/")[0] for file in files})
        for file in [file for file in files if os.pardir in file or file[:1] in ("/", "\\") or file[1:2] == ":"]:
            path = _absolute(info.directory, file)
            while path not in owned and path != info.directory and os.path.dirname(path) != path:
                owned.add(path)
                path = os.path.dirname(path)
    return owned


def _absolute(directory: str, file: str) -> str:
    """The absolute path of a RECORD entry. Most need no normpath(), which is slow for tens of thousands."""
    if os.pardir in file or os.sep != "/" or file.startswith("/"):
        return os.path.normpath(os.path.join(directory, file))
    return f"{directory}/{file}"


# --- distributions ----------------------------------------------------------------------------------------------------


def _distributions(installed: Sequence[_Info], stashed: Sequence[_Info], owned: set[str]) -> Iterator[Damage]:
    by_name = defaultdict(list)
    for info in installed:
        by_name[info.name].append(info)
    for name, infos in sorted(by_name.items()):
        *duplicates, kept = sorted(infos, key=lambda info: info.rank)
        for duplicate in duplicates:
            what = f"{name} is installed twice, and {os.path.basename(kept.path)} matches the files on disk better"
            repair = f"move {os.path.basename(duplicate.path)} away"
            yield Damage(Finding("duplicate", name, duplicate.path, what, repair), (duplicate.path,))
        if kept.tool in _KNOWN_TOOLS:
            yield from _broken(kept, stashed, owned)


def _broken(info: _Info, stashed: Sequence[_Info], owned: set[str]) -> Iterator[Damage]:
    requirement = f"{info.name}=={info.version}"
    again = f"install {info.name} {info.version} again"
    if not info.is_whole:
        what = "RECORD or an unreadable one" if info.has_metadata else "METADATA"
        moves = (info.path, *_code(info, stashed, owned))
        finding = Finding("broken", info.name, info.path, f"it has no {what}", f"{_moved(moves)}, {again}")
        yield Damage(finding, moves, requirement)
    elif info.missing or info.changed:
        kinds = {"missing": info.missing, "changed": info.changed}
        what = "; ".join(f"{_list(files)} {kind}" for kind, files in kinds.items() if files)
        kind = "missing" if info.missing else "changed"
        owner = info.path if info.missing and not info.changed else ""
        yield Damage(Finding(kind, info.name, info.path, what, again), reinstall=requirement, owner=owner)


def _list(files: Sequence[str]) -> str:
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    return f"{', '.join(files[:_NAMED])}{more} {'is' if len(files) == 1 else 'are'}"


def _moved(paths: Sequence[str]) -> str:
    return f"move {', '.join(os.path.basename(path) for path in paths)} away"


def _code(info: _Info, stashed: Sequence[_Info], owned: set[str]) -> Iterator[str]:
    """The files of a distribution that an interrupted tool has unpacked and that no RECORD lists."""
    tops = {info.name.replace("-", "_"), info.name.replace("-", "_") + ".py"}
    for candidate in (info, *(stash for stash in stashed if stash.name == info.name)):
        tops |= {row[0].partition("/")[0] for row in candidate.rows or ()}
    for top in sorted(tops):
        path = os.path.join(info.directory, top)
        if not top.endswith(".dist-info") and top not in (os.pardir, "__pycache__") and _is_unowned(path, owned):
            yield path


def _is_unowned(path: str, owned: set[str]) -> bool:
    return path not in owned and os.path.lexists(path)


# --- leftovers --------------------------------------------------------------------------------------------------------


def _left_overs(
    target: Target, stashed: Sequence[_Info], installed: Sequence[_Info], owned: set[str]
) -> Iterator[Damage]:
    """The directories that pip renamed to `~...` before it was killed."""
    known = {info.name for info in installed}
    for info in (info for info in stashed if info.has_metadata):
        what = f"pip was interrupted while it replaced {info.name} {info.version}"
        moves = [info.path]
        again = ""
        if info.name not in known:
            moves += _code(info, [info], owned)
            again = f"{info.name}=={info.version}"
        repair = _moved(moves) + (f", install {info.name} {info.version} again" if again else "")
        yield Damage(Finding("left over", info.name, info.path, what, repair), tuple(moves), again, live=bool(again))
    for directory in dict.fromkeys((target.site, target.platlib)):
        for entry in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
            path = os.path.join(directory, entry)
            is_reported = any(info.path == path and info.has_metadata for info in stashed)
            if entry.startswith("~") and not is_reported and _is_unowned(path, owned):
                finding = Finding("left over", "", path, "pip was interrupted while it removed this", _moved([path]))
                yield Damage(finding, (path,), live=False)


def _unowned(target: Target, owned: set[str]) -> Iterator[Damage]:
    entries = sorted(os.scandir(target.site), key=lambda entry: entry.name) if os.path.isdir(target.site) else []
    if any(entry.name.endswith(".egg-info") for entry in entries):
        return  # an .egg-info has no RECORD, so its distribution may own any file
    for entry in entries:
        if entry.name in _NEVER_REPORTED or not _is_unowned(entry.path, owned):
            continue
        is_code = entry.name.isidentifier() and entry.is_dir() and any(Path(entry.path).rglob("*.py"))
        if is_code or (entry.is_file() and entry.name.endswith(_MODULES)):
            yield Damage(Finding("unowned", "", entry.path, "no RECORD lists it", ""))


def _first_line(path: str) -> str:
    try:
        with open(path, "rb", opener=open_regular) as stream:
            return stream.readline(_LONGEST).rstrip(b"\n").decode("utf-8", "replace")
    except OSError:
        return ""


def _own_files(site: str) -> Iterator[Damage]:
    """Unreadable records, unused parts and interrupted repairs of liveinstall itself."""
    for path in published.unreadable(site):
        magic = _first_line(path)
        if magic.startswith(_FAMILY) and magic not in (codec.MAGIC, codec.SHARED_MAGIC):
            yield Damage(Finding("unreadable", "", path, "it was written by a newer liveinstall", ""))
        else:
            finding = Finding("unreadable", "", path, "this record of a pending change is damaged", _moved([path]))
            yield Damage(finding, (path,), live=False)
    known = {change.part for item in published.read_all(site) for change in item.record.changes}
    for entry in sorted(os.listdir(site)) if os.path.isdir(site) else ():
        path = os.path.join(site, entry)
        if entry.endswith(PART) and entry not in known and os.path.isfile(os.path.join(path, MANIFEST)):
            finding = Finding("left over", "", path, "it was staged, but no pending change uses it", _moved([path]))
            yield Damage(finding, (path,), live=False)
    for directory, todo in unfinished(site):
        name = canonicalize_name(todo.reinstall.partition("==")[0])
        repair = f"install {todo.reinstall.replace('==', ' ')}" if todo.reinstall else "mark it as complete"
        finding = Finding("unfinished", name, directory, "a repair was interrupted", repair)
        yield Damage(finding, reinstall=todo.reinstall, finishes=directory)
