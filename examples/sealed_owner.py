"""A user-defined owner (importer): a whole package, sealed in one file with a key, imported without unpacking.

Seal a directory with the layout of site-packages, then import from the file:

    python examples/sealed_owner.py seal DIRECTORY app.sealed
    SEAL_KEY=... python examples/sealed_owner.py run app.sealed MODULE

A distribution would register `owner_of`, so that `liveinstall.owners.activate("app.sealed")` finds it:

    [project.entry-points."liveinstall.owners"]
    sealed = "sealed_owner:owner_of"

The cipher only shows where your own would be. It uses nothing but the standard library's HMAC.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import runpy
import secrets
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from liveinstall.owners import VirtualOwner, activate

if TYPE_CHECKING:
    from collections.abc import Iterable

SUFFIX = ".sealed"
_MARK, _SALT = b"sealed 1\n", 16


class SealedOwner(VirtualOwner):
    """Imports from a sealed file: its content is kept in memory, nothing is written."""

    def __init__(self, place: str, key: bytes) -> None:
        """Raises: ImportError if the key is wrong, or the file was changed."""
        super().__init__(os.path.abspath(place))
        self._files = unseal(Path(place).read_bytes(), key, place)

    def paths(self) -> Iterable[str]:
        """All files."""
        return self._files

    def data(self, path: str) -> bytes:
        """A file's content."""
        try:
            return self._files[path]
        except KeyError:
            raise FileNotFoundError(2, "not in this file", f"{self.place}/{path}") from None


def owner_of(place: str) -> SealedOwner | None:
    """The owner of a sealed file, whose key is in SEAL_KEY; None for other files, so that other owners are tried."""
    if not place.endswith(SUFFIX):
        return None
    return SealedOwner(place, os.environ["SEAL_KEY"].encode())


def seal(directory: Path, key: bytes) -> bytes:
    """Seal all files of a directory."""
    files = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
    text = {name: b64encode(path.read_bytes()).decode() for name, path in files.items() if "__pycache__" not in name}
    salt = secrets.token_bytes(_SALT)
    body = _crypt(json.dumps(text).encode(), key, salt)
    return _MARK + salt + hmac.digest(key, salt + body, "sha256") + body


def unseal(content: bytes, key: bytes, place: str) -> dict[str, bytes]:
    """Path -> content, from the output of `seal()`. Raises: ImportError."""
    start = len(_MARK) + _SALT
    salt, digest, body = content[len(_MARK) : start], content[start : start + 32], content[start + 32 :]
    if not content.startswith(_MARK) or not hmac.compare_digest(digest, hmac.digest(key, salt + body, "sha256")):
        raise ImportError(f"{place} is not sealed with this key, or was changed", path=place)
    return {name: b64decode(text) for name, text in json.loads(_crypt(body, key, salt)).items()}


def _crypt(data: bytes, key: bytes, salt: bytes) -> bytes:
    blocks = range(0, len(data), 64)
    stream = b"".join(hmac.digest(key, salt + at.to_bytes(8, "big"), hashlib.sha512) for at in blocks)
    return bytes(one ^ other for one, other in zip(data, stream, strict=False))


def main() -> None:
    """Seal a directory, or run a module of a sealed file."""
    what, place, other = sys.argv[1:4]
    if what == "seal":
        Path(other).write_bytes(seal(Path(place), os.environ["SEAL_KEY"].encode()))
        return
    activate(owner_of(place) or place)
    sys.argv[:] = sys.argv[3:]
    runpy.run_module(other, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
