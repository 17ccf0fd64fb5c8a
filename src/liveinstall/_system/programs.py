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

from liveinstall._system.cancellation import ended_by
from liveinstall.errors import RequirementError, TrialError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO, Any

_HEAD = 2**10  # bytes at the beginning of a file that show its kind
_GRACE = 0.5  # seconds to read the pipe of an exited program, because a process that it has started may have it open


def program_of(
    code: str | None, module: str | None, script: str | os.PathLike[str] | None, arguments: Sequence[str]
) -> list[str]:
    """Convert a program to arguments of an interpreter.

    Args:
        code: Python code, for `-c`.
        module: The name of a module, for `-m`.
        script: The path of a script.
        arguments: The arguments of the program.

    Returns:
        The arguments of the interpreter.

    Raises:
        RequirementError: None or more than one of `code`, `module` and `script` is given.
    """
    programs = [value for value in (code, module, script) if value is not None]
    if len(programs) != 1:
        raise RequirementError("exactly one of code=, module= and script= must be given.", requirement="")
    flag = ["-c"] if code is not None else ["-m"] if module is not None else []
    return [*flag, os.fspath(programs[0]), *map(str, arguments)]


def with_script(program: Sequence[str], scripts: str) -> list[str]:
    """Replace the name of a console script by its path.

    Args:
        program: The arguments of an interpreter; the first may be the path of a script or the name of a console script.
        scripts: The directory of the environment's console scripts.

    Returns:
        The arguments; unchanged if the first is an option, an existing path, or not in `scripts`.
    """
    arguments = list(program)
    if arguments and not arguments[0].startswith("-") and not os.path.exists(arguments[0]):
        inside = os.path.join(scripts, arguments[0])
        if os.name == "nt" and not os.path.isfile(inside):
            inside += ".exe"
        is_console_script = os.path.basename(arguments[0]) == arguments[0] and os.path.isfile(inside)
        arguments[0] = inside if is_console_script else arguments[0]
    return arguments


def command_of(python: Sequence[str], program: Sequence[str], scripts: str) -> list[str]:
    """Build the command line of a program.

    Args:
        python: The interpreter, with its options.
        program: The arguments of the interpreter, as from `program_of()`, or a console script with its arguments.
        scripts: The directory of the environment's console scripts.

    Returns:
        The command line; without the interpreter for an executable or a script of another language in `scripts`.
    """
    arguments = with_script(program, scripts)
    is_inside = bool(arguments) and os.path.dirname(arguments[0]) == scripts
    return arguments if is_inside and is_program(arguments[0]) else [*python, *arguments]


def is_program(path: str) -> bool:
    """Whether a file is a binary executable, or a script whose `#!` line is not that of Python."""
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
        return False  # a Python script with an interpreter path that is too long or complex for a `#!` line
    return not any(os.path.basename(word).startswith((b"python", b"pypy")) for word in lines[0][2:].split())


def run_captured(
    command: Sequence[str],
    variables: Mapping[str, str],
    *,
    stdin: str = "",
    timeout: float | None = None,
    cwd: str | os.PathLike[str] | None = None,
    handles: Sequence[int] = (),
) -> tuple[int, str, str]:
    """Run a program and capture its output.

    Background processes that the program leaves are not waited for. On any exception, the program and its descendants
    are killed.

    Args:
        command: The command line.
        variables: The environment variables.
        stdin: The text for its standard input.
        timeout: In seconds; None for no limit.
        cwd: The working directory. Default: that of this process.
        handles: File descriptors that it inherits (POSIX).

    Returns:
        The exit status, the standard output and the standard error output.

    Raises:
        TrialError: It cannot be started, or does not exit in time.
        RequestCancelledError: The request was cancelled.
    """
    pipe = subprocess.PIPE
    try:
        child = _start(
            command,
            env=variables,
            cwd=cwd,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
            pass_fds=_inherited(handles),
        )
    except OSError as error:
        raise TrialError(f"the program could not be started: {error}.") from None
    streams = _Streams(child, stdin)
    has_timed_out = _wait_for(child, timeout)
    out, err = streams.output()
    if has_timed_out:
        what = f"the program did not exit within {timeout:g} seconds and was stopped."
        raise TrialError(what, todo="Allow more time with timeout=.", stdout=out, stderr=err)
    return child.returncode, out, err


