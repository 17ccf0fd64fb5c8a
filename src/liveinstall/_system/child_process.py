"""Our own child processes: an argument list, no shell, a timeout, and output without credentials."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from liveinstall._redact import redact
from liveinstall._system.cancellation import ended_by
from liveinstall.errors import EngineError, EngineTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


_GRACE = 1.0  # seconds: how often it is looked whether the child has ended although its pipe has not


def run(arguments: Sequence[str], *, timeout: float | None, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a child to its end: its exit status, and what it printed, redacted.

    The child and what it has started are stopped when `timeout` (seconds) is over, on cancelling, and on any exception
    here, Ctrl-C included.

    Raises: EngineTimeoutError, RequestCancelledError.
    """
    child = Child(arguments, env=env)
    return child.ask("", timeout=timeout)


def _silent(line: str) -> None:
    """Nobody listens."""


class Child:
    """A child process that starts, and loads what it needs, before it is known what to ask it.

    It is the first of a session of its own (POSIX): so it cannot ask questions at the terminal, and what it starts in
    turn ends with it.
    """

    def __init__(self, arguments: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        self._is_read = False
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                arguments, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, env=env, start_new_session=True
            )
        except OSError as error:
            raise EngineError(f"{arguments[0]} could not be started: {error}.", log="") from error

    def ask(self, question: str, *, timeout: float | None, hear: Callable[[str], None] = _silent) -> tuple[int, str]:
        """Write `question`, a line, to its standard input, and see the child to its end, as `run()` does.

        Its standard input stays open until then, so that it can notice when this process dies; without a question it
        is closed at once. `hear` is told of each line that it prints, in this thread.
        """
        try:
            with ended_by(self.kill):
                self._write(question)
                output = self._listen(timeout, hear)
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
        with suppress(OSError):  # it has died, and will have said why
            os.write(stdin.fileno(), os.fsencode(question + "\n"))  # a path: shorter than what is written at once

    def _listen(self, timeout: float | None, hear: Callable[[str], None]) -> str:
        """What it prints until its end. Read by a thread, because a pipe cannot be waited for everywhere."""
        lines: SimpleQueue[str | None] = SimpleQueue()
        self._is_read = True
        Thread(target=self._read, args=(lines,), daemon=True).start()
        deadline = None if timeout is None else time.monotonic() + timeout
        heard: list[str] = []
        while True:
            left = _GRACE if deadline is None else min(max(deadline - time.monotonic(), 0), _GRACE)
            try:
                line = lines.get(timeout=left)
            except Empty:
                if self._process.poll() is not None:
                    return "".join(heard)  # what it has started goes on, and has the pipe
                if deadline is None or time.monotonic() < deadline:
                    continue
                raise EngineTimeoutError(
                    f"the engine did not finish within {timeout:g} seconds and was stopped.",
                    todo="Allow more time with timeout=.",
                ) from None
            if line is None:
                return "".join(heard)
            heard.append(line)
            hear(line)

    def _read(self, lines: SimpleQueue[str | None]) -> None:
        """Nobody else closes the pipe: that would wait for whoever still has its other end."""
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
        """End the child, and on POSIX all that it has started."""
        with suppress(OSError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def stop(self) -> None:
        """End the child, if it still runs."""
        if self._process.poll() is None:
            self.kill()
        self._close()
        if not self._is_read and self._process.stdout is not None:
            self._process.stdout.close()
