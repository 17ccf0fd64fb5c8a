"""Creating a home: planned as a tree, made in a scratch directory, and renamed to its path."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256

from _liveinstall_boot import patient
from liveinstall._environment.installed import in_directory
from liveinstall._environment.target import current_site
from liveinstall._homes import record as records
from liveinstall._homes.base_environment import BaseEnvironment, BasePlan
from liveinstall._homes.base_python import SCRIPTS, Base, python_of
from liveinstall._homes.links import Hard, make, opened
from liveinstall._homes.packages import Packages
from liveinstall._homes.record import HomeRecord
from liveinstall._planning.graph import Node, named
from liveinstall._planning.overlaps import in_order_of_dependency
from liveinstall._requirements.habits import flat
from liveinstall._requirements.option_values import value_of
from liveinstall._requirements.requirement import text_of
from liveinstall._sidebyside.selection.fetch import fetch
from liveinstall._sidebyside.store.store import Store
from liveinstall._system.durability import flush_file_system
from liveinstall._system.scratch import scratch_directory
from liveinstall._system.settings import check_permitted
from liveinstall.errors import HomeError
from liveinstall.events import Reporter
from liveinstall.reports import Home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Literal

    from liveinstall._homes.links import LinkTree
    from liveinstall._requirements.request import RequirementLike
    from liveinstall._sidebyside.store.store import Stored
    from liveinstall.events import OnEvent
    from liveinstall.results import Overlap

_PTH = "liveinstall-home.pth"


def create(
    path: str | os.PathLike[str],
    *requirements: RequirementLike,
    store: str | os.PathLike[str] | None = None,
    overlap: Literal["allow", "refuse"] = "allow",
    over: str | os.PathLike[str] | None = None,
    keep: Sequence[str] = (),
    on_event: OnEvent = None,
    quiet: bool | None = None,
    **options: Any,
) -> Home:
    """Create a linked environment: Python's standard library, and `requirements` with their dependencies.

    The files are links to a store of unpacked wheels, into which missing wheels are fetched first. The environment is
    for this exact version of the base Python. If this process is killed, nothing is left at `path`.

    Args:
        path: The directory to create; it must not exist, or be empty. Relative to the current directory.
        *requirements: As for `liveinstall.install()`. Default: none.
        store: The directory of the store, relative to the current directory. Default: this environment's store.
        overlap: What happens if two distributions have a file with different contents: "allow": the one that is
            installed last, after its dependencies, wins; `overlaps` of the result names it. "refuse":
            FileConflictError.
        over: The directory of a base environment, such as `sys.prefix`, relative to the current directory. Its
            packages are importable in the home, too, after the home's own; the home gets only what the base
            environment does not have in a suitable version. Default: none.
        keep: The names of distributions of the base environment that must not be replaced: the plan satisfies their
            requirements, too.
        on_event: As for `liveinstall.install()`.
        quiet: As for `liveinstall.install()`.
        **options: Options of `liveinstall.install()` for the requirements and their sources.

    Returns:
        The new environment.

    Raises:
        HomeError: There is something at `path`, or it cannot be written; or `over` is not an environment for this
            exact version of Python.
        RequirementError: A requirement is invalid, or requires another version of a distribution in `keep`.
        ResolutionError: No set of versions satisfies the requirements.
        FileConflictError: Two distributions have different files at one path, and `overlap` is "refuse"; or one has
            a file where the other has a directory.
        DisabledError: The environment variable LIVEINSTALL_DISABLE is set.
        LiveInstallError: As for `liveinstall.install()`.
    """
    check_permitted()
    strict = value_of("overlap", overlap) == "refuse"
    directory = os.path.abspath(path)
    base = Base.here(directory)
    check_free(directory)
    below = BaseEnvironment.at(over, directory) if over is not None else None
    plan = BasePlan.over(below, requirements, keep)
    with Reporter(on_event, quiet=quiet) as reporter:
        entries: Sequence[Stored] = ()
        if requirements or options.get("requirement_files"):
            source = Store.default(current_site()) if store is None else Store.at(store)
            entries = fetch(requirements, source, tell=reporter.tell, over=plan.base, pins=plan.pins, **options)
    conflicts = plan.check(entries)
    record = HomeRecord(base.version, base.python, [text_of(each) for each in flat(requirements)])
    record.has = sorted((entry.name, entry.version, entry.path) for entry in entries)
    if below:
        record.over, record.path, record.below = below.prefix, list(below.path), plan.versions
    try:
        tree, overlaps = _tree(base, directory, entries, strict=strict)
        if below:
            below.add_to(tree, base.packages, directory)
        _make(tree, record, directory)
    except (OSError, ValueError) as error:
        raise HomeError(f"{directory} could not be created: {error}.", path=directory) from None
    return replace(home_of(directory, record), overlaps=overlaps, conflicts=conflicts)


def home_of(place: str, record: HomeRecord) -> Home:
    """Describe a home as a value.

    Args:
        place: Its directory, absolute.
        record: The content of its record file.
    """
    python = python_of(place)
    has = tuple((name, version) for name, version, _ in record.has)
    return Home(place, python, record.python, has, tuple(record.asked), over=record.over)


def check_free(place: str) -> None:
    """Check that a path is free or an empty directory.

    Raises:
        HomeError: It is neither.
    """
    if os.path.isfile(os.path.join(place, records.NAME)):
        raise HomeError(
            f"{place} is already a home (linked environment).",
            todo="Remove it first, or choose another path.",
            path=place,
        )
    if os.path.lexists(place) and (os.path.islink(place) or not os.path.isdir(place) or os.listdir(place)):
        raise HomeError(
            f"{place} already exists and is not an empty directory.", todo="Choose another path.", path=place
        )


def _tree(base: Base, place: str, entries: Sequence[Stored], *, strict: bool) -> tuple[LinkTree, tuple[Overlap, ...]]:
    """Plan the whole environment. The order of the entries counts only if two have different files at one path."""
    tree, overlaps = _tree_in_order(base, place, entries, strict=strict)
    return _tree_in_order(base, place, _by_dependency(entries), strict=strict) if overlaps else (tree, overlaps)


def _tree_in_order(
    base: Base, place: str, entries: Iterable[Stored], *, strict: bool
) -> tuple[LinkTree, tuple[Overlap, ...]]:
    tree = base.tree()
    configuration = f"home = {os.path.dirname(base.python)}\ninclude-system-site-packages = false\n"
    tree["pyvenv.cfg"] = f"{configuration}version = {base.version}\n".encode()
    packages = Packages(tree, base.packages, place, strict=strict)
    for entry in entries:
        packages.add(entry)
    opened(tree, base.packages)[_PTH] = _check_line(base.version, place).encode("ascii")
    return tree, packages.overlaps


def _by_dependency(entries: Sequence[Stored]) -> list[Stored]:
    """The entries in the order of installation: each after those that it depends on."""
    by_name = {entry.name: entry for entry in entries}
    distributions = (distribution for entry in entries for distribution in in_directory(entry.path))
    needs = {each.name: frozenset(named(Node(each.version, each.requires))) for each in distributions}
    return [by_name[name] for name in in_order_of_dependency(by_name, needs)]


def _make(tree: LinkTree, record: HomeRecord, place: str) -> None:
    """Write the tree. The commit point is the rename; after a kill before it the next call sweeps the directory."""
    parent, name = os.path.split(place)
    os.makedirs(parent, exist_ok=True)
    _list(tree, "", record)
    tree[records.NAME] = records.encode(record).encode("utf-8", "surrogateescape")
    with scratch_directory(parent, f".{name}.liveinstall-") as (directory, _):
        made = os.path.join(directory, name)  # without the lock, because Windows renames no directory of an open file
        os.mkdir(made)
        make(tree, made)
        flush_file_system(made)
        check_free(place)
        if os.name == "nt":
            with suppress(FileNotFoundError):
                patient.rmdir(place)
        patient.rename(made, place)  # replaces an empty directory; ENOTEMPTY if another home was made meanwhile


def _list(tree: LinkTree, at: str, record: HomeRecord) -> None:
    """Add all files, links and hard links of a tree to the record."""
    for name, node in tree.items():
        path = f"{at}/{name}" if at else name
        if isinstance(node, dict):
            _list(node, path, record)
        elif isinstance(node, Hard):
            record.hard[path] = (node.replace(os.sep, "/"), node.inode)
        elif isinstance(node, str):
            record.links[path] = node
        else:
            record.files[path] = sha256(node).hexdigest()


def _check_line(version: str, place: str) -> str:
    """The line of a .pth file by which each interpreter checks at start-up that it has the home's version of Python.

    The home's own executable exits if not. An application that uses the home through PYTHONHOME only prints the message
    and continues: it may be a server.
    """
    code = f"""
if sys.version.split()[0] != {version!r}:
    try:
        sys.stderr.write("liveinstall: the home " + {place!a} + " is for Python {version}, but this is Python "
            + sys.version.split()[0] + ": create it again.\\n")
        sys.stderr.flush()
    except Exception:
        pass
    if os.path.realpath(os.path.dirname(sys.executable or "/")) == os.path.realpath({os.path.join(place, SCRIPTS)!a}):
        os._exit(1)
"""
    return f"import os, sys; exec({code!a})\n"
