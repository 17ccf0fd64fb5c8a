"""Exit statuses of the command line: for `--help`, the documentation and programs."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit status of a command."""

    DONE = 0
    FAILED = 1
    MISUSED = 2
    WAITS = 3
    BROKEN = 4
    UNEXPECTED = 5
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "done, or nothing to do",
    ExitCode.FAILED: "failed, nothing was changed",
    ExitCode.MISUSED: "the command line or a requirement makes no sense",
    ExitCode.WAITS: "`finalize` left something waiting",
    ExitCode.BROKEN: "a check found something, or `doctor` or `repair` leaves something that could be mended",
    ExitCode.UNEXPECTED: "an error without a type of its own, such as one of the system; nothing is left half done",
    ExitCode.INTERRUPTED: "interrupted",
}
