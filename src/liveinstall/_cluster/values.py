"""The values of a cluster request: locks, descriptions of environments, and prepared changes."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from liveinstall.errors import LockError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from liveinstall.results import Change

_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class LockedWheel:
    """One wheel of a lock.

    Attributes:
        name: The normalized project name.
        version: The version.
        file: The wheel's file name.
        sha256: The hexadecimal SHA-256 of the wheel.
        size: Its size in bytes.
        requested: Whether the distribution was requested by name, and is not only a dependency.
    """

    name: str
    version: str
    file: str
    sha256: str
    size: int
    requested: bool = False

    def __str__(self) -> str:
        """`numpy 2.2.6`."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Lock:
    """Exact versions and wheels for one kind of environment.

    Attributes:
        wheels: The wheels, sorted by name.
        requests: The requirements that it was made for, without credentials.
        python: The kind of Python, as in the tags of wheels and `major.minor`: `cpython 3.12`.
        platform: The platform, as `sysconfig.get_platform()` returns it: `linux-x86_64`.
    """

    wheels: tuple[LockedWheel, ...]
    requests: tuple[str, ...] = ()
    python: str = ""
    platform: str = ""

    @property
    def digest(self) -> str:
        """The SHA-256 of names, versions and wheels: locks with the same digest install the same wheels."""
        rows = "".join(f"{wheel.name} {wheel.version} {wheel.sha256}\n" for wheel in sorted(self.wheels, key=str))
        return hashlib.sha256(rows.encode()).hexdigest()

    @property
    def pins(self) -> tuple[str, ...]:
        """The requirements that the lock stands for, `name==version`, those that were requested first."""
        wheels = sorted(self.wheels, key=lambda wheel: (not wheel.requested, wheel.name))
        return tuple(f"{wheel.name}=={wheel.version}" for wheel in wheels)

    @property
    def size(self) -> int:
        """The size of all wheels in bytes."""
        return sum(wheel.size for wheel in self.wheels)

    @property
    def text(self) -> str:
        """The lock as the text of a `pylock.toml` (PEP 751), which `Lock.parse()` reads."""
        return _encode(self)

    @staticmethod
    def parse(text: str) -> Lock:
        """Read a lock.

        Args:
            text: What `text` of a lock has returned.

        Returns:
            An equal lock.

        Raises:
            LockError: It is not the text of a lock.
        """
        return _decode(text)

    def __str__(self) -> str:
        """The wheels and their size, for people."""
        wheels = ", ".join(map(str, self.wheels)) or "nothing to change"
        return f"{wheels} ({self.python}, {self.platform}, {self.size / 1e6:.1f} MB)"


@dataclass(frozen=True)
class Pack:
    """The wheels of a lock on this disk.

    Attributes:
        lock: The lock.
        files: The absolute paths of the wheels, in the order of the lock.
    """

    lock: Lock
    files: tuple[str, ...]


@dataclass(frozen=True)
class Prepared:
    """A change of one environment that was prepared for a cluster.

    Attributes:
        id: Its id, which stays the same; empty if the environment has everything in the lock.
        environment: The id of the environment.
        state: "prepared": nothing uses it yet; "pending": new processes use it; "applied": its files are in place;
            "current": there was nothing to change; "dropped".
        changes: The changes.
        lock: The digest of the lock.
        reason: Why it is pending and not applied, for people.
    """

    id: str
    environment: str
    state: str
    changes: tuple[Change, ...] = ()
    lock: str = ""
    reason: str = ""

    def __str__(self) -> str:
        """The state and the changes, for people."""
        head = f"{self.state} ({self.id})" if self.id else self.state
        lines = (f"  {change}" for change in self.changes)
        return "\n".join([f"{head}: {self.reason}" if self.reason else head, *lines])


