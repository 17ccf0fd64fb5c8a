"""Child processes of liveinstall itself: an argument list, no shell, a timeout, and output without credentials."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from threading import Thread, current_thread, main_thread

from liveinstall._redact import redact
from liveinstall._system.cancellation import ended_by
from liveinstall.errors import EngineError, EngineTimeoutError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from queue import SimpleQueue


_GRACE = 1.0  # seconds between the checks whether the child has exited although its pipe is still open


def run(arguments: Sequence[str], *, timeout: float | None, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a child process until it exits.

    The child and its descendants are killed on a timeout, on cancellation, and on any exception here, even Ctrl-C.

    Args:
        arguments: The command line.
        timeout: In seconds; None for no limit.
        env: The environment variables. Default: those of this process.

    Returns:
        The exit status, and the output without credentials.

    Raises:
        EngineTimeoutError: The child did not exit in time.
        RequestCancelledError: The request was cancelled.
    """
    child = Child(arguments, env=env)
    return child.ask("", timeout=timeout)


def _silent(line: str) -> None:
    """Discard a line of output."""


@contextmanager
def _interrupts_postponed(clean_up: Callable[[], None]) -> Iterator[None]:
    """Let a Ctrl-C during the block take effect after it, and then clean up: `Popen` would lose the started process."""
    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or current_thread() is not main_thread():  # nothing is raised, or not here
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException:
            clean_up()
            raise


class Child:
    """A child process that is started, and imports its modules, before its request is known.

    It is the leader of a new session (POSIX), so that it cannot prompt at the terminal, and is killed with all its
    descendants.

    Args:
        arguments: The command line.
        env: The environment variables. Default: those of this process.

    Raises:
        EngineError: The child cannot be started.
    """

    def __init__(self, arguments: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        self._is_read = False
        pipe = subprocess.PIPE
        try:
            with _interrupts_postponed(self.kill):
                self._process = subprocess.Popen(
                    arguments, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, env=env, start_new_session=True
                )
        except OSError as error:
            raise EngineError(f"{arguments[0]} could not be started: {error}.", log="") from None

    def ask(self, question: str, *, timeout: float | None, hear: Callable[[str], None] = _silent) -> tuple[int, str]:
        """Send a request to the child and wait until it exits, as `run()` does.

        Its standard input stays open until then, so that it can detect the death of this process.

        Args:
            question: A line for its standard input; empty to close that at once.
            timeout: In seconds; None for no limit.
            hear: Called in this thread with each line of its output. Default: nothing.

        Returns:
            The exit status, and the output without credentials.

        Raises:
            EngineTimeoutError: The child did not exit in time.
            RequestCancelledError: The request was cancelled.
        """
        try:
            with ended_by(self.kill):
                self._write(question)
                output = self._read_output(timeout, hear)
                status = self._process.wait()
        except BaseException:
            self.kill()
            raise
        finally:
            self._close()
        return status, redact(output)

    def _write(self, question: str) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        if not question:
            stdin.close()
            return
        with suppress(OSError):  # the child has exited; its output has the reason
            os.write(stdin.fileno(), os.fsencode(question + "\n"))  # a path, which is short enough for one write

    def _read_output(self, timeout: float | None, hear: Callable[[str], None]) -> str:
        """Read the output until the child exits, in a thread: not every system can wait for a pipe with a timeout."""
        from queue import Empty, SimpleQueue  # while the child is starting

        lines: SimpleQueue[str | None] = SimpleQueue()
        self._is_read = True
        Thread(target=self._read, args=(lines,), daemon=True).start()
        deadline = None if timeout is None else time.monotonic() + timeout
        output: list[str] = []
        has_exited = False
        while True:
            remaining = _GRACE
            if deadline is not None and not has_exited:
                remaining = min(max(deadline - time.monotonic(), 0), _GRACE)
            try:
                line = lines.get(timeout=remaining)
            except Empty:
                if has_exited:
                    return "".join(output)  # a descendant continues to run and has the pipe open
                has_exited = self._process.poll() is not None  # then its last lines may just be arriving
                if has_exited or deadline is None or time.monotonic() < deadline:
                    continue
                raise EngineTimeoutError(
                    f"the engine did not finish within {timeout:g} seconds and was stopped.",
                    todo="Allow more time with timeout=.",
                ) from None
            if line is None:
                return "".join(output)
            output.append(line)
            hear(line)

    def _read(self, lines: SimpleQueue[str | None]) -> None:
        """Read and close the pipe in one thread: closing it in another would block while a process has it open."""
        assert self._process.stdout is not None
        with suppress(OSError, ValueError), self._process.stdout as stream:
            for line in stream:
                lines.put(line.decode("utf-8", "replace"))
        lines.put(None)

    def _close(self) -> None:
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._process.wait()

    def kill(self) -> None:
        """Kill the child, and on POSIX all its descendants."""
        with suppress(OSError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def stop(self) -> None:
        """Kill the child if it is still running."""
        if self._process.poll() is None:
            self.kill()
        self._close()
        if not self._is_read and self._process.stdout is not None:
            self._process.stdout.close()
