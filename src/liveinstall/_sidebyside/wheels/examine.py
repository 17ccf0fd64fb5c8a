"""Looking at a wheel for the first time, and unpacking it into the cache of wheels.

It needs libraries that an active wheel may be another version of, so it runs in a process of its own (`wheelhelper`).
Several may do it at once: each writes aside and renames, and finds that another was first.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import zipfile
from contextlib import suppress
from email.parser import HeaderParser
from functools import cache as remembered
from typing import TYPE_CHECKING

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
from liveinstall._system.privacy import make_private
from liveinstall.errors import LiveInstallError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.tags import Tag

    from liveinstall._staging.policy import Checked

# Whoever says one of these words may look for its files on disk. Resources are served from the wheel.
_ASKS_WHERE = re.compile(
    rb"\b(__file__|__path__|__cached__|getsourcefile|getfile|get_filename|pkg_resources|ctypes|cffi|origin|zipimport)\b"
)
_NO_DATA = (".py", ".pyi", "/py.typed")


def examine(path: str, cache: str) -> WheelRecord:
    """Check a wheel by the policy, for this interpreter, and find out how it can be imported; what is found is kept.

    Raises: OwnerError, WheelRefusedError.
    """
    stat = _stat(path)
    _check_tags(path)
    try:
        with zipfile.ZipFile(path) as archive:
            checked = check_wheel(archive, os.path.basename(path), size=os.path.getsize(path))
            entry = entry_name(archive, checked)
            digest = hashlib.sha256(archive.read(f"{checked.dist_info}/RECORD")).hexdigest()[:16]
    except UNREADABLE as error:
        raise failed(path, f"cannot be read: {error}") from error
    opened = WheelArchive(path)
    if opened.stat != stat:
        raise failed(path, "is changing right now", todo="Try again.")
    _check_python(path, opened.read(f"{checked.dist_info}/METADATA"))
    inner = [name for name in opened.files if not name.startswith((checked.dist_info + "/", checked.data + "/"))]
    index = index_of(inner)
    spaces = any(entry.kind == "namespace" for entry in index.values())  # Python has resources of them from disk only
    straight = not spaces and _is_straight(opened, inner)
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
        with suppress(OSError):  # a cache that cannot be written, or is not this user's alone, is none
            make_private(cache)
            _keep_metadata(opened, checked, os.path.join(cache, record.key))
            write(record_path(path, cache), encode(record).encode())
    return record


def _stat(path: str) -> str:
    try:
        return stat_of(path)
    except OSError as error:
        raise failed(path, f"cannot be read: {error}") from error


def _check_tags(path: str) -> None:
    try:
        tags = parse_wheel_filename(os.path.basename(path))[3]
    except InvalidWheelFilename as error:
        raise failed(path, "is not named as a wheel is") from error
    if tags.isdisjoint(_own_tags()):
        raise failed(path, "is not for this interpreter", todo="Take the wheel that is for it.")


@remembered
def _own_tags() -> frozenset[Tag]:
    return frozenset(sys_tags())


def _check_python(path: str, metadata: bytes) -> None:
    needs = HeaderParser().parsestr(metadata.decode("utf-8", "replace")).get("Requires-Python", "")
    with suppress(InvalidSpecifier):  # pip does not mind either
        if not SpecifierSet(needs).contains("{}.{}.{}".format(*sys.version_info), prereleases=True):
            raise failed(path, f"needs Python {needs}")


def _is_straight(opened: WheelArchive, inner: Iterable[str]) -> bool:
    """Whether nothing in it can mind that it is in a wheel: no data, nothing native, nobody who asks where he lies."""
    if not all(name.endswith(_NO_DATA) for name in inner):
        return False
    return not any(_ASKS_WHERE.search(opened.read(name)) for name in inner if name.endswith(".py"))


def _keep_metadata(opened: WheelArchive, checked: Checked, directory: str) -> None:
    """Keep all metadata, RECORD as the last: where it is, all is."""
    names = [name for name in opened.files if name.partition("/")[0] == checked.dist_info]
    for name in sorted(names, key=lambda name: name == f"{checked.dist_info}/RECORD"):
        path = os.path.join(directory, *name.split("/"))
        if not os.path.exists(path):
            write(path, opened.read(name))


def unpack(path: str, cache: str, record: WheelRecord) -> str:
    """Unpack a wheel as the store does it, unless it is; its directory. Raises: OwnerError, WheelRefusedError."""
    if not cache:
        todo = f"{CACHE_VARIABLE} can name a directory that is yours, and that nobody else can write to."
        raise failed(path, "must be unpacked to be imported, which needs a cache directory", todo=todo)
    if _stat(path) != record.stat:
        raise changed(path)
    try:
        make_private(cache)
        make_private(os.path.join(cache, record.key))
        return Store(os.path.join(cache, record.key, "tree"), compiles=False).add(path).path
    except (LiveInstallError, OSError) as error:
        raise failed(path, f"must be unpacked to be imported, which failed: {error}") from error