@dataclass(frozen=True)
class Environment:
    """The description of an environment for a cluster request.

    Attributes:
        id: A random id in the environment's state directory: hosts that share a directory share it, and two
            containers of one image have two.
        site: The site-packages directory.
        python: The kind of Python: `cpython 3.12`.
        platform: The platform: `linux-x86_64`.
        libc: The C library and its version, if it is known: `glibc 2.36`.
        installed: The version of each distribution after all pending changes, by name.
        requires: The Requires-Dist lines of each, by name.
        prepared: The prepared changes.
        pending: The changes that were prepared and are pending.
    """

    id: str
    site: str
    python: str
    platform: str
    libc: str
    installed: Mapping[str, str]
    requires: Mapping[str, tuple[str, ...]]
    prepared: tuple[Prepared, ...] = ()
    pending: tuple[Prepared, ...] = ()

    def __str__(self) -> str:
        """Its kind, and its prepared and pending changes, for people."""
        lines = [f"{self.site} ({self.python}, {self.platform}, {self.libc or 'unknown libc'})", f"id {self.id}"]
        lines += [str(item) for item in (*self.prepared, *self.pending)]
        return "\n".join(lines if self.prepared or self.pending else [*lines, "Nothing is prepared."])


def _encode(lock: Lock) -> str:
    """Return the text of a lock."""
    lines = ['lock-version = "1.0"', 'created-by = "liveinstall"']
    version = lock.python.partition(" ")[2]
    if version:
        lines.append(f"requires-python = {_quoted(f'=={version}.*')}")
    for wheel in lock.wheels:
        file = f"{{name = {_quoted(wheel.file)}, path = {_quoted(wheel.file)}, size = {wheel.size}, "
        lines += [
            "",
            "[[packages]]",
            f"name = {_quoted(wheel.name)}",
            f"version = {_quoted(wheel.version)}",
            f"wheels = [{file}hashes = {{sha256 = {_quoted(wheel.sha256)}}}}}]",
            f"[packages.tool.liveinstall]\nrequested = {str(wheel.requested).lower()}",
        ]
    requests = ", ".join(map(_quoted, lock.requests))
    about = f"python = {_quoted(lock.python)}\nplatform = {_quoted(lock.platform)}\nrequests = [{requests}]"
    return "\n".join([*lines, "", "[tool.liveinstall]", about, ""])


def _quoted(text: str) -> str:
    return json.dumps(text)  # a basic string of TOML has the escapes of JSON


def _decode(text: str) -> Lock:
    """Read the text of a lock.

    Args:
        text: What `Lock.text` has returned.

    Returns:
        The lock.

    Raises:
        LockError: It is not the text of a lock, or one of a package has no wheel with a SHA-256.
    """
    try:
        found = tomllib.loads(text)
        if found["lock-version"] != "1.0":
            raise LockError(f"a lock has version {found['lock-version']!r}, which is not supported.", name="")
        about = found.get("tool", {}).get("liveinstall", {})
        wheels = tuple(_wheel(package) for package in found.get("packages", []))
        requests = tuple(map(str, about.get("requests", ())))
        return Lock(wheels, requests, str(about.get("python", "")), str(about.get("platform", "")))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise LockError(
            f"this is not a lock for a cluster: {' '.join(str(error).split())}.",
            todo="Make one with liveinstall.cluster.lock().",
            name="",
        ) from None


def _wheel(package: dict[str, Any]) -> LockedWheel:
    (wheel,) = package["wheels"]
    file, sha256, size = wheel["name"], wheel["hashes"]["sha256"], wheel["size"]
    try:
        name, version, *_ = parse_wheel_filename(file)
    except InvalidWheelFilename as error:
        raise ValueError(str(error)) from None
    if name != canonicalize_name(package["name"]) or not _SHA256.fullmatch(sha256) or not isinstance(size, int):
        raise ValueError(f"the wheel of {package['name']} is {file}")
    requested = package.get("tool", {}).get("liveinstall", {}).get("requested") is True
    return LockedWheel(str(name), str(version), file, sha256, size, requested)
