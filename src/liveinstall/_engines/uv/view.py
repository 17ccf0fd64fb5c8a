"""What uv shall see: a directory with the metadata of all that is installed once what waits has happened.

uv takes a `--target` directory for an environment: what its metadata directories say counts as installed. So it
resolves over any environment, this one or one that does not exist yet, while nothing of it can be touched: what lies
here are copies, of the metadata only.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from _liveinstall_boot.layout import COMPANIONS
from liveinstall._engines.base import View

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HEAD_ENDS = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(rb"(?im)^(name|version):[ \t]*(.*?)[ \t]*\r?$")
# From where it came: uv compares it with what is asked.
_COMPARED = ("direct_url.json", "uv_cache.json", "uv_build.json")


def show(view: View, directory: str) -> None:
    """Write the metadata that `view` shows into an empty `directory`; of two with the same name the first counts."""
    seen = set()
    for info in _infos(view):
        head = _head(info)
        fields = {key.lower(): value.decode("utf-8", "replace") for key, value in reversed(_FIELD.findall(head))}
        name = _canonical(fields.get(b"name", ""))
        if name and name not in seen and _is_version(fields.get(b"version", "")):
            seen.add(name)
            _write(os.path.join(directory, f"{name.replace('-', '_')}-{fields[b'version']}.dist-info"), head, info)


def glance(path: Iterable[str]) -> View | None:
    """What is installed on a path like sys.path, in the order in which `installed()` finds it; None if something waits.

    An interpreter that uv starts would put in place what waits, unless this process holds the environment by then.
    """
    found = []
    for directory in dict.fromkeys(os.path.realpath(entry or os.curdir) for entry in path):
        names = list(_names(directory))
        if any(name.endswith(COMPANIONS) for name in names):
            return None
        infos = (name for name in names if name.endswith((".dist-info", ".egg-info", "EGG-INFO")))
        found += [os.path.join(directory, name) for name in infos]
    return View(here=tuple(found))


def _canonical(name: str) -> str:
    """As `packaging.utils` has it, which takes longer to load than all of this."""
    return re.sub(r"[-_.]+", "-", name).lower()


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
    """The header of METADATA, or of what was its like; empty where there is none."""
    for path in (os.path.join(info, "METADATA"), os.path.join(info, "PKG-INFO"), info):
        try:
            with open(path, "rb") as stream:
                return _HEAD_ENDS.split(stream.read(), maxsplit=1)[0] + b"\n"
        except OSError:
            continue
    return b""


def _is_version(text: str) -> bool:
    """What has a version from before PEP 440 is not shown: uv could not read it."""
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _write(path: str, head: bytes, info: str) -> None:
    """One metadata directory. Its RECORD names only what lies here, so uv can take it away."""
    os.mkdir(path)
    base, names = os.path.basename(path), ["METADATA", "RECORD"]
    with open(os.path.join(path, "METADATA"), "xb") as stream:
        stream.write(head)
    for name in _COMPARED:
        source = os.path.join(info, name)
        if os.path.isfile(source):
            shutil.copyfile(source, os.path.join(path, name))
            names.append(name)
    with open(os.path.join(path, "RECORD"), "x", encoding="utf-8", newline="") as stream:
        stream.write("".join(f"{base}/{name},,\n" for name in names))
