"""The environment for uv: a directory with the metadata of all distributions after the pending changes.

uv treats a `--target` directory as an environment: distributions with metadata in it count as installed. So it can
resolve for any environment, this one or a future one, without access to the environment itself: the directory contains
only copies of the metadata.
"""

from __future__ import annotations

import os
from contextlib import suppress

from _liveinstall_boot.file_access import read_bytes
from _liveinstall_boot.layout import COMPANIONS
from liveinstall._engines.base import View
from liveinstall._system.lean_packaging import canonicalize_name, is_version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The origin, which uv compares with the requirement.
_COMPARED = ("direct_url.json", "uv_cache.json", "uv_build.json")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def show(view: View, directory: str) -> None:
    """Write the metadata of a view into an empty directory; the first distribution of each name wins.

    Args:
        view: The environment to resolve for.
        directory: The absolute path of the directory.

    Raises:
        OSError: A file cannot be written.
    """
    seen = set()
    for info in _infos(view):
        head = _head(info)
        name, version = canonicalize_name(_field(head, b"name")), _field(head, b"version")
        if name and name not in seen and is_version(version):
            seen.add(name)
            _write(os.path.join(directory, f"{name.replace('-', '_')}-{version}.dist-info"), head, info)


def glance(path: Iterable[str]) -> View | None:
    """Create the view of the distributions on a path, in the order of `installed()`, without reading their metadata.

    Args:
        path: The directories, as on `sys.path`.

    Returns:
        The view; None if changes are pending: an interpreter that uv starts would apply them, unless this process has a
        hold by then.
    """
    metadata: list[str] = []
    for directory in dict.fromkeys(os.path.realpath(entry or os.curdir) for entry in path):
        names = list(_names(directory))
        if any(name.endswith(COMPANIONS) for name in names):
            return None
        infos = (name for name in names if name.endswith((".dist-info", ".egg-info", "EGG-INFO")))
        metadata += [os.path.join(directory, name) for name in infos]
    return View(here=tuple(metadata))


def _infos(view: View) -> Iterator[str]:
    for part in view.parts:
        yield from (os.path.join(part, name) for name in _names(part) if name.endswith(".dist-info"))
    yield from view.here


def _names(directory: str) -> Iterable[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return ()


def _head(info: str) -> bytes:
    """The header of METADATA or of its older equivalents; empty if there is none."""
    for path in (os.path.join(info, "METADATA"), os.path.join(info, "PKG-INFO"), info):
        try:
            content: bytes = read_bytes(path)
        except OSError:
            continue
        if b"\r" in content:
            content = content.replace(b"\r\n", b"\n")
        return content.partition(b"\n\n")[0] + b"\n"
    return b""


def _field(head: bytes, name: bytes) -> str:
    """The first value of a field, given in lower case; empty if there is none."""
    for line in head.split(b"\n"):
        key, colon, value = line.partition(b":")
        if colon and key.lower() == name:
            return value.strip(b" \t").decode("utf-8", "replace")
    return ""


def _write(path: str, head: bytes, info: str) -> None:
    """Write one metadata directory. Its RECORD lists only these files, so that uv can remove it."""
    os.mkdir(path)
    contents = {"METADATA": head}
    for name in set(_COMPARED).intersection(_names(info)):
        with suppress(OSError):
            contents[name] = read_bytes(os.path.join(info, name))
    rows = (f"{os.path.basename(path)}/{name},,\n" for name in (*contents, "RECORD"))
    contents["RECORD"] = "".join(rows).encode()
    for name, content in contents.items():
        _create(os.path.join(path, name), content)


def _create(path: str, content: bytes) -> None:
    """Write a new file; without a stream, which takes longer to make than these files to write."""
    handle = os.open(path, _NEW, 0o666)
    try:
        while content:
            content = content[os.write(handle, content) :]
    finally:
        os.close(handle)
