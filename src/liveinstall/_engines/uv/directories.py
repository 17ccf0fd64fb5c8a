"""The origins of wheels from directories, found without uv, which would read all wheels once more.

Their hashes are kept in the user's cache, by the state of the files.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from threading import Event, Thread

from liveinstall._engines.configuration import configures_uv
from liveinstall._engines.uv.origins import Origins, tags_in, tags_of
from liveinstall._redact import redact
from liveinstall._system.lean_hash import sha256
from liveinstall._system.lean_packaging import (
    InvalidVersion,
    InvalidWheelFilename,
    canonicalize_name,
    compare_versions,
    name_and_version,
)
from liveinstall._system.private_cache import PrivateCache
from liveinstall.results import Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from liveinstall._requirements.request import Request

_DIRECTORY = "origins"
_CHUNK = 2**20
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-._+")


def origins(
    request: Request, command: Sequence[str], trees: Mapping[str, str], directory: str, variables: Mapping[str, str]
) -> Origins | DirectoryOrigins:
    """Begin to find the origins of distributions, in the background.

    Args:
        request: The request.
        command: As for `Origins`.
        trees: As for `Origins`.
        directory: As for `Origins`.
        variables: As for `Origins`.

    Raises:
        EngineError: uv cannot be started.
        OSError: A file cannot be written.
    """
    with suppress(OSError):  # a directory or wheel was removed meanwhile
        wheels = _wheels(request.find_links, trees) if _has_only_directories(request) else {}
        if wheels:
            return DirectoryOrigins(wheels)
    return Origins(command, trees, directory, variables)


def _has_only_directories(request: Request) -> bool:
    """Whether uv can have taken the distributions only from directories in the request."""
    others = request.files or request.editables or request.engine_arguments
    is_local = request.no_index and not others and all(map(os.path.isdir, request.find_links))
    return is_local and os.name != "nt" and not configures_uv()


def _wheels(directories: Sequence[str], trees: Mapping[str, str]) -> dict[str, str]:
    """The absolute path of each distribution's wheel, by name; nothing if one was built, or several may be it."""
    found: dict[str, str] = {}
    wanted = dict(spec.split("==", 1) for spec in trees)
    for name, path in _candidates(directories, wanted):
        if tags_in(os.path.basename(path)) == tags_of(trees[f"{name}=={wanted[name]}"]):
            if name in found:
                return {}
            found[name] = path
    return found if found.keys() == wanted.keys() else {}


def _candidates(directories: Sequence[str], wanted: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The wheels of the wanted names and versions: name and absolute path."""
    for directory in directories:
        for file in os.listdir(directory):
            name = canonicalize_name(file.partition("-")[0])
            if name in wanted and file.endswith(".whl"):
                with suppress(InvalidWheelFilename, InvalidVersion):
                    if compare_versions(name_and_version(file)[1], wanted[name]) == 0:
                        yield name, os.path.join(os.path.abspath(directory), file)


def _url(path: str) -> str:
    if not set(path) <= _PLAIN:
        from urllib.parse import quote

        path = quote(path, safe="/+~!$&'()*,;=:@")
    return f"file://{path}"


class DirectoryOrigins:
    """The hashes of wheels, with the interface of `Origins`. They are computed in a thread.

    Args:
        wheels: The absolute path of each wheel, by the normalized name of its distribution.

    Raises:
        OSError: A wheel does not exist.
    """

    def __init__(self, wheels: Mapping[str, str]) -> None:
        self._wheels = wheels
        self._cache = PrivateCache(_DIRECTORY)
        stats = {path: os.stat(path) for path in sorted(wheels.values())}
        state = [(path, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for path, s in stats.items()]
        self._key = sha256(json.dumps(state).encode()).hexdigest()
        content = self._cache.read(self._key)
        self._hashes: dict[str, str] = {} if content is None else json.loads(bytes(content))
        self._stopped = Event()
        self._thread = Thread(target=self._compute)
        if not self._hashes:
            self._start()

    def _start(self) -> None:
        try:
            self._thread.start()
        except RuntimeError:  # some subinterpreters may not start threads
            self._compute()

    def _compute(self) -> None:
        import hashlib  # OpenSSL: some wheels are large

        found = {}
        try:
            for name, path in self._wheels.items():
                hash = hashlib.sha256()
                with open(path, "rb", buffering=0) as stream:
                    while (chunk := stream.read(_CHUNK)) and not self._stopped.is_set():
                        hash.update(chunk)
                found[name] = hash.hexdigest()
        except Exception:  # noqa: BLE001  a thread would print it
            return
        if not self._stopped.is_set():
            self._hashes = found
            self._cache.write(self._key, json.dumps(found).encode())

    def read(self) -> dict[str, Origin]:
        """Wait for the hashes.

        Returns:
            The origins, by normalized name; without hashes if a wheel could not be read.
        """
        if self._thread.ident:
            self._thread.join()
        return {name: Origin(redact(_url(path)), self._hashes.get(name, "")) for name, path in self._wheels.items()}

    def stop(self) -> None:
        """Stop the computation: the result is no longer needed."""
        self._stopped.set()
        if self._thread.ident:
            self._thread.join()
