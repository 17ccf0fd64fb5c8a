"""The owner of a wheel file: modules, data and metadata are imported from a `.whl` as it is.

A wheel is examined once, by the policy for all wheels, and the result is stored in a cache directory. A wheel of pure
Python modules that do not use their location is imported *straight*: its sources stay in the wheel, and its code is
compiled at the first import and cached. Any other wheel is *unpacked* as a whole before its first import, into a
directory that is never changed afterwards: extension modules need their libraries next to them, and packages list the
directory of their `__file__`. In both cases later imports neither open the wheel nor compile anything.
"""

from __future__ import annotations

import os
import sys
from _imp import _fix_co_filename  # type: ignore[attr-defined]  # as for a .pyc that was moved
from stat import S_ISDIR

from liveinstall._sidebyside.imports.directory import DirectoryOwner
from liveinstall._sidebyside.imports.virtual import VirtualOwner, fingerprint
from liveinstall._sidebyside.layout import default_cache
from liveinstall._sidebyside.wheels.record import can_be_private, encode, parse, read_record
from liveinstall._system.privacy import is_private, read_private, user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.machinery import ModuleSpec
    from importlib.resources.abc import TraversableResources
    from types import CodeType

    from liveinstall._sidebyside.imports.owner import ModuleEntry
    from liveinstall._sidebyside.wheels.archive import WheelArchive
    from liveinstall._sidebyside.wheels.record import WheelRecord


