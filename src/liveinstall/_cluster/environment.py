"""Describing an environment for a cluster request: its id, its kind, its distributions and its prepared changes."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from contextlib import suppress
from dataclasses import replace

from _liveinstall_boot import files, patient
from _liveinstall_boot.codec import read
from _liveinstall_boot.file_access import create
from _liveinstall_boot.layout import STATE
from liveinstall._changes.context import RequestContext
from liveinstall._changes.summaries import changes_of
from liveinstall._cluster.values import Environment, Prepared
from liveinstall._environment.target import find_target
from liveinstall._transactions import prepared, published
from liveinstall.errors import NotWritableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_ID = "environment"  # in the state directory
_LENGTH = 32


def environment_id(site: str) -> str:
    """Return the random id of an environment, which is written once.

    Args:
        site: The site-packages directory.

    Raises:
        NotWritableError: It has none yet, and cannot be written to.
    """
    path = os.path.join(site, STATE, _ID)
    for _ in range(2):
        with suppress(OSError):
            text = read(path).strip()
            if len(text) == _LENGTH and text.isalnum():
                return str(text)
        try:
            _write_id(site, path)
        except OSError as error:
            raise NotWritableError(f"{site} cannot be written to: {error}.", site=site) from None
    raise NotWritableError(f"{path} is not the id of an environment.", todo="Remove that file.", site=site)


def _write_id(site: str, path: str) -> None:
    """Write the id, unless another process does so now: unlike a rename, a link never replaces a file."""
    os.makedirs(os.path.join(site, STATE), exist_ok=True)
    handle, draft = create(path + ".draft-")
    try:
        with open(handle, "w", encoding="ascii") as stream:
            stream.write(os.urandom(_LENGTH // 2).hex() + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        except (OSError, AttributeError):  # a file system without hard links
            patient.replace(draft, path)
        files.flush([os.path.dirname(path)])
    finally:
        with suppress(OSError):
            patient.unlink(draft)


def python_kind() -> str:
    """The kind of this Python: `cpython 3.12`."""
    return f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]}"


def look() -> Environment:
    """Describe the environment of the running interpreter for a cluster request. Nothing is changed but its id.

    Returns:
        The description.

    Raises:
        TargetError: The interpreter has no environment that liveinstall supports.
        NotWritableError: The environment has no id yet, and cannot be written to.
    """
    return replace(describe(), id=environment_id(find_target(for_change=False).site))


def describe() -> Environment:
    """Describe the environment as `look()`, but without an id: nothing is written.

    Raises:
        TargetError: The interpreter has no environment that liveinstall supports.
    """
    target = find_target(for_change=False)
    nodes = RequestContext.of(target).future()
    libc = " ".join(filter(None, platform.libc_ver())) if sys.platform == "linux" else ""
    return Environment(
        *("", target.site, python_kind(), sysconfig.get_platform(), libc),
        installed={name: node.version for name, node in nodes.items()},
        requires={name: tuple(node.requires) for name, node in nodes.items()},
        prepared=tuple(prepared_value(item, target.site, "prepared") for item in prepared.read_all(target.site)),
        pending=tuple(prepared_value(item, target.site, "pending") for item in armed(target.site)),
    )


def armed(site: str) -> Iterator[published.Transaction]:
    """Yield the pending transactions that were prepared for a cluster.

    Args:
        site: The site-packages directory.
    """
    for item in published.read_all(site):
        if item.state == "pending" and item.about.get("lock"):
            yield item


def prepared_value(
    item: prepared.PreparedTransaction | published.Transaction, site: str, state: str, reason: str = ""
) -> Prepared:
    """Convert a transaction that was prepared for a cluster to the public value.

    Args:
        item: The transaction.
        site: The site-packages directory.
        state: Its state; see `Prepared`.
        reason: Why it is pending, for people.
    """
    lock = str(item.about.get("lock", ""))
    return Prepared(item.transaction_id, environment_id(site), state, changes_of(item), lock, reason)