def _start(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a program. The error has its name, which Windows omits."""
    try:
        return subprocess.Popen(command, **options)
    except OSError as error:
        if error.filename is None:
            error.filename = command[0]
        raise


def _inherited(handles: Sequence[int]) -> tuple[int, ...]:
    """The handles that a child can inherit; a lock of Windows is its process's alone."""
    return () if os.name == "nt" else tuple(handles)


def _wait_for(child: subprocess.Popen[bytes], timeout: float | None) -> bool:
    """Wait for a child; whether it was killed because of the timeout."""
    timeouts: list[bool] = []

    def kill() -> None:
        with suppress(OSError):
            if os.name == "nt":
                child.kill()
            else:
                os.killpg(child.pid, signal.SIGKILL)

    def time_out() -> None:
        timeouts.append(True)
        kill()

    # wait(timeout) polls, and can return up to 50 ms after the exit.
    timer = None if timeout is None else Timer(min(timeout, TIMEOUT_MAX), time_out)
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
    return bool(timeouts)


class _Streams:
    """A child's streams, each with a thread: a descendant may keep the other end of a pipe open indefinitely."""

    def __init__(self, child: subprocess.Popen[bytes], stdin: str) -> None:
        self._chunks: tuple[list[bytes], list[bytes]] = ([], [])
        self._readers = [
            Thread(target=self._read, args=pair, daemon=True)
            for pair in zip((child.stdout, child.stderr), self._chunks, strict=True)
        ]
        for thread in (*self._readers, Thread(target=self._write, args=(child.stdin, stdin), daemon=True)):
            thread.start()

    @staticmethod
    def _read(stream: IO[bytes], chunks: list[bytes]) -> None:
        with suppress(OSError), stream:
            while data := os.read(stream.fileno(), 2**16):
                chunks.append(data)

    @staticmethod
    def _write(stream: IO[bytes], text: str) -> None:
        with suppress(OSError), stream:
            stream.write(text.encode(_encoding(), "replace"))

    def output(self) -> tuple[str, str]:
        """Return the standard output and the standard error output of the child, after it has exited."""
        deadline = time.monotonic() + _GRACE
        for thread in self._readers:
            thread.join(max(deadline - time.monotonic(), 0))
        out, err = (TextIOWrapper(BytesIO(b"".join(each)), _encoding(), "replace").read() for each in self._chunks)
        return out, err


def _encoding() -> str:
    return locale.getpreferredencoding(do_setlocale=False)


def start_in_foreground(
    command: Sequence[str], variables: Mapping[str, str] | None = None, handles: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start a program with this process's streams; wait for it with `exit_status()`.

    Args:
        command: The command line.
        variables: Its environment variables; None for those of this process.
        handles: File descriptors that it inherits (POSIX).

    Returns:
        The child process.

    Raises:
        OSError: It cannot be started.
    """
    return _start(command, env=variables, pass_fds=_inherited(handles))


def run_in_foreground(command: Sequence[str], variables: Mapping[str, str], handles: Sequence[int] = ()) -> int:
    """Run a program with this process's streams.

    Args:
        command: The command line.
        variables: The environment variables.
        handles: File descriptors that it inherits (POSIX).

    Returns:
        The exit status, as from `exit_status()`.

    Raises:
        TrialError: It cannot be started.
    """
    try:
        child = start_in_foreground(command, variables, handles)
    except OSError as error:
        raise TrialError(f"the program could not be started: {error}.") from None
    return exit_status(child)


def exit_status(child: subprocess.Popen[bytes]) -> int:
    """Wait for a program that has this process's streams. Ctrl-C is left to the program.

    Args:
        child: The child process, as from `start_in_foreground()`.

    Returns:
        The exit status; 128 plus the signal's number if a signal has killed it, as in shells.
    """
    while True:
        try:
            status = child.wait()
        except KeyboardInterrupt:
            continue
        return 128 - status if status < 0 else status
