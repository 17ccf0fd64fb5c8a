"""The metadata and resources of owners with files that are not on disk."""

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
    """The methods of an owner that metadata and resources need."""

    def data(self, path: str) -> bytes:
        """The content of a file.

        Args:
            path: Its path inside the location, with slashes.
        """

    def listing(self) -> Mapping[str, Sequence[str]]:
        """The names in each directory: path -> names; the path of the top directory is ''."""

    def locate(self, path: str) -> str:
        """The path of a file for `__file__`.

        Args:
            path: Its path inside the location, with slashes.
        """


class VirtualDistribution(Distribution):
    """The metadata of a distribution.

    Args:
        owner: The owner of its location.
        info: The name of its `.dist-info` directory.
    """

    def __init__(self, owner: Files, info: str) -> None:
        self._owner = owner
        self._info = info

    @property
    def _normalized_name(self) -> str:
        """The key by which `entry_points()` drops duplicates; Python's own property would parse METADATA."""
        return normalized(self._info.partition("-")[0])

    def read_text(self, filename: str) -> str | None:
        """The text of a metadata file; None if it does not exist.

        Args:
            filename: Its path inside the metadata directory.
        """
        try:
            return self._owner.data(f"{self._info}/{filename}").decode("utf-8")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def locate_file(self, path: Any) -> Any:
        """A file of the distribution as a `Traversable`.

        Args:
            path: Its path relative to site-packages.
        """
        return VirtualPath(self._owner, str(path).replace("\\", "/"))


class VirtualReader(TraversableResources):
    """The resources of a package.

    Args:
        owner: The owner of its location.
        path: Its directory inside the location, with slashes.
    """

    def __init__(self, owner: Files, path: str) -> None:
        self._owner = owner
        self._path = path

    def files(self) -> Traversable:
        """The package's directory."""
        return VirtualPath(self._owner, self._path)


class VirtualPath(Traversable):
    """A file or directory of a location.

    Args:
        owner: The owner of the location.
        path: Its path inside the location, with slashes; empty for the top directory.
    """

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
        """The last component of the path."""
        return self._path.rpartition("/")[2]

    @property
    def parent(self) -> VirtualPath:
        """The directory that contains it."""
        return VirtualPath(self._owner, self._path.rpartition("/")[0])

    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return self._path in self._owner.listing()

    def is_file(self) -> bool:
        """Whether it is a file."""
        directory, _, name = self._path.rpartition("/")
        return not self.is_dir() and name in self._owner.listing().get(directory, ())

    def exists(self) -> bool:
        """Whether it exists."""
        return self.is_dir() or self.is_file()

    def iterdir(self) -> Iterator[VirtualPath]:
        """The entries of a directory.

        Raises:
            NotADirectoryError: It is not a directory.
        """
        listing = self._owner.listing()
        if self._path not in listing:
            raise NotADirectoryError(20, "not a directory", str(self))
        yield from (self._inner(name) for name in listing[self._path])

    def _inner(self, name: str) -> VirtualPath:
        return VirtualPath(self._owner, f"{self._path}/{name}".lstrip("/"))

    def joinpath(self, *descendants: Any) -> VirtualPath:
        """A path below it; `..` is the parent directory, but never leaves the location.

        Args:
            *descendants: Relative paths, with slashes.
        """
        parts = [part for part in self._path.split("/") if part]
        for part in itertools.chain.from_iterable(str(path).split("/") for path in descendants):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        return VirtualPath(self._owner, "/".join(parts))

    def __truediv__(self, other: Any) -> VirtualPath:
        return self.joinpath(other)

    def open(self, mode: str = "r", *args: Any, **kwargs: Any) -> IO[Any]:
        """Open a file for reading.

        Args:
            mode: "r" for text, "rb" for bytes.
            *args: Arguments of `io.TextIOWrapper`, for text.
            **kwargs: Keyword arguments of `io.TextIOWrapper`, for text.

        Returns:
            The stream.

        Raises:
            OSError: It is not a file, cannot be read, or the mode is not for reading.
        """
        if set(mode) - set("rbt"):
            raise PermissionError(13, "read-only", str(self))
        stream = io.BytesIO(self.read_bytes())
        return stream if "b" in mode else io.TextIOWrapper(stream, *args, **kwargs)

    def read_bytes(self) -> bytes:
        """The content of a file.

        Raises:
            OSError: It is not a file, or cannot be read.
        """
        if self.is_dir():
            raise IsADirectoryError(21, "is a directory", str(self))
        return self._owner.data(self._path)

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        """The content of a file as text.

        Args:
            encoding: Its encoding. Default: UTF-8.
            errors: The error handler, as for `open()`.
        """
        with self.open("r", encoding=encoding or "utf-8", errors=errors) as stream:
            return str(stream.read())
