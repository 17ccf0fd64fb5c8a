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
    ExitCode.MISUSED: "usage error, or an invalid requirement",
    ExitCode.WAITS: "`finalize` left changes pending",
    ExitCode.BROKEN: "a check found problems, or repairable damage remains after `doctor` or `repair`",
    ExitCode.UNEXPECTED: "unexpected error (for example an OSError); no change is left half done",
    ExitCode.INTERRUPTED: "interrupted",
}
