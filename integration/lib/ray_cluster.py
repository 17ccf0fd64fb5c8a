"""A real Ray node on 127.0.0.1, without a dashboard, usage statistics or an index; run by `ray_driver.py`."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = {
    "RAY_RUNTIME_ENV_PLUGINS": json.dumps([{"class": "liveinstall.cluster.ray.Plugin"}]),
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on every system: only the loopback address is used
    "RAY_worker_register_timeout_seconds": "300",
    "RUNTIME_ENV_RETRY_TIMES": "1",
}


@contextmanager
def node(directory: str, **variables: str) -> Iterator[Any]:
    """A node with this process as its driver; yields the module `ray`.

    Args:
        directory: The directory for Ray's session; short, because the path of a socket in it has at most 107 bytes.
        **variables: Environment variables of the node.
    """
    os.environ.update({**SETTINGS, **variables})
    import ray  # reads the variables

    ray.init(
        num_cpus=4,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=100_000_000,
        _temp_dir=directory,
    )
    try:
        yield ray
    finally:
        ray.shutdown()


def listening_elsewhere() -> list[str]:
    """The addresses other than 127.0.0.1 on which the descendants of this process listen (Linux)."""
    inodes = {link for pid in descendants() for link in _links(f"/proc/{pid}/fd")}
    found = []
    for table in ("tcp", "tcp6"):
        with open(f"/proc/net/{table}", encoding="ascii") as stream:
            rows = [line.split() for line in stream.readlines()[1:]]
        for row in rows:
            local, state, inode = row[1], row[3], row[9]
            if state == "0A" and f"socket:[{inode}]" in inodes and not local.split(":")[0].endswith("0100007F"):
                found.append(local)
    return found


def descendants() -> set[str]:
    """The ids of this process and its descendants (Linux)."""
    parents = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
                parents[pid] = stream.read().rpartition(")")[2].split()[1]
        except OSError:
            continue
    found = {str(os.getpid())}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _links(directory: str) -> Iterator[str]:
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(f"{directory}/{name}")
        except OSError:
            continue


def disk_usage(*directories: str) -> int:
    """The bytes on disk of directories; a file with several links counts once."""
    sizes = {}
    for directory in directories:
        for parent, _, names in os.walk(directory):
            for path in (parent, *(os.path.join(parent, name) for name in names)):
                status = os.lstat(path)
                sizes[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(sizes.values())
