"""Holds: a live process's claim that what it has loaded stays as it is.

A hold is a file in `.liveinstall/holds/` under a kernel lock, so it vanishes with the process, also on kill -9; a
forked child shares it. Its path goes into the environment variable LIVEINSTALL_HOLD, where descendants find it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import _liveinstall_boot as boot
from liveinstall.commit.transaction import command_line
from liveinstall.model import Holder

VARIABLE = "LIVEINSTALL_HOLD"
MAGIC = "liveinstall-hold 1"

_mine: dict[str, tuple[int, str]] = {}  # site -> (descriptor, path)


def take_hold(site: str) -> str:
    """Hold the environment for as long as this process lives; the hold's path. Idempotent.

    The file appears under its name only when it is locked, so that no other process can take it for a dead one's.
    """
    if site in _mine:
        return _mine[site][1]
    holds = os.path.join(site, boot.STATE, boot.HOLDS)
    os.makedirs(holds, exist_ok=True)
    path = os.path.join(holds, f"{os.getpid()}-{os.urandom(4).hex()}")
    unnamed = path if os.name == "nt" else f"{os.path.join(site, boot.STATE)}/hold-{os.path.basename(path)}"
    handle = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        _lock(handle)
        os.write(handle, _describe().encode("utf-8", "replace"))
        if unnamed != path:
            os.rename(unnamed, path)
    except BaseException:
        os.close(handle)
        os.unlink(unnamed)
        raise
    _mine[site] = (handle, path)
    os.environ[VARIABLE] = path
    return path


def _lock(handle: int) -> None:
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        import msvcrt

        os.lseek(handle, boot.HELD_AWAY, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)


def _describe() -> str:
    about = {"pid": os.getpid(), "command": command_line(), "since": time.time()}
    return f"{MAGIC}\n{json.dumps(about)}\n"


def holders(site: str) -> tuple[Holder, ...]:
    """The live processes that hold the environment, this one included. Needs the environment's lock."""
    return tuple(_read(path) for path in sorted(boot.live_holds(site)))


def _read(path: str) -> Holder:
    mine = path in (hold for _, hold in _mine.values())
    try:
        magic, _, about = Path(path).read_text(encoding="utf-8").partition("\n")
        fields = json.loads(about) if magic == MAGIC else {}
        return Holder(int(fields["pid"]), str(fields["command"]), float(fields["since"]), mine)
    except (OSError, ValueError, KeyError, TypeError):
        pid = os.path.basename(path).partition("-")[0]
        return Holder(int(pid) if pid.isdigit() else 0, "unknown", 0.0, mine)
