"""Wheels of pip's configured index: listing them, and reading parts of them by HTTP ranges.

It uses pip's own session, so that mirrors, proxies, certificates and credentials are those of the user.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

_BLOCK = 256 * 2**10  # bytes of a range
_OK, _PARTIAL = 200, 206


class TooMuchError(Exception):
    """Reading a wheel would exceed the limit."""


@dataclass(frozen=True)
class RemoteWheel:
    """A wheel in an index: its file name and address."""

    file_name: str
    url: str


class Index:
    """The index that pip would use."""

    def __init__(self, session: Any, collector: Any) -> None:
        self._session = session
        self._collector = collector

    def versions(self, name: str) -> dict[Version, list[RemoteWheel]]:
        """The wheels of a project that are not yanked, for any system and Python, by version, oldest first."""
        from pip._internal.index.collector import parse_links
        from pip._internal.models.link import Link

        found: dict[str, tuple[Version, RemoteWheel]] = {}
        for address in self._collector.search_scope.get_index_urls_locations(name):
            page = self._collector.fetch_response(Link(address))
            for link in parse_links(page) if page else ():
                version = _version(link.filename, name)
                if version is not None and link.yanked_reason is None:
                    found.setdefault(link.filename, (version, RemoteWheel(link.filename, link.url_without_fragment)))
        versions: dict[Version, list[RemoteWheel]] = {}
        for version, wheel in sorted(found.values(), key=lambda pair: (pair[0], pair[1].file_name)):
            versions.setdefault(version, []).append(wheel)
        return versions

    def open(self, wheel: RemoteWheel, *, limit: int) -> RemoteFile:
        """Begin to read a wheel, of which at most `limit` bytes are fetched."""
        return RemoteFile(self._session, wheel.url, limit)


@contextmanager
def pip_index() -> Iterator[Index]:
    """The index of pip's configuration files and environment variables."""
    from pip._internal.commands import create_command
    from pip._internal.index.collector import LinkCollector

    command: Any = create_command("download")
    with command.main_context():
        options, _ = command.parse_args(["--no-cache-dir"])
        session = command.get_default_session(options)
        yield Index(session, LinkCollector.create(session, options))


def _version(file_name: str, name: str) -> Version | None:
    try:
        wheel_name, version, *_ = parse_wheel_filename(file_name)
    except InvalidWheelFilename:  # other files, and names that pip does not accept
        return None
    return version if wheel_name == canonicalize_name(name) else None


class RemoteFile(io.BufferedIOBase):
    """A file of a server, fetched in blocks when they are read; all of it at once from a server without ranges.

    `size` is its size in bytes, `fetched` how many of them have been fetched.
    """

    def __init__(self, session: Any, url: str, limit: int) -> None:
        super().__init__()
        self._session, self._url, self._limit = session, url, limit
        self._blocks: dict[int, bytes] = {}
        self._position = self.fetched = 0
        response = self._get(f"bytes=-{_BLOCK}")
        with response:
            if response.status_code == _PARTIAL:
                self.size = int(response.headers["Content-Range"].rpartition("/")[2])
                self._tail = self._count(response.content)
            else:
                self.size = int(response.headers.get("Content-Length") or limit + 1)
                self._tail = self._count(response.content) if self.size <= limit else self._count_out()
        self._tail_at = self.size - len(self._tail)

    def fetch_all(self) -> bytes:
        """The whole file, in one request."""
        if self._tail_at:
            if self.size > self._limit:
                self._count_out()
            with self._get("bytes=0-") as response:
                self._tail, self._tail_at = self._count(response.content), 0
        return self._tail

    def seekable(self) -> bool:
        """True."""
        return True

    def readable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move the position."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, and fetch missing blocks."""
        end = self.size if size is None or size < 0 else min(self.size, self._position + size)
        pieces = []
        while self._position < end:
            piece = self._at(self._position)[: end - self._position]
            pieces.append(piece)
            self._position += len(piece)
        return b"".join(pieces)

    def _at(self, position: int) -> bytes:
        """The data from a position on: at least one byte."""
        if position >= self._tail_at:
            return self._tail[position - self._tail_at :]
        number = position // _BLOCK
        if number not in self._blocks:
            start, end = number * _BLOCK, min((number + 1) * _BLOCK, self._tail_at)
            if self.fetched + end - start > self._limit:
                self._count_out()
            with self._get(f"bytes={start}-{end - 1}") as response:
                self._blocks[number] = self._count(response.content)
        return self._blocks[number][position % _BLOCK :]

    def _get(self, range: str) -> Any:
        headers = {"Range": range, "Accept-Encoding": "identity"}
        response = self._session.get(self._url, headers=headers, stream=True)
        response.raise_for_status()
        return response

    def _count(self, data: bytes) -> bytes:
        if not data:
            raise OSError(f"{self._url.rpartition('/')[2]}: the server sent nothing")
        self.fetched += len(data)
        return data

    def _count_out(self) -> bytes:
        raise TooMuchError(f"more than {self._limit} bytes")
