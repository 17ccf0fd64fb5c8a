"""Starting the user's programs: with their output captured, or with the streams of this process."""

from __future__ import annotations

import locale
import os
import signal
import subprocess
import time
from contextlib import suppress
from io import BytesIO, TextIOWrapper
from threading import TIMEOUT_MAX, Thread, Timer
from typing import TYPE_CHECKING

from liveinstall._system.cancellation import ended_by
from liveinstall.errors import RequirementError, TrialError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO

_HEAD = 2**10  # bytes of a file that say of which kind it is
_GRACE = 0.5  # seconds: how long an ended program's pipe is read on, when something that it has started has it too


def program_of(
    code: str | None, module: str | None, script: str | os.PathLike[str] | None, arguments: Sequence[str]
) -> list[str]:
    """The interpreter's arguments; RequirementError unless exactly one thing shall run."""
    given = [value for value in (code, module, script) if value is not None]
    if len(given) != 1:
        raise RequirementError("one of code=, module= and script= says what runs.", requirement="")
    flag = ["-c"] if code is not None else ["-m"] if module is not None else []
    return [*flag, os.fspath(given[0]), *map(str, arguments)]


def with_script(program: Sequence[str], scripts: str) -> list[str]:
    """The same, with a script that is no file looked for in the directory `scripts`."""
    words = list(program)
    if words and not words[0].startswith("-") and not os.path.exists(words[0]):
        inside = os.path.join(scripts, words[0])
        words[0] = inside if os.path.basename(words[0]) == words[0] and os.path.isfile(inside) else words[0]
    return words


def command_of(python: Sequence[str], program: Sequence[str], scripts: str) -> list[str]:
    """The words that run `program`: by `python`, the words of an interpreter, unless it is a script of another kind."""
    words = with_script(program, scripts)
    is_inside = bool(words) and os.path.dirname(words[0]) == scripts
    return words if is_inside and _runs_itself(words[0]) else [*python, *words]


def _runs_itself(path: str) -> bool:
    """Whether it is an executable, or a script that does not name Python where it says what runs it."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    if not os.access(path, os.X_OK):
        return False
    if not head.startswith(b"#!"):
        return b"\0" in head
    lines = head.split(b"\n")
    if lines[0].startswith(b"#!/bin/sh") and lines[1:] and lines[1].startswith(b"'''exec'"):
        return False  # Python's, with a name that a first line cannot hold
    return not any(os.path.basename(word).startswith((b"python", b"pypy")) for word in lines[0][2:].split())


def run_captured(
    words: Sequence[str],
    variables: Mapping[str, str],
    *,
    stdin: str = "",
    timeout: float | None = None,
    cwd: str | os.PathLike[str] | None = None,
    handles: Sequence[int] = (),
) -> tuple[int, str, str]:
    """A program's exit status, what it printed, and its errors. `handles` are inherited.

    What it has started and left in the background is not waited for.

    Raises: TrialError where it cannot be started, or does not end in `timeout` seconds: it is then ended with what it
    has started, as on any other exception here.
    """
    pipe = subprocess.PIPE
    try:
        child = subprocess.Popen(
            words,
            env=variables,
            cwd=cwd,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
            pass_fds=tuple(handles),
        )
    except OSError as error:
        raise TrialError(f"the program could not be started: {error}.") from error
    streams = _Streams(child, stdin)
    is_late = _seen_to_its_end(child, timeout)
    out, err = streams.said()
    if is_late:
        what = f"the program did not end within {timeout:g} seconds and was stopped."
        raise TrialError(what, todo="Allow more time with timeout=.", stdout=out, stderr=err)
    return child.returncode, out, err


def _seen_to_its_end(child: subprocess.Popen[bytes], timeout: float | None) -> bool:
    """Wait for a child; whether it was ended because its time was over."""
    late: list[bool] = []

    def kill() -> None:
        with suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)

    def end() -> None:
        late.append(True)
        kill()

    # wait(timeout) would look again and again, up to 50 ms late.
    timer = None if timeout is None else Timer(min(timeout, TIMEOUT_MAX), end)
    try:
        if timer:
            timer.daemon = True
            timer.start()
        with ended_by(kill):
            child.wait()
    except BaseException:
        kill()
        child.wait()
        raise
    finally:
        if timer:
            timer.cancel()
    return bool(late)


class _Streams:
    """A child's streams, each with a thread: whoever else has the other end of a pipe may keep it open for ever."""

    def __init__(self, child: subprocess.Popen[bytes], stdin: str) -> None:
        self._heard: tuple[list[bytes], list[bytes]] = ([], [])
        self._readers = [
            Thread(target=self._read, args=pair, daemon=True)
            for pair in zip((child.stdout, child.stderr), self._heard, strict=True)
        ]
        for thread in (*self._readers, Thread(target=self._write, args=(child.stdin, stdin), daemon=True)):
            thread.start()

    @staticmethod
    def _read(stream: IO[bytes], heard: list[bytes]) -> None:
        with suppress(OSError), stream:
            while data := os.read(stream.fileno(), 2**16):
                heard.append(data)

    @staticmethod
    def _write(stream: IO[bytes], text: str) -> None:
        with suppress(OSError), stream:
            stream.write(text.encode(_encoding(), "replace"))

    def said(self) -> tuple[str, str]:
        """What it has printed, and its errors: call it when the child has ended."""
        end = time.monotonic() + _GRACE
        for thread in self._readers:
            thread.join(max(end - time.monotonic(), 0))
        out, err = (TextIOWrapper(BytesIO(b"".join(heard)), _encoding(), "replace").read() for heard in self._heard)
        return out, err


def _encoding() -> str:
    return locale.getpreferredencoding(do_setlocale=False)


def start_in_foreground(
    words: Sequence[str], variables: Mapping[str, str] | None = None, handles: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start a program with this process's streams; see it to its end with `exit_status()`.

    Args:
        words: The program and its arguments.
        variables: Its environment variables; None for those of this process.
        handles: File descriptors that it inherits (POSIX).

    Returns:
        The child process.

    Raises:
        OSError: It cannot be started.
    """
    return subprocess.Popen(words, env=variables, pass_fds=tuple(handles))


def run_in_foreground(words: Sequence[str], variables: Mapping[str, str], handles: Sequence[int] = ()) -> int:
    """Run a program with this process's streams; its exit status, as `exit_status()` has it. Raises TrialError."""
    try:
        child = start_in_foreground(words, variables, handles)
    except OSError as error:
        raise TrialError(f"the program could not be started: {error}.") from error
    return exit_status(child)


def exit_status(child: subprocess.Popen[bytes]) -> int:
    """Wait for a program that has this process's streams; its exit status.

    One that was ended by a signal has 128 and the signal's number, as in shells. Ctrl-C is the program's.
    """
    while True:
        try:
            status = child.wait()
        except KeyboardInterrupt:
            continue
        return 128 - status if status < 0 else status
