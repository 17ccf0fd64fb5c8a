"""An open wheel and the files written beside it. Needs only the standard library; works in any process."""

from __future__ import annotations

import hashlib
import marshal
import os
import re
import tempfile
import zipfile
import zlib
from contextlib import suppress
from importlib.util import MAGIC_NUMBER
from typing import TYPE_CHECKING

from _liveinstall_boot.codec import record_rows
from liveinstall._sidebyside.wheels.record import stat_of
from liveinstall._system.dist_info import encoded
from liveinstall._system.privacy import make_private
from liveinstall.errors import OwnerError

if TYPE_CHECKING:
    from types import CodeType

    from liveinstall._sidebyside.wheels.record import WheelRecord

# The exceptions that `zipfile` raises for a damaged archive.
UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, OverflowError, KeyError)

READY = b"ready\n"  # the first output of the helper


class WheelArchive:
    """An open wheel: `files` are paths as in site-packages; content is checked against RECORD."""

    def __init__(self, path: str, record: WheelRecord | None = None) -> None:
        """Open it. `record`: the record that it must still match. Raises: OwnerError."""
        self.path = path
        self._open()
        if record is not None and record.stat != self.stat:
            raise changed(path)
        names = [info.filename for info in self.zip.infolist() if not info.is_dir()]
        heads = (name.removesuffix("/RECORD") for name in names if name.endswith(".dist-info/RECORD"))
        info = next((head for head in heads if "/" not in head), "")  # others belong to vendored distributions
        moved = re.compile(re.escape(info.removesuffix(".dist-info")) + r"\.data/(purelib|platlib)/")
        self.files = {moved.sub("", name, count=1): name for name in names if "__pycache__" not in name.split("/")}
        self._hashes = {path: hashed for path, hashed, _ in record_rows(self.zip.read(f"{info}/RECORD").decode())}

    def _open(self) -> None:
        try:
            self.stat = stat_of(self.path)
            self.zip = zipfile.ZipFile(self.path)
        except UNREADABLE as error:
            raise failed(self.path, f"cannot be read: {error}") from error
        self._process = os.getpid()

    def _open_again(self) -> None:
        """Open it in a forked child, which shares the position in the file with its parent and all other children."""
        before = self.stat
        self._open()
        if self.stat != before:
            self._process = 0
            raise changed(self.path)

    def read(self, path: str) -> bytes:
        """Read a file by its path as in site-packages. Raises: FileNotFoundError, OwnerError."""
        if self._process != os.getpid():
            self._open_again()
        name = self.files.get(path)
        if name is None:
            raise FileNotFoundError(2, "not in this wheel", f"{self.path}/{path}")
        try:
            content = self.zip.read(name)
        except UNREADABLE as error:
            raise failed(self.path, f"cannot be read at {name}: {error}") from error
        algorithm, _, digest = self._hashes.get(name, "").partition("=")
        if algorithm in ("sha256", "sha384", "sha512"):
            found = encoded(hashlib.new(algorithm, content).digest())
            if found != digest.rstrip("="):
                raise failed(self.path, f"is damaged: {name} is not what its RECORD says")
        return content


def failed(path: str, what: str, todo: str = "") -> OwnerError:
    """Return the error for a wheel."""
    return OwnerError(f"{path} {what}.", todo=todo, place=path)


def changed(path: str) -> OwnerError:
    """Return the error for a wheel that has changed."""
    return failed(path, "has changed since it was first used here", todo="Start Python anew.")


def write(path: str, content: bytes) -> None:
    """Write a temporary file and rename it, in a directory private to this user. Raises: OSError."""
    directory = os.path.dirname(path)
    make_private(directory)
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
    """Keep a module's code for the next process, which compiles it again if this fails."""
    with suppress(OSError):
        write(path, MAGIC_NUMBER + marshal.dumps(code))
