"""The one place that starts child processes: an argument list, no shell, secrets never shown."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from liveinstall.errors import EngineTimeoutError
from liveinstall.redact import redact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def run(arguments: Sequence[str], *, timeout: float | None, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a child to its end: its exit status, and what it printed, redacted.

    The child is stopped when `timeout` (seconds) is over and on any exception here, Ctrl-C included.

    Raises: EngineTimeoutError.
    """
    return Child(arguments, env=env).ask("", timeout=timeout)


class Child:
    """A child process that starts, and loads what it needs, before it is known what to ask it."""

    def __init__(self, arguments: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            arguments, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def ask(self, question: str, *, timeout: float | None) -> tuple[int, str]:
        """Write `question` to its standard input, close that, and see the child to its end, as `run()` does."""
        with self._process as process:
            try:
                output, _ = process.communicate(os.fsencode(question), timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise EngineTimeoutError(
                    f"the engine did not finish within {timeout:g} seconds and was stopped.",
                    todo="Allow more time with timeout=.",
                ) from None
            except BaseException:
                process.kill()
                raise
        return process.returncode, redact(output.decode("utf-8", "replace"))

    def stop(self) -> None:
        """End the child, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
