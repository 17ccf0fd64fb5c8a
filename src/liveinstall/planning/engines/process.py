"""The one place that starts child processes: an argument list, no shell, secrets never shown."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from liveinstall.cancelling import ended_by
from liveinstall.errors import EngineTimeoutError
from liveinstall.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


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
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )

    def ask(self, question: str, *, timeout: float | None, hear: Callable[[str], None] = _silent) -> tuple[int, str]:
        """Write `question`, a line, to its standard input, and see the child to its end, as `run()` does.

        Its standard input stays open until then, so that it can notice when this process dies; without a question it
        is closed at once. `hear` is told of each line that it prints, in this thread.
        """
        with self._process as process:
            try:
                with ended_by(self.kill):
                    self._write(question)
                    output = self._listen(timeout, hear)
                    process.wait()
            except BaseException:
                self.kill()
                raise
        return process.returncode, redact(output)

    def _write(self, question: str) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        if not question:
            stdin.close()
            return
        with suppress(BrokenPipeError):  # it has died, and will have said why
            os.write(stdin.fileno(), os.fsencode(question + "\n"))  # a path: shorter than what is written at once

    def _listen(self, timeout: float | None, hear: Callable[[str], None]) -> str:
        """What it prints until its end. Read by a thread, because a pipe cannot be waited for everywhere."""
        lines: SimpleQueue[str | None] = SimpleQueue()
        Thread(target=self._read, args=(lines,), daemon=True).start()
        deadline = None if timeout is None else time.monotonic() + timeout
        heard: list[str] = []
        while True:
            left = None if deadline is None else max(deadline - time.monotonic(), 0)
            try:
                line = lines.get(timeout=left)
            except Empty:
                raise EngineTimeoutError(
                    f"the engine did not finish within {timeout:g} seconds and was stopped.",
                    todo="Allow more time with timeout=.",
                ) from None
            if line is None:
                return "".join(heard)
            heard.append(line)
            hear(line)

    def _read(self, lines: SimpleQueue[str | None]) -> None:
        assert self._process.stdout is not None
        with suppress(OSError, ValueError):  # closed, because nobody waits any more
            for line in self._process.stdout:
                lines.put(line.decode("utf-8", "replace"))
        lines.put(None)

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
        with self._process:
            pass
