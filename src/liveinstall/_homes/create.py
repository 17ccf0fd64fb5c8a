"""Making a home: thought out as a tree, made aside, and renamed to its place."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from liveinstall._environment.target import current_site
from liveinstall._homes import record as records
from liveinstall._homes.base_python import Base
from liveinstall._homes.links import Hard, make, opened
from liveinstall._homes.packages import Packages
from liveinstall._homes.record import HomeRecord
from liveinstall._sidebyside.selection.fetch import fetch
from liveinstall._sidebyside.store.store import Store
from liveinstall._system.durability import flush_file_system
from liveinstall._system.scratch import MARK, scratch_directory
from liveinstall._system.settings import check_permitted
from liveinstall.errors import HomeError
from liveinstall.events import Reporter
from liveinstall.reports import Home

if TYPE_CHECKING:
    from collections.abc import Sequence

    from liveinstall._homes.links import LinkTree
    from liveinstall._requirements.request import RequirementLike
    from liveinstall._sidebyside.store.store import Stored
    from liveinstall.events import OnEvent

_PTH = "liveinstall-home.pth"


def create(
    path: str | os.PathLike[str],
    *requirements: RequirementLike,
    store: str | os.PathLike[str] | None = None,
    on_event: OnEvent = None,
    quiet: bool | None = None,
    **options: Any,
) -> Home:
    """Make an environment of links at `path`: Python's library without its packages, and what `requirements` need.

    Packages come from `store` (a directory; default: this environment's store), by link; what it has not is fetched
    into it first. It is for this exact version of Python. A virtual environment's home is its base Python's.
    `options` are those of `install()` that say what is wanted and where it comes from.

    The place must be free, or an empty directory. A kill before its end leaves nothing there.

    Raises: HomeError, FileConflictError (two distributions have the same file), and what fetching raises.
    """
    check_permitted()
    place = os.path.abspath(path)
    base = Base.here(place)
    check_free(place)
    with Reporter(on_event, quiet=quiet) as reporter:
        entries: Sequence[Stored] = ()
        if requirements or options.get("requirement_files"):
            where = Store.default(current_site()) if store is None else Store.at(store)
            entries = fetch(requirements, where, tell=reporter.tell, **options)
    record = HomeRecord(base.version, base.python, [str(text) for text in requirements])
    record.has = sorted((entry.name, entry.version, entry.path) for entry in entries)
    try:
        tree = _tree(base, place, entries)
        _make(tree, record, place)
    except (OSError, ValueError) as error:
        raise HomeError(f"{place} could not be made: {error}.", path=place) from error
    return home_of(place, record)


def home_of(place: str, record: HomeRecord) -> Home:
    """A home as a value."""
    python = os.path.join(place, "bin", "python")
    has = tuple((name, version) for name, version, _ in record.has)
    return Home(place, python, record.python, has, tuple(record.asked))


def check_free(place: str) -> None:
    """Raise HomeError unless nothing is there, or an empty directory."""
    if os.path.isfile(os.path.join(place, records.NAME)):
        raise HomeError(f"{place} is a home already.", todo="Remove that one first.", path=place)
    if os.path.lexists(place) and (os.path.islink(place) or not os.path.isdir(place) or os.listdir(place)):
        raise HomeError(f"there is something else at {place}.", todo="Choose another place.", path=place)


def _tree(base: Base, place: str, entries: Sequence[Stored]) -> LinkTree:
    tree = base.tree()
    configuration = f"home = {os.path.dirname(base.python)}\ninclude-system-site-packages = false\n"
    tree["pyvenv.cfg"] = f"{configuration}version = {base.version}\n".encode()
    packages = Packages(tree, base.packages, place)
    for entry in entries:
        packages.add(entry)
    opened(tree, base.packages)[_PTH] = _check_line(base.version, place).encode("ascii")
    return tree


def _make(tree: LinkTree, record: HomeRecord, place: str) -> None:
    """On disk before: nothing; the commit point is the rename. Killed before it: what the next maker sweeps."""
    parent, name = os.path.split(place)
    os.makedirs(parent, exist_ok=True)
    _list(tree, "", record)
    tree[records.NAME] = records.encode(record).encode("utf-8", "surrogateescape")
    with scratch_directory(parent, f".{name}.liveinstall-", 0o777) as (directory, _):
        make(tree, directory)
        flush_file_system(directory)
        check_free(place)
        os.rename(directory, place)  # over an empty directory, or ENOTEMPTY where another one was made meanwhile
        with suppress(OSError):
            os.unlink(os.path.join(place, MARK))


def _list(tree: LinkTree, at: str, record: HomeRecord) -> None:
    """Note all that will be made."""
    for name, node in tree.items():
        path = f"{at}/{name}" if at else name
        if isinstance(node, dict):
            _list(node, path, record)
        elif isinstance(node, Hard):
            record.hard[path] = (str(node), node.inode)
        elif isinstance(node, str):
            record.links[path] = node
        else:
            record.files[path] = sha256(node).hexdigest()


def _check_line(version: str, place: str) -> str:
    """One line, so that each interpreter that starts in the home looks whether it is the one that it was made for.

    The home's own executable refuses to go on. A host that was told of the home by PYTHONHOME is somebody's server:
    it hears of it, and goes on.
    """
    code = f"""
if sys.version.split()[0] != {version!r}:
    try:
        sys.stderr.write("liveinstall: the home " + {place!a} + " is for Python {version}, and this is "
            + sys.version.split()[0] + ": make it anew.\\n")
        sys.stderr.flush()
    except Exception:
        pass
    if os.path.realpath(os.path.dirname(sys.executable or "/")) == os.path.realpath({os.path.join(place, "bin")!a}):
        os._exit(1)
"""
    return f"import os, sys; exec({code!a})\n"
