"""The environment for uv: a directory with the metadata of all distributions after the pending changes.

uv treats a `--target` directory as an environment: distributions with metadata in it count as installed. So it can
resolve for any environment, this one or a future one, without access to the environment itself: the directory contains
only copies of the metadata.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress

from _liveinstall_boot.file_access import read_bytes
from _liveinstall_boot.layout import COMPANIONS
from liveinstall._engines.base import View
from liveinstall._system.lean_packaging import canonicalize_name, is_version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HEAD_ENDS = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(rb"(?im)^(name|version):[ \t]*(.*?)[ \t]*\r?$")
# The origin, which uv compares with the requirement.
_COMPARED = ("direct_url.json", "uv_cache.json", "uv_build.json")


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
        fields = {key.lower(): value.decode("utf-8", "replace") for key, value in reversed(_FIELD.findall(head))}
        name = canonicalize_name(fields.get(b"name", ""))
        if name and name not in seen and is_version(fields.get(b"version", "")):
            seen.add(name)
            _write(os.path.join(directory, f"{name.replace('-', '_')}-{fields[b'version']}.dist-info"), head, info)


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
            return _HEAD_ENDS.split(read_bytes(path), maxsplit=1)[0] + b"\n"
        except OSError:
            continue
    return b""


def _write(path: str, head: bytes, info: str) -> None:
    """Write one metadata directory. Its RECORD lists only these files, so that uv can remove it."""
    os.mkdir(path)
    base, names = os.path.basename(path), ["METADATA", "RECORD"]
    with open(os.path.join(path, "METADATA"), "xb") as stream:
        stream.write(head)
    for name in _COMPARED:
        with suppress(OSError):
            content = read_bytes(os.path.join(info, name))
            with open(os.path.join(path, name), "xb") as stream:
                stream.write(content)
            names.append(name)
    with open(os.path.join(path, "RECORD"), "x", encoding="utf-8", newline="") as stream:
        stream.write("".join(f"{base}/{name},,\n" for name in names))
