"""Synthetic wheels and installed distributions with any number and size of files."""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_PER_DIRECTORY = 50
_CHUNK = 2**20
_MODULE = b"VALUE = 1\n" * 100


def metadata(name: str, version: str, requires: Iterable[str] = ()) -> str:
    """Return the METADATA of a distribution."""
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    return head + "".join(f"Requires-Dist: {line}\n" for line in requires) + "\nA distribution to measure with.\n"


def small_files(wheels: Path, name: str, version: str, count: int, body: str = "") -> None:
    """Write a wheel of `count` modules, fifty in a directory; each has one line, and then `body`."""
    with _Wheel(wheels, name, version) as wheel:
        for number in range(count):
            package = f"{wheel.module}/p{number // _PER_DIRECTORY:03}"
            wheel.add(f"{package}/m{number:05}.py", [f"VERSION = {version!r}\n{body}".encode()])


def big_files(wheels: Path, name: str, version: str, *, count: int, size: int) -> None:
    """Write a wheel of `count` data files of `size` bytes each, alternately stored and deflated to about a half."""
    noise = os.urandom(_CHUNK // 2)
    chunk = noise + bytes(_CHUNK - len(noise))
    with _Wheel(wheels, name, version) as wheel:
        wheel.add(f"{wheel.module}/__init__.py", [b""])
        for number in range(count):
            stored = zipfile.ZIP_STORED if number % 2 else zipfile.ZIP_DEFLATED
            wheel.add(f"{wheel.module}/data{number}.bin", _repeated(chunk, size), compression=stored)


def _repeated(chunk: bytes, size: int) -> Iterator[bytes]:
    for begin in range(0, size, len(chunk)):
        yield chunk[: size - begin]


class _Wheel:
    """A wheel being written; its last member is its RECORD, with valid hashes."""

    def __init__(self, wheels: Path, name: str, version: str) -> None:
        self.module = name.replace("-", "_")
        self.info = f"{self.module}-{version}.dist-info"
        self.archive = zipfile.ZipFile(wheels / f"{self.module}-{version}-py3-none-any.whl", "w")
        self.rows: list[str] = []
        self.head = metadata(name, version)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.add(f"{self.info}/METADATA", [self.head.encode()])
        self.add(f"{self.info}/WHEEL", [b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"])
        self.archive.writestr(f"{self.info}/RECORD", "\n".join([*self.rows, f"{self.info}/RECORD,,", ""]))
        self.archive.close()

    def add(self, path: str, chunks: Iterable[bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> None:
        """Write one member in chunks, so that it is never entirely in memory."""
        info = zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0))
        info.compress_type = compression
        info.external_attr = 0o644 << 16
        digest, size = hashlib.sha256(), 0
        with self.archive.open(info, "w", force_zip64=True) as member:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                member.write(chunk)
        self.rows.append(f"{path},sha256={base64.urlsafe_b64encode(digest.digest()).decode().rstrip('=')},{size}")


def crowd(site: Path, count: int, *, requires: int = 8, files: int = 100, whole: bool = False) -> None:
    """Put `count` distributions into `site`: metadata and a RECORD of `files` rows each; the files only if `whole`.

    Each requires the `requires` next ones, so that the last ones are required most and nothing is broken.
    """
    digest = base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")
    for number in range(count):
        name = f"crowd-{number:03}"
        info = site / f"crowd_{number:03}-1.0.dist-info"
        info.mkdir()
        needs = [f"crowd-{other:03}<9,>=1.0" for other in range(number + 1, min(number + 1 + requires, count))]
        info.joinpath("METADATA").write_text(metadata(name, "1.0", needs), encoding="utf-8")
        info.joinpath("INSTALLER").write_text("pip\n", encoding="utf-8")
        rows = [f"crowd_{number:03}/module{row:03}.py,sha256={digest},{len(_MODULE)}" for row in range(files)]
        rows += [f"{info.name}/{file},," for file in ("METADATA", "INSTALLER")]
        if whole:
            package = site / f"crowd_{number:03}"
            package.mkdir()
            for row in range(files):
                package.joinpath(f"module{row:03}.py").write_bytes(_MODULE)
        info.joinpath("RECORD").write_text("\n".join([*rows, f"{info.name}/RECORD,,", ""]), encoding="utf-8")
