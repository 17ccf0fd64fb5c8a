"""Examining a wheel at its first use, and unpacking it into the wheel cache.

Both need libraries of which an active wheel may be another version, so they run in a process of their own (`helper`).
Several processes may do this at the same time: each writes temporary files and renames them, and the first one wins.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import sys
import zipfile
from contextlib import suppress
from email.parser import HeaderParser

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from liveinstall._sidebyside.imports.virtual import index_of
from liveinstall._sidebyside.layout import CACHE_VARIABLE
from liveinstall._sidebyside.store.entry import entry_name
from liveinstall._sidebyside.store.store import Store
from liveinstall._sidebyside.wheels.archive import UNREADABLE, WheelArchive, changed, failed, write
from liveinstall._sidebyside.wheels.record import WheelRecord, encode, record_path, stat_of
from liveinstall._staging.policy import check_wheel
from liveinstall._system.letter_case import folds_case
from liveinstall._system.privacy import make_private
from liveinstall.errors import LiveInstallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.tags import Tag

    from liveinstall._staging.policy import Checked

# A module that contains one of these names may need its files on disk. Resources are read from the wheel.
_USES_LOCATION = re.compile(
    rb"\b(__file__|__path__|__cached__|getsourcefile|getfile|get_filename|pkg_resources|ctypes|cffi|origin|zipimport)\b"
)
_NO_DATA = (".py", ".pyi", "/py.typed")


def examine(path: str, cache: str) -> WheelRecord:
    """Check a wheel against the policy and this interpreter, and determine how it can be imported.

    Args:
        path: The wheel, absolute.
        cache: The cache directory, where the record and the metadata are stored; empty for none.

    Returns:
        The record.

    Raises:
        OwnerError: The wheel cannot be read, is damaged, is being written, or is not for this interpreter.
        WheelRefusedError: The wheel violates a rule of safe unpacking.
    """
    stat = _stat(path)
    _check_tags(path)
    try:
        with zipfile.ZipFile(path) as zip_file:
            size, folds = os.path.getsize(path), folds_case(cache or os.path.dirname(path))
            checked = check_wheel(zip_file, os.path.basename(path), size=size, folds=folds)
            entry = entry_name(zip_file, checked)
            digest = hashlib.sha256(zip_file.read(f"{checked.dist_info}/RECORD")).hexdigest()[:16]
    except UNREADABLE as error:
        raise failed(path, f"cannot be read: {error}") from None
    archive = WheelArchive(path)
    if archive.stat != stat:
        raise failed(path, "was changed while it was examined", todo="Try again.")
    _check_python(path, archive.read(f"{checked.dist_info}/METADATA"))
    paths = [name for name in archive.files if not name.startswith((checked.dist_info + "/", checked.data + "/"))]
    index = index_of(paths)
    has_namespaces = any(
        entry.kind == "namespace" for entry in index.values()
    )  # Python reads their resources from disk only
    straight = not has_namespaces and _works_in_wheel(archive, paths)
    record = WheelRecord(
        path,
        stat,
        key=f"{checked.name.replace('-', '_')}-{checked.version}-{digest}",
        entry=entry,
        info=checked.dist_info,
        names=[name for name in index if "." not in name],
        straight=straight,
        modules=[entry for entry in index.values() if straight or "." not in entry[0]],
    )
    if cache:
        with suppress(OSError):  # a cache that cannot be written or that others can write to is not used
            make_private(cache)
            _cache_metadata(archive, checked, os.path.join(cache, record.key))
            write(record_path(path, cache), encode(record).encode())
    return record


def _stat(path: str) -> str:
    try:
        return stat_of(path)
    except OSError as error:
        raise failed(path, f"cannot be read: {error}") from None


def _check_tags(path: str) -> None:
    try:
        tags = parse_wheel_filename(os.path.basename(path))[3]
    except InvalidWheelFilename:
        raise failed(path, "does not have a valid wheel file name") from None
    if tags.isdisjoint(_own_tags()):
        raise failed(path, "is not for this interpreter", todo="Use a wheel that supports it.")


@functools.cache
def _own_tags() -> frozenset[Tag]:
    return frozenset(sys_tags())


def _check_python(path: str, metadata: bytes) -> None:
    requires = HeaderParser().parsestr(metadata.decode("utf-8", "replace")).get("Requires-Python", "")
    with suppress(InvalidSpecifier):  # as pip, which ignores an invalid specifier
        if not SpecifierSet(requires).contains("{}.{}.{}".format(*sys.version_info), prereleases=True):
            raise failed(path, f"requires Python {requires}")


def _works_in_wheel(archive: WheelArchive, paths: Iterable[str]) -> bool:
    """Whether a wheel works without unpacking: no data, no extension modules, no module that uses its location."""
    if not all(name.endswith(_NO_DATA) for name in paths):
        return False
    return not any(_USES_LOCATION.search(archive.read(name)) for name in paths if name.endswith(".py"))


def _cache_metadata(archive: WheelArchive, checked: Checked, directory: str) -> None:
    """Cache all metadata, RECORD last: if it is in the cache, all metadata is."""
    names = [name for name in archive.files if name.partition("/")[0] == checked.dist_info]
    for name in sorted(names, key=lambda name: name == f"{checked.dist_info}/RECORD"):
        path = os.path.join(directory, *name.split("/"))
        if not os.path.exists(path):
            write(path, archive.read(name))


def unpack(path: str, cache: str, record: WheelRecord) -> str:
    """Unpack a wheel into the cache as into a store, unless that has been done already.

    Args:
        path: The wheel, absolute.
        cache: The cache directory; empty for none.
        record: The record, which the wheel must still match.

    Returns:
        The directory of the unpacked wheel, absolute.

    Raises:
        OwnerError: The wheel has changed or cannot be unpacked, or there is no cache directory.
        WheelRefusedError: The wheel violates a rule of safe unpacking.
    """
    if not cache:
        todo = f"Set {CACHE_VARIABLE} to a directory that only you can write to."
        raise failed(path, "must be unpacked to be imported, which needs a cache directory", todo=todo)
    if _stat(path) != record.stat:
        raise changed(path)
    try:
        make_private(cache)
        make_private(os.path.join(cache, record.key))
        return Store(os.path.join(cache, record.key, "tree"), compiles=False).add(path).path
    except (LiveInstallError, OSError) as error:
        raise failed(path, f"must be unpacked to be imported, which failed: {error}") from None
