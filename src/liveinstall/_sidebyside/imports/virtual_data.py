"""Metadata and resources of an owner of files that need not lie on disk."""

from __future__ import annotations

import io
import itertools
from importlib.metadata import Distribution
from importlib.resources.abc import Traversable, TraversableResources
from typing import IO, TYPE_CHECKING, Any, Protocol

from liveinstall._sidebyside.imports.owner import normalized

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class Files(Protocol):
    """What is needed of an owner."""

    def data(self, path: str) -> bytes:
        """A file's content."""

    def listing(self) -> Mapping[str, Sequence[str]]:
        """What is in each directory."""

    def locate(self, path: str) -> str:
        """What a file is called outside."""


class VirtualDistribution(Distribution):
    """A distribution by its metadata directory `info` in a place."""

    def __init__(self, owner: Files, info: str) -> None:
        self._owner = owner
        self._info = info

    @property
    def _normalized_name(self) -> str:
        """What `entry_points()` tells distributions apart by; Python's own way would parse METADATA."""
        return normalized(self._info.partition("-")[0])

    def read_text(self, filename: str) -> str | None:
        """A file of the metadata; None if there is none."""
        try:
            return self._owner.data(f"{self._info}/{filename}").decode("utf-8")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def locate_file(self, path: Any) -> Any:
        """A file of the distribution, to be read from where it is."""
        return VirtualPath(self._owner, str(path).replace("\\", "/"))


class VirtualReader(TraversableResources):
    """The resources of the package in directory `path`."""

    def __init__(self, owner: Files, path: str) -> None:
        self._owner = owner
        self._path = path

    def files(self) -> Traversable:
        """The package's directory."""
        return VirtualPath(self._owner, self._path)


class VirtualPath(Traversable):
    """A file or directory of a place, by its path inside it."""

    def __init__(self, owner: Files, path: str) -> None:
        self._owner = owner
        self._path = path

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        return self._owner.locate(self._path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VirtualPath) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    @property
    def name(self) -> str:
        """Its last part."""
        return self._path.rpartition("/")[2]

    @property
    def parent(self) -> VirtualPath:
        """The directory that it is in."""
        return VirtualPath(self._owner, self._path.rpartition("/")[0])

    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return self._path in self._owner.listing()

    def is_file(self) -> bool:
        """Whether it is a file."""
        directory, _, name = self._path.rpartition("/")
        return not self.is_dir() and name in self._owner.listing().get(directory, ())

    def exists(self) -> bool:
        """Whether it is there."""
        return self.is_dir() or self.is_file()

    def iterdir(self) -> Iterator[VirtualPath]:
        """What is in a directory."""
        listing = self._owner.listing()
        if self._path not in listing:
            raise NotADirectoryError(20, "not a directory", str(self))
        yield from (self._inner(name) for name in listing[self._path])

    def _inner(self, name: str) -> VirtualPath:
        return VirtualPath(self._owner, f"{self._path}/{name}".lstrip("/"))

    def joinpath(self, *descendants: Any) -> VirtualPath:
        """Something below it; `..` leads up, never out."""
        parts = [part for part in self._path.split("/") if part]
        for part in itertools.chain.from_iterable(str(words).split("/") for words in descendants):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        return VirtualPath(self._owner, "/".join(parts))

    def __truediv__(self, other: Any) -> VirtualPath:
        return self.joinpath(other)

    def open(self, mode: str = "r", *args: Any, **kwargs: Any) -> IO[Any]:
        """Open a file for reading; text, or bytes with `mode="rb"`."""
        if set(mode) - set("rbt"):
            raise PermissionError(13, "can only be read", str(self))
        stream = io.BytesIO(self.read_bytes())
        return stream if "b" in mode else io.TextIOWrapper(stream, *args, **kwargs)

    def read_bytes(self) -> bytes:
        """A file's content."""
        if self.is_dir():
            raise IsADirectoryError(21, "is a directory", str(self))
        return self._owner.data(self._path)

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        """A file's content as text."""
        with self.open("r", encoding=encoding or "utf-8", errors=errors) as stream:
            return str(stream.read())
