"""An open wheel, and the files cached for it. Uses only the standard library, so that any process can import it."""

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

from _liveinstall_boot import patient
from _liveinstall_boot.codec import record_rows
from liveinstall._sidebyside.wheels.record import stat_of
from liveinstall._system.dist_info import encoded
from liveinstall._system.privacy import make_private
from liveinstall.errors import OwnerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

    from liveinstall._sidebyside.wheels.record import WheelRecord

# The exceptions that `zipfile` raises for a damaged archive.
UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, OverflowError, KeyError)

READY = b"ready\n"  # the first output of the helper


class WheelArchive:
    """An open wheel, whose files are checked against RECORD when they are read.

    The attribute `files` maps each path, relative to site-packages, with slashes, to the file's name in the wheel.

    Args:
        path: The wheel, absolute.
        record: The record that the wheel must still match. Default: none.

    Raises:
        OwnerError: The wheel cannot be read, or has changed.
    """

    def __init__(self, path: str, record: WheelRecord | None = None) -> None:
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
            raise failed(self.path, f"cannot be read: {error}") from None
        self._process = os.getpid()

    def _open_again(self) -> None:
        """Open the wheel again after a fork: the child would share the file position with its parent and siblings."""
        before = self.stat
        self._open()
        if self.stat != before:
            self._process = 0
            raise changed(self.path)

    def read(self, path: str) -> bytes:
        """Read a file.

        Args:
            path: Its path relative to site-packages, with slashes.

        Returns:
            Its content.

        Raises:
            FileNotFoundError: The wheel has no such file.
            OwnerError: The file cannot be read, or its hash is not the one in RECORD.
        """
        if self._process != os.getpid():
            self._open_again()
        name = self.files.get(path)
        if name is None:
            raise FileNotFoundError(2, "not in this wheel", f"{self.path}/{path}")
        try:
            content = self.zip.read(name)
        except UNREADABLE as error:
            raise failed(self.path, f"cannot be read at {name}: {error}") from None
        algorithm, _, digest = self._hashes.get(name, "").partition("=")
        if algorithm in ("sha256", "sha384", "sha512"):
            actual = encoded(hashlib.new(algorithm, content).digest())
            if actual != digest.rstrip("="):
                raise failed(self.path, f"is damaged: {name} does not match its hash in RECORD")
        return content


def failed(path: str, what: str, todo: str = "") -> OwnerError:
    """Make the error for a wheel.

    Args:
        path: The wheel.
        what: What failed, as the rest of a sentence that begins with the path; without a full stop.
        todo: A sentence about the user's next step; empty if unknown.

    Returns:
        The error.
    """
    return OwnerError(f"{path} {what}.", todo=todo, place=path)


def changed(path: str) -> OwnerError:
    """Make the error for a wheel that has changed since it was examined."""
    return failed(path, "has changed since this process first used it", todo="Restart Python.")


def write(path: str, content: bytes) -> None:
    """Write a file by way of a temporary file and a rename, in a directory that only this user can access.

    Args:
        path: The file, absolute; its directory is created if it does not exist.
        content: Its content.

    Raises:
        OSError: The file cannot be written, or other users can access the directory.
    """
    directory = os.path.dirname(path)
    make_private(directory)
    handle, draft = tempfile.mkstemp(dir=directory, prefix=".draft-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        patient.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            patient.unlink(draft)
        raise


def keep_code(path: str, code: CodeType) -> None:
    """Cache a module's code for later processes. A failure is ignored: they compile the module again.

    Args:
        path: The file in the cache.
        code: The code.
    """
    with suppress(OSError):
        write(path, MAGIC_NUMBER + marshal.dumps(code))
