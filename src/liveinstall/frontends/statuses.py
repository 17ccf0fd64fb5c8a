"""Exit statuses of the command line: for `--help`, for the docs and for programs."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    MISUSED = 2
    WAITS = 3
    BROKEN = 4
    UNEXPECTED = 5
    INTERRUPTED = 130


MEANINGS = {
    Status.DONE: "done, or nothing to do",
    Status.FAILED: "failed, nothing was changed",
    Status.MISUSED: "the command line or a requirement makes no sense",
    Status.WAITS: "`finalize` left something waiting",
    Status.BROKEN: "a check found something, or `doctor` or `repair` leaves something that could be mended",
    Status.UNEXPECTED: "an error without a type of its own, such as one of the system; nothing is left half done",
    Status.INTERRUPTED: "interrupted",
}