class WheelOwner(VirtualOwner):
    """The owner of a wheel: of all its files except scripts, headers and data files outside of packages.

    Args:
        path: The wheel, relative to the current directory.
        cache: The directory for compiled code and unpacked wheels. Default: the user's cache directory. Empty for none:
            then nothing is written, each import compiles, and a wheel that has to be unpacked is refused. A directory
            that other users can write to is not used.
        unpack: Whether to unpack the wheel. Default: only if it is necessary.

    Raises:
        OwnerError: The wheel cannot be read, is damaged, or is not for this interpreter.
        WheelRefusedError: The wheel violates a rule of safe unpacking.
    """

    def __init__(self, path: str, *, cache: str | None = None, unpack: bool | None = None) -> None:
        super().__init__(os.path.abspath(path))
        directory = default_cache() if cache is None else os.path.abspath(cache) if cache else ""
        self.cache = directory if directory and can_be_private(directory) else ""
        self._unpack = unpack
        self._archive: WheelArchive | None = None
        self._tree: DirectoryOwner | None = None
        self.record = self._read()
        self.on_disk, self.virtual = not self.straight, self.straight  # an unpacked wheel is an ordinary directory

    def _read(self) -> WheelRecord:
        record = read_record(self.place, self.cache) if self._is_usable() else None
        if record is None:
            from liveinstall._sidebyside.wheels.helper import ask

            record = parse(ask("examine", self.place, self.cache), self.place)
        assert record is not None
        return record

    def _is_usable(self) -> bool:
        """Whether the cache exists and is private to this user: another user may have created it again since."""
        return bool(self.cache) and is_private(self.cache)

    @property
    def straight(self) -> bool:
        """Whether modules are imported from the wheel itself, not from the directory that it is unpacked into."""
        return self.record.straight if self._unpack is None else not self._unpack

    def names(self) -> Iterable[str]:
        """The top-level names."""
        return self.record.names

    def is_package(self, name: str) -> bool | None:
        """Check whether a module is a package, without unpacking the wheel.

        Args:
            name: A top-level name.

        Returns:
            True or False; None for a namespace package and for an unknown name.
        """
        entry = next((entry for entry in self.record.modules if entry[0] == name), None)
        if entry is None or entry[1] == "namespace":
            return None
        return entry[2].rpartition("/")[2].startswith("__init__.")

    def find_spec(self, name: str) -> ModuleSpec | None:
        """Find a module. The first call unpacks the wheel if that is necessary.

        Args:
            name: The full name of the module.

        Returns:
            Its spec; a spec without a loader for a portion of a namespace package; None for an unknown name.

        Raises:
            OwnerError: The wheel cannot be unpacked, or its directory was removed.
        """
        if name.partition(".")[0] not in self.record.names:
            return None  # a wheel on sys.path is searched for every name
        return super().find_spec(name) if self.straight else self.tree().find_spec(name)

    def tree(self) -> DirectoryOwner:
        """The owner of the directory that the wheel is unpacked into, which is done now if necessary.

        Raises:
            OwnerError: The wheel cannot be unpacked.
        """
        if self._tree is None:
            path = os.path.join(self.cache, self.record.key, "tree", self.record.entry) if self._is_usable() else ""
            if not path or not _is_own_directory(path):
                from liveinstall._sidebyside.wheels.helper import ask

                path = ask("unpack", self.place, self.cache, encode(self.record))
            self._tree = DirectoryOwner(path)
        elif not (self._is_usable() and _is_own_directory(self._tree.place)):
            from liveinstall._sidebyside.wheels.archive import failed

            what = f"was unpacked into {self._tree.place}, which was removed, or which other users can now change"
            raise failed(self.place, what, todo="Restart Python.")
        return self._tree

    def paths(self) -> Iterable[str]:
        """The paths of all files, relative to site-packages, with slashes."""
        return self._open_archive().files

    def index(self) -> Mapping[str, ModuleEntry]:
        """All modules."""
        if not self.straight:
            return self.tree().index()
        if self._index is None:
            self._index = self.record.index() if self.record.straight else super().index()
        return self._index

    def infos(self) -> list[str]:
        """The metadata directory."""
        return [self.record.info]

    def data(self, path: str) -> bytes:
        """The content of a file, checked against RECORD; metadata comes from the cache.

        Args:
            path: One of `paths()`.

        Raises:
            OSError: The file cannot be read.
            OwnerError: Its hash is not the one in RECORD.
        """
        if path.startswith(self.record.info + "/") and self._is_usable():
            cached = os.path.join(self.cache, self.record.key)
            try:
                return read_private(os.path.join(cached, path))
            except OSError:
                if os.path.exists(os.path.join(cached, self.record.info, "RECORD")):  # written last
                    raise
        return self._open_archive().read(path)

    def native(self, entry: ModuleEntry) -> str:
        """The absolute path of an extension module in the unpacked wheel, next to the libraries that it needs.

        Args:
            entry: Its entry in the index.

        Raises:
            OwnerError: The wheel cannot be unpacked.
        """
        return self.tree().native(entry)

    def locate(self, path: str) -> str:
        """The path of a file in the unpacked wheel; if it is not unpacked, as if the wheel were a directory.

        Args:
            path: Its path relative to site-packages, with slashes.

        Raises:
            OwnerError: The wheel cannot be unpacked.
        """
        return super().locate(path) if self.straight else os.path.join(self.tree().place, *path.split("/"))

    def reader(self, name: str) -> TraversableResources | None:
        """Return the resources of a package, for `importlib.resources`.

        Args:
            name: The full name of the package.

        Returns:
            The reader; None if it is not a package of this location.
        """
        return super().reader(name) if self.straight else self.tree().reader(name)

    def code(self, entry: ModuleEntry) -> CodeType:
        """The code of a module, cached at the first import for the wheel's content, the module and the interpreter.

        Args:
            entry: Its entry in the index.

        Raises:
            ImportError: There is no code for this interpreter.
            SyntaxError: Its source cannot be compiled.
        """
        if not self.straight:
            return self.tree().code(entry)
        cached = os.path.join(self.cache, self.record.key, "code", f"{entry[0]}.{fingerprint()}") if self.cache else ""
        code = _read_code(cached) if cached and self._is_usable() else None
        if code is None:
            code = super().code(entry)
            if cached and not sys.dont_write_bytecode:
                from liveinstall._sidebyside.wheels.archive import keep_code

                keep_code(cached, code)
        elif code.co_filename != self.locate(entry[2]):  # the same wheel at another path
            _fix_co_filename(code, self.locate(entry[2]))
        return code

    def _open_archive(self) -> WheelArchive:
        if self._archive is None:
            from liveinstall._sidebyside.wheels.archive import WheelArchive

            self._archive = WheelArchive(self.place, self.record)
        return self._archive

    def invalidate_caches(self) -> None:
        """Do nothing: the content of an opened wheel does not change."""


def _is_own_directory(path: str) -> bool:
    """Whether a directory of the cache belongs to this user: it may be older than the privacy of the cache."""
    try:
        about = os.lstat(path)
    except OSError:
        return False
    return S_ISDIR(about.st_mode) and about.st_uid == user()


def _read_code(path: str) -> CodeType | None:
    """Cached code; None unless it is intact and for this interpreter."""
    import marshal
    from _frozen_importlib_external import MAGIC_NUMBER

    try:
        content = read_private(path)
        is_current = content[:4] == MAGIC_NUMBER
        return marshal.loads(content[4:]) if is_current else None  # noqa: S302  the cache is private to this user
    except (OSError, ValueError, EOFError, TypeError):
        return None
