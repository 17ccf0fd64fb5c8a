"""Holds: a live process's claim that what it has loaded stays as it is. The boot module takes and tests them.

A hold is a file in `.liveinstall/holds/` under a kernel lock, so it vanishes with the process, also on kill -9; a
forked child shares it. Its path goes into the environment variable LIVEINSTALL_HOLD, where descendants find it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import _liveinstall_boot as boot
from liveinstall.commit.transaction import command_line
from liveinstall.model import Holder


def take_hold(site: str) -> str:
    """Hold the environment for as long as this process lives; the hold's path. Idempotent."""
    return str(boot.take_hold(site, command_line()))


def holders(site: str) -> tuple[Holder, ...]:
    """The live processes that hold the environment, this one included. What the dead have left is removed."""
    return tuple(_read(path) for path in sorted(boot.live_holds(site)))


def _read(path: str) -> Holder:
    name = os.path.basename(path).partition("-")[0]
    fields = {"pid": name if name.isdigit() else "0", "command": "unknown", "since": "0"}
    with suppress(OSError):
        magic, _, text = Path(path).read_text(encoding="utf-8", errors="replace").partition("\n")
        if magic == boot.HOLD_MAGIC:
            fields |= {key: value for key, _, value in (line.partition(" ") for line in text.splitlines())}
    pid, since = int(fields["pid"]), float(fields["since"])
    # A hold that boot took for this process is another copy's, but the same process's.
    mine = pid == os.getpid() or path in (hold for _, hold in boot._mine.values())  # noqa: SLF001
    return Holder(pid, fields["command"], since, mine)
