"""Looking at a wheel for the first time, and what is written to the cache of wheels.

Everything here may run in several processes at once: each writes aside and renames, and finds that another was first.
"""

from __future__ import annotations

import base64
import hashlib
import marshal
import os
import re
import sys
import tempfile
import zipfile
from contextlib import suppress
from email.parser import HeaderParser
from functools import cache as remembered
from importlib.util import MAGIC_NUMBER
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from _liveinstall_boot.codec import record_rows
from liveinstall.errors import LiveInstallError, OwnerError
from liveinstall.parallel.store import Store
from liveinstall.parallel.unpacking import entry_name
from liveinstall.parallel.virtual import index_of
from liveinstall.parallel.wheelrecord import WheelRecord, encode, record_path, stat_of
from liveinstall.staging.policy import UNREADABLE, check_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType

    from packaging.tags import Tag

    from liveinstall.staging.policy import Checked

# Whoever says one of these words may look for its files on disk. Resources are served from the wheel.
_ASKS_WHERE = re.compile(
    rb"\b(__file__|__path__|__cached__|getsourcefile|getfile|get_filename|pkg_resources|ctypes|cffi|origin|zipimport)\b"
)
_NO_DATA = (".py", ".pyi", "/py.typed")


class WheelArchive:
    """An open wheel: `files` are paths as in site-packages; what is read is compared with RECORD."""

    def __init__(self, path: str, record: WheelRecord | None = None) -> None:
        """Open it. `record`: what it must still be. Raises: OwnerError."""
        try:
            self.stat = stat_of(path)
            self.zip = zipfile.ZipFile(path)
        except (OSError, *UNREADABLE) as error:
            raise _failed(path, f"cannot be read: {error}") from error
        self.path = path
        if record is not None and record.stat != self.stat:
            raise _failed(path, "has changed since it was first used here", todo="Start Python anew.")
        names = [info.filename for info in self.zip.infolist() if not info.is_dir()]
        info = next((name.partition("/")[0] for name in names if name.endswith(".dist-info/RECORD")), "")
        moved = re.compile(re.escape(info.removesuffix(".dist-info")) + r"\.data/(purelib|platlib)/")
        self.files = {moved.sub("", name, count=1): name for name in names if "__pycache__" not in name.split("/")}
        self._hashes = {path: hashed for path, hashed, _ in record_rows(self.zip.read(f"{info}/RECORD").decode())}

    def read(self, path: str) -> bytes:
        """A file by its path as in site-packages. Raises: FileNotFoundError, OwnerError."""
        name = self.files.get(path)
        if name is None:
            raise FileNotFoundError(2, "not in this wheel", f"{self.path}/{path}")
        try:
            content = self.zip.read(name)
        except (OSError, *UNREADABLE) as error:
            raise _failed(self.path, f"cannot be read at {name}: {error}") from error
        algorithm, _, digest = self._hashes.get(name, "").partition("=")
        if algorithm in ("sha256", "sha384", "sha512"):
            found = base64.urlsafe_b64encode(hashlib.new(algorithm, content).digest()).decode().rstrip("=")
            if found != digest.rstrip("="):
                raise _failed(self.path, f"is damaged: {name} is not what its RECORD says")
        return content


def _failed(path: str, what: str, todo: str = "") -> OwnerError:
    return OwnerError(f"{path} {what}.", todo=todo, place=path)


def examine(path: str, cache: str) -> tuple[WheelRecord, WheelArchive | None]:
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
    except (OSError, *UNREADABLE) as error:
        raise _failed(path, f"cannot be read: {error}") from error
    opened = WheelArchive(path)
    if opened.stat != stat:
        raise _failed(path, "is changing right now", todo="Try again.")
    _check_python(path, opened.read(f"{checked.dist_info}/METADATA"))
    inner = [name for name in opened.files if not name.startswith((checked.dist_info + "/", checked.data + "/"))]
    index = index_of(inner)
    straight = _is_straight(opened, inner)
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
        with suppress(OSError):  # a cache that cannot be written is none
            _keep_metadata(opened, checked, os.path.join(cache, record.key))
            _write(record_path(path, cache), encode(record).encode())
    return record, opened


def _stat(path: str) -> str:
    try:
        return stat_of(path)
    except OSError as error:
        raise _failed(path, f"cannot be read: {error}") from error


def _check_tags(path: str) -> None:
    try:
        tags = parse_wheel_filename(os.path.basename(path))[3]
    except InvalidWheelFilename as error:
        raise _failed(path, "is not named as a wheel is") from error
    if tags.isdisjoint(_own_tags()):
        raise _failed(path, "is not for this interpreter", todo="Take the wheel that is for it.")


@remembered
def _own_tags() -> frozenset[Tag]:
    return frozenset(sys_tags())


def _check_python(path: str, metadata: bytes) -> None:
    needs = HeaderParser().parsestr(metadata.decode("utf-8", "replace")).get("Requires-Python", "")
    with suppress(InvalidSpecifier):  # pip does not mind either
        if not SpecifierSet(needs).contains("{}.{}.{}".format(*sys.version_info), prereleases=True):
            raise _failed(path, f"needs Python {needs}")


def _is_straight(opened: WheelArchive, inner: Iterable[str]) -> bool:
    """Whether nothing in it can mind that it is in a wheel: no data, nothing native, nobody who asks where he lies."""
    if not all(name.endswith(_NO_DATA) for name in inner):
        return False
    return not any(_ASKS_WHERE.search(opened.read(name)) for name in inner if name.endswith(".py"))


def _keep_metadata(opened: WheelArchive, checked: Checked, directory: str) -> None:
    for name in opened.files:
        head, _, _ = name.partition("/")
        path = os.path.join(directory, *name.split("/"))
        if head == checked.dist_info and not os.path.exists(path):
            _write(path, opened.read(name))


def _write(path: str, content: bytes) -> None:
    """Write a file aside and rename it in. Raises: OSError."""
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=directory, prefix=".draft-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)
        raise


def keep_code(path: str, code: CodeType) -> None:
    """Keep a module's code for the next process; where that fails, it compiles again."""
    with suppress(OSError):
        _write(path, MAGIC_NUMBER + marshal.dumps(code))


def unpack(path: str, cache: str, record: WheelRecord) -> str:
    """Unpack a wheel as the store does it, unless it is; its directory. Raises: OwnerError, WheelRefusedError."""
    if not cache:
        raise _failed(path, "must be unpacked to be imported, which needs a cache directory")
    if _stat(path) != record.stat:
        raise _failed(path, "has changed since it was first used here", todo="Start Python anew.")
    try:
        return Store(os.path.join(cache, record.key, "tree"), compiles=False).add(path).path
    except (LiveInstallError, OSError) as error:
        raise _failed(path, f"must be unpacked to be imported, which failed: {error}") from error
