"""strace: the system calls of a program that change files below a directory, and a kill or an error before each.

strace counts each kind of call for each thread separately, so a point is a call's name and its number. The real point
of a kill is read from its log.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from integration.reports.reliability.bench import Bench, Ran

CALLS = {
    *("rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat", "openat"),
    *("write", "writev", "pwrite64", "copy_file_range", "sendfile", "ftruncate", "chmod", "fchmod", "fchmodat"),
    *("link", "linkat", "symlink", "symlinkat", "fsync", "fdatasync", "syncfs"),
}
BEGIN = "/the-sweep-begins-here"
_LINE = re.compile(r"^(?:(\d+) +)?(\w+)\((.*)")
_THREAD = re.compile(r"^(?:(\d+) +)?(.*)$", re.DOTALL)
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>(.*)$", re.DOTALL)
_UNFINISHED = " <unfinished ...>\n"


@dataclass(frozen=True)
class Point:
    """The `number`-th `call` of a thread, with strace's text."""

    call: str
    number: int
    what: str = field(compare=False)


def available() -> bool:
    """Whether strace is here and may trace."""
    return bool(shutil.which("strace"))


def parse(lines: Sequence[str], below: str) -> Iterator[Point]:
    """The calls that change something below a directory, from where the sweep begins, else from the start."""
    counts: Counter[tuple[str, str]] = Counter()
    begun = not any(BEGIN in line for line in lines)
    for line in lines:
        found = _LINE.match(line)
        if not found:
            continue
        thread, call, rest = found.groups()
        counts[thread or "", call] += 1
        if BEGIN in rest:
            begun = True
        elif begun and call in CALLS and _changes(call, rest, below):
            yield Point(call, counts[thread or "", call], rest.rstrip())


def merged(lines: Iterable[str]) -> Iterator[str]:
    """Lines without the numbers of their threads, in the order in which calls returned; split lines are joined."""
    begun = {}
    for line in lines:
        thread, rest = _THREAD.match(line).groups()
        if found := _RESUMED.match(rest):
            yield begun.pop(thread, "") + found.group(1)
        elif rest.endswith(_UNFINISHED):
            begun[thread] = rest.removesuffix(_UNFINISHED)
        else:
            yield rest


def _changes(call: str, rest: str, below: str) -> bool:
    return below + "/" in rest and (call != "openat" or any(flag in rest for flag in ("O_CREAT", "O_WRONLY", "O_RDWR")))


class Tracer:
    """Runs commands of a bench under strace. `threads`: follow threads and children too."""

    def __init__(
        self, bench: Bench, command: Sequence[str], *, path: Path | None = None, threads: bool = False
    ) -> None:
        self.bench = bench
        self.command = command
        self.path = path
        self.threads = threads
        self.log = bench.root / "strace.log"

    def points(self) -> list[Point]:
        """Run to the end: the points at which it could have died."""
        ran = self._run()
        assert ran.status == 0, ran.err
        return self.logged()

    def record(self) -> list[str]:
        """Run to the end: strace's lines, with all that was written."""
        ran = self._run("-s", "10000000")
        assert ran.status == 0, ran.err
        return list(merged(self._lines()))

    def logged(self) -> list[Point]:
        """The points of the last run, once each."""
        return list(dict.fromkeys(parse(self._lines(), str(self.bench.env))))

    def kill(self, point: Point) -> bool:
        """Kill it before a point; whether that was a point below the environment."""
        ran = self.signal(point, "KILL")
        return ran.status != 0 and any("killed by SIGKILL" in line for line in self._lines()) and self._hit(point)

    def signal(self, point: Point, name: str) -> Ran:
        """Get a signal before a point."""
        return self._run("-e", f"inject={point.call}:signal={name}:when={point.number}")

    def fail(self, point: Point, error: str) -> Ran | None:
        """Make the call at a point fail, in each thread that makes so many; None if none was below the environment.

        `error`: its name, as in errno.
        """
        ran = self._run("-e", f"inject={point.call}:error={error}:when={point.number}")
        below = str(self.bench.env)
        return ran if any(line.endswith("(INJECTED)\n") and below in line for line in merged(self._lines())) else None

    def _hit(self, point: Point) -> bool:
        return any(
            line.endswith(("= ?\n", "<unfinished ...>\n", "= ? <unavailable>\n"))
            and (found := _LINE.match(line))
            and found.group(2) == point.call
            and _changes(point.call, found.group(3), str(self.bench.env))
            for line in self._lines()
        )

    def _run(self, *options: str) -> Ran:
        follow = ["-f"] if self.threads else []
        strace = [
            "strace",
            *follow,
            "-o",
            str(self.log),
            "-y",
            "-qq",
            "-s",
            "0",
            "-e",
            "trace=" + ",".join(sorted(CALLS)),
        ]
        return self.bench.run([*strace, *options, *self.command], path=self.path)

    def _lines(self) -> list[str]:
        return self.log.read_text(encoding="utf-8", errors="surrogateescape").splitlines(keepends=True)
